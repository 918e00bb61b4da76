"""What is put by for the digest, so that it finds all of it without a scan of the table.

A shelf is a few index items, each with a set of ids, and one item per id with what was put by.
An id's index item follows from the id, so writers do not meet in one item, and a reader asks for
all of them in one call, which is all that an idle hour costs. The set is DynamoDB's own: to add an
id twice or to take away one that is gone changes nothing, so a process that dies and begins again
neither loses nor doubles anything.

What is put by is written before its id, and an id is taken away only once ops were told.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SHARDS = 8
FULL = 2_000
"""Most ids of one index item: some 80 KB. DynamoDB takes 400, but charges a write by the size."""

KEPT = timedelta(days=14)  # as long as a message may wait in a dead-letter queue
READ_AT_ONCE = 100  # keys of one BatchGetItem

DIGEST = "digest"  # findings of low severity, to be told together
WAITING = "waiting"  # findings that say that something is paused or waits for a person


@dataclass(frozen=True, slots=True)
class Shelf:
    """One shelf of the table. Methods raise boto3's ClientError.

    Needs dynamodb:UpdateItem to put by and to take away, dynamodb:BatchGetItem to look.
    """

    client: DynamoDBClient
    table: str
    name: str

    def put(self, id_: str, body: str, now: datetime) -> bool:
        """Put `body` by under the id; False if the shelf is full.

        Of an id that is known the body is replaced, and `since` (epoch seconds) kept.
        """
        self._update(
            self._item(id_),
            "SET body = :body, since = if_not_exists(since, :now), latest = :now, "
            "expires_at = :kept",
            {
                ":body": {"S": body},
                ":now": {"N": str(int(now.timestamp()))},
                ":kept": {"N": str(int((now + KEPT).timestamp()))},
            },
        )
        try:
            self._update(
                self._index(_shard(id_)),
                "ADD ids :ids",
                {":ids": {"SS": [id_]}, ":full": {"N": str(FULL)}, ":id": {"S": id_}},
                "attribute_not_exists(ids) OR size(ids) < :full OR contains(ids, :id)",
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def ids(self) -> list[str]:
        """All that is put by, in a fixed order."""
        indexes = read(self.client, self.table, [self._index(shard) for shard in range(SHARDS)])
        return sorted(id_ for item in indexes.values() for id_ in item.get("ids", {}).get("SS", []))

    def bodies(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """The items of these ids, of those that have one."""
        items = read(self.client, self.table, [self._item(id_) for id_ in ids])
        return {id_: items[self._item(id_)] for id_ in ids if self._item(id_) in items}

    def remove(self, ids: Collection[str]) -> None:
        """Take these away: after ops were told. Their items end by their time to live."""
        for shard in range(SHARDS):
            if some := [id_ for id_ in ids if _shard(id_) == shard]:
                self._update(self._index(shard), "DELETE ids :ids", {":ids": {"SS": some}})

    def _update(
        self, key: str, update: str, values: dict[str, Any], condition: str | None = None
    ) -> None:
        only_if: Any = {"ConditionExpression": condition} if condition else {}
        self.client.update_item(
            TableName=self.table,
            Key={"pk": {"S": key}},
            UpdateExpression=update,
            ExpressionAttributeValues=values,
            **only_if,
        )

    def _index(self, shard: int) -> str:
        return f"shelf#{self.name}#index#{shard}"

    def _item(self, id_: str) -> str:
        return f"shelf#{self.name}#{id_}"


def read(client: DynamoDBClient, table: str, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The items of these keys, as DynamoDB spells them, by key. Needs dynamodb:BatchGetItem."""
    return {item["pk"]["S"]: item for item in _items(client, table, keys)}


def _items(client: DynamoDBClient, table: str, keys: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    for some in batched(dict.fromkeys(keys), READ_AT_ONCE, strict=False):
        wanted: Any = {
            table: {"Keys": [{"pk": {"S": key}} for key in some], "ConsistentRead": True}
        }
        while wanted:  # DynamoDB answers with 16 MB at most, and says what is missing
            answer: Any = client.batch_get_item(RequestItems=wanted)
            yield from answer.get("Responses", {}).get(table, [])
            wanted = answer.get("UnprocessedKeys")


def _shard(id_: str) -> int:
    return zlib.crc32(id_.encode()) % SHARDS
