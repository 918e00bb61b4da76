"""Find what EventBridge never brought: compare a day of the trail's log files with what arrived.

Detects: records of Secrets Manager that a detection rule should have brought and did not, since the
delivery of CloudTrail's events is best effort. They are put on the detection queue, so that they
are judged as if they had come. Changes nothing in AWS.

Triggered once a day, and there only where the parameter TrailBucket names the trail's bucket. It
compares the 25 whole hours that ended two hours ago. What AWS refuses to show is published, and the
rest is compared. A failure is tried again by Lambda, and ends in the rules' dead-letter queue.

IAM: s3:ListBucket, s3:GetObject (the trail's bucket), kms:Decrypt (for S3, where the log files are
under a key), dynamodb:GetItem, dynamodb:UpdateItem, sqs:SendMessage (detection queue; and for
Lambda, which keeps what failed), sns:Publish.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config

from find_missed.compare import Comparer, whole_slot
from find_missed.findings import Comparison, bodies_of, finding_of
from find_missed.trail import TrailBucket
from guard.aws.clients import client
from guard.aws.queues import send_all
from guard.publishing.publish import Publisher
from guard.redact import log_line, redact_errors
from guard.settings import Settings, items, required, switch
from guard.table.arrivals import Arrivals
from guard.table.items import Items

LAG = timedelta(hours=2)  # CloudTrail has delivered by then
SPAN = timedelta(hours=25)  # a day, and an hour for a run that starts later than the one before

settings = Settings.from_env(os.environ)
detection_queue_url = required(os.environ, "DETECTION_QUEUE_URL")

patient = Config(retries={"mode": "standard"}, connect_timeout=3, read_timeout=30)
sqs = client("sqs")
table = Items(client("dynamodb"), settings.table_name, settings.place)
arrivals = Arrivals(table)
comparer = Comparer(
    TrailBucket(
        client("s3", config=patient),
        required(os.environ, "TRAIL_BUCKET"),
        required(os.environ, "TRAIL_FOLDER"),
        settings.account_id,
        settings.region,
    ),
    arrivals,
    frozenset({settings.account_id, *items(os.environ, "APPROVED_ACCOUNTS")}),
    watches_foreign=switch(os.environ, "WATCH_FOREIGN_ENDPOINTS"),
)
publisher = Publisher.of(settings, client("sns"), table)
logger = Logger(json_serializer=log_line)
metrics = Metrics()


@redact_errors
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Compare a day; returns how many events were compared, and how many had not come.

    What AWS refuses for good to show is published. Raises NotSent, PublishError, StateError, or
    ClientError for anything else.
    """
    now = datetime.now(UTC)
    end = now.replace(minute=0, second=0, microsecond=0) - LAG
    metrics.add_metric("Comparisons", MetricUnit.Count, 1)
    found = Comparison(max(end - SPAN, whole_slot(arrivals.since(now))), end)
    if found.start < end:
        comparer.compare(found, now, context.get_remaining_time_in_millis)
    # Published before they are sent: what is judged counts as having come, so a try that died in
    # between would leave nothing missing for the next one to publish. Now it publishes it twice.
    publisher.publish(finding_of(found, settings, now), now)
    send_all(sqs, detection_queue_url, bodies_of(found, settings))
    metrics.add_metric("EventsCompared", MetricUnit.Count, found.compared)
    metrics.add_metric("EventsMissed", MetricUnit.Count, found.number)
    result = {"compared": found.compared, "missed": found.number}
    logger.info("compared with the trail", extra=result)
    return result
