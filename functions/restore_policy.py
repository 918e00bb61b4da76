"""Restore the policy: every Secrets Manager endpoint carries the approved endpoint policy.

Undoes: an endpoint policy that was changed, or an endpoint made by hand with another one.

Triggered by the policy queue: CreateVpcEndpoint and ModifyVpcEndpoint, and the sweep. Policies are
compared by what they mean, so the guard's own write coming back as an event changes nothing.

IAM: ec2:DescribeVpcEndpoints, ec2:DescribeVpcs, ec2:ModifyVpcEndpoint, ssm:GetParameter,
sqs:SendMessage (its own queue), dynamodb:GetItem, dynamodb:UpdateItem, sns:Publish.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parameters import SSMProvider
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from guard import pace
from guard import policy_findings as findings_of
from guard.approved import ApprovedPolicy
from guard.aws_errors import REFUSALS, code_of, throttled
from guard.chosen_policy import ChosenPolicy
from guard.finding import Finding
from guard.inbox import Inbox, Message
from guard.memory import Intent, Memory, late
from guard.mode import Mode, read_mode, unreadable
from guard.observe import Observer
from guard.pace import Pace
from guard.policy import compare
from guard.policy_findings import About
from guard.policy_trigger import Concern, concern
from guard.record import UnreadableRecord
from guard.report import report
from guard.settings import Settings, required, whole_number
from guard.state import State, StateError
from guard.vpc import AttachedPolicy

BUDGET_WINDOW_SECONDS = 3600

settings = Settings.from_env(os.environ)
CHANGE_BUDGET = whole_number(os.environ, "CHANGE_BUDGET")
POLICY_QUEUE_URL = required(os.environ, "POLICY_QUEUE_URL")
chosen = ChosenPolicy.from_env(os.environ, settings)

config = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10
)
ec2 = boto3.client("ec2", config=config)
sns = boto3.client("sns", config=config)
parameters = SSMProvider(boto3_client=boto3.client("ssm", config=config))
sqs = boto3.client("sqs", config=config)
dynamodb = boto3.client("dynamodb", config=config)
state = State(dynamodb, settings.table_name)
memory = Memory(dynamodb, settings.table_name)
observer = Observer(ec2, settings.service_name)
logger = Logger()
metrics = Metrics()


class NotWritten(RuntimeError):
    """The policy read back is not the one written: the message goes back for another try."""


@dataclass(slots=True)
class Work:
    """One endpoint to look at, with everything in the batch that asked for it."""

    endpoint_id: str
    messages: list[Message] = field(default_factory=list[Message])
    concerns: list[Concern] = field(default_factory=list[Concern])
    findings: list[Finding] = field(default_factory=list[Finding])
    told: list[str] = field(default_factory=list[str])

    @property
    def intents(self) -> list[str]:
        """The keys of restorations that may have been begun by a try before this one."""
        return [f"{self.endpoint_id}#{one.key}" for one in self.messages if one.came_before]


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Put the approved policy on every endpoint the batch names; failed work goes back."""
    now = datetime.now(UTC)
    inbox = Inbox.open(event)
    works = collect(inbox)
    restore_all(works, inbox, now)
    findings = [finding for work in works.values() for finding in work.findings]
    told = report(
        findings,
        sns=sns,
        state=state,
        topic_arn=settings.topic_arn,
        now=now,
        way=settings.way,
    )
    metrics.add_metric("FindingsPublished", MetricUnit.Count, told.published)
    memory.settle_all((key for work in works.values() for key in work.told), now, logger)
    inbox.log_failures(logger)
    return inbox.response()


def collect(inbox: Inbox) -> dict[str, Work]:
    """The endpoints that the batch names, each once."""
    works: dict[str, Work] = {}
    for message in inbox.messages:
        try:
            one = concern(message.envelope, settings.service_name)
        except (UnreadableRecord, ValueError) as error:
            inbox.fail([message], repr(error))
            continue
        logger.info(one.reason, extra={"endpoint_ids": sorted(one.endpoint_ids)})
        for endpoint_id in one.endpoint_ids:
            work = works.setdefault(endpoint_id, Work(endpoint_id))
            work.messages.append(message)
            work.concerns.append(one)
    return works


def restore_all(works: dict[str, Work], inbox: Inbox, now: datetime) -> None:
    """Look at each endpoint. One of another service, or gone meanwhile, needs nothing."""
    if not works:
        return
    line = Pace(state, now)
    try:
        attached = observer.attached_policies(works)
    except (ClientError, BotoCoreError) as error:
        for work in works.values():
            again(work, line, inbox, error)
        return
    for endpoint_id, policy in attached.items():
        work = works[endpoint_id]
        about = About(settings, now, policy, tuple(work.concerns))
        try:
            begun = memory.begun(work.intents)
            if chosen.policy is None:
                work.findings.append(findings_of.no_approved_policy(about, chosen.problem))
            else:
                work.findings += restore(policy, chosen.policy, about, work, begun)
        except (ClientError, BotoCoreError, StateError, NotWritten) as error:
            again(work, line, inbox, error)


def again(work: Work, line: Pace, inbox: Inbox, error: Exception) -> None:
    """What EC2 refused for pace takes its turn; anything else goes back to the queue."""
    for message in {one.id: one for one in work.messages}.values():
        try:
            if not throttled(error) or pace.times_put_off(message) >= pace.MOST_TIMES:
                raise error
            body, _ = pace.put_off(message)
            delay = min(max(line.turn() - line.now.timestamp(), 0), pace.LONGEST_DELAY)
            sqs.send_message(
                QueueUrl=POLICY_QUEUE_URL, MessageBody=json.dumps(body), DelaySeconds=int(delay)
            )
        except (ClientError, BotoCoreError, StateError, NotWritten) as failure:
            inbox.fail([message], repr(failure))


def restore(
    attached: AttachedPolicy,
    wanted: ApprovedPolicy,
    about: About,
    work: Work,
    begun: Sequence[Intent],
) -> list[Finding]:
    """Compare one endpoint's policy with the approved one, and write that if they differ."""
    now = about.now
    found = compare(attached.text, wanted.policy)
    logger.info(
        "policy differs" if found else "policy agrees",
        extra={"endpoint_id": attached.endpoint_id, "differences": [one.text for one in found]},
    )
    if not found:
        metrics.add_metric("PoliciesAgreed", MetricUnit.Count, 1)
        work.told += [one.key for one in begun]
        return [late(one.finding, one.finding.done, now) for one in begun]
    if opted_out(attached):
        return []
    mode = read_mode(parameters, settings.mode_parameter)
    problems = [unreadable(settings, now, mode)] if mode.problem else []
    if mode.mode is Mode.OBSERVE:
        return [*problems, findings_of.drift(about, wanted, found)]
    key = f"policy#{attached.endpoint_id}"
    if not state.spend(key, CHANGE_BUDGET, BUDGET_WINDOW_SECONDS, now).allowed:
        return [*problems, findings_of.budget_spent(about, found, CHANGE_BUDGET)]
    finding = findings_of.restored(about, wanted, found)
    intent = f"{attached.endpoint_id}#{work.messages[0].key}"
    memory.declare(intent, finding, now)
    metric = "PoliciesRestored"
    try:
        write(attached.endpoint_id, wanted)
    except ClientError as error:
        if throttled(error):
            state.give_back(key, now)
        if code_of(error) not in REFUSALS:
            raise
        metric, finding = "PoliciesNotRestorable", findings_of.refused(about, found, error)
    metrics.add_metric(metric, MetricUnit.Count, 1)
    work.told += [intent, *(one.key for one in begun)]
    return [*problems, finding]


def opted_out(attached: AttachedPolicy) -> bool:
    """Whether the endpoint or its VPC carries the opt-out tag."""
    tags = {**observer.vpc_tags(attached.vpc_id), **attached.tags}
    return settings.opt_out_tag in tags


def write(endpoint_id: str, wanted: ApprovedPolicy) -> None:
    """Write the approved policy and read it back.

    Raises NotWritten if AWS shows another one, ClientError or BotoCoreError as EC2 does.
    """
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=wanted.text)
    now_attached = observer.attached_policies([endpoint_id]).get(endpoint_id)
    if now_attached and compare(now_attached.text, wanted.policy):
        raise NotWritten(f"{endpoint_id} does not show the policy that was written to it")
