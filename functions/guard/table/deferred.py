"""Deferred findings: what waits for the digest, found without a scan of the table.

A collection is a few index items, each with a set of ids, and one item per id with its body. An
id's index item follows from the id, so writers do not meet in one item, and a reader asks for all
of them in one call, which is all that an idle hour costs. The set is DynamoDB's own: to add an id
twice or to remove one that is gone changes nothing, so a process that dies and begins again neither
loses nor doubles anything.

A body is written before its id, and an id is removed only after its finding was published.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from guard.table.items import epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from guard.table.items import Item, Items

SHARDS = 8
FULL = 2_000
"""Most ids of one index item: some 80 KB. DynamoDB takes 400, but charges a write by the size."""
FULL_SECONDS = 60
"""How long a process takes an index item for full that was: to ask costs two writes each time."""

KEPT = timedelta(days=14)  # as long as a message may wait in a dead-letter queue

DIGEST = "digest"  # findings of low severity, to be published together
OPEN = "waiting"  # findings that say that something is paused or needs a person


@dataclass(frozen=True, slots=True)
class Deferred:
    """One collection. Methods raise ClientError.

    Needs dynamodb:UpdateItem to add and to remove, dynamodb:BatchGetItem to read.
    """

    items: Items
    name: str
    _full_until: dict[int, int] = field(default_factory=dict[int, int])

    def add(self, id_: str, body: str, now: datetime) -> bool:
        """Add `body` under the id; False if the collection is full, in most cases without a write.

        Of an id that is known the body is replaced, and `since` (epoch seconds) kept.
        """
        shard = _shard(id_)
        if self._full_until.get(shard, 0) > epoch(now):
            return False
        self.items.update(
            self._item(id_),
            "SET body = :body, since = if_not_exists(since, :now), latest = :now, "
            "expires_at = :kept",
            {":body": body, ":now": epoch(now), ":kept": epoch(now + KEPT)},
            quiet=True,
        )
        _, added = self.items.update(
            self._index(shard),
            "ADD ids :ids",
            {":ids": [id_], ":full": FULL, ":id": id_},
            when="attribute_not_exists(ids) OR size(ids) < :full OR contains(ids, :id)",
            quiet=True,
        )
        if not added:
            self._full_until[shard] = epoch(now) + FULL_SECONDS
        return added

    def ids(self) -> list[str]:
        """All ids, in a fixed order."""
        indexes = self.items.read(self._index(shard) for shard in range(SHARDS))
        return sorted(id_ for item in indexes.values() for id_ in item.get("ids", ()))

    def parsed[T](self, ids: Sequence[str], parse: Callable[[Item], T]) -> dict[str, T]:
        """What `parse` makes of the items of these ids, of those that have one it can read."""
        items = self.items.read(self._item(id_) for id_ in ids)
        found = {id_: self._item(id_) for id_ in ids if self._item(id_) in items}
        read = {id_: self.items.parsed(key, items[key], parse) for id_, key in found.items()}
        return {id_: one for id_, one in read.items() if one is not None}

    def remove(self, ids: Collection[str]) -> None:
        """Remove these: after they were published. Their items end by their time to live."""
        for shard in range(SHARDS):
            if some := [id_ for id_ in ids if _shard(id_) == shard]:
                index = self._index(shard)
                self.items.update(index, "DELETE ids :ids", {":ids": some}, quiet=True)

    def _index(self, shard: int) -> str:
        return f"shelf#{self.name}#index#{shard}"

    def _item(self, id_: str) -> str:
        return f"shelf#{self.name}#{id_}"


def _shard(id_: str) -> int:
    return zlib.crc32(id_.encode()) % SHARDS
