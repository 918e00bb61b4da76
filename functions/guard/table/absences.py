"""When the guard itself had taken its endpoint away from a VPC: a tear-down, or one of theirs.

Callers that take the public way meanwhile have no choice. Written by ensure_endpoint, read by
detect_bypass.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from guard.table.items import epoch

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from guard.table.items import Items

KEPT = timedelta(days=30)
SETTLES = 600
"""Seconds in which an endpoint that was made begins to serve."""


@dataclass(frozen=True, slots=True)
class Absences:
    """One item for each VPC, of the last time; methods raise ClientError."""

    items: Items

    def begin(self, vpc_id: str, now: datetime, longest: timedelta = KEPT) -> None:
        """The endpoint goes, for so long at the longest. Needs dynamodb:UpdateItem."""
        self.items.update(
            self._key(vpc_id),
            "SET away_at = :now, ends = :ends, expires_at = :kept REMOVE back_at",
            {":now": epoch(now), ":ends": epoch(now + longest), ":kept": epoch(now + KEPT)},
            when="attribute_not_exists(away_at) OR attribute_exists(back_at)",
        )

    def end(self, vpc_id: str, now: datetime) -> None:
        """An endpoint was made, or one of theirs has the name. Needs dynamodb:UpdateItem."""
        self.items.update(
            self._key(vpc_id),
            "SET back_at = :now",
            {":now": epoch(now)},
            when="attribute_exists(away_at) AND attribute_not_exists(back_at)",
        )

    def of(self, vpc_ids: Collection[str], now: datetime) -> dict[str, range]:
        """The seconds since 1970 in which a VPC was without an endpoint because of the guard.

        Needs dynamodb:GetItem.
        """
        found: dict[str, range] = {}
        for vpc_id in vpc_ids:
            item = self.items.get(self._key(vpc_id), now)
            if since := item.get("away_at"):
                ends = item.get("ends", since)
                back = item["back_at"] + SETTLES if "back_at" in item else ends
                found[vpc_id] = range(since, min(back, ends) + 1)
        return found

    def _key(self, vpc_id: str) -> str:
        return self.items.name("away", vpc_id)
