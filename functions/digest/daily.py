"""Publishes the daily report of each UTC day that is over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from digest.findings import Day, Waiting, daily_report
from guard.reconcile.mode import read_mode
from guard.table.figures import day_key

if TYPE_CHECKING:
    from guard.aws.parameters import Parameters
    from guard.publishing.topic import Topic
    from guard.settings import Settings
    from guard.table.deferred import Deferred
    from guard.table.items import Items

CATCH_UP_DAYS = 7
REPORTED = "report#daily"


@dataclass(frozen=True, slots=True)
class DailyReport:
    """`hour` is the first hour of a day, UTC, in which the day before is reported; 24: never.

    Needs dynamodb:BatchGetItem, dynamodb:UpdateItem, ssm:GetParameter and sns:Publish.
    """

    settings: Settings
    hour: int
    topic: Topic
    items: Items
    open: Deferred
    parameters: Parameters

    def publish(self, now: datetime) -> int:
        """Report the days that are over and were not reported; how many. The first run reports
        none. Raises PublishError or ClientError.
        """
        if now.hour < self.hour:
            return 0
        yesterday = now.date() - timedelta(days=1)
        reported = self.items.read([REPORTED]).get(REPORTED)
        if reported is None:
            self._note_reported(yesterday)
            return 0
        oldest = yesterday - timedelta(days=CATCH_UP_DAYS)
        last = max(date.fromisoformat(reported["day"]), oldest)
        days = [last + timedelta(days=n + 1) for n in range((yesterday - last).days)]
        if days:
            waiting = self._waiting(now)
            mode = read_mode(self.parameters, self.settings.mode_parameter).mode
            for day in days:
                finding = daily_report(self.settings, now, self._counts_of(day), waiting, mode)
                self.topic.publish(finding)
                self._note_reported(day)
        return len(days)

    def _counts_of(self, day: date) -> Day:
        key = day_key(day)
        item = self.items.read([key]).get(key, {})
        return Day(day, {name: n for name, n in item.items() if isinstance(n, int)})

    def _waiting(self, now: datetime) -> list[Waiting]:
        """What is paused or needs a person; what was not published again for a day is removed."""
        ids = self.open.ids()
        waiting = {
            id_: Waiting(json.loads(one["body"]), _time(one["since"]), _time(one["latest"]))
            for id_, one in self.open.bodies(ids).items()
        }
        self.open.remove([id_ for id_ in ids if id_ not in waiting or waiting[id_].stale(now)])
        return [one for one in waiting.values() if not one.stale(now)]

    def _note_reported(self, day: date) -> None:
        self.items.put(REPORTED, {"day": day.isoformat()})


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
