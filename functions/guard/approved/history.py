"""Every change that the guard made to an endpoint's policy, with what it was before and after.

Items of the state table: `history#<account>/<Region>/<endpoint>` has the number of the last change,
and the same with `#<number>` one change. They are kept for `HISTORY_DAYS`.
What the version before kept, under names without a place, is read where nothing is found.
Kept after AWS has the change and before it is published, so that ops can look up what they read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Self

from guard.cloudtrail.callers import Caller, in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.findings.finding import Finding
    from guard.table.items import Item, Items

HISTORY_DAYS = 90  # as long as the event history of CloudTrail, which says who did it

# What the guard, or somebody through it, did.
CREATED, RESTORED, ROLLED_BACK = "created", "restored", "rolled back"
APPLIED = "applied"  # a new version of the approved policy
LEFT = "left alone"  # somebody's change in a pause: nothing was written


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of an endpoint's policy.

    `action` is what the guard did in a word; `callers` are those whose change it undid or left, or
    who had it rolled back. `before` is empty for an endpoint that was created, `number` is 0 until
    kept.
    """

    endpoint_id: str
    at: datetime
    action: str
    before: str
    after: str
    callers: tuple[Caller, ...] = ()
    number: int = 0

    @property
    def who(self) -> str:
        """The callers in words."""
        return in_words(self.callers) or "unknown: found by a sweep, not by an event"

    @classmethod
    def of(cls, finding: Finding, action: str) -> Self:
        """The change that a finding of `restore_policy.findings` reports."""
        evidence = finding.evidence
        return cls(
            endpoint_id=finding.resource,
            at=finding.first_seen,
            action=action,
            before=str(evidence.get("policy_before", "")),
            after=str(evidence.get("policy_after", "")),
            callers=tuple(Caller.from_json(one) for one in evidence.get("callers", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """JSON values: how it is kept, and what `guardctl history` prints."""
        return {
            "number": self.number,
            "endpoint_id": self.endpoint_id,
            "at": self.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "action": self.action,
            "who": self.who,
            "callers": [one.to_json() for one in self.callers],
            "before": self.before,
            "after": self.after,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote. Raises KeyError, ValueError or TypeError for anything else."""
        texts = ("endpoint_id", "action", "before", "after")
        at = datetime.fromisoformat(body["at"])
        if at.tzinfo is None or not all(isinstance(body[name], str) for name in texts):
            raise TypeError("a change has a field of another type")
        return cls(
            endpoint_id=body["endpoint_id"],
            at=at,
            action=body["action"],
            before=body["before"],
            after=body["after"],
            callers=tuple(Caller.from_json(one) for one in body["callers"]),
            number=int(body["number"]),
        )


@dataclass(frozen=True, slots=True)
class History:
    """The changes in the table; methods raise ClientError."""

    items: Items
    kept: timedelta

    def keep(self, change: Change, key: str, now: datetime) -> int:
        """Keep a change; its number. `key` is the same for a second try to keep the same change.

        The changes of one endpoint come one after the other, so the last key shows a repeat.
        """
        ends = now + self.kept
        counted, _ = self.items.update(
            self._key(change.endpoint_id),
            "SET last_number = if_not_exists(last_number, :zero) + :one, last_key = :key,"
            " expires_at = :ends",
            {":zero": 0, ":one": 1, ":key": key, ":ends": int(ends.timestamp())},
            when="attribute_not_exists(last_key) OR last_key <> :key",
        )
        number = int(counted["last_number"])
        if number == 1 and (before := self._last_before(change.endpoint_id, now)):
            number = before + 1
            self.items.put(self._key(change.endpoint_id), {"last_number": number})
        text = json.dumps(replace(change, number=number).to_json())
        self.items.put(self._key(change.endpoint_id, number), {"change": text}, expires=ends)
        return number

    def change(self, endpoint_id: str, number: int, now: datetime) -> Change | None:
        """The change of that number; None where there is none, or none any more."""
        for key in (self._key(endpoint_id, number), _old(endpoint_id, number)):
            if change := self.items.parsed(key, self.items.get(key, now), _change):
                return change
        return None

    def latest(self, endpoint_id: str, now: datetime) -> Iterator[Change]:
        """The changes that are still kept, newest first, read one by one as they are asked for."""
        number = int(self.items.get(self._key(endpoint_id), now).get("last_number", 0))
        number = number or self._last_before(endpoint_id, now)
        while number > 0 and (change := self.change(endpoint_id, number, now)):
            yield change
            number -= 1

    def left(self, endpoint_id: str, now: datetime) -> tuple[Caller, ...]:
        """Who changed the policy since the guard last wrote it, as far as it left that alone."""
        changes = takewhile(lambda one: one.action == LEFT, self.latest(endpoint_id, now))
        return tuple(caller for one in list(changes)[::-1] for caller in one.callers)

    def _last_before(self, endpoint_id: str, now: datetime) -> int:
        """The number of the last change that the version before kept; 0 for none."""
        return int(self.items.get(_old(endpoint_id), now).get("last_number", 0))

    def _key(self, endpoint_id: str, number: int | None = None) -> str:
        return self.items.name("history", endpoint_id) + _numbered(number)


def _old(endpoint_id: str, number: int | None = None) -> str:
    return f"history#{endpoint_id}{_numbered(number)}"


def _change(item: Item) -> Change:
    return Change.from_json(json.loads(item["change"]))


def _numbered(number: int | None) -> str:
    return "" if number is None else f"#{number}"
