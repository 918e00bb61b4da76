"""Which events EventBridge brought, kept cheaply, so that a job can tell which it never brought.

Only where the job is on. Of each event a digest of its id is kept, in one table item for each ten
minutes of the events' own time: a batch is one or two writes. An item holds some 25,000 digests
(DynamoDB's limit is 400 KB); one that is full says so, and its ten minutes are not compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from guard.aws.errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

from botocore.exceptions import ClientError

from guard.cloudtrail.record import Record

SLOT = timedelta(minutes=10)
KEPT = timedelta(days=3)
SINCE = "arrivals#since"
ANY = "attribute_exists(pk) OR attribute_not_exists(pk)"


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
    """The table. Needs dynamodb:UpdateItem, `kept` GetItem; methods raise ClientError."""

    client: DynamoDBClient
    table: str

    def keep(self, records: Iterable[Record], now: datetime) -> None:
        """Remember that these events came: one write for each slot."""
        ids: dict[str, set[str]] = {}
        for record in records:
            if record.event_id:
                ids.setdefault(slot_of(record.event_time), set()).add(digest(record.event_id))
        for slot, some in ids.items():
            try:
                self._write(
                    slot, "ADD ids :ids SET expires_at = :ends", now, {":ids": {"SS": sorted(some)}}
                )
            except ClientError as error:
                if code_of(error) != "ValidationException":
                    raise
                full = {":full": {"BOOL": True}}
                self._write(slot, "SET is_full = :full, expires_at = :ends", now, full)

    def since(self, now: datetime) -> datetime:
        """Since when all that came was kept: what came before the job was on, nobody kept.

        Each call prolongs it, so a job that was off for longer than `KEPT` begins anew.
        """
        values = {":now": {"N": _epoch(now)}, ":ends": {"N": _epoch(now + KEPT)}}
        begin = "SET kept_since = :now, expires_at = :ends"
        go_on = "SET kept_since = if_not_exists(kept_since, :now), expires_at = :ends"
        try:
            answer = self._update(SINCE, go_on, values, "NOT expires_at <= :now")
        except self.client.exceptions.ConditionalCheckFailedException:
            answer = self._update(SINCE, begin, values)
        return datetime.fromtimestamp(int(answer["Attributes"]["kept_since"]["N"]), UTC)

    def kept(self, slot: str) -> frozenset[str] | None:
        """The digests of a slot; None for one that was full."""
        answer: Any = self.client.get_item(
            TableName=self.table, Key={"pk": {"S": f"arrived#{slot}"}}, ConsistentRead=True
        )
        item = answer.get("Item", {})
        return None if "is_full" in item else frozenset(item.get("ids", {}).get("SS", []))

    def _write(self, slot: str, update: str, now: datetime, values: dict[str, Any]) -> None:
        self._update(f"arrived#{slot}", update, {**values, ":ends": {"N": _epoch(now + KEPT)}})

    def _update(
        self, key: str, update: str, values: dict[str, Any], condition: str = ANY
    ) -> dict[str, Any]:
        answer: Any = self.client.update_item(
            TableName=self.table,
            Key={"pk": {"S": key}},
            UpdateExpression=update,
            ExpressionAttributeValues=values,
            ConditionExpression=condition,
            ReturnValues="ALL_NEW" if key == SINCE else "NONE",
        )
        return answer


def _epoch(when: datetime) -> str:
    return str(int(when.timestamp()))
