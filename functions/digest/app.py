"""Digest: findings of low severity published together, alerts summed up, and a report once a day.

Changes nothing but the state table. Findings of low severity are deferred there until this function
publishes them in one message. An alert that came again within its window without being published is
summed up once the window is over. The first run after the hour of `DAILY_REPORT_HOUR` reports the
day before.

Triggered by a schedule. What waits is removed only after SNS accepted the message that has it: a
run that dies repeats, and never loses. An hour in which nothing happened costs two reads.

IAM: dynamodb:Query (the index), dynamodb:BatchGetItem, dynamodb:UpdateItem, dynamodb:DeleteItem,
sns:Publish, ssm:GetParameter, ssm:GetParametersByPath.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from digest.daily import DailyReport
from digest.deferred import Digest
from digest.windows import Windows
from guard.aws.clients import client
from guard.aws.parameters import Parameters
from guard.publishing.topic import Topic
from guard.redact import log_line, redact_errors
from guard.settings import Settings, whole_number
from guard.table.deferred import DIGEST, OPEN, Deferred
from guard.table.items import Items

settings = Settings.from_env(os.environ)

ssm = client("ssm")
table = Items(client("dynamodb"), settings.table_name, settings.place)
topic = Topic.of(settings, client("sns"))
digest = Digest(settings, topic, Deferred(table, DIGEST), Windows(table))
daily_report = DailyReport(
    settings,
    # UTC; CloudTrail has delivered the day before by then. 24: no daily report.
    whole_number(os.environ, "DAILY_REPORT_HOUR", default=7),
    topic,
    table,
    Deferred(table, OPEN),
    Parameters(ssm),
    ssm,
)
logger = Logger(json_serializer=log_line)


@redact_errors
@logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Publish what waits; returns how many findings, summed-up alerts and daily reports.

    Raises PublishError or ClientError, upon which Lambda's own retries and then the dead-letter
    queue take over: what was published before that is not published again.
    """
    now = datetime.now(UTC)
    published = {"findings": digest.publish(now), "days": daily_report.publish(now)}
    logger.info("digest", extra=published)
    return published
