"""Who set a tag, by CloudTrail's event history. EC2's CreateTags takes many resources and tags; a
call that creates a VPC or an endpoint may give it tags as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from guard.cloudtrail import resource_ids
from guard.cloudtrail.event_history import EventHistory, Seen
from guard.cloudtrail.record import Record

CREATING: Mapping[str, str] = {"vpc": "CreateVpc", "vpce": "CreateVpcEndpoint"}
HISTORY = timedelta(days=90)  # as far as the event history goes
REMEMBERED = timedelta(minutes=1)


@dataclass(slots=True)
class Taggers:
    """Remembers the event history for a minute: a sweep asks about many resources."""

    history: EventHistory
    _seen: dict[str, Seen] = field(default_factory=dict[str, Seen])
    _read_at: datetime | None = None

    def who(self, resources: Sequence[str], key: str, now: datetime) -> str:
        """Who set the tag on one of these, and when, in words that follow "by"."""
        if not self._read_at or now - self._read_at > REMEMBERED:
            self._seen, self._read_at = {}, now
        kinds = dict.fromkeys(one.partition("-")[0] for one in resources)
        lacking = ""
        for call in ("CreateTags", *(CREATING[kind] for kind in kinds if kind in CREATING)):
            if call not in self._seen:
                self._seen[call] = self.history.calls(call, now - HISTORY)
            for one in self._seen[call].records:
                if not one.failed and tags_set(one, resources).get(key) is not None:
                    return f"{one.identity.name} at {one.event_time:%Y-%m-%d %H:%M} UTC"
            lacking = lacking or self._seen[call].lacking
        return f"somebody unknown ({lacking or 'no call that set it in the history'})"


def tagged(record: Record) -> tuple[str, ...]:
    """What a call tagged: what it created, or what it names."""
    match record.event_name:
        case "CreateVpc":
            return resource_ids.vpc_ids(record)
        case "CreateVpcEndpoint":
            return resource_ids.endpoint_ids(record)
        case _:
            return resource_ids.network_ids(record)


def tags_set(record: Record, resources: Sequence[str]) -> dict[str, str]:
    """The tags that a call set on one of these resources; empty where it named none."""
    return tags_in(record) if set(tagged(record)) & set(resources) else {}


def tags_in(record: Record) -> dict[str, str]:
    """The tags that a call names: a removed one may stand without its value."""
    tags = [*_members(record.request.get("tagSet")), *_given(record.request)]
    for wrapped in _members(record.request.get(f"{record.event_name}Request")):
        tags += _given(wrapped)
    return {
        str(one.get("key", one.get("Key", ""))): str(one.get("value", one.get("Value", "")))
        for one in tags
    }


def _given(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tags that a call gives to what it creates, in either convention of EC2's records."""
    given = (request.get("tagSpecificationSet"), request.get("TagSpecification"))
    return [
        tag
        for some in given
        for one in _members(some)
        for name in ("tags", "Tag")
        for tag in _members(one.get(name))
    ]


def _members(value: object) -> list[Mapping[str, Any]]:
    """The objects of a set: one may stand without its list, or under `items`."""
    if isinstance(value, dict) and "items" in value:
        return _members(cast("Mapping[str, Any]", value)["items"])
    listed = cast("list[Any]", value if isinstance(value, list) else [value])
    return [cast("Mapping[str, Any]", one) for one in listed if isinstance(one, dict)]
