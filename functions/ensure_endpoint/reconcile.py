"""The reconciler of ensure_endpoint: from the state of one VPC to what has to change in it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import override

from aws_lambda_powertools import Logger

from ensure_endpoint.case import Case
from ensure_endpoint.desired import DesiredEndpoints
from ensure_endpoint.grace import Grace, grace_of, had_endpoint
from ensure_endpoint.memory import VpcMemory, VpcRecord
from ensure_endpoint.ownership import Ownership, unproven
from ensure_endpoint.repair import Repair, Repairs
from ensure_endpoint.rotation.reconcile import RotationChecks
from ensure_endpoint.rotation.vpcs import RotatingVpcs
from ensure_endpoint.subnets import adds_subnets, without, without_room
from ensure_endpoint.triggers import (
    BUILT,
    TORN_DOWN,
    USED,
    Triggers,
    deleters,
    dns_unchanged,
    latest,
)
from ensure_endpoint.verdict import hub_unread, report_verdict
from ensure_endpoint.withdrawal.decide import GOING, lived_in
from ensure_endpoint.withdrawal.findings import unproven_tags
from ensure_endpoint.withdrawal.reconcile import NOTES, Withdrawal, Withdrawing
from guard.approved.refusals import NOBODY, RefusalFinder, Refusals
from guard.endpoint.decide import decide
from guard.endpoint.observe import Observer
from guard.endpoint.plan import Desired, Plan, Verdict
from guard.endpoint.scope import Scope
from guard.endpoint.state import Vpc, managed_by
from guard.findings.finding import Finding
from guard.policy import parse
from guard.reconcile.batch import Message
from guard.reconcile.outbox import Entry
from guard.reconcile.reconciler import Reconciler
from guard.reconcile.request import Key, Request
from guard.reconcile.requeue import EARLY_SECONDS
from guard.reconcile.result import Outcome, Result
from guard.settings import Settings

GRACE_HOPS = 5  # of a chain that goes on while others keep building: it knows who began

logger = Logger(child=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureEndpoint(Reconciler):
    """Brings each VPC to the desired state, withdraws from it, or says why it does neither."""

    settings: Settings
    reads: Triggers
    observer: Observer
    desired: DesiredEndpoints
    scope: Scope
    rotating: RotatingVpcs
    rotation: RotationChecks
    withdrawal: Withdrawal
    repairs: Repairs
    memory: VpcMemory
    ownership: Ownership
    refusals: RefusalFinder
    grace_seconds: int

    @override
    def triggers(self, message: Message, now: datetime) -> Iterator[Request | Finding]:
        """As `Triggers.of`."""
        return self.reads.of(message, now)

    @override
    def observe(self, requests: Sequence[Request], now: datetime) -> Mapping[Key, Vpc]:
        """The VPCs that exist. Raises boto3's errors."""
        keys = {one.key.id: one.key for one in requests}
        unchanged = {one.key.id for one in requests if dns_unchanged(one)}
        return {keys[id_]: vpc for id_, vpc in self.observer.vpcs(keys, unchanged).items()}

    @override
    def reconcile(
        self, request: Request, state: Vpc, entries: Sequence[Entry], now: datetime
    ) -> Result:
        """What is to be done about one VPC. Raises boto3's errors."""
        vpc = self._proven(request, state, entries, now)
        case = Case.of(request, vpc, entries, self.settings, now)
        found = [*self.rotation.hindered(case)]
        if foreign := unproven(state, vpc):
            found.append(unproven_tags(case.subject, foreign))
        if used := latest(request, USED, case.epoch):
            # An older tear-down may yet be reported.
            self.memory.note_use(case.key, used, now)
        result = self.withdrawal.withdraw(case)
        if result is None and self._out_of_scope(case):
            result = Result()
        if result is None:
            if vpc.zone_unread:
                found.append(hub_unread(case.subject, vpc.zone_unread))
            result = self._endpoint(case)
        return replace(result, findings=(*found, *result.findings))

    @override
    def act(self, change: Repair | Withdrawing, now: datetime) -> Outcome:
        """Carry out a repair or a withdrawal."""
        if isinstance(change, Withdrawing):
            return self.withdrawal.act(change)
        return self.repairs.act(change)

    @override
    def complete(
        self, request: Request, change: Repair | Withdrawing, outcome: Outcome, now: datetime
    ) -> Result:
        """What follows from it."""
        if isinstance(change, Withdrawing):
            return self.withdrawal.complete(change, outcome)
        return self.repairs.complete(change, outcome)

    @override
    def complete_late(self, request: Request, entry: Entry, now: datetime) -> Result:
        """The finding alone: the next attempt sees what is left to do."""
        return Result(findings=(entry.late(now),))

    def slot_taken(self, request: Request, slot: int, now: datetime) -> None:
        """Other requests for the VPC wait for the same slot."""
        self.memory.note(request.key, now, slot_at=slot)

    def _proven(self, request: Request, vpc: Vpc, entries: Sequence[Entry], now: datetime) -> Vpc:
        """The VPC with the guard's tags where they are true, wherever ours might have to go."""
        torn_down = any(TORN_DOWN in one.facts for one in request.triggers)
        asked = torn_down or any(map(request.noted, NOTES))
        if asked or entries or len(vpc.endpoints) > 1:
            return self.ownership.proven(vpc, entries, now)
        return vpc

    def _out_of_scope(self, case: Case) -> bool:
        rotates = any("secret" in one.facts for one in case.request.triggers)
        id_ = case.vpc.id
        why = self.scope.why_excluded(case.vpc, lambda: rotates or id_ in self.rotating)
        if why:
            logger.info(why, extra={"vpc_id": id_})
        return bool(why)

    def _endpoint(self, case: Case) -> Result:
        """What the endpoint of the VPC needs."""
        vpc = without_room(case.vpc, case.refused_subnets)
        plan = decide(vpc, self.desired.of(vpc))
        if adds_subnets(plan) and (leaving := self._leaving(case)):
            vpc = without(vpc, leaving)
            plan = decide(vpc, self.desired.of(vpc))
        _log(plan)
        broken = plan.verdict is Verdict.BROKEN
        verdict = report_verdict(plan, case)
        drift = (self.repairs.drift(case, plan),) if broken else verdict.findings
        if yields := self.withdrawal.yield_to_theirs(case, drift):
            return yields
        if broken:
            return self._repair(case, vpc, plan)
        if plan.verdict in (Verdict.WORKS, Verdict.DEGRADED):
            self._note_theirs(case, plan)
        return replace(verdict, late=case.carried_out([str(step) for step in plan.steps]))

    def _leaving(self, case: Case) -> Collection[str]:
        """The subnets that somebody is deleting, and in which nothing lives since."""
        leaving = self.memory.leaving(case.key, case.now)
        lived = lived_in(case.vpc, self.observer.interfaces(case.vpc.id)) if leaving else set()
        return leaving - lived

    def _note_theirs(self, case: Case, plan: Plan) -> None:
        """Remember an endpoint of theirs that was made or changed, and works: it is built now."""
        events = {"CreateVpcEndpoint", "ModifyVpcEndpoint"} & set(case.subject.reasons)
        tags = {one.id: one.tags for one in case.vpc.endpoints}.get(plan.endpoint_id)
        if events and tags is not None and not managed_by(tags, self.settings.stack_id):
            self.memory.note(case.key, case.now, endpoint_id=plan.endpoint_id)
            self.repairs.absences.end(case.vpc.id, case.now)

    def _repair(self, case: Case, vpc: Vpc, plan: Plan) -> Result:
        """Repair the VPC's endpoint, unless somebody tears the VPC down or is building it."""
        desired = self.desired.of(vpc)
        if plan.creates:
            desired = self.desired.during_rollout(vpc, case.now)
            plan = decide(vpc, desired)
        known = self.memory.recall(case.key, case.now)
        waits = self.withdrawal.stands_down(case, known)
        built = latest(case.request, BUILT, case.epoch)
        grace = grace_of(vpc, plan, known, built, self.grace_seconds, self.settings.stack_id)
        if waits is None and grace.until > case.now.timestamp() + EARLY_SECONDS:
            waits = self._wait(case, known, grace)
        if waits:
            return replace(waits, late=case.carried_out([str(step) for step in plan.steps]))
        past = _past(case, known) if plan.creates else ()
        capped = (grace.words,) if grace.capped else ()
        refuses = self._refuses(case, plan, known, desired)
        subject = replace(case.subject, gone=past, capped=capped, refuses=refuses)
        case = replace(case, subject=subject)

        ignored = (desired.policy_ignored,) if plan.creates and desired.policy_ignored else ()

        def explained(plan: Plan) -> Plan:
            return replace(plan, reasons=(*past, *capped, *plan.reasons, *ignored))

        def replan(refused: Mapping[str, str]) -> Plan:
            return explained(decide(without_room(vpc, refused), desired))

        return Result(changes=(self.repairs.change(case, explained(plan), known, replan),))

    def _refuses(self, case: Case, plan: Plan, known: VpcRecord, desired: Desired) -> Refusals:
        """Whom the VPC's first endpoint would cut off. One that is made again did so before."""
        served = known.endpoint_id or had_endpoint(case.vpc, self.settings.stack_id)
        if not plan.creates or served:
            return NOBODY
        return self.refusals.in_vpc(parse(desired.policy), case.vpc.id, case.now)

    def _wait(self, case: Case, known: VpcRecord, grace: Grace) -> Result:
        """Leave those who build the VPC, or an endpoint in it, the time that they have."""
        logger.info(
            "waits until the grace is over", extra={"vpc_id": case.vpc.id, "until": grace.until}
        )
        over = replace(
            case.request, reason="grace is over", not_before=grace.until, attempt=0, entries=()
        )
        extended = grace.until > known.grace_until
        remember = partial(
            self.memory.note,
            case.key,
            case.now,
            grace_until=grace.until,
            grace_began=known.grace_began or grace.began,
        )
        # Who extended it has requeued for its end: a long chain need not.
        return Result(
            requests=(over,) if extended or case.request.hops < GRACE_HOPS else (),
            then=remember if extended else None,
        )


def _past(case: Case, known: VpcRecord) -> tuple[str, ...]:
    """What became of the endpoints that the VPC had, in words, and who deleted them."""
    who = deleters(case.request)
    there = {one.id for one in case.vpc.endpoints if one.state not in GOING}
    gone = ({one.id for one in case.vpc.endpoints} | {known.endpoint_id} - {""}) - there
    named = [f"the endpoint {id_} was deleted by {who[id_]}" for id_ in sorted(gone & who.keys())]
    if not named and known.endpoint_id in gone:
        return (f"the endpoint {known.endpoint_id}, which served the VPC, was deleted",)
    return tuple(named)


def _log(plan: Plan) -> None:
    logger.info(
        plan.verdict,
        extra={
            "vpc_id": plan.vpc_id,
            "reasons": plan.reasons,
            "steps": [str(step) for step in plan.steps],
            "notes": plan.notes,
        },
    )
