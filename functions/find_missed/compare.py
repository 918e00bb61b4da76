"""Compares the trail's log files with the arrivals in the state table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from find_missed.findings import Missed, should_have_come
from find_missed.trail import Unreadable
from guard import alone
from guard.aws.denials import may_not_look
from guard.cloudtrail.record import UnreadableRecord, parse
from guard.table.arrivals import SLOT, digest, slot_of, slots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from find_missed.findings import Comparison
    from find_missed.trail import TrailBucket
    from guard.table.arrivals import Arrivals

logger = Logger(child=True)

SPARE_MS = 60_000  # the time it takes to publish and send what was found
MOST_REFUSED = 10  # log files that AWS may refuse to show before no more of them is asked for


@dataclass(frozen=True, slots=True)
class Comparer:
    """`own_accounts` and `watches_foreign` are what the detection rules' patterns leave out."""

    trail: TrailBucket
    arrivals: Arrivals
    own_accounts: frozenset[str]
    watches_foreign: bool

    def compare(self, found: Comparison, now: datetime, time_left_ms: Callable[[], int]) -> None:
        """Read the trail's log files, and note what should have come and did not.

        What AWS refuses for good to show is noted, too. Raises ClientError.
        """
        try:
            keys = self.trail.keys(found.start, found.end)
        except ClientError as error:
            _refuse(found, "", error)
            return
        if not keys:
            found.nothing_in = f"{self.trail.folder} in {self.trail.bucket}"
            return
        came = {slot: self.arrivals.kept(slot, now) for slot in slots(found.start, found.end)}
        found.full |= {slot for slot, ids in came.items() if ids is None}
        for number, key in enumerate(keys):
            if time_left_ms() < SPARE_MS or len(found.refused) >= MOST_REFUSED:
                found.left = len(keys) - number
                return
            try:
                records = self.trail.records(key)
            except ClientError as error:
                _refuse(found, key, error)
                continue
            if isinstance(records, Unreadable):
                found.unreadable.append(records.key)
                continue
            alone.each(
                records,
                lambda detail: self._compare(detail, came, found),
                lambda _, error, key=key: _not_compared(found, key, error),
            )

    def _compare(
        self,
        detail: Mapping[str, Any],
        came: Mapping[str, frozenset[str] | None],
        found: Comparison,
    ) -> None:
        """Note whether one record of the trail came."""
        try:
            record = parse(detail)
        except UnreadableRecord:
            return  # without a time or a name no rule would have matched it
        kept = came.get(slot_of(record.event_time))
        if kept is None or not should_have_come(
            record, self.own_accounts, watches_foreign=self.watches_foreign
        ):
            return
        found.compared += 1
        if digest(record.event_id) not in kept:
            found.add(Missed(record, detail))


def _refuse(found: Comparison, key: str, error: ClientError) -> None:
    """Note what AWS refuses for good; raise anything else, which Lambda tries again."""
    if not may_not_look(error):
        raise error
    found.refused[key] = error


def _not_compared(found: Comparison, key: str, error: Exception) -> None:
    logger.error("a record was not compared", exc_info=error, extra={"key": key})
    found.unreadable.append(key)


def whole_slot(since: datetime) -> datetime:
    """The first whole slot of which every arrival was kept."""
    return datetime.strptime(slot_of(since), "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC) + SLOT
