"""Heartbeat: prove once an hour that a bypass would come in, and look whether the guard is whole.

Proves: the way from CloudTrail over EventBridge and the queue to detect_bypass, by a marked request
to Secrets Manager (`guard.cloudtrail.heartbeat_mark`) that detect_bypass turns into the metric
HeartbeatSeconds. An alarm on that metric, which nothing here can silence, tells when none comes
through. There it
ends: it is not judged, and the way of a finding, by SNS, the queue and Slack, it does not go.

Tells: rules in a state in which they do not see what they should, no trail that logs reads, a mode
other than the deployed one, messages in dead-letter queues. Changes nothing in AWS. Whether a trail
logs reads cannot always be read; then the heartbeat is the proof, and that it is not known is
published once.

Triggered by a schedule and by the stack's own deployment. The request goes out first, and a check
that fails stops no other; then the invocation fails, Lambda repeats it, and in the end it is in the
rules' dead-letter queue.

IAM: secretsmanager:DescribeSecret (of its own marked names, which are no secrets),
events:ListRules, cloudtrail:DescribeTrails, cloudtrail:GetTrailStatus,
cloudtrail:GetEventSelectors, ssm:GetParameter, sqs:GetQueueAttributes, dynamodb:UpdateItem,
sns:Publish.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.clients import client
from guard.aws.errors import code_of
from guard.cloudtrail.heartbeat_mark import REFUSALS, Mark
from guard.findings.finding import Finding
from guard.publishing.publish import report
from guard.redact import log_line, sealed
from guard.settings import Settings
from guard.table.state import State
from guard.variables import items, required
from heartbeat import findings as findings_of
from heartbeat import trails

settings = Settings.from_env(os.environ)
mark = Mark(settings.stack_id, required(os.environ, "HEARTBEAT_ROLE"))
DEPLOYED_MODE = required(os.environ, "DEPLOYED_MODE")
DEAD_LETTER_QUEUES = sorted(items(os.environ, "DEAD_LETTER_QUEUES"))
WANTED_RULES = {
    **dict.fromkeys(items(os.environ, "RULES"), "ENABLED"),
    **dict.fromkeys(items(os.environ, "RULES_OF_READS"), findings_of.SEES_READS),
}

config = Config(retries={"mode": "standard"}, connect_timeout=3, read_timeout=10)
secrets = client("secretsmanager", config=config)
events = client("events", config=config)
cloudtrail: trails.CloudTrail = client("cloudtrail", config=config)
ssm = client("ssm", config=config)
sqs = client("sqs", config=config)
sns = client("sns", config=config)
# The home Region of a trail may be out of reach: its time-outs must not take the time of the rest.
brief = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5)
state = State(client("dynamodb", config=config), settings.table_name)
logger = Logger(json_serializer=log_line)


class NotChecked(RuntimeError):
    """AWS did not answer a check: the invocation fails, so that it is tried again and then kept."""


class Answered(RuntimeError):
    """AWS knows a secret of a heartbeat's name, which nobody can have made by chance."""


@sealed
@logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Send a heartbeat, make every check, and tell what is wrong; returns the findings' kinds."""
    now = datetime.now(UTC)
    found, unanswered = check(now)
    if found:
        report(
            found,
            sns=sns,
            state=state,
            topic_arn=settings.topic_arn,
            now=now,
            way=settings.way,
            follow_up=False,
        )
    if unanswered:
        raise NotChecked("; ".join(unanswered))
    return {"found": [finding.kind for finding in found]}


def beat(now: datetime) -> list[Finding]:
    """Ask for a secret that does not exist: nothing is found by it here, but far down the chain."""
    name = mark.secret_name(now)
    try:
        secrets.describe_secret(SecretId=name)
    except ClientError as refusal:
        if code_of(refusal) not in REFUSALS:
            raise
        logger.info("heartbeat sent", extra={"secret": name, "answer": code_of(refusal)})
        return []
    raise Answered(name)


def check(now: datetime) -> tuple[list[Finding], list[str]]:
    """What is wrong, and the checks that AWS did not answer, each with its words."""
    found: list[Finding] = []
    unanswered: list[str] = []
    for one in CHECKS:
        try:
            found += one(now)
        except (ClientError, BotoCoreError) as error:
            logger.error("a check failed", extra={"check": one.__name__, "why": repr(error)})
            unanswered.append(f"{one.__name__}: {error}")
    return found, unanswered


def rules(now: datetime) -> list[Finding]:
    pages = events.get_paginator("list_rules").paginate()
    states = {
        rule.get("Name", ""): str(rule.get("State", "")) for page in pages for rule in page["Rules"]
    }
    return findings_of.blind_rules(states, WANTED_RULES, settings, now)


def trail(now: datetime) -> list[Finding]:
    seen = trails.Trails(cloudtrail, at_home, settings.region).look()
    for one in seen:
        if one.reads is None:
            logger.info("not known", extra={"trail": one.arn, "why": one.hindrance})
    return findings_of.blind_trails(seen, settings, now)


@cache
def at_home(region: str) -> trails.CloudTrail:
    """CloudTrail in the home Region of a trail."""
    return client("cloudtrail", region_name=region, config=brief)


def mode(now: datetime) -> list[Finding]:
    try:
        answer = ssm.get_parameter(Name=settings.mode_parameter)
        value = answer["Parameter"].get("Value", "").strip().lower()
    except ssm.exceptions.ParameterNotFound:
        value = None
    return findings_of.changed_mode(value, DEPLOYED_MODE, settings, now)


def dead_letters(now: datetime) -> list[Finding]:
    depths: dict[str, int] = {}
    for url in DEAD_LETTER_QUEUES:
        answer = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        depth = answer["Attributes"]["ApproximateNumberOfMessages"]
        depths[url.rsplit("/", 1)[-1]] = int(depth)
    return findings_of.dead_letters(depths, settings, now)


CHECKS: Sequence[Callable[[datetime], list[Finding]]] = (beat, rules, mode, dead_letters, trail)
