"""Figures that are added up: what the daily report sums up, what is used, who read what first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from guard.table.items import epoch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from guard.table.items import Items

DAY_KEPT = 14 * 86_400
"""How long a day's counts wait for the daily report."""
READER_KEPT = 90 * 86_400
"""How long it is remembered who reads what, and which exceptions are used."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Needs dynamodb:UpdateItem; methods raise ClientError."""

    items: Items

    def add_to_day(self, now: datetime, counts: Mapping[str, int]) -> None:
        """Add to the counts of this UTC day, which the daily report sums up."""
        numbers = {name: n for name, n in counts.items() if n}
        if not numbers:
            return
        places = range(len(numbers))
        self.items.update(
            day_key(now.astimezone(UTC).date()),
            f"SET expires_at = :kept ADD {', '.join(f'#{n} :{n}' for n in places)}",
            {
                ":kept": epoch(now) + DAY_KEPT,
                **{f":{place}": n for place, n in enumerate(numbers.values())},
            },
            names={f"#{place}": name for place, name in enumerate(numbers)},
            quiet=True,
        )

    def add(self, key: str, n: int, now: datetime) -> int:
        """Add `n` to a total that is kept for `READER_KEPT` seconds after its last use: the sum."""
        item, _ = self.items.update(
            key,
            "SET expires_at = :kept ADD tally :n",
            {":n": n, ":kept": epoch(now) + READER_KEPT},
        )
        return item["tally"]

    def read_before(self, reader: str, when: datetime, now: datetime) -> bool:
        """Whether `reader` (who and what) did so before `when`; this time is remembered as well.

        Kept for `READER_KEPT` seconds after the last time. A record that comes again finds its own
        time, so the answer stays the same.
        """
        item, _ = self.items.update(
            f"reader#{reader}",
            "SET first_seen = if_not_exists(first_seen, :when), expires_at = :kept",
            {":when": epoch(when), ":kept": epoch(now) + READER_KEPT},
        )
        return item["first_seen"] < epoch(when)


def day_key(day: date) -> str:
    """The item that holds one UTC day's counts."""
    return f"day#{day.isoformat()}"
