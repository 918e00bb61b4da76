"""What is kept of a finding to be told of later, and how a line tells of it."""

from collections.abc import Mapping
from typing import Any, cast

from guard.findings.text import one_line

_KEPT = {"title": 300, "resource": 300, "account": 40, "region": 40, "cause": 600}
_AS_IT_IS = ("kind", "severity", "fingerprint", "id", "count", "first_seen", "last_seen")


def gist(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is worth keeping of a finding's JSON: some 1 KB, whatever the finding holds."""
    short = {name: _cut(str(body[name]), most) for name, most in _KEPT.items()}
    return {**{name: body[name] for name in _AS_IT_IS}, **short}


def readable(value: object) -> list[str] | None:
    """The lines of a digest's list or of counts by kind; None for any other evidence."""
    if not isinstance(value, Mapping):
        return None
    entries = cast(Mapping[str, Any], value)
    listed = entries.get("findings")
    if isinstance(listed, list) and len(entries) == 1:
        gists = cast(list[Any], listed)
        if all(isinstance(one, Mapping) and "title" in one for one in gists):
            return [line(cast(Mapping[str, Any], one)) for one in gists] or ["none"]
    if all(type(n) is int for n in entries.values()):
        return [f"{kind}: {n:,}" for kind, n in entries.items()] or ["none"]
    return None


def line(one: Mapping[str, Any]) -> str:
    """One finding in one line."""
    count, first, last = int(one["count"]), one["first_seen"], one["last_seen"]
    seen = f"{count:,} times, {first} to {last}" if count > 1 else f"{first}"
    return one_line(f"[{one['severity']}] {one['title']} ({one['kind']}, {seen})")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
