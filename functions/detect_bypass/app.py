"""Detect bypasses: tell ops of requests to Secrets Manager that bypassed the endpoint.

Detects: requests over the public way, by a person in the console, or through an endpoint that is
neither ours nor approved; requests that an endpoint's policy refused; secrets whose resource policy
was set or deleted. Changes nothing in AWS.

Triggered by the detection queue: API calls and network activity events of Secrets Manager. A
message that is no event of CloudTrail, or not of Secrets Manager, goes back to the queue and ends
in its dead-letter queue; a record that cannot be judged is a finding.

Where the caller is in a VPC of the account whose endpoint does not work, that VPC is put on the VPC
queue, so what was detected is repaired: once in 15 minutes, whether or not an alert is published
again. The first request that the canary of a new policy refuses puts it on the policy queue.

IAM: ec2:DescribeVpcEndpoints, dynamodb:UpdateItem, sns:Publish. To find callers and what is wrong
with their VPC: ec2:DescribeNetworkInterfaces, ec2:DescribeNatGateways, ec2:DescribeAddresses,
ec2:DescribeInstances, lambda:GetFunctionConfiguration, ec2:DescribeVpcs, ec2:DescribeVpcAttribute,
ec2:DescribeSubnets, ec2:DescribeSecurityGroups, ec2:DescribeVpcEndpointServices, sqs:SendMessage
(VPC and policy queues).
"""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from detect_bypass.findings import collapse, expired_exceptions, findings, once, reader, unreadable
from detect_bypass.judge import (
    SECRETS_MANAGER,
    Case,
    Inventory,
    Judgement,
    Reach,
    Verdict,
    judge,
    reach,
)
from detect_bypass.judge.exceptions import FILE_NAME, Exemption, load
from detect_bypass.own_endpoints import OwnEndpoints
from detect_bypass.storm import Storms
from guard.aws.clients import seldom_client
from guard.cloudtrail.heartbeat_mark import Mark, part
from guard.cloudtrail.record import NotFromCloudTrail, Record, UnreadableRecord, from_envelope
from guard.findings.finding import Finding
from guard.findings.text import dimension_value
from guard.publishing.publish import Publisher
from guard.publishing.topic import PublishError
from guard.reconcile.batch import Inbox, Message
from guard.reconcile.request import envelope
from guard.redact import log_line, sealed
from guard.settings import LAYER_FOLDER, Settings
from guard.table.arrivals import Arrivals
from guard.table.budgets import Budgets
from guard.table.figures import Figures
from guard.table.items import Items, StateError
from guard.variables import items, required, switch, whole_number

if TYPE_CHECKING:
    from detect_bypass.caller import CallerLocator

# An exception keeps a request from being told of, and not its VPC from being repaired.
REPAIRED = frozenset({Verdict.BYPASS, Verdict.EXEMPT})
ONCE = 366 * 86_400  # seconds; who renews an exception gives it another expiry
REPAIR_SECONDS = 900  # how often a VPC is put on the queue for what callers in it do
EVENTS_IN_A_LINE = 10  # of the log; findings have more of them
READERS_AT_ONCE = 25  # callers of whom the table is asked what they read before, in one batch
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

settings = Settings.from_env(os.environ)
APPROVED_ENDPOINTS = items(os.environ, "APPROVED_ENDPOINTS")
APPROVED_ACCOUNTS = items(os.environ, "APPROVED_ACCOUNTS")
VPC_QUEUE_URL = required(os.environ, "VPC_QUEUE_URL")
POLICY_QUEUE_URL = required(os.environ, "POLICY_QUEUE_URL")
MAXIMUM_ZONES = whole_number(os.environ, "MAXIMUM_ZONES")
WINDOW = whole_number(os.environ, "ALERT_WINDOW_SECONDS")
GUARD_ROLES = items(os.environ, "GUARD_ROLES")
KEEPS_ARRIVALS = switch(os.environ, "KEEP_ARRIVALS")
heartbeat = Mark(settings.stack_id, required(os.environ, "HEARTBEAT_ROLE"))
POLICIES = Path(os.environ.get("APPROVED_POLICIES_DIR", LAYER_FOLDER))
EXCEPTIONS_FILE = POLICIES.parent / FILE_NAME

# One quick retry only: a throttled or broken call goes back to the queue with its messages.
config = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10
)
# Heartbeats and services' own requests need no call of AWS but the one that keeps their arrival,
# where that is on, so each client is made when it is used.
ec2 = seldom_client("ec2", config=config)
sns = seldom_client("sns", config=config)
sqs = seldom_client("sqs", config=config)
dynamodb = seldom_client("dynamodb", config=config)
table = Items(dynamodb, settings.table_name)
budgets, figures = Budgets(table), Figures(table)
publisher = Publisher.of(settings, sns, table)
arrivals = Arrivals(table)
storms = Storms()
logger = Logger(json_serializer=log_line)
metrics = Metrics()

# A layer without the file has no exceptions. One that is there and wrong stops the cold start: to
# judge without it would be a guess.
exceptions: tuple[Exemption, ...] = load(EXCEPTIONS_FILE) if EXCEPTIONS_FILE.exists() else ()


told_expired: set[str] = set()
own_endpoints = OwnEndpoints(ec2, (settings.service_name, f"{settings.service_name}-fips"))


@cache
def whereabouts() -> "CallerLocator":
    """Who tells where callers are. What it needs takes long to load, so not before it is asked."""
    from detect_bypass.caller import CallerLocator
    from guard.endpoint.decide import Wanted
    from guard.endpoint.observe import Observer

    return CallerLocator(
        ec2,
        seldom_client("lambda", config=config),
        Observer(ec2, settings.service_name),
        # The policy has no part in whether a caller reaches the endpoint.
        Wanted(
            account_id=settings.account_id,
            stack_id=settings.stack_id,
            service_name=settings.service_name,
            opt_out_tag=settings.opt_out_tag,
            policy="",
            maximum_zones=MAXIMUM_ZONES,
            approved_endpoints=APPROVED_ENDPOINTS,
            approved_accounts=APPROVED_ACCOUNTS,
        ),
        settings.function_arn_prefix,
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """One message, its record, and what the judgement is."""

    message: Message
    record: Record
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class News:
    """One message, and what its record led to."""

    message: Message
    told: Sequence[Finding]


@sealed
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Judge the records of a batch and tell ops; messages that could not be dealt with go back."""
    now = datetime.now(UTC)
    inbox = Inbox.open(event)
    records, news = read(inbox, now)
    beats, records = part(heartbeat, observe(records, inbox))
    clock(beats, now)
    note_denials([record for _, record in records], now)
    known = inventory([record for _, record in records], now)
    judged = [
        Judged(message, record, judge(record, known, exceptions)) for message, record in records
    ]
    count(judged, now)
    asked = repair(judged, inbox, now)
    news += [News(one.message, told_of(one, asked)) for one in judged]
    news += expired(judged, now)
    tell(news, inbox, now)
    keep_arrivals([(message, record) for message, record, _ in beats] + records, inbox, now)
    inbox.log_failures(logger)
    return inbox.response()


def clock(beats: Sequence[tuple[Message, Record, datetime]], now: datetime) -> None:
    """Measure how long heartbeats took: a late one is news, with all its hours.

    One that is played again came another way, so it proves nothing of this one, and its age is no
    time that anything took.
    """
    for message, _, sent in beats:
        if not message.played_again:
            metrics.add_metric("HeartbeatSeconds", MetricUnit.Seconds, (now - sent).total_seconds())


def measure(name: str, times: int) -> None:
    """Add to a metric, and nothing for none: each is charged for in every hour in which it is sent,
    and in most of them there is but a heartbeat.
    """
    if times:
        metrics.add_metric(name, MetricUnit.Count, times)


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
    measure("Unreadable", len(news))
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
    refusing = {record.vpc_endpoint_id for _, record in records if record.refused_by_endpoint}
    try:
        own_endpoints.learn(named, time.monotonic(), policies_of=refusing - {""})
    except (ClientError, BotoCoreError) as error:
        waiting = [message for message, record in records if record.vpc_endpoint_id in named]
        inbox.fail(waiting, repr(error))
        return [one for one in records if one[1].vpc_endpoint_id not in named]
    return list(records)


def note_denials(records: Sequence[Record], now: datetime) -> None:
    """Have the canary of a new policy looked at for requests that an endpoint refused.

    Raises ClientError or BotoCoreError, upon which the whole batch comes back and does so again.
    """
    if refused := [one for one in records if one.refused_by_endpoint]:
        from guard.approved.rollouts import note_denials as note
        from guard.reconcile.policy_requests import detail

        for endpoint_id in note(refused, dynamodb, settings.table_name):
            asked = detail(endpoint_id, "it refused a request", trial=True)
            body = envelope(settings, now, asked)
            sqs.send_message(QueueUrl=POLICY_QUEUE_URL, MessageBody=body)


def inventory(records: Sequence[Record], now: datetime) -> Inventory:
    """What the judgement needs to know; where callers are is asked of those alone that bypassed."""
    known = Inventory(
        accounts=frozenset({settings.account_id}),
        own_endpoints=frozenset(own_endpoints.known),
        approved_endpoints=APPROVED_ENDPOINTS,
        approved_accounts=APPROVED_ACCOUNTS,
        guard_roles=GUARD_ROLES,
    )
    suspects = [one for one in records if judge(one, known).verdict is Verdict.BYPASS]
    if not suspects:
        return known
    ask = whereabouts()
    places, strangers = ask.locations(suspects), ask.strangers(suspects)
    known = replace(known, locations=places, blind=ask.blind, strangers=strangers)
    return replace(known, read_before=readers(suspects, known, now))


def readers(suspects: Sequence[Record], known: Inventory, now: datetime) -> frozenset[str]:
    """The events in which a caller in a VPC of ours reads what it has read before."""
    asked: dict[str, bool] = {}
    for record in sorted(suspects, key=lambda one: one.event_time):
        key = reader(record)
        if key in asked or len(asked) >= READERS_AT_ONCE:
            continue
        if reach(record) is Reach.VALUE and not record.failed and Case(record, known).vpc:
            try:
                asked[key] = figures.read_before(key, record.event_time, now)
            except (ClientError, BotoCoreError) as error:
                logger.warning("taken for a first read", extra={"error": repr(error)})
    return frozenset(one.event_id for one in suspects if asked.get(reader(one)))


def count(judged: Sequence[Judged], now: datetime) -> None:
    """Count and log what came of the records, and the uses of each exception."""
    metrics.add_metric("RecordsJudged", MetricUnit.Count, len(judged))  # always one
    log_judgements(judged)
    verdicts = Counter(COUNTED.get(one.judgement.verdict) for one in judged)
    for name, times in verdicts.items():
        if name:
            measure(name, times)
    uses = Counter(one.judgement.exemption for one in judged if one.judgement.exemption)
    for name, times in uses.items():
        with single_metric(name="ExceptionUses", unit=MetricUnit.Count, value=times) as metric:
            metric.add_dimension(name="Exception", value=dimension_value(name))
        try:
            figures.add(f"exception#{name}", times, now)
            figures.add_to_day(now, {"excepted": times})
        except (ClientError, BotoCoreError) as error:
            logger.warning("a use is in the metric alone", extra={"error": repr(error)})


def log_judgements(judged: Sequence[Judged]) -> None:
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


def repair(judged: Sequence[Judged], inbox: Inbox, now: datetime) -> dict[str, str]:
    """Put each VPC that callers bypass because it is broken on the VPC queue, now and then.

    Returns what was done, by VPC. It does not depend on whether ops are told again.
    """
    by_vpc: dict[str, list[Judged]] = {}
    for one in judged:
        if one.judgement.broken and one.judgement.verdict in REPAIRED:
            by_vpc.setdefault(one.judgement.vpc_id, []).append(one)
    done: dict[str, str] = {}
    for vpc_id, some in by_vpc.items():
        key = f"repair#{vpc_id}"
        try:
            if budgets.take(key, 1, REPAIR_SECONDS, now):
                ask(vpc_id, some[0].record, key, now)
                measure("RepairsAskedFor", 1)
                done[vpc_id] = f"asked for the endpoint of {vpc_id} to be repaired"
            else:
                done[vpc_id] = f"the endpoint of {vpc_id} is being repaired already"
        except (ClientError, BotoCoreError, StateError) as error:
            inbox.fail([one.message for one in some], repr(error))
    return done


def ask(vpc_id: str, record: Record, key: str, now: datetime) -> None:
    """Send one VPC to the queue. If SQS refuses, the turn is given back."""
    detail = {
        "vpcId": vpc_id,
        "reason": f"{record.event_name} bypassed the endpoint",
        "eventIds": [record.event_id] if record.event_id else [],
    }
    try:
        sqs.send_message(QueueUrl=VPC_QUEUE_URL, MessageBody=envelope(settings, now, detail))
    except (ClientError, BotoCoreError):
        budgets.return_(key, now)
        raise


def told_of(one: Judged, asked: Mapping[str, str]) -> list[Finding]:
    """What ops should be told of one record."""
    done = asked.get(one.judgement.vpc_id) if one.judgement.alert else None
    refused = one.judgement.verdict is Verdict.ENDPOINT_DENIED
    policy = own_endpoints.policies.get(one.record.vpc_endpoint_id, "") if refused else ""
    return findings(
        one.record,
        one.judgement,
        WINDOW,
        done=(done,) if done else (),
        policy=policy,
        policy_name=name_of(policy) if policy else "",
        own_accounts={settings.account_id, *APPROVED_ACCOUNTS},
    )


@cache
def name_of(policy: str) -> str:
    """Which of the approved policies this is, by what it means; empty for none."""
    from detect_bypass.carried import name_of_policy

    return name_of_policy(policy, POLICIES, settings)


def expired(judged: Sequence[Judged], now: datetime) -> list[News]:
    """What to tell of exceptions that are over and were needed: once for each and its expiry.

    A message that comes again tells it again, since the try before may have died on the way.
    """
    news: list[News] = []
    for one in judged:
        for finding in expired_exceptions(one.record, one.judgement, exceptions):
            key = finding.fingerprint
            if key in told_expired and not one.message.came_before:
                continue
            try:
                first = budgets.take(f"expired#{key}", 1, ONCE, now)
            except (ClientError, BotoCoreError, StateError) as error:
                logger.warning("the next request tells of it", extra={"error": repr(error)})
                continue
            told_expired.add(key)
            if first or one.message.came_before:
                news.append(News(one.message, [finding]))
    return news


def keep_arrivals(records: Sequence[tuple[Message, Record]], inbox: Inbox, now: datetime) -> None:
    """Remember what came and was dealt with, for find_missed; nothing where that is off."""
    if not KEEPS_ARRIVALS:
        return
    try:
        arrivals.keep((r for message, r in records if message.id not in inbox.failures), now)
    except (ClientError, BotoCoreError) as error:
        # It will be taken for missed, and judged once more: that is the safe side.
        logger.warning("arrivals are not kept", extra={"error": repr(error)})


def tell(news: Sequence[News], inbox: Inbox, now: datetime) -> None:
    """Publish the findings of a batch, equal ones as one; what cannot be published goes back."""
    told = storms.gather(collapse([finding for one in news for finding in one.told]), now)
    try:
        reported = publisher.publish(told, now)
    except (ClientError, BotoCoreError, PublishError, StateError) as error:
        inbox.fail([one.message for one in news if one.told], repr(error))
        return
    measure("FindingsPublished", reported.published)
    measure("FindingsSuppressed", reported.suppressed)
