"""Ensure the endpoint: every VPC reaches Secrets Manager through an interface endpoint that works.

Undoes: a VPC without the endpoint, an endpoint in too few AZs, security groups that keep the VPC
out, private DNS or the VPC's DNS attributes switched off.

Triggered by the VPC queue: VPC and subnet events, endpoint events, rotation of a secret, the sweep,
and its own follow-ups. Each only names VPCs; what is done depends on their present state alone.

IAM: ec2:DescribeVpcs, ec2:DescribeVpcAttribute, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints,
ec2:DescribeVpcEndpointServices, ec2:DescribeSecurityGroups, ec2:ModifyVpcAttribute,
ec2:CreateSecurityGroup, ec2:AuthorizeSecurityGroupIngress, ec2:CreateVpcEndpoint,
ec2:ModifyVpcEndpoint, ec2:CreateTags (on create only), secretsmanager:DescribeSecret,
lambda:GetFunctionConfiguration, sqs:SendMessage (its own queue), ssm:GetParameter,
dynamodb:UpdateItem, sns:Publish.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parameters import SSMProvider
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from guard import ensure_findings as findings_of
from guard import rotation
from guard.act import Actor
from guard.chosen_policy import ChosenPolicy
from guard.decide import Plan, Verdict, Wanted, decide
from guard.ensure_findings import About
from guard.finding import Finding, Kind
from guard.inbox import Inbox, Message
from guard.mode import Mode, read_mode, unreadable
from guard.observe import Observer
from guard.reconcile import envelope
from guard.record import Record, UnreadableRecord, rotation_function_arn, secret_id
from guard.report import report
from guard.settings import Settings, required, whole_number
from guard.state import State
from guard.vpc import Vpc
from guard.vpc_trigger import Concern, concern

FOLLOW_UPS = 10
FOLLOW_UP_SECONDS = 60
BUDGET_WINDOW_SECONDS = 3600

settings = Settings.from_env(os.environ)
CHANGE_BUDGET = whole_number(os.environ, "CHANGE_BUDGET")
VPC_QUEUE_URL = required(os.environ, "VPC_QUEUE_URL")

chosen = ChosenPolicy.from_env(os.environ, settings)
wanted = Wanted(
    account_id=settings.account_id,
    stack_id=settings.stack_id,
    service_name=settings.service_name,
    opt_out_tag=settings.opt_out_tag,
    policy=chosen.text,
    policy_problem=chosen.problem,
)

# One quick retry only: a throttled or broken call goes back to the queue with its message.
config = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10
)
functions = boto3.client("lambda", config=config)
secretsmanager = boto3.client("secretsmanager", config=config)
sns = boto3.client("sns", config=config)
sqs = boto3.client("sqs", config=config)
parameters = SSMProvider(boto3_client=boto3.client("ssm", config=config))
state = State(boto3.client("dynamodb", config=config), settings.table_name)
ec2 = boto3.client("ec2", config=config)
observer = Observer(ec2, settings.service_name)
actor = Actor(ec2, settings.stack_id, lambda: datetime.now(UTC))
logger = Logger()
metrics = Metrics()


@dataclass(slots=True)
class Work:
    """One VPC to look at, with everything in the batch that asked for it."""

    vpc_id: str
    messages: list[Message] = field(default_factory=list[Message])
    concerns: list[Concern] = field(default_factory=list[Concern])
    secrets: list[str] = field(default_factory=list[str])

    def about(self, now: datetime) -> About:
        return About(
            settings=settings,
            now=now,
            vpc_id=self.vpc_id,
            reasons=tuple(dict.fromkeys(one.reason for one in self.concerns)),
            who=tuple(dict.fromkeys(one.who for one in self.concerns if one.who)),
            event_ids=tuple(dict.fromkeys(one.event_id for one in self.concerns if one.event_id)),
            secrets=tuple(dict.fromkeys(self.secrets)),
        )

    @property
    def attempt(self) -> int:
        """Which follow-up this is: a fresh event starts the count anew."""
        return min(one.attempt for one in self.concerns)


@dataclass(slots=True)
class Worklist:
    """The batch, collapsed: one piece of work per VPC, and findings that need no VPC."""

    now: datetime
    works: dict[str, Work] = field(default_factory=dict[str, Work])
    findings: list[Finding] = field(default_factory=list[Finding])

    def add(self, message: Message) -> None:
        """Find out which VPCs a message concerns. Raises what `concern` and AWS raise."""
        one = concern(message.envelope, settings.service_name)
        secrets: list[str] = []
        vpc_ids = set(one.vpc_ids)
        if one.every_vpc:
            vpc_ids.update(observer.vpc_ids())
        if one.endpoint_ids:
            vpc_ids.update(observer.vpcs_of_endpoints(one.endpoint_ids))
        if one.is_rotation and one.record:
            vpc_ids.update(self._rotation(one.record, secrets))
        logger.info(one.reason, extra={"vpc_ids": sorted(vpc_ids), "attempt": one.attempt})
        for vpc_id in vpc_ids:
            work = self.works.setdefault(vpc_id, Work(vpc_id))
            work.messages.append(message)
            work.concerns.append(one)
            work.secrets += secrets

    def _rotation(self, record: Record, secrets: list[str]) -> Iterable[str]:
        """The VPC of a rotation's function, or a finding that says why there is none."""
        secret = secret_id(record)
        if not secret:
            raise UnreadableRecord(f"{record.event_name} names no secret")
        if record.event_name == "CancelRotateSecret":
            cancelled = findings_of.rotation_cancelled(settings, self.now, record, secret)
            self.findings.append(cancelled)
            return ()
        found = rotation.locate(
            secret,
            rotation_function_arn(record) or "",
            account_id=settings.account_id,
            region=settings.region,
            secretsmanager=secretsmanager,
            functions=functions,
        )
        if found.problem:
            problem = findings_of.rotation_problem(settings, self.now, record, found, found.problem)
            self.findings.append(problem)
        secrets.append(secret)
        return (found.vpc_id,) if found.vpc_id else ()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Reconcile every VPC that the batch concerns; messages whose work failed go back."""
    now = datetime.now(UTC)
    inbox = Inbox.open(event)
    worklist = Worklist(now)
    for message in inbox.messages:
        try:
            worklist.add(message)
        except (UnreadableRecord, ValueError, ClientError, BotoCoreError) as error:
            inbox.fail([message], repr(error))
    findings = worklist.findings
    findings += reconcile_all(worklist, inbox)
    told = report(findings, sns=sns, state=state, topic_arn=settings.topic_arn, now=now)
    metrics.add_metric("FindingsPublished", MetricUnit.Count, told.published)
    inbox.log_failures(logger)
    return inbox.response()


def reconcile_all(worklist: Worklist, inbox: Inbox) -> list[Finding]:
    """Bring each VPC to the wanted state. A VPC that is gone meanwhile needs nothing."""
    works, findings = worklist.works, list[Finding]()
    if not works:
        return findings
    try:
        vpcs = observer.vpcs(works)
    except (ClientError, BotoCoreError) as error:
        inbox.fail([message for work in works.values() for message in work.messages], repr(error))
        return findings
    mode = read_mode(parameters, settings.mode_parameter)
    if mode.problem:
        findings.append(unreadable(settings, worklist.now, mode))
    for vpc_id, vpc in vpcs.items():
        work = works[vpc_id]
        try:
            findings += reconcile(vpc, work, mode.mode, worklist.now)
        except (ClientError, BotoCoreError) as error:
            inbox.fail(work.messages, repr(error))
    return findings


def reconcile(vpc: Vpc, work: Work, mode: Mode, now: datetime) -> list[Finding]:
    """Decide on one VPC, act on the plan, and say what was done or why nothing could be."""
    plan = decide(vpc, wanted)
    logger.info(
        plan.verdict,
        extra={"vpc_id": vpc.id, "reasons": plan.reasons, "steps": [str(s) for s in plan.steps]},
    )
    about = work.about(now)
    match plan.verdict:
        case Verdict.BROKEN if mode is Mode.OBSERVE:
            return [findings_of.drift(about, plan)]
        case Verdict.BROKEN:
            return repair(plan, about, work, now)
        case Verdict.NOT_REPAIRABLE:
            metrics.add_metric("VpcsNotRepairable", MetricUnit.Count, 1)
            return [findings_of.not_repairable(about, plan)]
        case Verdict.SETTLING if work.attempt >= FOLLOW_UPS:
            return [findings_of.still_settling(about, plan, FOLLOW_UPS)]
        case Verdict.SETTLING:
            look_again(plan, work, now)
        case Verdict.WORKS:
            metrics.add_metric("VpcsHealthy", MetricUnit.Count, 1)
        case Verdict.WAITING | Verdict.EXEMPT:
            pass
    return []


def repair(plan: Plan, about: About, work: Work, now: datetime) -> list[Finding]:
    """Apply a plan within the VPC's change budget, and have it verified by a follow-up."""
    budget = state.spend(f"vpc#{plan.vpc_id}", CHANGE_BUDGET, BUDGET_WINDOW_SECONDS, now)
    if not budget.allowed:
        return [findings_of.budget_spent(about, plan, CHANGE_BUDGET)]
    outcome = actor.apply(plan, reason=", ".join(about.reasons))
    if outcome.refused:
        metrics.add_metric("VpcsNotRepairable", MetricUnit.Count, 1)
        return [findings_of.refused(about, plan, outcome, outcome.refused)]
    # AWS shows what was written only after a while, and the endpoint needs minutes to serve:
    # the look that verifies it comes through the queue.
    look_again(plan, work, now)
    finding = findings_of.changed(about, plan, outcome)
    created = finding.kind is Kind.ENDPOINT_CREATED
    metrics.add_metric("EndpointsCreated" if created else "EndpointsRepaired", MetricUnit.Count, 1)
    return [finding]


def look_again(plan: Plan, work: Work, now: datetime) -> None:
    """Ask for another look at the VPC in a minute."""
    detail = {"vpcId": plan.vpc_id, "reason": "follow-up", "attempt": work.attempt + 1}
    sqs.send_message(
        QueueUrl=VPC_QUEUE_URL,
        MessageBody=envelope(settings, now, detail),
        DelaySeconds=FOLLOW_UP_SECONDS,
    )
