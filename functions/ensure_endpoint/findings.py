"""The findings of ensure_endpoint, in the words ops read. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from ensure_endpoint.act import Applied
from ensure_endpoint.cost import monthly_price, words, zones_added
from ensure_endpoint.refusals import Refused
from guard.approved.refusals import CONSENT, NOBODY, Refusals
from guard.aws.errors import encoded_in, steady
from guard.endpoint.plan import AuthoriseHttps, CreateEndpoint, CreateGroup, Plan, Step
from guard.findings.finding import DAY, ONCE, Finding, Kind, Severity
from guard.findings.subject import Subject, sentence
from guard.reconcile.request import Request
from guard.settings import Settings


@dataclass(frozen=True, slots=True)
class VpcSubject:
    """What the findings of one VPC share: where, what triggered the reaction, and who.

    `gone` says in words that the VPC had an endpoint and who deleted it, `capped` that its builders
    had the most grace there is. `refuses` are those whom the policy of a new endpoint refuses.
    """

    settings: Settings
    now: datetime
    vpc_id: str
    reasons: tuple[str, ...]
    who: tuple[str, ...] = ()
    event_ids: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    capped: tuple[str, ...] = ()
    refuses: Refusals = NOBODY

    @classmethod
    def of(cls, request: Request, settings: Settings, now: datetime) -> Self:
        """The subject of a request's findings."""
        return cls(
            settings=settings,
            now=now,
            vpc_id=request.key.id,
            reasons=_each(one.name for one in request.triggers),
            who=_each(one.who for one in request.triggers),
            event_ids=_each(one.event_id for one in request.triggers),
            secrets=request.noted("secrets"),
        )

    @property
    def refused(self) -> tuple[str, ...]:
        """Whom the policy of a new endpoint refuses, as a sentence; none for nobody."""
        named = "; ".join(self.refuses.named)
        return (f"Its policy refuses what was seen within a week: {named}.",) if named else ()

    def finding(
        self,
        kind: Kind,
        severity: Severity,
        *,
        cause: str,
        plan: Plan | None = None,
        window: int = 0,
        identity: Sequence[str] | None = None,
        **more: Any,
    ) -> Finding:
        """A finding about the VPC, with what is known in every case."""
        known = {
            "triggered_by": list(self.reasons),
            "who": list(self.who),
            "event_ids": list(self.event_ids),
            "verdict": str(plan.verdict) if plan else "",
            "endpoint_id": plan.endpoint_id if plan else "",
            "would_refuse": list(self.refuses.named),
        }
        if window and identity is None:
            identity = (steady(cause),)
        more |= {"cause": cause, "window": window, "identity": identity}
        subject = Subject(self.settings, self.now, self.vpc_id, known, self.event_ids)
        return subject.finding(kind, severity, **more, secrets=list(self.secrets))


def drift(about: VpcSubject, plan: Plan, price_per_az_hour: Decimal) -> Finding:
    """Observe mode: what would have been done."""
    price, evidence = _price(plan.steps, price_per_az_hour)
    name = f"The Secrets Manager endpoint of {about.vpc_id}"
    return about.finding(
        Kind.ENDPOINT_DRIFT,
        Severity.MEDIUM,
        title=f"{name} {'needs repair' if plan.endpoint_id else 'is missing'}",
        cause=" ".join((sentence(plan.reasons), *about.refused)),
        todo=(
            *(f"the guard would {step}" for step in plan.steps),
            *price,
            *[CONSENT][: bool(about.refuses.who)],
            *about.refuses.lacking,
            f"set the SSM parameter {about.settings.mode_parameter} to remediate to have it done",
        ),
        plan=plan,
        window=DAY,
        identity=(steady(sentence(plan.reasons)), *about.refuses.who),
        **evidence,
    )


def changed(
    about: VpcSubject,
    plan: Plan,
    applied: Applied,
    price_per_az_hour: Decimal,
    earlier: Sequence[str] = (),
    untagged: str = "",
) -> Finding:
    """What was created or repaired; the follow-up checks whether it works.

    `earlier` are steps of a try before this one that was cut short before it could publish.
    `untagged` says why what was created lacks tags of the stack.
    """
    created = any(isinstance(step, CreateEndpoint) for step in applied.done)
    new = created and not about.gone
    verb = "created for" if new else "created again for" if created else "repaired in"
    # In a declaration of what is about to be done, the endpoint has no id yet.
    subject = " ".join(filter(None, ("Secrets Manager endpoint", applied.endpoint_id)))
    title = f"{subject} {verb} {about.vpc_id}"
    if plan.creates and not created:
        title = f"{about.vpc_id} was prepared for its Secrets Manager endpoint"
    price, evidence = _price(applied.done, price_per_az_hour)
    tag = f"tag what was created by hand, if its owner needs the tags: {untagged}"
    return about.finding(
        Kind.ENDPOINT_CREATED if new else Kind.ENDPOINT_REPAIRED,
        Severity.LOW if new and not (about.capped or about.refused) else Severity.MEDIUM,
        title=title,
        cause=" ".join((sentence(plan.reasons), *price, *about.refused)),
        done=(*earlier, *(str(step) for step in applied.done)),
        todo=(*_rotate_again(about), *[tag][: bool(untagged)]),
        plan=plan,
        **evidence,
    )


def over_limit(about: VpcSubject, plan: Plan, limit: str, price_per_az_hour: Decimal) -> Finding:
    """The endpoint is not created because a limit is reached."""
    price, evidence = _price(plan.steps, price_per_az_hour)
    return about.finding(
        Kind.COST_LIMIT_REACHED,
        Severity.HIGH,
        title=f"No endpoint was created for {about.vpc_id}: {limit}",
        cause=" ".join((sentence(plan.reasons), *price)),
        todo=(
            "raise the parameter MonthlyBudget if that is the limit and the endpoint is needed",
            f"tag the VPC {about.settings.opt_out_tag} if it needs no endpoint",
            "the next sweep tries again",
        ),
        plan=plan,
        window=DAY,
        identity=(limit,),
        **evidence,
    )


def refused(
    about: VpcSubject,
    plan: Plan,
    applied: Applied,
    refusal: Refused,
    earlier: Sequence[str] = (),
    untagged: str = "",
) -> Finding:
    """AWS refused a step; what was done before it is published as well.

    One finding a day for one cause. What was done to an endpoint that is there makes another one:
    no change goes unpublished.
    """
    prepared = not plan.endpoint_id or _only_preparation(applied)
    changed = () if prepared else map(str, applied.done)
    todo = list(refusal.cures(about.settings.stack_name))
    if untagged:
        todo.append(f"have the guard read the tags: {untagged}")
    if any(isinstance(step, CreateGroup) for step in applied.done):
        todo.append(f"leave the security group {applied.group_id}: the next try uses it")
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.HIGH,
        title=f"The Secrets Manager endpoint of {about.vpc_id} could not be repaired",
        cause=f"{sentence(plan.reasons)} {refusal}".strip(),
        done=(*earlier, *(str(step) for step in applied.done)),
        todo=(*todo, "the next event or sweep tries again"),
        plan=plan,
        window=DAY,
        identity=(refusal.step.permission, refusal.code, steady(refusal.message), *changed),
        encoded_message=encoded_in(refusal.message),
    )


def not_repairable(about: VpcSubject, plan: Plan) -> Finding:
    """The guard may not or cannot repair it; the reasons say what a person must do."""
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.HIGH,
        title=f"{about.vpc_id} has no working Secrets Manager endpoint",
        cause=sentence(plan.reasons),
        todo=("fix what the cause names", "the next event or sweep checks again"),
        plan=plan,
        window=DAY,
    )


def degraded(about: VpcSubject, plan: Plan, *, once: bool = False) -> Finding:
    """The endpoint works, but somebody is worse off than need be. `once`: nobody can change it."""
    return about.finding(
        Kind.ENDPOINT_DEGRADED,
        Severity.LOW,
        title=f"The Secrets Manager endpoint of {about.vpc_id} serves some callers worse",
        cause=sentence(plan.reasons),
        todo=(
            "fix what the cause names, if it matters here",
            "the next event or sweep checks again",
        ),
        plan=plan,
        window=ONCE if once else DAY,
    )


def still_settling(about: VpcSubject, plan: Plan, attempts: int) -> Finding:
    """AWS has not finished in the time all follow-ups took."""
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.HIGH,
        title=f"The Secrets Manager endpoint of {about.vpc_id} does not become available",
        cause=f"{sentence(plan.reasons)} It was the same at {attempts} attempts, a minute apart.",
        todo=("check the endpoint's state in the console", "the next sweep checks again"),
        plan=plan,
        window=DAY,
    )


def budget_spent(about: VpcSubject, plan: Plan, budget: int, ends: datetime) -> Finding:
    """Repaired too often within an hour: somebody undoes what the guard does.

    One finding for each window, whatever was undone last: it is the fight that matters.
    """
    rivals = f" It was last undone by {', '.join(about.who)}." if about.who else ""
    return about.finding(
        Kind.CHANGE_BUDGET_SPENT,
        Severity.HIGH,
        title=f"{about.vpc_id} was changed {budget} times in an hour and is left alone now",
        cause=f"{sentence(plan.reasons)} Something keeps undoing the repair.{rivals}",
        todo=(
            f"until {ends:%H:%M} UTC the guard changes nothing here: the VPC stays as it is",
            "find in CloudTrail who changes the VPC's endpoint, and agree on who owns it",
            f"tag the VPC {about.settings.opt_out_tag} if the guard is to leave it for good",
        ),
        plan=plan,
        window=max(int((ends - about.now).total_seconds()), 1),
        identity=(),
        left_alone_until=ends.isoformat(),
    )


def _rotate_again(about: VpcSubject) -> tuple[str, ...]:
    # Rotation starts at once, so its first run may well have come before the endpoint worked.
    return tuple(
        f"if the first rotation failed: aws secretsmanager rotate-secret --secret-id {secret}"
        for secret in about.secrets
    )


def _price(
    steps: Sequence[Step], price_per_az_hour: Decimal
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What the steps' interfaces cost, in words and as evidence; nothing where they add none."""
    zones = zones_added(steps)
    if not zones:
        return (), {}
    price = monthly_price(zones, price_per_az_hour)
    text = f"It costs {words(zones, price_per_az_hour)}."
    return (text,), {"monthly_price_usd": float(price), "azs": zones}


def _each(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _only_preparation(applied: Applied) -> bool:
    return all(isinstance(step, CreateGroup | AuthoriseHttps) for step in applied.done)
