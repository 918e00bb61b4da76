"""What the guard remembers of a VPC and of what it made, in the state table.

Until when its builders have time to bring an endpoint of their own, which endpoint served it last,
when it was torn down and when it was used again, which subnets somebody is deleting, and its slot
for EC2's endpoint calls. Read only where something is to be done.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guard.reconcile.request import Key
    from guard.table.items import Item, Items

KEPT = timedelta(days=90)
"""How long a VPC is remembered after the last attempt to change it: the sweep makes one
every few hours, so an item outlives its VPC and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcRecord:
    """One VPC; epoch seconds, 0 for never.

    `grace_began` is when the grace of its builders began that ends at `grace_until`. `endpoint_id`
    is the endpoint that served it last, empty for none since it was built or torn down.
    `paid_month` is the calendar month (202611) in which its endpoint was last counted into the
    monthly budget, `slot_at` when its slot for EC2 comes.
    """

    grace_until: int = 0
    grace_began: int = 0
    endpoint_id: str = ""
    torn_down: int = 0
    used_at: int = 0
    paid_month: int = 0
    slot_at: int = 0

    @property
    def stood_down(self) -> bool:
        """Whether the guard leaves the VPC to whoever tears it down."""
        return self.torn_down > self.used_at


@dataclass(frozen=True, slots=True)
class VpcMemory:
    """The items in the table; methods raise ClientError.

    Needs dynamodb:GetItem and dynamodb:UpdateItem.
    """

    items: Items

    def recall(self, key: Key, now: datetime) -> VpcRecord:
        """What is remembered of a VPC.

        An item of the version before, whose name has neither account nor Region, is copied.
        """
        item = self.items.get(_name(key), now)
        if not item and (item := self.items.get(f"vpc#{key.id}", now)):
            self.note(key, now, **_known(item))
        return VpcRecord(**_known(item))

    def note(self, key: Key, now: datetime, **values: int | str) -> None:
        """Remember these of `VpcRecord`, and the VPC for another while."""
        self.items.put(_name(key), {**values}, expires=now + KEPT)

    def note_use(self, key: Key, used_at: int, now: datetime) -> None:
        """Remember that the VPC was used then, unless a later use is known already."""
        self.items.put(
            _name(key),
            {"used_at": used_at},
            expires=now + KEPT,
            when="attribute_not_exists(used_at) OR used_at < :used_at",
            given={":used_at": used_at},
        )

    def note_leaving(self, key: Key, ends: Mapping[str, int]) -> None:
        """Remember until then that somebody is deleting these subnets: nothing is put there."""
        if ends:
            last = datetime.fromtimestamp(max(ends.values()), UTC)
            self.items.put(f"leaving#{key}", ends, expires=last)

    def leaving(self, key: Key, now: datetime) -> frozenset[str]:
        """The subnets that somebody is deleting."""
        item = self.items.get(f"leaving#{key}", now)
        return frozenset(
            id_
            for id_, until in item.items()
            if id_.startswith("subnet-") and until > now.timestamp()
        )

    def spent_before(self, month: int, now: datetime) -> int:
        """Cents of that month that the version before counted, without account and Region."""
        return int(self.items.get(f"budget#month#{month}", now).get("tally", 0))


def _name(key: Key) -> str:
    return f"vpc#{key}"


def _known(item: Item) -> dict[str, Any]:
    names = {one.name for one in fields(VpcRecord)}
    return {name: value for name, value in item.items() if name in names}
