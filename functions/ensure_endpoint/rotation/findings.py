"""The findings of a secret's rotation, in the words ops read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from ensure_endpoint.rotation.function import Rotation
from guard.findings.finding import DAY, Finding, Kind, Severity
from guard.findings.subject import Subject
from guard.reconcile.request import Trigger
from guard.settings import Settings


@dataclass(frozen=True, slots=True)
class RotationSubject(Subject):
    """The rotation of one secret: the event that turned it on, and where it runs."""

    trigger: Trigger
    found: Rotation

    @override
    def resource(self) -> str:
        return self.found.secret_arn or self.found.secret_id

    @override
    def evidence(self, **more: Any) -> dict[str, Any]:
        return {
            "rotation_function": self.found.function_arn,
            "role": self.found.role_arn,
            "vpc_id": self.found.vpc_id,
            **more,
            "who": self.trigger.who,
            "event_ids": [self.trigger.event_id],
        }

    @override
    def identity(self, title: str, cause: str, window: int) -> Sequence[str]:
        if self.found.problem:
            return (self.trigger.event_id,)
        return (self.found.function_arn, cause)


def unserved(
    settings: Settings, now: datetime, trigger: Trigger, found: Rotation, kind: Kind
) -> Finding:
    """A rotation that no endpoint of ours can serve."""
    todo = {
        Kind.ROTATION_WITHOUT_VPC: "give the function a VpcConfig in a VPC that has the endpoint",
        Kind.ROTATION_FUNCTION_MISSING: "create the function, or name another with rotate-secret",
        Kind.ROTATION_ELSEWHERE: "see that the function's own account and Region run the guard",
    }[kind]
    return RotationSubject(settings, now, trigger, found).finding(
        kind,
        Severity.MEDIUM,
        window=DAY,
        title="Rotation was turned on where no endpoint can serve it",
        cause=found.cause,
        todo=(todo,),
    )


def cannot_reach(
    settings: Settings, now: datetime, trigger: Trigger, found: Rotation, cause: str
) -> Finding:
    """The function's way to the endpoint is closed by a security group, or by its subnets."""
    return RotationSubject(settings, now, trigger, found).finding(
        Kind.ROTATION_CANNOT_REACH_ENDPOINT,
        Severity.MEDIUM,
        window=DAY,
        title="A rotation function cannot reach the Secrets Manager endpoint of its VPC",
        cause=f"The rotation function {found.function_arn} cannot reach the endpoint: {cause}.",
        todo=(
            "open the way: security groups of functions are not the guard's to change",
            _again(found),
        ),
    )


def refused_by_policy(
    settings: Settings,
    now: datetime,
    trigger: Trigger,
    found: Rotation,
    policy: str,
    actions: Sequence[str],
) -> Finding:
    """The approved policy, which every endpoint gets, refuses what the rotation has to do."""
    return RotationSubject(settings, now, trigger, found).finding(
        Kind.ROTATION_REFUSED_BY_POLICY,
        Severity.MEDIUM,
        window=DAY,
        title="The approved endpoint policy refuses a secret's rotation",
        cause=(
            f"The approved policy {policy} refuses the role {found.role_arn} of the rotation"
            f" function {found.function_arn} {', '.join(actions)} for {found.secret_id}."
        ),
        todo=(
            f"change the approved policy {policy}, or have another function rotate the secret",
            _again(found),
        ),
        refused_actions=list(actions),
    )


def _again(found: Rotation) -> str:
    # Rotation starts at once, so by now its first run has most likely failed.
    return f"then repeat it: aws secretsmanager rotate-secret --secret-id {found.secret_id}"
