"""Detect bypasses: tell ops of requests to Secrets Manager that went round the endpoint.

Detects: requests over the public way, by a person in the console, or through an endpoint that is
neither ours nor approved; requests that an endpoint's policy refused; secrets whose resource policy
was set or deleted. Changes nothing in AWS.

Triggered by the detection queue: API calls and network activity events of Secrets Manager. A
message that is no event of CloudTrail, or not of Secrets Manager, goes back to the queue and ends
in its dead-letter queue; a record that cannot be judged is a finding.

IAM: ec2:DescribeVpcEndpoints, dynamodb:UpdateItem, sns:Publish.
"""

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from guard.alert import collapse, findings, once, unreadable
from guard.beat import Mark, part
from guard.chosen_policy import LAYER_FOLDER
from guard.exceptions import FILE_NAME, Exemption, load
from guard.finding import Finding
from guard.inbox import Inbox, Message
from guard.judge import SECRETS_MANAGER, Inventory, Verdict, judge
from guard.record import NotFromCloudTrail, Record, UnreadableRecord, from_envelope
from guard.report import PublishError, report
from guard.settings import Settings, items, required, whole_number
from guard.state import State, StateError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

CACHE_SECONDS = 60
COUNTED = {
    Verdict.BYPASS: "Bypasses",
    Verdict.FOREIGN_ENDPOINT: "Bypasses",
    Verdict.EXEMPT: "Exempted",
    Verdict.UNREADABLE: "Unreadable",
}

settings = Settings.from_env(os.environ)
APPROVED_ENDPOINTS = items(os.environ, "APPROVED_ENDPOINTS")
APPROVED_ACCOUNTS = items(os.environ, "APPROVED_ACCOUNTS")
WINDOW = whole_number(os.environ, "ALERT_WINDOW_SECONDS")
GUARD_ROLES = items(os.environ, "GUARD_ROLES")
heartbeat = Mark(settings.stack_id, required(os.environ, "HEARTBEAT_ROLE"))
EXCEPTIONS_FILE = Path(os.environ.get("APPROVED_POLICIES_DIR", LAYER_FOLDER)).parent / FILE_NAME

# One quick retry only: a throttled or broken call goes back to the queue with its messages.
config = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10
)
ec2 = boto3.client("ec2", config=config)
sns = boto3.client("sns", config=config)
state = State(boto3.client("dynamodb", config=config), settings.table_name)
logger = Logger()
metrics = Metrics()

# A layer without the file has no exceptions. One that is there and wrong stops the cold start: to
# judge without it would be a guess.
exceptions: tuple[Exemption, ...] = load(EXCEPTIONS_FILE) if EXCEPTIONS_FILE.exists() else ()


@dataclass(slots=True)
class OwnEndpoints:
    """The account's endpoints for Secrets Manager, read again when they are old or one is unknown.

    An id once seen stays known, because EC2 never gives it to another endpoint, and records of
    calls through an endpoint arrive after it was deleted.
    """

    ec2: "EC2Client"
    services: Collection[str]
    known: set[str] = field(default_factory=set[str])
    strangers: set[str] = field(default_factory=set[str])
    read_at: float = float("-inf")

    def learn(self, ids: Collection[str], now: float) -> None:
        """Have every id in `known` that is ours. Asks AWS only about ids it has no answer for."""
        if now - self.read_at >= CACHE_SECONDS:
            self.strangers.clear()
        if set(ids) - self.known - self.strangers:
            self._read(now)
            self.strangers |= set(ids) - self.known

    def _read(self, now: float) -> None:
        pages = self.ec2.get_paginator("describe_vpc_endpoints").paginate(
            Filters=[{"Name": "service-name", "Values": sorted(self.services)}]
        )
        for page in pages:
            self.known.update(one.get("VpcEndpointId", "") for one in page["VpcEndpoints"])
        self.read_at = now


own_endpoints = OwnEndpoints(ec2, (settings.service_name, f"{settings.service_name}-fips"))


@dataclass(frozen=True, slots=True)
class News:
    """One message, and what its record led to."""

    message: Message
    told: Sequence[Finding]


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Judge the records of a batch and tell ops; messages that could not be dealt with go back."""
    now = datetime.now(UTC)
    inbox = Inbox.open(event)
    records, news = read(inbox, now)
    beats, records = part(heartbeat, observe(records, inbox))
    for sent in beats:
        metrics.add_metric("HeartbeatSeconds", MetricUnit.Seconds, (now - sent).total_seconds())
    known = inventory()
    news += [News(message, judged(record, known)) for message, record in records]
    metrics.add_metric("RecordsJudged", MetricUnit.Count, len(records))
    tell(news, inbox, now)
    inbox.log_failures(logger)
    return inbox.response()


def read(inbox: Inbox, now: datetime) -> tuple[list[tuple[Message, Record]], list[News]]:
    """The batch's records, each once, and findings on those that cannot be read."""
    records: list[tuple[Message, Record]] = []
    news: list[News] = []
    for message in inbox.messages:
        try:
            record = from_envelope(message.envelope)
        except NotFromCloudTrail as error:
            inbox.fail([message], str(error))
        except UnreadableRecord as error:
            news.append(News(message, [not_read(message, str(error), now)]))
        else:
            if record.event_source == SECRETS_MANAGER:
                records.append((message, record))
            else:
                inbox.fail([message], f"{record.event_source} is not watched")
    metrics.add_metric("Unreadable", MetricUnit.Count, len(news))
    return once(records, record_of=itemgetter(1)), news


def not_read(message: Message, why: str, now: datetime) -> Finding:
    logger.warning("a record cannot be read", extra={"why": why, "message_id": message.id})
    return unreadable(
        message.detail,
        why,
        account=settings.account_id,
        region=settings.region,
        seen=now,
        window=WINDOW,
    )


def observe(
    records: Sequence[tuple[Message, Record]], inbox: Inbox
) -> list[tuple[Message, Record]]:
    """Learn which of the endpoints named are ours; else the records that name them must wait."""
    named = {record.vpc_endpoint_id for _, record in records} - APPROVED_ENDPOINTS - {""}
    try:
        own_endpoints.learn(named, time.monotonic())
    except (ClientError, BotoCoreError) as error:
        waiting = [message for message, record in records if record.vpc_endpoint_id in named]
        inbox.fail(waiting, repr(error))
        return [one for one in records if one[1].vpc_endpoint_id not in named]
    return list(records)


def judged(record: Record, known: Inventory) -> list[Finding]:
    """Judge one record, count and log what came of it, and say what ops should be told."""
    judgement = judge(record, known, exceptions)
    if judgement.verdict in COUNTED:
        metrics.add_metric(COUNTED[judgement.verdict], MetricUnit.Count, 1)
    log = logger.info if judgement.alert or judgement.exemption else logger.debug
    log(
        judgement.verdict,
        extra={
            "event_id": record.event_id,
            "event_name": record.event_name,
            "principal": record.identity.name,
            "cause": judgement.cause,
            "exemption": judgement.exemption,
        },
    )
    return findings(record, judgement, WINDOW)


def inventory() -> Inventory:
    return Inventory(
        accounts=frozenset({settings.account_id}),
        own_endpoints=frozenset(own_endpoints.known),
        approved_endpoints=APPROVED_ENDPOINTS,
        approved_accounts=APPROVED_ACCOUNTS,
        guard_roles=GUARD_ROLES,
    )


def tell(news: Sequence[News], inbox: Inbox, now: datetime) -> None:
    """Publish the findings of a batch, equal ones as one; what cannot be published goes back."""
    told = collapse([finding for one in news for finding in one.told])
    try:
        reported = report(
            told,
            sns=sns,
            state=state,
            topic_arn=settings.topic_arn,
            now=now,
            way=settings.way,
        )
    except (ClientError, BotoCoreError, PublishError, StateError) as error:
        inbox.fail([one.message for one in news if one.told], repr(error))
        return
    metrics.add_metric("FindingsPublished", MetricUnit.Count, reported.published)
    metrics.add_metric("FindingsSuppressed", MetricUnit.Count, reported.suppressed)
