"""Publishes the daily report of each UTC day that is over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from digest.findings import NOT_KNOWN, Day, Waiting, daily_report, left_alone
from guard.approved.added import read_added
from guard.findings.summary import checked
from guard.reconcile.mode import read_mode
from guard.table.figures import day_key
from guard.table.opt_outs import OptOuts

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

    from guard.aws.parameters import Parameters
    from guard.publishing.topic import Topic
    from guard.settings import Settings
    from guard.table.deferred import Deferred
    from guard.table.items import Item, Items

CATCH_UP_DAYS = 7
REPORTED = "report#daily"


@dataclass(frozen=True, slots=True)
class DailyReport:
    """`hour` is the first hour of a day, UTC, in which the day before is reported; 24: never.

    Needs dynamodb:BatchGetItem, dynamodb:UpdateItem, ssm:GetParameter, ssm:GetParametersByPath and
    sns:Publish.
    """

    settings: Settings
    hour: int
    topic: Topic
    items: Items
    open: Deferred
    parameters: Parameters
    ssm: SSMClient

    def publish(self, now: datetime) -> int:
        """Report the days that are over and were not reported; how many. The first run reports
        none. Raises PublishError or ClientError.
        """
        if now.hour < self.hour:
            return 0
        yesterday = now.date() - timedelta(days=1)
        item = self.items.read([REPORTED]).get(REPORTED, {})
        reported = self.items.parsed(REPORTED, item, lambda one: date.fromisoformat(one["day"]))
        if reported is None and not item:
            self._note_reported(yesterday)
            return 0
        oldest = yesterday - timedelta(days=CATCH_UP_DAYS)
        # What cannot be read is set aside: a day that is reported twice is better than none.
        last = max(reported or yesterday - timedelta(days=1), oldest)
        days = [last + timedelta(days=n + 1) for n in range((yesterday - last).days)]
        if days:
            waiting, opted_out = self._waiting(now), OptOuts(self.items).read()
            mode = read_mode(self.parameters, self.settings.mode_parameter).mode
            added = self._added()
            for day in days:
                counts = self._counts_of(day)
                report = daily_report(self.settings, now, counts, waiting, mode, opted_out, added)
                self.topic.publish(report)
                self._note_reported(day)
            for one in opted_out[1]:
                if one.left and one.resource.startswith("vpc-"):  # endpoints: restore_policy does
                    self.topic.publish(left_alone(self.settings, now, one))
        return len(days)

    def _counts_of(self, day: date) -> Day:
        key = day_key(day)
        item = self.items.read([key]).get(key, {})
        return Day(day, {name: n for name, n in item.items() if isinstance(n, int)})

    def _added(self) -> list[str]:
        """The exceptions of run time that there are now. A report without them is better than none,
        if it says so.
        """
        try:
            return [str(one) for one in read_added(self.ssm, self.settings.stack_name)]
        except (ClientError, BotoCoreError) as error:
            return [f"{NOT_KNOWN}{error}"]

    def _waiting(self, now: datetime) -> list[Waiting]:
        """What is paused or needs a person; what was not published again for a day is removed."""
        ids = self.open.ids()
        waiting = self.open.parsed(ids, _waiting)
        self.open.remove([id_ for id_ in ids if id_ not in waiting or waiting[id_].stale(now)])
        return [one for one in waiting.values() if not one.stale(now)]

    def _note_reported(self, day: date) -> None:
        self.items.put(REPORTED, {"day": day.isoformat()})


def _waiting(item: Item) -> Waiting:
    return Waiting(checked(json.loads(item["body"])), _time(item["since"]), _time(item["latest"]))


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
