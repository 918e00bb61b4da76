"""Ensure the endpoint: every VPC reaches Secrets Manager through an interface endpoint that works.

Undoes: a VPC without the endpoint, an endpoint in too few AZs, security groups that keep the VPC
out, private DNS or the VPC's DNS attributes switched off.

Triggered by the VPC queue: VPC and subnet events, endpoint events, rotation of a secret, attempts
to tear a VPC down, the sweep, and its own later looks. Each only names VPCs; what is done depends
on their present state, and on what the guard remembers of them where that asks for a change.

IAM: ec2:DescribeVpcs, ec2:DescribeVpcAttribute, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints,
ec2:DescribeVpcEndpointServices, ec2:DescribeSecurityGroups, ec2:DescribeNetworkInterfaces (in
tear-downs only), ec2:ModifyVpcAttribute, ec2:CreateSecurityGroup,
ec2:AuthorizeSecurityGroupIngress, ec2:CreateVpcEndpoint, ec2:ModifyVpcEndpoint, ec2:CreateTags (on
create only), route53:ListHostedZonesByVPC and route53:ListResourceRecordSets (where no endpoint has
private DNS), ec2:DeleteVpcEndpoints and ec2:DeleteSecurityGroup (its own only),
secretsmanager:DescribeSecret, secretsmanager:ListSecrets (scope rotation only),
lambda:GetFunctionConfiguration, sqs:SendMessage and sqs:ChangeMessageVisibility (its own queue),
ssm:GetParameter, ssm:ListTagsForResource (of the mode's parameter, which carries the stack's tags),
dynamodb:GetItem, dynamodb:UpdateItem, sns:Publish.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ensure_endpoint import findings as findings_of
from ensure_endpoint.act import Actor, Outcome
from ensure_endpoint.cost import monthly_price, price_per_az_hour, zones_added
from ensure_endpoint.findings import About
from ensure_endpoint.in_force import to_json
from ensure_endpoint.limits import Limits
from ensure_endpoint.looks import FOLLOW_UPS, Looks
from ensure_endpoint.refusals import Refused
from ensure_endpoint.requests import Work, Worklist
from ensure_endpoint.room import Carrier, Replan, of_a_subnet, without_room
from ensure_endpoint.rotation import findings as rotation_findings
from ensure_endpoint.rotation import function as rotation
from ensure_endpoint.rotation.obstruction import obstruction, refused_actions
from ensure_endpoint.rotation.vpcs import RotatingVpcs
from ensure_endpoint.tags import Given, StackTags
from ensure_endpoint.triggers import Concern
from ensure_endpoint.withdrawal.act import Remover
from ensure_endpoint.withdrawal.reconcile import Withdrawal
from guard.approved.choice import ApprovedPolicies
from guard.approved.desired import wanted_from_env
from guard.approved.history import CREATED, HISTORY_DAYS, Change, History
from guard.approved.lists import ApprovedLists
from guard.approved.rollout import aim
from guard.approved.rollouts import Rollouts
from guard.aws.clients import client, seldom_client
from guard.aws.denials import may_not_look
from guard.aws.errors import throttled
from guard.aws.parameters import Parameters
from guard.cloudtrail.callers import Caller
from guard.cloudtrail.record import Record, UnreadableRecord, rotation_function_arn, secret_id
from guard.endpoint.decide import (
    CreateEndpoint,
    CreateGroup,
    ModifyEndpoint,
    Plan,
    Verdict,
    Wanted,
    decide,
)
from guard.endpoint.hosted_zones import HostedZones
from guard.endpoint.observe import Observer
from guard.endpoint.scope import Guarded
from guard.endpoint.state import Tags, Vpc
from guard.findings.finding import Finding, Kind
from guard.publishing.publish import report
from guard.reconcile.batch import Inbox, since_event
from guard.reconcile.mode import Mode, read_mode, unreadable
from guard.reconcile.own_queue import EARLY_SECONDS, MOST_HOPS, ChainTooLong
from guard.reconcile.rate_limiter import NotNow, Pace
from guard.redact import log_line, sealed
from guard.settings import SCOPE_TAG, Settings
from guard.table.items import Items
from guard.table.memory import Intent, Memory, Remembered
from guard.table.state import State, StateError
from guard.variables import dollars, items, required, switch, whole_number

LOOKS_AT_CHANGES = 3  # at what AWS says has changed meanwhile, a minute apart

settings = Settings.from_env(os.environ)
GRACE_SECONDS = 60 * whole_number(os.environ, "GRACE_MINUTES")
GRACE_HOPS = 5  # of a chain that goes on while others keep building: it knows who began
PRICE = dollars(os.environ, "PRICE_PER_AZ_HOUR", price_per_az_hour(settings.region))
GUARD_ROLES = items(os.environ, "GUARD_ROLES")
guarded = Guarded.of(required(os.environ, "SCOPE"), required(os.environ, "SCOPE_TAG", SCOPE_TAG))

lists = ApprovedLists.from_env(os.environ)
approved = ApprovedPolicies.from_env(os.environ, settings, lists.organization)
wanted = wanted_from_env(os.environ, settings, approved, lists)

# One quick retry only: what is throttled is put off, what is broken goes back with its message.
config = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10
)
functions = seldom_client("lambda", config=config)
secretsmanager = seldom_client("secretsmanager", config=config)
sns = client("sns", config=config)
sqs = client("sqs", config=config)
dynamodb = client("dynamodb", config=config)
ec2 = client("ec2", config=config)
ssm = client("ssm", config=config)
parameters = Parameters(ssm)
stack_tags = StackTags(
    ssm,
    settings.mode_parameter,
    reserved={settings.opt_out_tag, approved.tag, guarded.tag},
)
state = State(dynamodb, settings.table_name)
memory = Memory(dynamodb, settings.table_name)
table = Items(dynamodb, settings.table_name)
rollouts = Rollouts(table)
history = History(table, timedelta(days=whole_number(os.environ, "HISTORY_DAYS", HISTORY_DAYS)))
zones = HostedZones(
    cache(lambda: client("route53", config=config)), settings.region, settings.account_id
)
observer = Observer(
    ec2, settings.service_name, zones if switch(os.environ, "COVERED_BY_HUB") else None
)
carrier = Carrier(Actor(ec2, settings.stack_id, lambda: datetime.now(UTC)), observer.full_subnets)
rotating = RotatingVpcs(secretsmanager, functions, settings.function_arn_prefix)
limits = Limits(
    state,
    memory,
    # One deployment rarely makes a VPC change five times within an hour; a loop does.
    change_budget=whole_number(os.environ, "CHANGE_BUDGET", default=5),
    # Half of what EC2 allows in an hour: the other half is for whoever else creates endpoints.
    creations_per_hour=whole_number(os.environ, "MAXIMUM_CREATIONS_PER_HOUR", default=500),
    monthly_budget=dollars(os.environ, "MONTHLY_BUDGET"),
    price_per_az_hour=PRICE,
)
looks = Looks(
    sqs,
    required(os.environ, "VPC_QUEUE_URL"),
    settings,
    memory,
    whole_number(os.environ, "MAXIMUM_HOPS", MOST_HOPS),
)
withdrawal = Withdrawal(
    memory, Remover(ec2), settings.stack_id, settings.opt_out_tag, looks, observer.interfaces
)
logger = Logger(json_serializer=log_line)
metrics = Metrics()


@sealed
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Reconcile every VPC that the batch concerns; messages whose work failed go back."""
    now = datetime.now(UTC)
    inbox = Inbox.open(event)
    worklist = collect(inbox, now)
    reconcile_all(worklist, inbox)
    findings = [*worklist.findings, *(f for one in worklist.works.values() for f in one.findings)]
    told = report(
        findings,
        sns=sns,
        state=state,
        topic_arn=settings.topic_arn,
        now=now,
        way=settings.way,
    )
    metrics.add_metric("FindingsPublished", MetricUnit.Count, told.published)
    memory.settle_all((key for one in worklist.works.values() for key in one.told), now, logger)
    inbox.log_failures(logger)
    return inbox.response()


def collect(inbox: Inbox, now: datetime) -> Worklist:
    """The VPCs that the batch concerns. A look that is not due yet waits in the queue."""
    worklist = Worklist(now, settings.service_name, vpcs_of, GUARD_ROLES)
    for message in inbox.messages:
        try:
            one = worklist.add(message)
            logger.info(one.reason, extra={"vpc_ids": sorted(one.vpc_ids), "attempt": one.attempt})
        except (UnreadableRecord, ValueError, ClientError, BotoCoreError) as error:
            worklist.findings += may_not_look(settings, now, error, frozenset())
            looks.put_off(message, inbox, error)
    for message, later in worklist.early:
        looks.queue.wait(message, later.not_before, now, inbox)
    return worklist


def vpcs_of(one: Concern, worklist: Worklist) -> tuple[set[str], list[str]]:
    """The VPCs of a concern that AWS must be asked for, and the secret that rotates there."""
    vpc_ids: set[str] = set()
    if one.every_vpc:
        vpc_ids.update(observer.vpc_ids())
    if one.endpoint_ids:
        vpc_ids.update(observer.vpcs_of_endpoints(one.endpoint_ids))
    if one.subnet_ids:
        vpc_ids.update(vpcs_of_subnets(one.subnet_ids))
    if one.is_rotation and one.record:
        return rotation_of(one.record, worklist)
    return vpc_ids, []


def vpcs_of_subnets(ids: Iterable[str]) -> set[str]:
    """The VPCs of those subnets that exist; a filter, as an unknown id would fail the call."""
    some: Any = [{"Name": "subnet-id", "Values": sorted(ids)}]
    pages: Any = ec2.get_paginator("describe_subnets").paginate(Filters=some)
    return {subnet["VpcId"] for page in pages for subnet in page["Subnets"]}


def rotation_of(record: Record, worklist: Worklist) -> tuple[set[str], list[str]]:
    """The VPC of a rotation's function, or a finding that says why there is none."""
    secret = secret_id(record)
    if not secret:
        raise UnreadableRecord(f"{record.event_name} names no secret")
    if record.event_name == "CancelRotateSecret":
        cancelled = rotation_findings.cancelled(settings, worklist.now, record, secret)
        worklist.findings.append(cancelled)
        return set(), []
    found = rotation.locate(
        secret,
        rotation_function_arn(record) or "",
        account_id=settings.account_id,
        region=settings.region,
        secretsmanager=secretsmanager,
        functions=functions,
    )
    if found.problem is Kind.ROTATION_MANAGED:
        worklist.findings.append(rotation_findings.managed(settings, worklist.now, record, found))
    elif found.problem:
        unserved = rotation_findings.unserved(settings, worklist.now, record, found, found.problem)
        worklist.findings.append(unserved)
    elif found.vpc_id:
        worklist.rotations.setdefault(found.vpc_id, []).append((record, found))
    return ({found.vpc_id} if found.vpc_id else set()), [secret]


def reconcile_all(worklist: Worklist, inbox: Inbox) -> None:
    """Bring each VPC to the wanted state. A VPC that is gone meanwhile needs nothing."""
    works, now = worklist.works, worklist.now
    if not works:
        return
    try:
        vpcs = observer.vpcs(works, {id_ for id_, work in works.items() if work.leaves_dns})
    except (ClientError, BotoCoreError) as error:
        worklist.findings += may_not_look(settings, now, error, frozenset(works))
        for message in (one for work in works.values() for one in work.messages):
            looks.put_off(message, inbox, error)
        return
    mode = read_mode(parameters, settings.mode_parameter)
    if mode.problem:
        worklist.findings.append(unreadable(settings, now, mode))
    line = Pace(state, now)
    for vpc_id, vpc in vpcs.items():
        work = works[vpc_id]
        about = work.about(settings, now)
        try:
            worklist.findings += hindered_rotations(vpc, worklist)
            # Asked anew for each: whoever stops all writes must not wait for the batch to end.
            mode = read_mode(parameters, settings.mode_parameter)
            reconcile(vpc, work, about, mode.mode, line)
        except (NotNow, ChainTooLong, ClientError, BotoCoreError, StateError) as error:
            looks.in_turn(work, about, line, inbox, error)


def hindered_rotations(vpc: Vpc, worklist: Worklist) -> Iterable[Finding]:
    """What would fail a rotation in this VPC although the endpoint works. Raises as EC2 does."""
    plan, now = decide(vpc, wanted_for(vpc)), worklist.now
    chosen = approved.choose(endpoint_tags(vpc), vpc.tags)
    for record, found in worklist.rotations.get(vpc.id, ()):
        groups = observer.security_groups(found.group_ids)
        if cause := obstruction(vpc, plan, found, groups):
            yield rotation_findings.cannot_reach(settings, now, record, found, cause)
        if chosen.policy is None:
            continue
        if actions := refused_actions(chosen.policy.policy, found, settings.partition):
            name = chosen.policy.name
            yield rotation_findings.refused_by_policy(settings, now, record, found, name, actions)


def wanted_for(vpc: Vpc) -> Wanted:
    """What the template wants in a VPC, with the policy that its tag may choose."""
    policy = approved.choose(vpc=vpc.tags)
    return replace(wanted, policy=policy.text, policy_problem=policy.problem)


def with_proven_policy(vpc: Vpc, now: datetime) -> Wanted:
    """The same, with the version before while a new one of the policy is still being tried."""
    chosen, there = approved.choose(vpc=vpc.tags), wanted_for(vpc)
    if not chosen.policy:
        return there
    target = aim(rollouts.of(chosen.policy.name, now), chosen.policy, "")
    return replace(there, policy=target.policy.text)


def endpoint_tags(vpc: Vpc) -> Tags:
    """The tags of the endpoint that serves the VPC under the service's private name."""
    return next((one.tags for one in vpc.endpoints if one.private_dns), {})


def reconcile(vpc: Vpc, work: Work, about: About, mode: Mode, line: Pace) -> None:
    """Look at one VPC, and withdraw from it, mend it, or say why neither could be done."""
    begun = withdrawal.carried_out(vpc, memory.begun(work.intents))
    withdrawal.note_use(work, about.now)
    if withdrawal.stand_down(vpc, work, about, mode, begun):
        return
    left_out = guarded.leaves_out(vpc, lambda: bool(work.secrets) or vpc.id in rotating)
    if left_out:
        logger.info(left_out, extra={"vpc_id": vpc.id})
        return
    if withdrawal.make_way(vpc, work, about, mode, begun):
        return
    vpc, there = without_room(vpc, work.left_out), wanted_for(vpc)
    plan = decide(vpc, there)
    logger.info(
        plan.verdict,
        extra={
            "vpc_id": vpc.id,
            "reasons": plan.reasons,
            "steps": [str(s) for s in plan.steps],
            "notes": plan.notes,
        },
    )
    if plan.verdict is Verdict.BROKEN:
        if plan.creates:
            there = with_proven_policy(vpc, about.now)
            plan = decide(vpc, there)
        remembered = memory.recall(vpc.id)
        stood_down = withdrawal.lasts(vpc, remembered, work, about)
        if not stood_down and may_mend(plan, remembered, work, about, mode):
            line.check(plan)
            mend(
                plan,
                remembered,
                work,
                about,
                begun,
                lambda full: decide(without_room(vpc, full), there),
            )
            return
    work.tell_late(begun, [str(step) for step in plan.steps], about.now)
    conclude(plan, work, about)


def may_mend(plan: Plan, remembered: Remembered, work: Work, about: About, mode: Mode) -> bool:
    """Whether the plan is to be carried out now; says why not where ops should know."""
    now = about.now
    if plan.creates and in_grace(remembered, work, about):
        return False
    if mode is Mode.OBSERVE:
        work.findings.append(findings_of.drift(about, plan, PRICE))
        return False
    if remembered.slot_at > now.timestamp() + EARLY_SECONDS:
        logger.info("in line for EC2 already", extra={"vpc_id": plan.vpc_id})
        return False
    return True


def in_grace(remembered: Remembered, work: Work, about: About) -> bool:
    """Whether those who build the VPC still have time to bring an endpoint; if so, look later."""
    # An event's time that lies ahead counts as now: nobody may put a creation off for good.
    built = min(work.built, int(about.now.timestamp()))
    until = max(remembered.grace_until, built + GRACE_SECONDS if built else 0)
    if until <= about.now.timestamp() + EARLY_SECONDS:
        return False
    logger.info("waiting for the VPC's builders", extra={"vpc_id": work.vpc_id, "until": until})
    extended = until > remembered.grace_until
    # Whoever has extended it has asked for a look at its end: that of a long chain is not needed.
    if extended or work.hops < GRACE_HOPS:
        looks.ask(work.later("grace is over", about, not_before=until), work, about.now)
    if extended:
        memory.note(work.vpc_id, about.now, grace_until=until)
    return True


def mend(
    plan: Plan,
    remembered: Remembered,
    work: Work,
    about: About,
    begun: Sequence[Intent],
    replan: Replan,
) -> None:
    """Apply a plan within its limits, and have it verified by a later look.

    Raises what was throttled or failed, after which nothing of the limits is used up.
    """
    given = stack_tags.get() if creates_anything(plan) else Given()
    refusal = limits.refuse(plan, remembered, about, about.now)
    if refusal:
        work.findings.append(refusal)
        work.tell_late(begun, [str(step) for step in plan.steps], about.now)
        return
    steps = {str(step) for step in plan.steps}
    earlier = tuple(step for one in begun for step in one.done(steps))
    all_of_it = Outcome(plan.steps, plan.endpoint_id)
    foreseen = findings_of.changed(about, plan, all_of_it, PRICE, earlier)
    try:
        memory.declare(work.begin(), foreseen, about.now, [to_json(one) for one in plan.steps])
    except (ClientError, BotoCoreError) as error:
        limits.give_back(plan, Outcome((), "", failed=error), remembered, about.now)
        raise
    applied, outcome, work.refused_in = carrier.carry_out(
        plan, ", ".join(about.reasons), given.tags, lambda full: replan(work.left_out | full)
    )
    limits.give_back(plan, outcome, remembered, about.now)
    if outcome.refused:
        stack_tags.forget()
    again = outcome.refused and looks_again_at(outcome.refused, applied, work)
    if again or (outcome.failed and throttled(outcome.failed)):
        # The rest was not done, and somebody else may do it before the next try.
        done = findings_of.changed(about, applied, outcome, PRICE, earlier)
        memory.correct(work.begun[-1], done, about.now)
    if outcome.failed:
        raise outcome.failed
    if again:
        logger.info("refused for now", extra={"vpc_id": work.vpc_id, "why": str(outcome.refused)})
        looks.again(work, about, intents=(*work.intents, *work.begun))
        return
    conclude_change(applied, outcome, work, about, begun, given, earlier)


def creates_anything(plan: Plan) -> bool:
    return any(isinstance(step, CreateEndpoint | CreateGroup) for step in plan.steps)


def conclude_change(
    plan: Plan,
    outcome: Outcome,
    work: Work,
    about: About,
    begun: Sequence[Intent],
    given: Given,
    earlier: tuple[str, ...],
) -> None:
    """What there is to say or do about a plan that came to its end, or that AWS refused."""
    refusal = outcome.refused
    work.told += work.begun
    if refusal and of_a_subnet(refusal) and plan.endpoint_id and not outcome.done:
        work.tell_late(begun, (), about.now)
        conclude(plan, work, about)  # what there is serves as before
        return
    work.told += [one.key for one in begun]
    if refusal and not (of_a_subnet(refusal) and plan.endpoint_id):
        metrics.add_metric("VpcsNotRepairable", MetricUnit.Count, 1)
        work.findings.append(
            findings_of.refused(about, plan, outcome, refusal, earlier, given.problem)
        )
        return
    work.findings.append(findings_of.changed(about, plan, outcome, PRICE, earlier, given.problem))
    count_change(outcome, work, about)
    # AWS shows what was written only after a while, and the endpoint needs minutes to serve:
    # the look that verifies it comes through the queue.
    looks.again(work, about)


def looks_again_at(refusal: Refused, plan: Plan, work: Work) -> bool:
    """Whether the refusal may be over in a minute, or there is more to try then."""
    if refusal.out_of_date:
        return work.attempt < LOOKS_AT_CHANGES
    left = any(isinstance(step, CreateEndpoint | ModifyEndpoint) for step in plan.steps)
    return of_a_subnet(refusal) and left and work.attempt < FOLLOW_UPS


def count_change(outcome: Outcome, work: Work, about: About) -> None:
    """The metrics of a change, and the first entry in the history of an endpoint."""
    created = [step for step in outcome.done if isinstance(step, CreateEndpoint)]
    metrics.add_metric("EndpointsCreated" if created else "EndpointsRepaired", MetricUnit.Count, 1)
    price = monthly_price(zones_added(outcome.done), PRICE)
    metrics.add_metric("DollarsAMonthAdded", MetricUnit.NoUnit, float(price))
    seconds = since_event(work.messages, about.now)
    if seconds is not None:
        metrics.add_metric("RepairSeconds", MetricUnit.Seconds, seconds)
    for step in created:
        history.keep(created_with(step.policy, outcome, about), work.begun[-1], about.now)


def created_with(policy: str, outcome: Outcome, about: About) -> Change:
    """The first entry of an endpoint's history."""
    return Change(
        endpoint_id=outcome.endpoint_id,
        at=about.now,
        action=CREATED,
        before="",
        after=policy,
        callers=tuple(Caller(principal=who) for who in about.who),
    )


def conclude(plan: Plan, work: Work, about: About) -> None:
    """What there is to say or do about a VPC that is not mended now."""
    match plan.verdict:
        case Verdict.NOT_REPAIRABLE:
            metrics.add_metric("VpcsNotRepairable", MetricUnit.Count, 1)
            work.findings.append(findings_of.not_repairable(about, plan))
        case Verdict.SETTLING if work.attempt >= FOLLOW_UPS:
            work.findings.append(findings_of.still_settling(about, plan, FOLLOW_UPS))
        case Verdict.SETTLING:
            looks.again(work, about)
        case Verdict.WORKS | Verdict.COVERED:
            metrics.add_metric("VpcsHealthy", MetricUnit.Count, 1)
        case Verdict.DEGRADED:
            metrics.add_metric("VpcsHealthy", MetricUnit.Count, 1)
            work.findings.append(findings_of.degraded(about, plan))
        case _:
            pass
