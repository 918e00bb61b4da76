"""Windows of time in which sightings are counted: opened, counted in, carried along.

An item holds the numbers of its window, and lists of names, each within a bound.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guard.findings.summary import most_listed
from guard.table.items import RACES, StateError, epoch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from guard.table.items import Item, Items, Value

_FULL_LISTS = 10_000

# Who opens a window has the claim to publish it: that spares a call of its own.
_COUNT = (
    "SET claimed = if_not_exists(claimed, :n), claimant = if_not_exists(claimant, :me), "
    "claimed_until = if_not_exists(claimed_until, :until), "
    "ends = if_not_exists(ends, :ends), expires_at = if_not_exists(expires_at, :kept), "
    "first_seen = if_not_exists(first_seen, :seen), last_seen = :last, "
    "told = if_not_exists(told, :zero){words} ADD tally :n{lists}"
)
_IN_WINDOW = "attribute_not_exists(pk) OR ends > :now"
_CARRY = (
    "past_first = if_not_exists(past_first, {first}), "
    "past_last = if_not_exists(last_seen, {first}), "
    "past_tally = if_not_exists(past_tally, :zero) + tally, "
    "past_told = if_not_exists(past_told, :zero) + if_not_exists(told, :zero), "
)
_OPEN = (
    "SET {carry}claimed = :n, claimant = :me, claimed_until = :until, "
    "expires_at = :kept, ends = :ends, first_seen = :seen, last_seen = :last, told = :zero, "
    "tally = :n{words} REMOVE graver{lists}"
)
_OVER = "attribute_not_exists(ends) OR ends <= :now"


@dataclass(frozen=True, slots=True)
class Windows:
    """Needs dynamodb:UpdateItem; methods raise ClientError."""

    items: Items
    _full: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """Lists that this process saw full, and until when: to try again would cost a write each."""

    def count(
        self,
        key: str,
        values: Mapping[str, Value],
        lists: Mapping[str, Sequence[str]],
        now: datetime,
    ) -> Item:
        """The item after one more count, of which `values` hold the update's values.

        The two updates exclude each other by their conditions, so whoever loses the race to open a
        window counts in the one that somebody else opened. A list that is full is left out. Raises
        StateError.
        """
        words = ":words" in values
        count_words = ", claimed_news = if_not_exists(claimed_news, :words)" if words else ""
        open_words = ", claimed_news = :words" if words else ""
        for _ in range(RACES):
            adds = self._with_room(key, lists, now)
            item, done = self.items.update(
                key,
                _COUNT.format(words=count_words, lists="".join(f", {one} :{one}" for one in adds)),
                {
                    **values,
                    **placeholders(adds),
                    **{f":most_{one}": most_listed(one) for one in adds},
                },
                when=f"({_IN_WINDOW}){''.join(map(_has_room, adds))}",
            )
            full = self._note_full(key, adds, item, now)
            if done:
                return item
            if item.get("ends", 0) > epoch(now):
                continue  # a list is full
            adds = {name: some for name, some in adds.items() if name not in full}
            item, done = self.items.update(
                key,
                _OPEN.format(
                    carry=_carry(item),
                    words=open_words,
                    lists=add_to_sets(adds),
                ),
                {**values, **placeholders(adds)},
                when=_OVER,
            )
            if done:
                self._note_full(key, adds, item, now)
                return item
        raise StateError(f"{key}: lost {RACES} races for its window")

    def _with_room(
        self, key: str, lists: Mapping[str, Sequence[str]], now: datetime
    ) -> dict[str, Sequence[str]]:
        """The lists that are not known to be full, within their bound."""
        return {
            name: some[: most_listed(name)]
            for name, some in lists.items()
            if some and self._full.get((key, name), 0) <= epoch(now)
        }

    def _note_full(self, key: str, names: Collection[str], item: Item, now: datetime) -> set[str]:
        """Those of an item's lists that are full; remembered for as long as its window is open."""
        full = {name for name in names if len(item.get(name, ())) >= most_listed(name)}
        if full and item.get("ends", 0) > epoch(now):
            if len(self._full) > _FULL_LISTS:
                self._full.clear()
            self._full.update({(key, name): item["ends"] for name in full})
        return full


def _carry(item: Item) -> str:
    """What the next window takes from this one; nothing of one that was summed up.

    DynamoDB refuses an expression over an attribute that the item lacks.
    """
    if "tally" not in item:
        return ""
    return _CARRY.format(first="first_seen" if "first_seen" in item else ":seen")


def _has_room(name: str) -> str:
    return f" AND (attribute_not_exists({name}) OR size({name}) < :most_{name})"


def add_to_sets(sets: Collection[str]) -> str:
    """The part of an update expression that adds to these sets what their placeholders hold."""
    return f" ADD {', '.join(f'{name} :{name}' for name in sets)}" if sets else ""


def placeholders(sets: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    return {f":{name}": some for name, some in sets.items()}
