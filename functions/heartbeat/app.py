"""Heartbeat: prove once an hour that a bypass would come in, and check whether the guard is whole.

Proves: the way from CloudTrail over EventBridge and the queue to detect_bypass, by a marked request
to Secrets Manager (`guard.cloudtrail.heartbeat_mark`) that detect_bypass publishes as the metric
HeartbeatSeconds. An alarm on that metric, which nothing here can silence, goes off when none comes
through. There it ends: it is not judged, and the way of a finding, by SNS, the queue and Slack, it
does not go.

Publishes: rules in a state in which they do not see what they should, no trail that logs reads, a
trail that was stopped for a time, a mode other than the deployed one, messages in dead-letter
queues, what is wired otherwise than the stack's template says, and other stacks of the guard here
that approve another policy. Puts dead letters back, and changes nothing else in AWS. Whether a
trail logs reads cannot always be read; then the heartbeat is the proof, and that it is not known is
published once.

Triggered by a schedule and by the stack's own deployment. The request goes out first, and a check
that fails stops no other; then the invocation fails, Lambda repeats it, and in the end it is in the
rules' dead-letter queue. What AWS refuses at the last try, too, is published instead.

IAM: secretsmanager:DescribeSecret (of its own marked names, which are no secrets),
cloudformation:DescribeStacks, cloudformation:GetTemplate, cloudformation:ListStackResources,
cloudformation:ListStacks, events:ListRules, events:ListTargetsByRule, cloudtrail:DescribeTrails,
cloudtrail:GetTrailStatus, cloudtrail:GetEventSelectors, lambda:ListEventSourceMappings,
ssm:GetParameter, sns:GetSubscriptionAttributes, sns:GetTopicAttributes,
sns:ListSubscriptionsByTopic, sqs:GetQueueAttributes, dynamodb:UpdateItem, sns:Publish. To put dead
letters back: sqs:ReceiveMessage, sqs:DeleteMessage, sqs:SendMessage, lambda:InvokeFunction.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from botocore.config import Config

from guard.aws.clients import client
from guard.publishing.publish import Publisher
from guard.redact import log_line, redact_errors
from guard.settings import Settings, items
from guard.table.items import Items
from guard.table.neighbours import Neighbours
from heartbeat.checks import Checks, Deployed, is_last_try
from heartbeat.drift import Drift
from heartbeat.neighbours import OtherGuards
from heartbeat.redrive import Redrive
from heartbeat.trails import CloudTrail, Trails

settings = Settings.from_env(os.environ)
# The home Region of a trail may be out of reach: its time-outs must not take the time of the rest.
brief = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5)


@cache
def at_home(region: str) -> CloudTrail:
    """CloudTrail in the home Region of a trail."""
    return client("cloudtrail", region_name=region, config=brief)


cloudformation = client("cloudformation")
own_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
deployed = Deployed.from_env(os.environ, settings)
events, sqs, functions = client("events"), client("sqs"), client("lambda")
table = Items(client("dynamodb"), settings.table_name, settings.place)
checks = Checks(
    settings,
    deployed,
    client("secretsmanager"),
    events,
    client("ssm"),
    sqs,
    Trails(client("cloudtrail"), at_home, settings.region),
    Drift(settings, cloudformation, events, sqs, client("sns"), functions),
    Redrive(sqs, functions, deployed.homes, items(os.environ, "PUT_BACK_FUNCTIONS"), own_name),
    OtherGuards(settings, cloudformation),
    Neighbours(table),
)
publisher = Publisher.of(settings, client("sns"), table)
logger = Logger(json_serializer=log_line)


class NotChecked(RuntimeError):
    """AWS did not answer a check: the invocation fails, so that it is tried again and then kept."""


@redact_errors
@logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Send a heartbeat, make every check, and publish what is wrong; returns the findings' kinds.

    Raises NotChecked, PublishError, StateError or ClientError.
    """
    now = datetime.now(UTC)
    found, unanswered = checks.run(now, last_try=is_last_try(event, now))
    if found:
        publisher.publish(found, now, follow_up=False)
    if unanswered:
        raise NotChecked("; ".join(unanswered))
    return {"found": [finding.kind for finding in found]}
