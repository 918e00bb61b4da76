"""Count and log what became of the records."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from detect_bypass.judge import Judgement, Verdict
from detect_bypass.pipeline import Judged
from guard.cloudtrail.record import Record
from guard.findings.text import dimension_value
from guard.reconcile.batch import Message
from guard.table.figures import Figures

EVENTS_IN_A_LINE = 10  # of the log; findings have more of them
COUNTED = {
    Verdict.BYPASS: "Bypasses",
    Verdict.FOREIGN_ENDPOINT: "Bypasses",
    Verdict.CONSOLE: "ConsoleUses",
    Verdict.ENDPOINT_DENIED: "DeniedAtEndpoint",
    Verdict.APPROVED: "Approved",
    Verdict.SERVICE: "ByServices",
    Verdict.EXEMPT: "Exempted",
    Verdict.UNREADABLE: "Unreadable",
}

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Measures:
    """The function's metrics, and the table that adds up the uses of exceptions."""

    metrics: Metrics
    figures: Figures

    def add(self, name: str, times: int) -> None:
        """Add to a metric, and nothing for none: each is charged for in every hour in which it is
        sent, and in most of them there is but a heartbeat.
        """
        if times:
            self.metrics.add_metric(name, MetricUnit.Count, times)

    def heartbeats(
        self, heartbeats: Sequence[tuple[Message, Record, datetime]], now: datetime
    ) -> None:
        """Measure how long heartbeats took.

        One that is played again came another way, so it proves nothing of this one, and its age is
        no time that anything took.
        """
        for message, _, sent in heartbeats:
            if not message.replayed:
                seconds = (now - sent).total_seconds()
                self.metrics.add_metric("HeartbeatSeconds", MetricUnit.Seconds, seconds)

    def judgements(self, judged: Sequence[Judged], now: datetime) -> None:
        """Count and log what became of the records, and the uses of each exception."""
        self.metrics.add_metric("RecordsJudged", MetricUnit.Count, len(judged))  # always one
        _log(judged)
        verdicts = Counter(_counted(one.judgement) for one in judged)
        for name, times in verdicts.items():
            self.add(name, times)
        uses = Counter(one.judgement.exemption for one in judged if one.judgement.exemption)
        for name, times in uses.items():
            self._exception_used(name, times, now)

    def _exception_used(self, name: str, times: int, now: datetime) -> None:
        with single_metric(name="ExceptionUses", unit=MetricUnit.Count, value=times) as metric:
            metric.add_dimension(name="Exception", value=dimension_value(name))
        try:
            self.figures.add(f"exception#{name}", times, now)
            self.figures.add_to_day(now, {"excepted": times})
        except (ClientError, BotoCoreError) as error:
            logger.warning("a use is in the metric alone", extra={"error": repr(error)})


def _counted(judgement: Judgement) -> str:
    """The metric. The guard's own requests need no exception: it is a service, as AWS's are."""
    by_guard = judgement.verdict is Verdict.EXEMPT and not judgement.exemption
    return COUNTED[Verdict.SERVICE if by_guard else judgement.verdict]


def _log(judged: Sequence[Judged]) -> None:
    """A line for all records of a batch that say the same: lines cost more than judging does."""
    alike: dict[tuple[str, str, Judgement], list[str]] = {}
    for one in judged:
        said = one.record.event_name, one.record.identity.name, one.judgement
        alike.setdefault(said, []).append(one.record.event_id)
    for (event_name, principal, judgement), event_ids in alike.items():
        log = logger.info if judgement.alert or judgement.exemption else logger.debug
        log(
            judgement.verdict,
            extra={
                "event_ids": event_ids[:EVENTS_IN_A_LINE],
                "records": len(event_ids),
                "event_name": event_name,
                "principal": principal,
                "cause": judgement.cause,
                "exemption": judgement.exemption,
            },
        )
