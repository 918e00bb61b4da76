"""The findings of ensure_endpoint, in the words ops read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from guard.act import Outcome, Refused
from guard.decide import AuthoriseHttps, CreateEndpoint, CreateGroup, Plan
from guard.finding import Finding, Kind, Severity
from guard.record import Record, secret_id
from guard.rotation import Rotation
from guard.settings import Settings

DAY = 86_400


@dataclass(frozen=True, slots=True)
class About:
    """What the findings of one VPC share: where, when, what set the reaction off, and who."""

    settings: Settings
    now: datetime
    vpc_id: str
    reasons: tuple[str, ...]
    who: tuple[str, ...] = ()
    event_ids: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    def finding(
        self,
        kind: Kind,
        severity: Severity,
        *,
        title: str,
        cause: str,
        done: Sequence[str] = (),
        todo: Sequence[str] = (),
        plan: Plan,
        window: int = 0,
    ) -> Finding:
        evidence: dict[str, Any] = {
            "triggered_by": list(self.reasons),
            "who": list(self.who),
            "event_ids": list(self.event_ids),
            "verdict": str(plan.verdict),
            "endpoint_id": plan.endpoint_id,
        }
        if self.secrets:
            evidence["secrets"] = list(self.secrets)
        return Finding(
            kind=kind,
            severity=severity,
            account=self.settings.account_id,
            region=self.settings.region,
            resource=self.vpc_id,
            title=title,
            cause=cause,
            done=tuple(done),
            todo=tuple(todo),
            evidence={key: value for key, value in evidence.items() if value},
            identity=(cause,) if window else self.event_ids,
            window=window,
            first_seen=self.now,
            last_seen=self.now,
        )


def drift(about: About, plan: Plan) -> Finding:
    """Observe mode: what would have been done."""
    return about.finding(
        Kind.ENDPOINT_DRIFT,
        Severity.MEDIUM,
        title=f"The Secrets Manager endpoint of {about.vpc_id} needs repair",
        cause=_sentence(plan.reasons),
        todo=(
            *(f"would {step}" for step in plan.steps),
            f"set the SSM parameter {about.settings.mode_parameter} to remediate to have it done",
        ),
        plan=plan,
        window=DAY,
    )


def changed(about: About, plan: Plan, outcome: Outcome) -> Finding:
    """What was created or repaired; the follow-up will look again whether it works."""
    made = any(isinstance(step, CreateEndpoint) for step in outcome.done)
    verb = "created for" if made else "repaired in"
    return about.finding(
        Kind.ENDPOINT_CREATED if made else Kind.ENDPOINT_REPAIRED,
        Severity.LOW if made else Severity.MEDIUM,
        title=f"Secrets Manager endpoint {outcome.endpoint_id} {verb} {about.vpc_id}",
        cause=_sentence(plan.reasons),
        done=[str(step) for step in outcome.done],
        todo=_rotate_again(about) if made else (),
        plan=plan,
    )


def refused(about: About, plan: Plan, outcome: Outcome, refusal: Refused) -> Finding:
    """AWS refused a step for good; what was done before it is told as well."""
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.HIGH,
        title=f"The Secrets Manager endpoint of {about.vpc_id} could not be repaired",
        cause=f"{_sentence(plan.reasons)} {refusal}",
        done=[str(step) for step in outcome.done],
        todo=(_cure(refusal.code), "the next event or sweep tries again"),
        plan=plan,
        window=0 if outcome.done and not _only_preparation(outcome) else DAY,
    )


def not_repairable(about: About, plan: Plan) -> Finding:
    """The guard may not or cannot mend it; the reasons say what a person must do."""
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.HIGH,
        title=f"{about.vpc_id} has no working Secrets Manager endpoint",
        cause=_sentence(plan.reasons),
        todo=("mend what the cause names", "the next event or sweep looks again"),
        plan=plan,
        window=DAY,
    )


def still_settling(about: About, plan: Plan, looks: int) -> Finding:
    """AWS has not finished in the time all follow-ups took."""
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.HIGH,
        title=f"The Secrets Manager endpoint of {about.vpc_id} does not become available",
        cause=f"{_sentence(plan.reasons)} So it was at each of {looks} looks a minute apart.",
        todo=("look at the endpoint's state in the console", "the next sweep looks again"),
        plan=plan,
        window=DAY,
    )


def budget_spent(about: About, plan: Plan, budget: int) -> Finding:
    """Repaired too often within an hour: somebody undoes what the guard does."""
    return about.finding(
        Kind.CHANGE_BUDGET_SPENT,
        Severity.HIGH,
        title=f"{about.vpc_id} was changed {budget} times in an hour and is left alone now",
        cause=f"{_sentence(plan.reasons)} Something keeps undoing the repair.",
        todo=(
            "find who changes the VPC's endpoint in CloudTrail and settle who owns it",
            f"tag the VPC {about.settings.opt_out_tag} if the guard is to leave it for good",
        ),
        plan=plan,
        window=3_600,
    )


def rotation_problem(
    settings: Settings, now: datetime, record: Record, found: Rotation, kind: Kind
) -> Finding:
    """A rotation that no endpoint of ours can serve."""
    todo = {
        Kind.ROTATION_WITHOUT_VPC: "give the function a VpcConfig in a VPC that has the endpoint",
        Kind.ROTATION_FUNCTION_MISSING: "create the function, or name another with rotate-secret",
        Kind.ROTATION_ELSEWHERE: "see that the function's own account and Region run the guard",
    }[kind]
    return _about_secret(
        settings,
        now,
        record,
        kind=kind,
        severity=Severity.MEDIUM,
        title="Rotation was turned on where no endpoint can serve it",
        cause=found.cause,
        todo=todo,
        evidence={"rotation_function": found.function_arn},
    )


def rotation_cancelled(settings: Settings, now: datetime, record: Record, secret: str) -> Finding:
    """Somebody turned rotation off; reported only."""
    return _about_secret(
        settings,
        now,
        record,
        kind=Kind.ROTATION_CANCELLED,
        severity=Severity.LOW,
        title="Rotation of a secret was turned off",
        cause=f"{record.identity.name} cancelled the rotation of {secret}",
        todo="turn it on again with aws secretsmanager rotate-secret if this was not meant",
        evidence={},
    )


def _about_secret(
    settings: Settings,
    now: datetime,
    record: Record,
    *,
    kind: Kind,
    severity: Severity,
    title: str,
    cause: str,
    todo: str,
    evidence: dict[str, str],
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        account=settings.account_id,
        region=settings.region,
        resource=secret_id(record) or "unnamed secret",
        title=title,
        cause=cause,
        todo=(todo,),
        evidence={**evidence, "who": record.identity.name, "event_ids": [record.event_id]},
        identity=(record.event_id,),
        window=DAY,
        first_seen=now,
        last_seen=now,
    )


def _rotate_again(about: About) -> tuple[str, ...]:
    # Rotation starts at once, so its first run may well have come before the endpoint.
    return tuple(
        f"if the first rotation failed: aws secretsmanager rotate-secret --secret-id {secret}"
        for secret in about.secrets
    )


def _only_preparation(outcome: Outcome) -> bool:
    return all(isinstance(step, CreateGroup | AuthoriseHttps) for step in outcome.done)


def _cure(code: str) -> str:
    if code.startswith(("AccessDenied", "UnauthorizedOperation", "OperationNotPermitted")):
        return "allow the guard's role the action: look for an SCP or permissions boundary"
    if code.endswith("LimitExceeded"):
        return "raise the quota in Service Quotas, or remove what is not needed"
    return "mend what AWS's words name"


def _sentence(reasons: Sequence[str]) -> str:
    text = "; ".join(reasons)
    return text[:1].upper() + text[1:] + "." if text else ""
