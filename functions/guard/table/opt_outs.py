"""What is opted out, as the last sweep saw it: written by sweep, read by the daily report."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guard.table.items import Item, Items

MOST = 300  # kept: an item takes 400 KB
NOTHING = "-"  # a set has a member, and none that is empty
LONGEST = 600  # characters of a tag's value and of what is wrong


@dataclass(frozen=True, slots=True, order=True)
class OptOut:
    """A VPC or endpoint with the opt-out tag. `left` says what is not well there; or empty."""

    resource: str
    value: str
    set_by: str
    left: str = ""

    def __str__(self) -> str:
        value = f" ({self.value})" if self.value else ""
        left = f"; unhealthy: {self.left}" if self.left else ""
        return f"{self.resource}{value}, by the tag that was set by {self.set_by}{left}"


@dataclass(frozen=True, slots=True)
class OptOuts:
    """The item of the account and Region; methods raise ClientError."""

    items: Items

    def write(self, found: Sequence[OptOut]) -> None:
        """Those that there are now. Needs dynamodb:UpdateItem."""
        kept = sorted(found, key=lambda one: (not one.left, one))[:MOST]
        listed = [json.dumps({k: v[:LONGEST] for k, v in asdict(one).items()}) for one in kept]
        self.items.put(self._key, {"tally": len(found), "listed": listed or [NOTHING]})

    def read(self) -> tuple[int, list[OptOut]]:
        """How many there are, and those that are kept. Needs dynamodb:BatchGetItem."""
        item = self.items.read([self._key]).get(self._key, {})
        return self.items.parsed(self._key, item, _read) or (0, [])

    @property
    def _key(self) -> str:
        return self.items.name("opted-out", "all")


def _read(item: Item) -> tuple[int, list[OptOut]]:
    kept = [json.loads(text) for text in item.get("listed", frozenset()) - {NOTHING}]
    if not all(isinstance(text, str) for one in kept for text in one.values()):
        raise TypeError("what is opted out is described by texts")
    return item.get("tally", 0), sorted(OptOut(**one) for one in kept)
