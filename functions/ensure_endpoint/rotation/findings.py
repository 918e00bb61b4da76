"""The findings of a secret's rotation, in the words ops read. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ensure_endpoint.rotation.function import Rotation
from guard.aws.errors import steady
from guard.findings.finding import DAY, Finding, Kind, Severity
from guard.findings.subject import Subject
from guard.reconcile.request import Trigger
from guard.settings import Settings


def unserved(
    settings: Settings, now: datetime, trigger: Trigger, found: Rotation, kind: Kind
) -> Finding:
    """A rotation that no endpoint of ours can serve."""
    todo = {
        Kind.ROTATION_WITHOUT_VPC: "give the function a VpcConfig in a VPC that has the endpoint",
        Kind.ROTATION_FUNCTION_MISSING: "create the function, or name another with rotate-secret",
        Kind.ROTATION_ELSEWHERE: "see that the function's own account and Region run the guard",
    }[kind]
    return _finding(
        (settings, now, trigger, found),
        kind,
        title="Rotation was turned on where no endpoint can serve it",
        cause=found.cause,
        todo=(todo,),
    )


def unreadable(settings: Settings, now: datetime, trigger: Trigger, found: Rotation) -> Finding:
    """AWS refuses to say where the rotation runs, so whether it is served is not known."""
    return _finding(
        (settings, now, trigger, found),
        Kind.ENDPOINT_NOT_REPAIRABLE,
        title=f"The guard may not read where {found.secret_id} is rotated",
        cause=found.cause,
        todo=(found.cure, _again(found)),
    )


def failed(
    settings: Settings, now: datetime, trigger: Trigger, found: Rotation, words: str, verdict: str
) -> Finding:
    """AWS says that a rotation failed; `verdict` is what the guard finds of the way to the service.

    One finding a day for what is the same: Secrets Manager tries a rotation again for days.
    """
    return _finding(
        (settings, now, trigger, found),
        Kind.ROTATION_FAILED,
        title=f"Rotation of a secret failed: {trigger.name}",
        cause=f'AWS says "{words}". Checked just now: {verdict}.',
        todo=(
            f"read the log of the function {found.function_arn}"
            if found.function_arn
            else f"see what describe-secret says of the rotation of {found.secret_id}",
            _again(found),
        ),
        identity=(trigger.name, steady(words), verdict),
        verdict=verdict,
    )


def cannot_reach(
    settings: Settings, now: datetime, trigger: Trigger, found: Rotation, cause: str
) -> Finding:
    """The function's way to the endpoint is closed by a security group, or by its subnets."""
    return _finding(
        (settings, now, trigger, found),
        Kind.ROTATION_CANNOT_REACH_ENDPOINT,
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
    return _finding(
        (settings, now, trigger, found),
        Kind.ROTATION_REFUSED_BY_POLICY,
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


def _finding(
    about: tuple[Settings, datetime, Trigger, Rotation],
    kind: Kind,
    *,
    cause: str,
    identity: Sequence[str] = (),
    **more: Any,
) -> Finding:
    """A finding about the rotation of one secret: what turned it on, and where it runs."""
    settings, now, trigger, found = about
    known = {
        "rotation_function": found.function_arn,
        "role": found.role_arn,
        "vpc_id": found.vpc_id,
    }
    once = found.problem and not found.cure
    identity = identity or ((trigger.event_id,) if once else (found.function_arn, cause))
    more |= {"who": trigger.who, "event_ids": [trigger.event_id]}
    return Subject(settings, now, found.secret_arn or found.secret_id, known).finding(
        kind,
        Severity.MEDIUM,
        cause=cause,
        window=DAY,
        identity=identity,
        **more,
    )


def _again(found: Rotation) -> str:
    # Rotation starts at once, so by now its first run has most likely failed.
    return f"then repeat it: aws secretsmanager rotate-secret --secret-id {found.secret_id}"
