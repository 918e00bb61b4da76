"""Restore the policy: every Secrets Manager endpoint carries the approved endpoint policy.

Undoes: an endpoint policy that was changed, or an endpoint made by hand with another one. Which of
the approved policies an endpoint is to carry, its tag may choose, or its VPC's.

Triggered by the policy queue: CreateVpcEndpoint and ModifyVpcEndpoint, the sweep, and its own later
looks. Policies are compared by what they mean, so the guard's own write coming back as an event
changes nothing. What is put back is kept in the history; where somebody keeps writing against the
guard, it lets go for a while.

EC2's calls are throttled for the whole account, so the VPCs' tags are read once a minute at most.
What an older tag decided is made good by the sweep, which is never answered from older tags than
its own. One thing it cannot make good: in a VPC that was excepted less than a minute before, a
policy may be put back once more. The history has what was there.

IAM: ec2:DescribeVpcEndpoints, ec2:DescribeVpcs, ec2:ModifyVpcEndpoint, ssm:GetParameter,
sqs:SendMessage and sqs:ChangeMessageVisibility (its own queue), dynamodb:GetItem,
dynamodb:UpdateItem, sns:Publish.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from guard.approved import rollout as canary
from guard.approved.choice import ApprovedPolicies
from guard.approved.history import APPLIED, HISTORY_DAYS, RESTORED, ROLLED_BACK, Change, History
from guard.approved.lists import ApprovedLists
from guard.approved.pauses import Pause, Pauses
from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import Accept, Aim, Phase, RollBack, Rollout
from guard.approved.rollouts import Rollouts
from guard.approved.trials import Trials
from guard.aws.clients import client, seldom_client
from guard.aws.denials import may_not_look
from guard.aws.errors import (
    code_of,
    message_of,
    out_of_date,
    readable,
    throttled,
)
from guard.aws.errors import refused as is_refusal
from guard.aws.parameters import Parameters
from guard.aws.queues import NotSent
from guard.cloudtrail.record import UnreadableRecord
from guard.endpoint.observe import Observer
from guard.endpoint.state import AttachedPolicy, Tags
from guard.findings.finding import Finding, Kind
from guard.policy import Difference, PolicyError, compare, parse
from guard.publishing.publish import report
from guard.reconcile import rate_limiter as pace
from guard.reconcile.batch import INSTEAD_OF, NOT_BEFORE, PUT_OFF, Inbox, Message, since_event
from guard.reconcile.mode import Mode, read_mode, unreadable
from guard.reconcile.own_queue import EARLY_SECONDS, MOST_HOPS, ChainTooLong
from guard.reconcile.policy_requests import REACH, PolicyLooks
from guard.reconcile.rate_limiter import NotNow, Pace
from guard.redact import log_line, sealed
from guard.settings import Settings
from guard.table.items import Items
from guard.table.memory import Intent, Memory, late
from guard.table.state import State, StateError
from guard.variables import items, required, whole_number
from restore_policy import findings as findings_of
from restore_policy import trial_findings
from restore_policy.fights import Fight, Fights
from restore_policy.findings import About
from restore_policy.tagged_vpcs import TaggedVpcs
from restore_policy.triggers import Concern, concern

settings = Settings.from_env(os.environ)
GUARD_ROLES = items(os.environ, "GUARD_ROLES")
lists = ApprovedLists.from_env(os.environ)
approved = ApprovedPolicies.from_env(os.environ, settings, lists.organization)

config = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10
)
ec2 = client("ec2", config=config)
sns = client("sns", config=config)
parameters = Parameters(client("ssm", config=config))
dynamodb = client("dynamodb", config=config)
state = State(dynamodb, settings.table_name)
memory = Memory(dynamodb, settings.table_name)
table = Items(dynamodb, settings.table_name)
history = History(table, timedelta(days=whole_number(os.environ, "HISTORY_DAYS", HISTORY_DAYS)))
pauses = Pauses(table)
fights = Fights(
    state,
    history,
    # A retry or two of a deployment is no fight; a third change within an hour is.
    most=whole_number(os.environ, "REVERTS_BEFORE_PAUSE", default=3),
    pause=timedelta(minutes=whole_number(os.environ, "PAUSE_MINUTES", default=60)),
)
looks = PolicyLooks(
    seldom_client("sqs", config=config),
    required(os.environ, "POLICY_QUEUE_URL"),
    settings,
    whole_number(os.environ, "MAXIMUM_HOPS", MOST_HOPS),
)
rollouts = Rollouts(table)
observer = Observer(ec2, settings.service_name)
tagged_vpcs = TaggedVpcs(observer, frozenset({settings.opt_out_tag, approved.tag}))
logger = Logger(json_serializer=log_line)
metrics = Metrics()


# Long enough for most clients to read a secret once; network activity events take up to 15 minutes.
TRIAL_MINUTES = whole_number(os.environ, "CANARY_MINUTES", default=15)
trials = Trials(rollouts, history, looks, 60 * TRIAL_MINUTES)

# What the history calls a change, by the kind of the finding that tells it.
ACTIONS = {Kind.POLICY_ROLLOUT: APPLIED, Kind.POLICY_ROLLOUT_FAILED: ROLLED_BACK}

LAST_TRY = 3  # at an endpoint that AWS lists, and does not know when it is written to

PAUSED = "enforcement was paused"
PAUSE = "#pause"  # after the key of a restoration: the pause that followed from it
REFUSED = "#refused"  # and that AWS refused to have it made


class NotWritten(RuntimeError):
    """The policy read back is not the one written: the message goes back for another try."""


# What ends the work on an endpoint for now.
FAILURES = (NotNow, NotSent, NotWritten, ChainTooLong, StateError, ClientError, BotoCoreError)


@dataclass(slots=True)
class Work:
    """One endpoint to look at, with everything in the batch that asked for it."""

    endpoint_id: str
    messages: list[Message] = field(default_factory=list[Message])
    concerns: list[Concern] = field(default_factory=list[Concern])
    findings: list[Finding] = field(default_factory=list[Finding])
    told: list[str] = field(default_factory=list[str])

    @property
    def intent(self) -> str:
        """The key of the restoration that this work may make."""
        return f"{self.endpoint_id}#{self.messages[0].key}"

    @property
    def undoing(self) -> str:
        """The key of the rollback that this work may make: one message may ask for both."""
        asked = zip(self.messages, self.concerns, strict=True)
        return self._undoing(next(message for message, one in asked if one.trial))

    @property
    def intents(self) -> list[str]:
        """The keys of changes that may have been begun by a try before this one."""
        asked = zip(self.messages, self.concerns, strict=True)
        again = [(message, one) for message, one in asked if message.came_before]
        return [f"{self.endpoint_id}#{message.key}" for message, _ in again] + [
            self._undoing(message) for message, one in again if one.trial
        ]

    @property
    def hops(self) -> int:
        """Of the longest chain that has led to this work."""
        return max(one.hops for one in self.messages)

    def _undoing(self, message: Message) -> str:
        return f"{self.endpoint_id}#{message.key}#back"

    def is_echo(self, attached: AttachedPolicy) -> bool:
        """Whether all that asked are the guard's own writes, and the endpoint shows the last."""
        if not all(one.written for one in self.concerns):
            return False
        try:
            return not compare(attached.text, parse(self.concerns[-1].written))
        except PolicyError:
            return False


@dataclass(frozen=True, slots=True)
class Case:
    """What an endpoint carries, what it is to carry, how they differ; `rollout` was asked then."""

    attached: AttachedPolicy
    target: Aim
    found: Sequence[Difference]
    rollout: Rollout | None


@sealed
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Put the approved policy on every endpoint the batch names; failed work goes back."""
    now = datetime.now(UTC)
    inbox = Inbox.open(event)
    works = collect(inbox, now)
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


def collect(inbox: Inbox, now: datetime) -> dict[str, Work]:
    """The endpoints that the batch names, each once. A look that is not due yet waits."""
    works: dict[str, Work] = {}
    for message in inbox.messages:
        try:
            one = concern(message.envelope, settings.service_name, GUARD_ROLES)
            due = max(one.not_before, message.not_before)
            if due > now.timestamp() + EARLY_SECONDS:
                looks.queue.wait(message, due, now, inbox)
                continue
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
        found = observer.attached_policies(works).values()
        attached = [one for one in found if not works[one.endpoint_id].is_echo(one)]
        vpc_tags = tagged_vpcs.tags(now, tags_since(attached, works)) if attached else {}
    except (ClientError, BotoCoreError) as error:
        next(iter(works.values())).findings += may_not_look(settings, now, error, frozenset())
        for work in works.values():
            again(work, line, inbox, error)
        return
    for policy in attached:
        work = works[policy.endpoint_id]
        about = About(settings, now, policy, tuple(work.concerns))
        try:
            judge(policy, vpc_tags.get(policy.vpc_id, {}), about, work, line)
        except FAILURES as error:
            again(work, line, inbox, error)


def tags_since(attached: Sequence[AttachedPolicy], works: Mapping[str, Work]) -> float:
    """When the tags of VPCs that count for these endpoints were there to be read: epoch seconds.

    A VPC is older than its endpoints, so what was read after the youngest of them knows all their
    VPCs. A sweep that asks has read the tags itself, and would ask in vain if older ones decided.
    """
    created = [one.created.timestamp() for one in attached]
    asked = [it.asked_at for one in attached for it in works[one.endpoint_id].concerns]
    return max(created + asked)


def again(work: Work, line: Pace, inbox: Inbox, error: Exception) -> None:
    """What EC2 refused for pace takes its turn; anything else goes back to the queue."""
    try:
        if not throttled(error) and not isinstance(error, NotNow):
            raise error
        turn = line.turn()
    except FAILURES as failure:
        inbox.fail(work.messages, repr(failure))
        return
    for message in {one.id: one for one in work.messages}.values():
        times = message.times_put_off + throttled(error)
        body = {**message.envelope, INSTEAD_OF: message.key, NOT_BEFORE: turn}
        try:
            if times > pace.MOST_TIMES:
                raise error
            delay = turn - line.now.timestamp()
            looks.queue.send({**body, PUT_OFF: times}, message.hops, delay)
        except (ChainTooLong, ClientError, BotoCoreError) as failure:
            inbox.fail([message], repr(failure))


def judge(attached: AttachedPolicy, vpc_tags: Tags, about: About, work: Work, line: Pace) -> None:
    """Compare one endpoint's policy with the one chosen for it, and say or do what follows."""
    chosen, now = approved.choose(attached.tags, vpc_tags), about.now
    if chosen.policy is None:
        work.findings.append(findings_of.no_approved_policy(about, chosen.problem))
        return
    begun = begun_before(work)
    if any(one.trial for one in work.concerns) and trial_ended(
        chosen.policy, about, work, line, begun
    ):
        return
    case = differences(attached, chosen.policy, now)
    logger.info(
        "policy differs" if case.found else "policy agrees",
        extra={
            "endpoint_id": attached.endpoint_id,
            "differences": [one.text for one in case.found],
        },
    )
    if not case.found:
        metrics.add_metric("PoliciesAgreed", MetricUnit.Count, 1)
        tell_late(begun, work, now)
    elif settings.opt_out_tag in {**vpc_tags, **attached.tags}:
        pass
    elif pause := pauses.of(attached.endpoint_id, now):
        tell_late(begun, work, now)
        look_when_over(attached.endpoint_id, pause, work, now)
        work.findings.append(
            findings_of.drift_while_paused(about, case.target.policy, case.found, pause)
        )
    elif mode_of(work, now) is Mode.OBSERVE:
        work.findings.append(findings_of.drift(about, case.target.policy, case.found))
    else:
        line.check_write()
        put_back(case, about, work, begun)


def begun_before(work: Work) -> list[Intent]:
    """What a try before this one began: changes, what followed from them, and those refused."""
    found, keys = memory.begun(work.intents), work.intents
    followed = memory.begun(one.key + PAUSE for one in found)
    return followed + memory.begun(key + REFUSED for key in keys) + found


def look_when_over(endpoint_id: str, pause: Pause, work: Work, now: datetime) -> None:
    """Ask for the look at the end of a pause, once, and when that is near enough."""
    if not pause.asked and pause.until - now <= REACH:
        looks.ask(endpoint_id, PAUSED, pause.until, now, hops=work.hops)
        pauses.note_asked(endpoint_id, pause)


def mode_of(work: Work, now: datetime) -> Mode:
    """The mode in force; nobody's choice is told."""
    mode = read_mode(parameters, settings.mode_parameter)
    if mode.problem:
        work.findings.append(unreadable(settings, now, mode))
    return mode.mode


def differences(attached: AttachedPolicy, wanted: ApprovedPolicy, now: datetime) -> Case:
    """How the endpoint departs from what it is to carry: not always the deployed version."""
    found = compare(attached.text, wanted.policy)
    rollout = rollouts.of(wanted.name, now) if found else rollouts.unsettled(wanted, now)
    target = canary.aim(rollout, wanted, attached.endpoint_id)
    if target.policy is not wanted:
        found = compare(attached.text, target.policy.policy)
    return Case(attached, target, found, rollout)


def tell_late(begun: Sequence[Intent], work: Work, now: datetime) -> None:
    """Tell of changes that were made by a try that was cut short before it could."""
    for one in begun:
        if finish(one, work, now):
            work.findings.append(late(one.finding, one.finding.done, now))
        work.told.append(one.key)


def finish(begun: Intent, work: Work, now: datetime) -> bool:
    """Do what belongs to a change beside telling of it; False if it is not in force."""
    if begun.finding.kind is not Kind.ENFORCEMENT_PAUSED:
        change = Change.of(begun.finding, ACTIONS.get(begun.finding.kind, RESTORED))
        if change.before != change.after:  # not a version that AWS refused
            history.keep(change, begun.key, now)
    elif pause := pauses.of(work.endpoint_id, now):
        look_when_over(work.endpoint_id, pause, work, now)
    else:
        return False
    return True


def put_back(case: Case, about: About, work: Work, begun: Sequence[Intent]) -> None:
    """Write the policy that the endpoint is to carry, keep and tell the change.

    Raises NotWritten if AWS shows another one, StateError, and ClientError or BotoCoreError.
    """
    now, endpoint_id, wanted = about.now, case.attached.endpoint_id, case.target.policy
    if case.rollout and case.rollout.phase is Phase.REJECTED:
        tell_late([one for one in begun if one.key.endswith(REFUSED)], work, now)
    is_new = canary.is_new_version(case.rollout, case.attached.text, case.target)
    finding = (
        trial_findings.applied(
            about, wanted, case.found, canary=case.target.canary, watch_seconds=trials.watch
        )
        if is_new
        else findings_of.restored(about, wanted, case.found)
    )
    memory.declare(work.intent, finding, now)
    try:
        ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=wanted.text)
    except ClientError as error:
        if not for_good(error, work):
            # What was throttled was not done, and somebody else may do it before the next try.
            memory.settle_all([work.intent] * throttled(error), now, logger)
            raise
        refused(case, about, work, error)
        work.told += [one.key for one in begun]
        return
    change = Change.of(finding, APPLIED if is_new else RESTORED)
    number = history.keep(change, work.intent, now)
    trials.applied(case.rollout, case.target, number, now, work.hops)
    fight = Fight(0) if is_new else fights.count(endpoint_id, now)
    shown = observer.attached_policies([endpoint_id]).get(endpoint_id)
    if shown and compare(shown.text, wanted.policy):
        raise NotWritten(f"{endpoint_id} does not show the policy that was written to it")
    metrics.add_metric("PoliciesRestored", MetricUnit.Count, 1)
    seconds = since_event(work.messages, now)
    if seconds is not None:
        metrics.add_metric("RepairSeconds", MetricUnit.Seconds, seconds)
    if is_new:
        work.findings.append(finding)
    else:
        paused = let_go(case, about, work, fight)
        work.findings += [findings_of.restored(about, wanted, case.found, fight), *paused]
    work.told += [work.intent, *(one.key for one in begun)]


def let_go(case: Case, about: About, work: Work, fight: Fight) -> list[Finding]:
    """Pause enforcement where putting the policy back has become a fight."""
    endpoint_id, now = case.attached.endpoint_id, about.now
    pause = fights.pause_due(fight, now)
    if not pause:
        return []
    finding = findings_of.paused(about, case.target.policy, fight, pause)
    memory.declare(work.intent + PAUSE, finding, now)
    look_when_over(endpoint_id, pauses.begin(endpoint_id, pause.until, pause.reason), work, now)
    metrics.add_metric("EnforcementPaused", MetricUnit.Count, 1)
    work.told.append(work.intent + PAUSE)
    return [finding]


def for_good(error: ClientError, work: Work) -> bool:
    """Whether AWS refuses the write, and not only a state that may be over at the next try."""
    tries = min(one.receives for one in work.messages)
    return is_refusal(error) and (tries >= LAST_TRY or not out_of_date(error))


def refused(case: Case, about: About, work: Work, error: ClientError) -> None:
    """AWS refused the policy for good; a new version is not tried on others then."""
    metrics.add_metric("PoliciesNotRestorable", MetricUnit.Count, 1)
    if case.target.canary and case.rollout:
        why = f"AWS refused it: {code_of(error)}: {readable(message_of(error))}"
        text, wanted = case.attached.text, case.target.policy
        finding = trial_findings.failed(about, wanted, why, undone=False, after=text)
        # Once it is rejected nothing asks for it again, and the change itself was not made.
        memory.declare(work.intent + REFUSED, finding, about.now)
        memory.settle(work.intent, about.now)
        rollouts.reject(case.rollout, wanted.name, why)
        work.findings.append(finding)
        work.told.append(work.intent + REFUSED)
    else:
        work.findings.append(findings_of.refused(about, case.found, error))
        work.told.append(work.intent)


def trial_ended(
    wanted: ApprovedPolicy, about: About, work: Work, line: Pace, begun: Sequence[Intent]
) -> bool:
    """Accept or roll back the version that the endpoint tries, if it is time; True if undone."""
    now = about.now
    match trials.next(about.attached, wanted, now, work.hops):
        case Accept():
            others = trials.others(observer, approved, wanted)
            trials.accept(others, wanted, now, work.hops)
            work.findings.append(trial_findings.accepted(about, wanted, len(others)))
        case RollBack(why=why) if mode_of(work, now) is Mode.OBSERVE:
            work.findings.append(trial_findings.would_roll_back(about, wanted, why))
            return True
        case RollBack(why=why):
            line.check_write()
            roll_back(wanted, why, about, work, begun)
            return True
        case _:
            pass
    return False


def roll_back(
    wanted: ApprovedPolicy, why: str, about: About, work: Work, begun: Sequence[Intent]
) -> None:
    """Give the endpoint the policy back that it had before it tried the new version.

    Raises ClientError or BotoCoreError for what may pass. Done twice, it writes nothing the second
    time; a try that was cut short after the write is published late.
    """
    attached, now = about.attached, about.now
    before = trials.before(attached.endpoint_id, wanted, now)
    undone = canary.same(attached.text, before)
    made = [one for one in begun if undone or one.finding.kind is not Kind.POLICY_ROLLOUT_FAILED]
    tell_late(made, work, now)
    finding = trial_findings.failed(about, wanted, why, undone=True, after=before)
    if not undone:
        memory.declare(work.undoing, finding, now)
        try:
            ec2.modify_vpc_endpoint(VpcEndpointId=attached.endpoint_id, PolicyDocument=before)
        except ClientError as error:
            if not for_good(error, work):
                memory.settle_all([work.undoing] * throttled(error), now, logger)
                raise
            not_undone(wanted, why, about, work, error)
            return
        history.keep(Change.of(finding, ROLLED_BACK), work.undoing, now)
    trials.reject(wanted, why, now)
    if all(one.finding.kind is not Kind.POLICY_ROLLOUT_FAILED for one in made):
        work.findings.append(finding)
        work.told.append(work.undoing)


def not_undone(
    wanted: ApprovedPolicy, why: str, about: About, work: Work, error: ClientError
) -> None:
    """AWS refused the rollback: the version is tried on no other endpoint, and stays on this."""
    metrics.add_metric("PoliciesNotRestorable", MetricUnit.Count, 1)
    text = about.attached.text
    failed = trial_findings.failed(about, wanted, why, undone=False, after=text)
    trials.reject(wanted, why, about.now)
    work.findings += [failed, findings_of.refused(about, (), error)]
    work.told.append(work.undoing)
