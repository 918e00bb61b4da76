"""Several findings as one: the gravest one's text, and all that they count and list. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from guard.findings.finding import Finding
from guard.findings.summary import LISTED, NOT_LISTED, most_listed

# What each record has one of: where they differ, a list of that name with an `s` has all of them.
_SINGLE = ("principal", "access_key_id", "session", "user_agent")


def united(group: Sequence[Finding]) -> Finding:
    """The gravest of the findings, with what all of them count, list and did."""
    worst, *others = gravest_first(group)
    if not others:
        return worst
    return replace(
        reduce(Finding.merged, others, worst),
        done=tuple(dict.fromkeys(text for one in group for text in one.done))[:LISTED],
        evidence={**worst.evidence, **listed(group)},
    )


def gravest_first(group: Sequence[Finding]) -> list[Finding]:
    """The findings in the order in which words and lists are cut: what is grave stays."""
    return sorted(group, key=lambda finding: -finding.severity.rank)


def shared(group: Sequence[Finding]) -> dict[str, Any]:
    """What the evidence of all of the findings says alike, and what it lists."""
    first, *others = group
    alike = {
        key: value
        for key, value in first.evidence.items()
        if all(one.evidence.get(key) == value for one in others)
    }
    return {**alike, **listed(group)}


def listed(group: Sequence[Finding]) -> dict[str, Any]:
    """What the evidence of the findings lists, united, and how much of it is cut off."""
    group = gravest_first(group)
    lists: dict[str, dict[Any, None]] = {}
    more = Counter[str]()
    for one in group:
        for key, value in one.evidence.items():
            if isinstance(value, list):
                lists.setdefault(key, {}).update(dict.fromkeys(value))  # pyright: ignore[reportUnknownArgumentType]
        more.update(one.evidence.get(NOT_LISTED, {}))
    for key in _SINGLE:
        values = dict.fromkeys(one.evidence[key] for one in group if key in one.evidence)
        if len(values) > 1 or f"{key}s" in lists:
            lists.setdefault(f"{key}s", {}).update(values)
    more.update({key: max(0, len(some) - most_listed(key)) for key, some in lists.items()})
    cut = {NOT_LISTED: dict(more)} if (more := +more) else {}
    return {**{key: list(some)[: most_listed(key)] for key, some in lists.items()}, **cut}
