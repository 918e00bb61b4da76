"""Slots of a rate limiter: processes that share a limit take slots, a fixed time apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guard.table.items import RACES, StateError, epoch

if TYPE_CHECKING:
    from datetime import datetime

    from guard.table.items import Items

KEPT_SECONDS = 7 * 86_400

_AFTER_THE_LAST = "SET slot_at = slot_at + :gap, expires_at = :kept"
_FROM_NOW = "SET slot_at = :next, expires_at = :kept"
_IDLE = "attribute_not_exists(slot_at) OR slot_at <= :now"


@dataclass(frozen=True, slots=True)
class Slots:
    """Items `pace#<limit>`. Needs dynamodb:UpdateItem; methods raise ClientError."""

    items: Items

    def next(self, limit: str, gap_ms: int, now: datetime, *, expect_idle: bool = False) -> int:
        """The end of the caller's own slot of `gap_ms`: epoch milliseconds.

        Atomic: no two callers get the same slot. Slots that nobody took are not made up for. It is
        one UpdateItem where the limit is as the caller expects, idle or not, and else two. Raises
        StateError.
        """
        present, kept = int(now.timestamp() * 1000), epoch(now) + KEPT_SECONDS
        common = {":now": present, ":kept": kept}
        after = _AFTER_THE_LAST, "slot_at > :now", {":gap": gap_ms, **common}
        first = _FROM_NOW, _IDLE, {":next": present + gap_ms, **common}
        ways = (first, after) if expect_idle else (after, first)
        for update, condition, values in ways * RACES:
            item, done = self.items.update(_key(limit), update, values, when=condition)
            if done:
                return item["slot_at"]
        raise StateError(f"{limit}: lost {RACES} races for a slot")

    def pause_until(self, limit: str, until: datetime) -> None:
        """Nobody's slot comes before `until`."""
        self.items.update(
            _key(limit),
            "SET slot_at = :opens, expires_at = :kept",
            {":opens": int(until.timestamp() * 1000), ":kept": epoch(until) + KEPT_SECONDS},
            when="attribute_not_exists(slot_at) OR slot_at < :opens",
            quiet=True,
        )


def _key(limit: str) -> str:
    return f"pace#{limit}"
