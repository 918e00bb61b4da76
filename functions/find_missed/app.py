"""Find what EventBridge never brought: compare a day of the trail's log files with what arrived.

Detects: records of Secrets Manager that a detection rule should have brought and did not, since the
delivery of CloudTrail's events is best effort. They are put on the detection queue, so that they
are judged as if they had come. Changes nothing in AWS.

Triggered once a day, and there only where the parameter TrailBucket names the trail's bucket. It
looks at the 25 whole hours that ended two hours ago. A failure is tried again by Lambda, and ends
in the rules' dead-letter queue.

IAM: s3:ListBucket, s3:GetObject (the trail's bucket), kms:Decrypt (for S3, where the log files are
under a key), dynamodb:GetItem, dynamodb:UpdateItem, sqs:SendMessage (detection queue; and for
Lambda, which keeps what failed), sns:Publish.
"""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config

from find_missed.findings import Comparison, Missed, envelope_of, finding_of, should_have_come
from find_missed.trail import TrailBucket, Unreadable
from guard.aws.clients import client
from guard.aws.queues import send_all
from guard.cloudtrail.record import UnreadableRecord, parse
from guard.publishing.publish import report
from guard.redact import log_line, sealed
from guard.settings import Settings
from guard.table.arrivals import SLOT, Arrivals, digest, slot_of, slots
from guard.table.state import State
from guard.variables import items, required, switch

LAG = timedelta(hours=2)  # CloudTrail has delivered by then
SPAN = timedelta(hours=25)  # a day, and an hour for a run that starts later than the one before
SPARE_MS = 60_000  # the time it takes to send and tell what was found

settings = Settings.from_env(os.environ)
WATCHES_FOREIGN = switch(os.environ, "WATCH_FOREIGN_ENDPOINTS")
OWN_ACCOUNTS = {settings.account_id, *items(os.environ, "APPROVED_ACCOUNTS")}
DETECTION_QUEUE_URL = required(os.environ, "DETECTION_QUEUE_URL")

config = Config(retries={"mode": "standard"}, connect_timeout=3, read_timeout=30)
dynamodb = client("dynamodb", config=config)
sns = client("sns", config=config)
sqs = client("sqs", config=config)
state = State(dynamodb, settings.table_name)
arrivals = Arrivals(dynamodb, settings.table_name)
trail = TrailBucket(
    client("s3", config=config),
    required(os.environ, "TRAIL_BUCKET"),
    required(os.environ, "TRAIL_FOLDER"),
    settings.account_id,
    settings.region,
)
logger = Logger(json_serializer=log_line)
metrics = Metrics()


class NoLogFiles(RuntimeError):
    """The folder holds no log file of the time: it is another one, or the trail does not log."""


@sealed
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Compare a day; returns how many events were compared, and how many had not come.

    Raises NoLogFiles, NotSent, ClientError or what `report` raises.
    """
    now = datetime.now(UTC)
    end = now.replace(minute=0, second=0, microsecond=0) - LAG
    metrics.add_metric("Comparisons", MetricUnit.Count, 1)
    start = max(end - SPAN, whole_slot(arrivals.since(now)))
    found = Comparison(start, end)
    if start < end:
        compare(found, context)
    # Told before they are sent: what is judged counts as having come, so a try that died in between
    # would leave nothing missing for the next one to tell. Now the next one tells it twice.
    report(
        finding_of(found, settings, now),
        sns=sns,
        state=state,
        topic_arn=settings.topic_arn,
        now=now,
        way=settings.way,
    )
    judge_again(found.missed)
    metrics.add_metric("EventsCompared", MetricUnit.Count, found.compared)
    metrics.add_metric("EventsMissed", MetricUnit.Count, found.number)
    result = {"compared": found.compared, "missed": found.number}
    logger.info("compared with the trail", extra=result)
    return result


def whole_slot(since: datetime) -> datetime:
    """The first whole slot of which every arrival was kept."""
    return datetime.strptime(slot_of(since), "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC) + SLOT


def compare(found: Comparison, context: Any) -> None:
    """Read the trail's log files, and note what should have come and did not."""
    keys = trail.keys(found.start, found.end)
    if not keys:
        raise NoLogFiles(
            f"nothing of {found.start:%Y-%m-%d} under {trail.folder} in {trail.bucket}"
        )
    came = {slot: arrivals.kept(slot) for slot in slots(found.start, found.end)}
    found.full |= {slot for slot, ids in came.items() if ids is None}
    for number, key in enumerate(keys):
        if context.get_remaining_time_in_millis() < SPARE_MS:
            found.left = len(keys) - number
            return
        records = trail.records(key)
        if isinstance(records, Unreadable):
            found.unreadable.append(records.key)
            continue
        for detail in records:
            look_at(detail, came, found)


def look_at(
    detail: Mapping[str, Any], came: Mapping[str, frozenset[str] | None], found: Comparison
) -> None:
    """One record of the trail: did it come?"""
    try:
        record = parse(detail)
    except UnreadableRecord:
        return  # without a time or a name no rule would have matched it
    kept = came.get(slot_of(record.event_time))
    wanted = should_have_come(record, OWN_ACCOUNTS, watches_foreign=WATCHES_FOREIGN)
    if kept is None or not wanted:
        return
    found.compared += 1
    if digest(record.event_id) not in kept:
        found.add(Missed(record, detail))


def judge_again(missed: Iterable[Missed]) -> None:
    """Put records on the detection queue as EventBridge should have."""
    bodies = (json.dumps(envelope_of(one.detail, one.record, settings)) for one in missed)
    send_all(sqs, DETECTION_QUEUE_URL, bodies)
