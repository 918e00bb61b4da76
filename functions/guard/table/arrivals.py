"""Which events EventBridge brought, kept cheaply, so that a job can find which it never brought.

Only where the job is on. Of each event a digest of its id is kept, in one table item for each ten
minutes of the events' own time: a batch is one or two writes. An item holds some 25,000 digests
(DynamoDB's limit is 400 KB); one that is full says so, and its ten minutes are not compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from guard.aws.errors import code_of
from guard.table.items import epoch

if TYPE_CHECKING:
    from guard.cloudtrail.record import Record
    from guard.table.items import Items, Values

SLOT = timedelta(minutes=10)
KEPT = timedelta(days=3)
SINCE = "arrivals#since"


def digest(event_id: str) -> str:
    """12 characters for an event id: two of 25,000 ids are alike once in 900,000 slots."""
    return hashlib.sha256(event_id.encode()).hexdigest()[:12]


def slot_of(when: datetime) -> str:
    """The ten minutes that hold a time, by their beginning: 2026-11-25T13:40Z."""
    whole = when.astimezone(UTC).replace(second=0, microsecond=0)
    return f"{whole - timedelta(minutes=whole.minute % 10):%Y-%m-%dT%H:%MZ}"


def slots(start: datetime, end: datetime) -> list[str]:
    """All slots from a whole one on until before another."""
    count = int((end - start) / SLOT)
    return [slot_of(start + n * SLOT) for n in range(count)]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Needs dynamodb:UpdateItem, `kept` GetItem; methods raise ClientError."""

    items: Items

    def keep(self, records: Iterable[Record], now: datetime) -> None:
        """Remember that these events came: one write for each slot."""
        ids: dict[str, set[str]] = {}
        for record in records:
            if record.event_id:
                ids.setdefault(slot_of(record.event_time), set()).add(digest(record.event_id))
        for slot, some in ids.items():
            try:
                self._write(slot, "ADD ids :ids SET expires_at = :ends", {":ids": some}, now)
            except ClientError as error:
                if code_of(error) != "ValidationException":
                    raise
                full = "SET is_full = :full, expires_at = :ends"
                self._write(slot, full, {":full": True}, now)

    def since(self, now: datetime) -> datetime:
        """Since when all that came was kept: what came before the job was on, nobody kept.

        Each call prolongs it, so a job that was off for longer than `KEPT` begins anew.
        """
        values = {":now": epoch(now), ":ends": epoch(now + KEPT)}
        go_on = "SET kept_since = if_not_exists(kept_since, :now), expires_at = :ends"
        begin = "SET kept_since = :now, expires_at = :ends"
        item, done = self.items.update(SINCE, go_on, values, when="NOT expires_at <= :now")
        if not done:
            item, _ = self.items.update(SINCE, begin, values)
        return datetime.fromtimestamp(item["kept_since"], UTC)

    def kept(self, slot: str, now: datetime) -> frozenset[str] | None:
        """The digests of a slot; None for one that was full."""
        item = self.items.get(f"arrived#{slot}", now)
        return None if "is_full" in item else item.get("ids", frozenset())

    def _write(self, slot: str, update: str, values: Values, now: datetime) -> None:
        values = {**values, ":ends": epoch(now + KEPT)}
        self.items.update(f"arrived#{slot}", update, values, quiet=True)
