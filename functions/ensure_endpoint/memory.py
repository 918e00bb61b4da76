"""What the guard remembers of a VPC, in the state table.

Until when its builders have time to bring an endpoint of their own, when it was torn down and when
it was used again, and its slot for EC2's endpoint calls. Read only where something is to be done.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from guard.reconcile.request import Key
    from guard.table.items import Items, Values

KEPT = timedelta(days=90)
"""How long a VPC is remembered after the last attempt to change it: the sweep makes one
every few hours, so an item outlives its VPC and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcRecord:
    """One VPC; epoch seconds, 0 for never.

    `paid_month` is the calendar month (202611) in which its endpoint was last counted into the
    monthly budget, `slot_at` when its slot for EC2 comes.
    """

    grace_until: int = 0
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
            self.note(key, now, **_numbers(item))
        return VpcRecord(**_numbers(item))

    def note(self, key: Key, now: datetime, **values: int) -> None:
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

    def spent_before(self, month: int, now: datetime) -> int:
        """Cents of that month that the version before counted, without account and Region."""
        return int(self.items.get(f"budget#month#{month}", now).get("tally", 0))


def _name(key: Key) -> str:
    return f"vpc#{key}"


def _numbers(item: Values) -> dict[str, int]:
    known = {one.name for one in fields(VpcRecord)}
    return {name: int(value) for name, value in item.items() if name in known}
