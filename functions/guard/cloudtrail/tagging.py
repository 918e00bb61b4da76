"""Who set a tag, by CloudTrail's event history. EC2's CreateTags takes many resources and tags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from guard.cloudtrail.event_history import EventHistory, Seen
from guard.cloudtrail.record import Record

HISTORY = timedelta(days=90)  # as far as the event history goes
REMEMBERED = timedelta(minutes=1)


@dataclass(slots=True)
class Taggers:
    """Remembers the event history for a minute: a sweep asks about many resources."""

    history: EventHistory
    _seen: Seen = field(default_factory=Seen)
    _read_at: datetime | None = None

    def who(self, resources: Sequence[str], key: str, now: datetime) -> str:
        """Who set the tag on one of these, and when, in words that follow "by"."""
        if not self._read_at or now - self._read_at > REMEMBERED:
            self._seen = self.history.calls("CreateTags", now - HISTORY)
            self._read_at = now
        for one in self._seen.records:
            if not one.failed and tags_set(one, resources).get(key) is not None:
                return f"{one.identity.name} at {one.event_time:%Y-%m-%d %H:%M} UTC"
        return f"somebody unknown ({self._seen.lacking or 'no CreateTags of it in the history'})"


def tags_set(record: Record, resources: Sequence[str]) -> dict[str, str]:
    """The tags that a CreateTags set on one of these resources; empty where it named none."""
    named = {one.get("resourceId") for one in _items(record.request, "resourcesSet")}
    return tags_in(record) if named & set(resources) else {}


def tags_in(record: Record) -> dict[str, str]:
    """The tags that a CreateTags or DeleteTags names: a removed one may stand without its value."""
    tags = _items(record.request, "tagSet")
    return {str(one.get("key", "")): str(one.get("value", "")) for one in tags}


def _items(request: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The items of a set in an EC2 record: one may stand without its list."""
    body: Any = request.get(name)
    found: Any = cast("Mapping[str, Any]", body).get("items") if isinstance(body, dict) else None
    listed = cast("list[Any]", found if isinstance(found, list) else [found])
    return [cast("Mapping[str, Any]", one) for one in listed if isinstance(one, dict)]
