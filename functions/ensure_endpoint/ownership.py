"""Which endpoints this stack made, by its own record.

Tags prove nothing: whoever may tag could have the guard delete an endpoint of somebody else's. So
the guard deletes what its record and the tags both say is its own. The record is an item of the
state table that never expires. Of endpoints made by versions before, the history of policies has
the creation, for as long as it is kept.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ensure_endpoint.in_force import created_by
from guard.approved.history import CREATED, History
from guard.endpoint.state import MANAGED_TAG, STACK_TAG, Endpoint, Vpc, managed_by
from guard.reconcile.outbox import Entry
from guard.table.items import Items

CLOCKS = timedelta(minutes=1)  # by which AWS's and the function's may differ


@dataclass(frozen=True, slots=True)
class Ownership:
    """The record of what `stack_id` made; methods raise ClientError."""

    items: Items
    history: History
    stack_id: str

    def record(self, endpoint_id: str, now: datetime) -> None:
        """This stack made the endpoint."""
        self.items.put(self._name(endpoint_id), {"made_at": int(now.timestamp())})

    def proven(self, vpc: Vpc, entries: Iterable[Entry], now: datetime) -> Vpc:
        """The VPC, without the guard's tags at endpoints that the guard has no record of.

        A creation that an earlier attempt began (`entries`) and the VPC shows is recorded first.
        """
        for one in _started(entries, vpc, self.stack_id):
            self.record(one.id, now)
        return replace(vpc, endpoints=tuple(self._checked(one, now) for one in vpc.endpoints))

    def _checked(self, one: Endpoint, now: datetime) -> Endpoint:
        if not managed_by(one.tags, self.stack_id) or self._made(one.id, now):
            return one
        own = (MANAGED_TAG, STACK_TAG)
        return replace(one, tags={k: v for k, v in one.tags.items() if k not in own})

    def _made(self, endpoint_id: str, now: datetime) -> bool:
        if self.items.get(self._name(endpoint_id), now):
            return True
        return any(one.action == CREATED for one in self.history.latest(endpoint_id, now))

    def _name(self, endpoint_id: str) -> str:
        return self.items.name("made", endpoint_id)


def unproven(vpc: Vpc, proven: Vpc) -> tuple[str, ...]:
    """The endpoints whose tags say that the guard made them, and its record does not."""
    pairs = zip(vpc.endpoints, proven.endpoints, strict=True)
    return tuple(one.id for one, other in pairs if one.tags != other.tags)


def _started(entries: Iterable[Entry], vpc: Vpc, stack_id: str) -> Iterator[Endpoint]:
    for entry in entries:
        for step in entry.steps:
            found = created_by(step, vpc, stack_id)
            if found and found.created >= entry.finding.first_seen - CLOCKS:
                yield found
