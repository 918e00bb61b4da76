"""Repair the endpoint of one VPC: a plan as a change of the kernel's, carried out and completed.

An endpoint takes minutes until it serves, and AWS shows what was written only after a while. So
another attempt, a minute later, verifies it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from ensure_endpoint import findings
from ensure_endpoint.act import Applied
from ensure_endpoint.asking import asks
from ensure_endpoint.case import Case, steps_of
from ensure_endpoint.cost import monthly_price, zones_added
from ensure_endpoint.in_force import to_json
from ensure_endpoint.limits import Limits, PlanLimit
from ensure_endpoint.memory import VpcMemory, VpcRecord
from ensure_endpoint.ownership import Ownership
from ensure_endpoint.refusals import Refused
from ensure_endpoint.subnets import Carrier, Replan, of_a_subnet
from ensure_endpoint.tags import Given, StackTags
from ensure_endpoint.verdict import FOLLOW_UP, report_verdict
from guard.approved.history import CREATED, History
from guard.approved.history import Change as PolicyChange
from guard.approved.refusals import Asks
from guard.cloudtrail.callers import Caller
from guard.endpoint.plan import CreateEndpoint, CreateGroup, ModifyEndpoint, Plan
from guard.findings.finding import Finding
from guard.reconcile.attempt import MOST_ATTEMPTS
from guard.reconcile.measuring import since_event
from guard.reconcile.result import Change, Limit, Outcome, Result
from guard.table.absences import Absences

logger = Logger(child=True)

ATTEMPTS_AT_CHANGES = 3  # where AWS says that the state has changed meanwhile, a minute apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair(Change):
    """A plan to carry out. `replan` makes the plan that leaves some subnets out."""

    case: Case
    plan: Plan
    replan: Replan


@dataclass(frozen=True, slots=True)
class Carried:
    """The plan that was applied last, what became of it, and why tags are missing."""

    plan: Plan
    applied: Applied
    untagged: str = ""


@dataclass(frozen=True, slots=True)
class Repairs:
    """Makes, carries out and completes repairs."""

    carrier: Carrier
    stack_tags: StackTags
    limits: Limits
    history: History
    ownership: Ownership
    memory: VpcMemory
    absences: Absences
    price: Decimal

    def change(self, case: Case, plan: Plan, known: VpcRecord, replan: Replan) -> Repair:
        """The change that carries the plan out. Pure."""
        earlier = case.carried_out([str(step) for step in plan.steps])
        done, all_of_it = steps_of(earlier), Applied(plan.steps, plan.endpoint_id)
        subject = case.subject
        announcement = findings.changed(subject, plan, all_of_it, self.price, done)
        limit: Limit = PlanLimit(self.limits, plan, case.key, known, subject)
        if subject.refuses.who:
            limit = Asks(asks(subject, plan, self.price))
        return Repair(
            kind="repair",
            announcement=announcement,
            drift=(self.drift(case, plan),),
            steps=tuple(to_json(one) for one in plan.steps),
            writes_endpoint=_any(plan.steps, CreateEndpoint, ModifyEndpoint),
            limit=limit,
            not_before=known.slot_at,
            earlier=earlier,
            case=case,
            plan=plan,
            replan=replan,
        )

    def drift(self, case: Case, plan: Plan) -> Finding:
        """What observe mode reports instead. Pure."""
        return findings.drift(case.subject, plan, self.price)

    def act(self, repair: Repair) -> Outcome:
        """Apply the plan; where AWS refuses a subnet, what is left of it without that one."""
        case = repair.case
        creates = _any(repair.plan.steps, CreateEndpoint, CreateGroup)
        given = self.stack_tags.get() if creates else Given()
        known = case.refused_subnets
        plan, applied, refused_in = self.carrier.carry_out(
            repair.plan,
            ", ".join(case.subject.reasons),
            given.tags,
            lambda found: repair.replan(known | found),
        )
        if any(isinstance(step, CreateEndpoint) for step in applied.done):
            self._record(case, applied.endpoint_id)
        if any(map(_names_it, applied.done)):
            self._back(case)
        if applied.refused:
            self.stack_tags.forget()
        again = applied.refused and _may_pass(applied.refused, plan, case.request.attempt)
        return Outcome(
            done=tuple(str(step) for step in applied.done),
            refused=applied.refused,
            failed=applied.failed,
            retry_after=FOLLOW_UP if again else None,
            partial=self._changed(repair, Carried(plan, applied)),
            notes={"left_out": tuple(f"{id_} {words}" for id_, words in refused_in.items())},
            evidence=Carried(plan, applied, given.problem),
        )

    def _back(self, case: Case) -> None:
        """The VPC has an endpoint by the service's name again, if the guard had taken it away."""
        try:
            self.absences.end(case.vpc.id, case.now)
        except (ClientError, BotoCoreError):
            logger.warning("an absence is not ended", exc_info=True)

    def _record(self, case: Case, endpoint_id: str) -> None:
        """Remember what was created. Where that fails, it is tried again when all is completed."""
        try:
            self.ownership.record(endpoint_id, case.now)
            self.memory.note(case.key, case.now, endpoint_id=endpoint_id)
        except (ClientError, BotoCoreError):
            logger.warning("not recorded", exc_info=True, extra={"endpoint_id": endpoint_id})

    def complete(self, repair: Repair, outcome: Outcome) -> Result:
        """What follows a plan that came to its end, or that AWS refused."""
        carried: Carried = outcome.evidence
        plan, applied, case = carried.plan, carried.applied, repair.case
        refusal = applied.refused
        serves = bool(plan.endpoint_id) and bool(refusal) and of_a_subnet(refusal)
        if serves and not applied.done:  # what there is serves as before
            return replace(report_verdict(plan, case), late=repair.earlier)
        if refusal and not serves:
            finding = findings.refused(
                case.subject, plan, applied, refusal, steps_of(repair.earlier), carried.untagged
            )
            return Result(findings=(finding,), metrics={"VpcsNotRepairable": 1})
        created = [step for step in applied.done if isinstance(step, CreateEndpoint)]
        price = monthly_price(zones_added(applied.done), self.price)
        return Result(
            findings=(self._changed(repair, carried),),
            metrics={
                "EndpointsCreated" if created else "EndpointsRepaired": 1,
                "DollarsAMonthAdded": float(price),
                **since_event(case.request, case.now),
            },
            then=self._keep(created, applied.endpoint_id, case) if created else None,
            requeue_after=FOLLOW_UP,
        )

    def _changed(self, repair: Repair, carried: Carried) -> Finding:
        return findings.changed(
            repair.case.subject,
            carried.plan,
            carried.applied,
            self.price,
            steps_of(repair.earlier),
            carried.untagged,
        )

    def _keep(
        self, created: Sequence[CreateEndpoint], endpoint_id: str, case: Case
    ) -> Callable[[], None]:
        """Keeps the first entry in the history of an endpoint."""

        def keep() -> None:
            self.ownership.record(endpoint_id, case.now)
            for step in created:
                change = PolicyChange(
                    endpoint_id=endpoint_id,
                    at=case.now,
                    action=CREATED,
                    before="",
                    after=step.policy,
                    callers=tuple(Caller(principal=who) for who in case.subject.who),
                )
                self.history.keep(change, f"{case.key}/{case.request.sources[0]}", case.now)

        return keep


def _may_pass(refusal: Refused, plan: Plan, attempt: int) -> bool:
    """Whether the refusal may be over in a minute, or there is more to try then."""
    if refusal.out_of_date:
        return attempt < ATTEMPTS_AT_CHANGES
    left = _any(plan.steps, CreateEndpoint, ModifyEndpoint)
    return of_a_subnet(refusal) and left and attempt < MOST_ATTEMPTS


def _names_it(step: object) -> bool:
    made = isinstance(step, CreateEndpoint)
    return made or (isinstance(step, ModifyEndpoint) and step.enable_private_dns)


def _any(steps: Sequence[object], *kinds: type) -> bool:
    return any(isinstance(step, kinds) for step in steps)
