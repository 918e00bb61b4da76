"""Several findings as one: the gravest one's text, and all that they count and list. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from guard.findings.finding import Finding
from guard.findings.summary import LISTED

NOT_LISTED = "not_listed"
"""The evidence that says how many more there are than a list holds, by the list's name."""

# What each record has one of: where they differ, a list of that name with an `s` has all of them.
_SINGLE = ("principal", "access_key_id", "session", "user_agent")


def united(group: Sequence[Finding]) -> Finding:
    """The gravest of the findings, with what all of them count, list and did."""
    worst = max(group, key=lambda finding: finding.severity.rank)
    if len(group) == 1:
        return worst
    return replace(
        reduce(Finding.merged, (one for one in group if one is not worst), worst),
        done=tuple(dict.fromkeys(text for one in group for text in one.done))[:LISTED],
        evidence={**worst.evidence, **listed(group)},
    )


def listed(group: Sequence[Finding]) -> dict[str, Any]:
    """What the evidence of the findings lists, united, and how much of it is cut off."""
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
    more.update({key: len(some) - LISTED for key, some in lists.items() if len(some) > LISTED})
    cut = {NOT_LISTED: dict(more)} if more else {}
    return {**{key: list(some)[:LISTED] for key, some in lists.items()}, **cut}
