"""Other stacks of the guard in this account and Region: written by heartbeat, read by
restore_policy, so that two guards with different policies do not undo each other's work.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from guard.table.items import Item, Items

KEPT = timedelta(hours=3)  # a heartbeat an hour writes them anew
MOST = 50
NOTHING = "-"  # a set has a member, and none that is empty
_SESSION = re.compile(r"arn:[^:]+:sts::(\d{12}):assumed-role/([^/]+)/.+")


@dataclass(frozen=True, slots=True, order=True)
class Neighbour:
    """A stack's name, the role with which it restores policies, and its policy's name."""

    stack: str
    role: str
    approved_policy: str


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The item of the account and Region; methods raise ClientError."""

    items: Items

    def write(self, found: Sequence[Neighbour], now: datetime) -> None:
        """Those that there are now. Needs dynamodb:UpdateItem."""
        listed = [json.dumps(asdict(one)) for one in sorted(found)[:MOST]]
        self.items.put(self._key, {"listed": listed or [NOTHING]}, expires=now + KEPT)

    def author(self, principals: Collection[str], now: datetime) -> Neighbour | None:
        """The guard that all these principals are; None if one is anybody else.

        Needs dynamodb:GetItem, where they are sessions of one role of this account.
        """
        account = self.items.place.split("/")[0]
        sessions = [_SESSION.fullmatch(one) for one in principals]
        roles = {one[2] if one and one[1] == account else "" for one in sessions}
        if len(roles) != 1 or "" in roles:
            return None
        item = self.items.get(self._key, now)
        found = self.items.parsed(self._key, item, _read) or []
        return next((one for one in found if one.role in roles), None)

    @property
    def _key(self) -> str:
        return self.items.name("other-guards", "all")


def _read(item: Item) -> list[Neighbour]:
    kept = [json.loads(text) for text in item.get("listed", frozenset()) - {NOTHING}]
    if not all(isinstance(text, str) for one in kept for text in one.values()):
        raise TypeError("another guard is described by texts")
    return sorted(Neighbour(**one) for one in kept)
