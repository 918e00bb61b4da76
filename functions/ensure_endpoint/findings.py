"""The findings of ensure_endpoint, in the words ops read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, override

from ensure_endpoint.act import Outcome
from ensure_endpoint.cost import monthly_price, words, zones_added
from ensure_endpoint.refusals import Refused
from ensure_endpoint.withdrawal.decide import Removal
from guard.aws.errors import encoded_in, steady
from guard.endpoint.decide import AuthoriseHttps, CreateEndpoint, CreateGroup, Plan, Step
from guard.endpoint.state import Endpoint
from guard.findings.finding import Finding, Kind, Severity
from guard.findings.subject import DAY, Subject, sentence


@dataclass(frozen=True, slots=True)
class About(Subject):
    """What the findings of one VPC share: where, what set the reaction off, and who."""

    vpc_id: str
    reasons: tuple[str, ...]
    who: tuple[str, ...] = ()
    event_ids: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    @override
    def resource(self) -> str:
        return self.vpc_id

    @override
    def evidence(self, *, plan: Plan | None = None, **more: Any) -> dict[str, Any]:
        return {
            "triggered_by": list(self.reasons),
            "who": list(self.who),
            "event_ids": list(self.event_ids),
            "verdict": str(plan.verdict) if plan else "",
            "endpoint_id": plan.endpoint_id if plan else "",
            **more,
            "secrets": list(self.secrets),
        }

    @override
    def identity(self, title: str, cause: str, window: int) -> Sequence[str]:
        return (steady(cause),) if window else self.event_ids


def drift(about: About, plan: Plan, price_per_az_hour: Decimal) -> Finding:
    """Observe mode: what would have been done."""
    price, evidence = _price(plan.steps, price_per_az_hour)
    return about.finding(
        Kind.ENDPOINT_DRIFT,
        Severity.MEDIUM,
        title=f"The Secrets Manager endpoint of {about.vpc_id} needs repair",
        cause=sentence(plan.reasons),
        todo=(
            *(f"would {step}" for step in plan.steps),
            *price,
            f"set the SSM parameter {about.settings.mode_parameter} to remediate to have it done",
        ),
        plan=plan,
        window=DAY,
        **evidence,
    )


def changed(
    about: About,
    plan: Plan,
    outcome: Outcome,
    price_per_az_hour: Decimal,
    earlier: Sequence[str] = (),
    untagged: str = "",
) -> Finding:
    """What was created or repaired; the follow-up will look again whether it works.

    `earlier` are steps of a try before this one that was cut short before it could publish.
    `untagged` says why what was created lacks tags of the stack.
    """
    made = any(isinstance(step, CreateEndpoint) for step in outcome.done)
    verb = "created for" if made else "repaired in"
    # In a declaration of what is about to be done, the endpoint has no id yet.
    subject = " ".join(filter(None, ("Secrets Manager endpoint", outcome.endpoint_id)))
    title = f"{subject} {verb} {about.vpc_id}"
    if plan.creates and not made:
        title = f"{about.vpc_id} was prepared for its Secrets Manager endpoint"
    price, evidence = _price(outcome.done, price_per_az_hour)
    tag = f"tag what was created by hand, if its owner needs the tags: {untagged}"
    return about.finding(
        Kind.ENDPOINT_CREATED if made else Kind.ENDPOINT_REPAIRED,
        Severity.LOW if made else Severity.MEDIUM,
        title=title,
        cause=" ".join((sentence(plan.reasons), *price)),
        done=(*earlier, *(str(step) for step in outcome.done)),
        todo=(*_rotate_again(about), *[tag][: bool(untagged)]),
        plan=plan,
        **evidence,
    )


def yielded(about: About, theirs: Endpoint, done: Sequence[str], refused: str = "") -> Finding:
    """Our endpoint made way for somebody else's; or AWS did not let it."""
    return about.finding(
        Kind.ENDPOINT_YIELDED,
        Severity.HIGH if refused else Severity.MEDIUM,
        title=f"Our endpoint in {about.vpc_id} makes way for {theirs.id}",
        cause=(
            f"{theirs.id}, which the guard did not make, is an endpoint for Secrets Manager in the"
            " same VPC, and only one of the two can have private DNS."
            + (f" AWS refused to delete ours: {refused}." if refused else "")
        ),
        done=done,
        todo=(
            f"until {theirs.id} has private DNS, requests take the public way or fail",
            "the guard sees to that as soon as AWS has let go of ours",
        ),
        window=DAY if refused else 0,
        endpoint_id=theirs.id,
    )


def stood_down(about: About, removal: Removal, done: Sequence[str], refused: str = "") -> Finding:
    """Somebody tears the VPC down, and what is ours goes first; or AWS did not let it."""
    return about.finding(
        Kind.STOOD_DOWN,
        Severity.HIGH if refused else Severity.MEDIUM,
        title=f"{about.vpc_id} is being torn down: the guard withdraws from it",
        cause=(
            "A subnet or the VPC could not be deleted because of what the guard made in it, and"
            " nothing else was in the way."
            + (f" AWS refused to delete that: {refused}." if refused else "")
        ),
        done=done,
        todo=(
            "delete the subnet or VPC again; Terraform and CloudFormation do so by themselves",
            "the guard makes nothing in this VPC until a subnet is created or a rotation started",
            "if something still runs in it 20 minutes after the last attempt, it gets its endpoint",
        ),
        window=DAY if refused else 0,
        waits_for=list(removal.waits_for),
    )


def would_remove(about: About, removal: Removal, why: str) -> Finding:
    """Observe mode: what of ours would have been removed."""
    mode = about.settings.mode_parameter
    return about.finding(
        Kind.ENDPOINT_DRIFT,
        Severity.MEDIUM,
        title=f"What the guard made in {about.vpc_id} is in somebody's way",
        cause=why,
        todo=(
            *(f"would {step}" for step in removal.steps),
            f"set the SSM parameter {mode} to remediate to have it done",
        ),
        window=DAY,
    )


def over_limit(about: About, plan: Plan, limit: str, price_per_az_hour: Decimal) -> Finding:
    """The endpoint is not made because of what the template allows to be spent."""
    price, evidence = _price(plan.steps, price_per_az_hour)
    return about.finding(
        Kind.COST_LIMIT_REACHED,
        Severity.HIGH,
        title=f"No endpoint was made for {about.vpc_id}: {limit}",
        cause=" ".join((sentence(plan.reasons), *price)),
        todo=(
            "raise MonthlyBudget if the endpoint is wanted; the limit of an hour passes by itself",
            f"tag the VPC {about.settings.opt_out_tag} if it is not",
            "the next sweep tries again",
        ),
        plan=plan,
        window=DAY,
        identity=(limit,),
        **evidence,
    )


def refused(
    about: About,
    plan: Plan,
    outcome: Outcome,
    refusal: Refused,
    earlier: Sequence[str] = (),
    untagged: str = "",
) -> Finding:
    """AWS refused a step; what was done before it is published as well.

    One finding a day for one cause. What was done to an endpoint that is there makes another one:
    no change goes unpublished.
    """
    prepared = not plan.endpoint_id or _only_preparation(outcome)
    changed = () if prepared else map(str, outcome.done)
    todo = list(refusal.cures(about.settings.stack_name))
    if untagged:
        todo.append(f"have the guard read the tags: {untagged}")
    if any(isinstance(step, CreateGroup) for step in outcome.done):
        todo.append(f"leave the security group {outcome.group_id}: the next try uses it")
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.HIGH,
        title=f"The Secrets Manager endpoint of {about.vpc_id} could not be repaired",
        cause=f"{sentence(plan.reasons)} {refusal}".strip(),
        done=(*earlier, *(str(step) for step in outcome.done)),
        todo=(*todo, "the next event or sweep tries again"),
        plan=plan,
        window=DAY,
        identity=(refusal.step.permission, refusal.code, steady(refusal.message), *changed),
        encoded_message=encoded_in(refusal.message),
    )


def not_repairable(about: About, plan: Plan) -> Finding:
    """The guard may not or cannot mend it; the reasons say what a person must do."""
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.HIGH,
        title=f"{about.vpc_id} has no working Secrets Manager endpoint",
        cause=sentence(plan.reasons),
        todo=("mend what the cause names", "the next event or sweep looks again"),
        plan=plan,
        window=DAY,
    )


def degraded(about: About, plan: Plan) -> Finding:
    """The endpoint works, but somebody is worse off than need be."""
    return about.finding(
        Kind.ENDPOINT_DEGRADED,
        Severity.LOW,
        title=f"The Secrets Manager endpoint of {about.vpc_id} does not serve everybody alike",
        cause=sentence(plan.reasons),
        todo=(
            "mend what the cause names, if it matters here",
            "the next event or sweep looks again",
        ),
        plan=plan,
        window=DAY,
    )


def still_settling(about: About, plan: Plan, looks: int) -> Finding:
    """AWS has not finished in the time all follow-ups took."""
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.HIGH,
        title=f"The Secrets Manager endpoint of {about.vpc_id} does not become available",
        cause=f"{sentence(plan.reasons)} So it was at each of {looks} looks a minute apart.",
        todo=("look at the endpoint's state in the console", "the next sweep looks again"),
        plan=plan,
        window=DAY,
    )


def budget_spent(about: About, plan: Plan, budget: int, ends: datetime) -> Finding:
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
            "find who changes the VPC's endpoint in CloudTrail and settle who owns it",
            f"tag the VPC {about.settings.opt_out_tag} if the guard is to leave it for good",
        ),
        plan=plan,
        window=max(int((ends - about.now).total_seconds()), 1),
        identity=(),
        left_alone_until=ends.isoformat(),
    )


def _rotate_again(about: About) -> tuple[str, ...]:
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


def _only_preparation(outcome: Outcome) -> bool:
    return all(isinstance(step, CreateGroup | AuthoriseHttps) for step in outcome.done)
