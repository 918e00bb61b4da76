"""What is kept of a finding for a digest, and the line that a digest has of it."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from guard.findings.text import cut, one_line

SUMMED_UP = ("callers", "secrets", "actions", "events")
"""What is kept of each sighting of an alert, so that a digest can name what it sums up."""

NAMED = 5  # names of one kind in a title; the evidence has all that are kept

_KEPT = {"title": 300, "resource": 300, "account": 40, "region": 40, "cause": 600}
_AS_IT_IS = ("kind", "severity", "fingerprint", "id", "count", "first_seen", "last_seen")


def summary(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is worth keeping of a finding's JSON: some 1 KB, whatever the finding holds."""
    short = {name: cut(str(body[name]), most) for name, most in _KEPT.items()}
    return {**{name: body[name] for name in _AS_IT_IS}, **short}


def readable(value: object) -> list[str] | None:
    """The lines of a digest's list or of counts by kind; None for any other evidence."""
    if not isinstance(value, Mapping):
        return None
    entries = cast(Mapping[str, Any], value)
    listed = entries.get("findings")
    if isinstance(listed, list) and len(entries) == 1:
        summaries = cast(list[Any], listed)
        if all(isinstance(one, Mapping) and "title" in one for one in summaries):
            return [line(cast(Mapping[str, Any], one)) for one in summaries] or ["none"]
    if all(type(n) is int for n in entries.values()):
        return [f"{kind}: {n:,}" for kind, n in entries.items()] or ["none"]
    return None


def line(one: Mapping[str, Any]) -> str:
    """One finding in one line."""
    count, first, last = int(one["count"]), one["first_seen"], one["last_seen"]
    seen = f"{count:,} times, {first} to {last}" if count > 1 else f"{first}"
    return one_line(f"[{one['severity']}] {one['title']} ({one['kind']}, {seen})")


def attribute(name: str) -> str:
    """The attribute of a fingerprint's item in the table that holds one of `SUMMED_UP`."""
    return f"seen_{name}"


def summed_up_title(count: int, seen: Mapping[str, Sequence[str]], otherwise: str) -> str:
    """The title of an alert that is summed up: who did what to which secrets, how often.

    `seen` holds the lists of `SUMMED_UP`; `otherwise` is the title where they are empty.
    """
    callers, secrets, actions = (seen.get(name, ()) for name in ("callers", "secrets", "actions"))
    if not callers and not secrets:
        return otherwise
    who = _some([name.split(":", 5)[-1] for name in callers]) or "callers that are not named"
    what = _some(actions) or "requests"
    whose = _some([name.split(":", 6)[-1] for name in secrets])
    times = f"{count:,} requests" if count != 1 else "1 request"
    return f"{times} by {who}: {what}" + (f" of {whose}" if whose else "")


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    first = ", ".join(names[:NAMED])
    return first if len(names) <= NAMED else f"{first} and {len(names) - NAMED} more"
