"""Budgets: how much may be done in a window of time, however many processes do it.

boto3 repeats an update whose answer was lost, so a budget may be used up early, never late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from guard.table.items import RACES, StateError, epoch

if TYPE_CHECKING:
    from guard.table.items import Item, Items

KEPT_SECONDS = 14 * 86_400  # after the window

_TAKE = (
    "SET ends = if_not_exists(ends, :ends), expires_at = if_not_exists(expires_at, :kept)"
    " ADD tally :n"
)
_LEFT = "attribute_not_exists(pk) OR (ends > :now AND tally <= :most)"
_TAKE_ANEW = "SET ends = :ends, expires_at = :kept, tally = :n"
_OVER = "attribute_not_exists(ends) OR ends <= :now"


@dataclass(frozen=True, slots=True)
class Taken:
    """A budget after something was asked of it; true if that is `allowed`."""

    used: int
    limit: int
    allowed: bool
    window_ends: datetime

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True)
class Budgets:
    """Items `budget#<key>`. Needs dynamodb:UpdateItem; methods raise ClientError."""

    items: Items

    def take(self, key: str, limit: int, window: int, now: datetime, n: int = 1) -> Taken:
        """Take `n` out of the budget of `limit` in `window` seconds, if so much is left.

        Atomic: however many processes ask, no more than `limit` is allowed in one window, which
        opens with the first of them. Raises StateError.
        """
        ends = epoch(now) + window
        if limit < n:
            return _taken({"ends": ends}, limit, allowed=False)
        anew = {":n": n, ":ends": ends, ":kept": ends + KEPT_SECONDS, ":now": epoch(now)}
        take = {**anew, ":most": limit - n}
        for _ in range(RACES):
            item, done = self.items.update(_key(key), _TAKE, take, when=_LEFT)
            if done or item.get("ends", 0) > epoch(now):
                return _taken(item, limit, allowed=done)
            item, done = self.items.update(_key(key), _TAKE_ANEW, anew, when=_OVER)
            if done:
                return _taken(item, limit, allowed=True)
        raise StateError(f"budget {key}: lost {RACES} races for its window")

    def return_(self, key: str, now: datetime, n: int = 1) -> None:
        """Return what was taken out of a budget and then not used.

        Where the window has ended meanwhile there is nothing to return to.
        """
        self.items.update(
            _key(key),
            "ADD tally :back",
            {":back": -n, ":now": epoch(now), ":n": n},
            when="ends > :now AND tally >= :n",
            quiet=True,
        )


def _key(key: str) -> str:
    return f"budget#{key}"


def _taken(item: Item, limit: int, *, allowed: bool) -> Taken:
    window_ends = datetime.fromtimestamp(item["ends"], UTC)
    return Taken(item.get("tally", 0), limit, allowed, window_ends)
