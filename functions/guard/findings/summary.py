"""What is kept of a finding for a digest, and the line that a digest has of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from guard.findings.finding import Severity
from guard.findings.text import cut, one_line

SUMMED_UP = ("callers", "secrets", "actions", "events")
"""What is kept of each sighting of an alert, so that a digest can name what it sums up."""

NEW = "new"
"""The evidence of a follow-up that says what is graver or new about it."""

NOT_LISTED = "not_listed"
"""The evidence that says how many more there are than a list holds, by the list's name."""

LISTED = 20
"""Most names of one list in a finding's evidence, and of one that is kept for a digest."""
SECRETS_LISTED = 100
"""Most secrets in one list: as many as a finding's words remember, so that each is named."""
NAMED = 5  # names of one kind in a sentence; the evidence has all that are kept

_KEPT = {"title": 300, "resource": 300, "account": 40, "region": 40, "cause": 600}
_AS_IT_IS = ("kind", "severity", "fingerprint", "id", "count", "first_seen", "last_seen")


def summary(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is worth keeping of a finding's JSON: some 1 KB, whatever the finding holds."""
    short = {name: cut(str(body[name]), most) for name, most in _KEPT.items()}
    return {**{name: body[name] for name in _AS_IT_IS}, **short}


def checked(kept: Any) -> dict[str, Any]:
    """A summary, or a finding's whole JSON, as it was kept; raises ValueError for anything else."""
    if not isinstance(kept, dict):
        raise TypeError("what was kept is no object")
    body = cast(dict[str, Any], kept)
    texts = (*_KEPT, "kind", "fingerprint", "id")
    if not all(isinstance(body.get(name), str) for name in texts):
        raise ValueError("what was kept lacks a text")
    if type(body.get("count")) is not int or not isinstance(body.get("evidence", {}), dict):
        raise ValueError("what was kept lacks its count or its evidence")
    Severity(str(body.get("severity")))
    for name in ("first_seen", "last_seen"):
        if datetime.fromisoformat(str(body.get(name))).tzinfo is None:
            raise ValueError(f"{name} has no zone")
    return body


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


def most_listed(name: str) -> int:
    """How many names a list of this name holds, or the attribute that keeps it."""
    return SECRETS_LISTED if name in ("secrets", attribute("secrets")) else LISTED


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
    who = _some("callers", [name.split(":", 5)[-1] for name in callers])
    who = who or "callers that are not named"
    what = _some("actions", actions) or "requests"
    whose = _some("secrets", [name.split(":", 6)[-1] for name in secrets])
    times = f"{count:,} requests" if count != 1 else "1 request"
    return f"{times} by {who}: {what}" + (f" of {whose}" if whose else "")


def several(names: Sequence[str], least: str = "") -> str:
    """The first names, and how many more there are: `least` says that some are not in the list."""
    first, more = ", ".join(names[:NAMED]), len(names) - NAMED
    return first if more <= 0 else f"{first} and {least}{more:,} more"


def _some(which: str, names: Sequence[str]) -> str:
    return several(names, "at least " if len(names) >= most_listed(which) else "")
