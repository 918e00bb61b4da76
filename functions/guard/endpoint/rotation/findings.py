"""The findings of a secret's rotation, in the words ops read. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from guard.endpoint.rotation.function import Rotation
from guard.events.record import Record, secret_id
from guard.finding import Finding, Kind, Severity
from guard.findings.about import DAY
from guard.settings import Settings


def managed(settings: Settings, now: datetime, record: Record, found: Rotation) -> Finding:
    """AWS rotates the secret itself: no function, so nothing that an endpoint would serve."""
    return _finding(
        settings,
        now,
        record,
        found,
        kind=Kind.ROTATION_MANAGED,
        severity=Severity.INFO,
        title="A secret is rotated by AWS itself, which needs no endpoint",
        cause=found.cause,
        todo=(),
    )


def unserved(
    settings: Settings, now: datetime, record: Record, found: Rotation, kind: Kind
) -> Finding:
    """A rotation that no endpoint of ours can serve."""
    todo = {
        Kind.ROTATION_WITHOUT_VPC: "give the function a VpcConfig in a VPC that has the endpoint",
        Kind.ROTATION_FUNCTION_MISSING: "create the function, or name another with rotate-secret",
        Kind.ROTATION_ELSEWHERE: "see that the function's own account and Region run the guard",
    }[kind]
    return _told_of(
        settings,
        now,
        record,
        kind=kind,
        severity=Severity.MEDIUM,
        title="Rotation was turned on where no endpoint can serve it",
        cause=found.cause,
        todo=todo,
        rotation_function=found.function_arn,
    )


def cancelled(settings: Settings, now: datetime, record: Record, secret: str) -> Finding:
    """Somebody turned rotation off; reported only."""
    return _told_of(
        settings,
        now,
        record,
        kind=Kind.ROTATION_CANCELLED,
        severity=Severity.LOW,
        title="Rotation of a secret was turned off",
        cause=f"{record.identity.name} cancelled the rotation of {secret}",
        todo="turn it on again with aws secretsmanager rotate-secret if this was not meant",
    )


def cannot_reach(
    settings: Settings, now: datetime, record: Record, found: Rotation, cause: str
) -> Finding:
    """The function's way to the endpoint is closed by a security group, or by its subnets."""
    return _finding(
        settings,
        now,
        record,
        found,
        kind=Kind.ROTATION_CANNOT_REACH_ENDPOINT,
        severity=Severity.MEDIUM,
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
    record: Record,
    found: Rotation,
    policy: str,
    actions: Sequence[str],
) -> Finding:
    """The approved policy, which every endpoint gets, refuses what the rotation has to do."""
    return _finding(
        settings,
        now,
        record,
        found,
        kind=Kind.ROTATION_REFUSED_BY_POLICY,
        severity=Severity.MEDIUM,
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


def _finding(
    settings: Settings,
    now: datetime,
    record: Record,
    found: Rotation,
    *,
    kind: Kind,
    severity: Severity,
    title: str,
    cause: str,
    todo: Sequence[str],
    **evidence: Any,
) -> Finding:
    known = {
        "rotation_function": found.function_arn,
        "role": found.role_arn,
        "vpc_id": found.vpc_id,
        "who": record.identity.name,
        "event_ids": [record.event_id],
        **evidence,
    }
    return Finding(
        kind=kind,
        severity=severity,
        account=settings.account_id,
        region=settings.region,
        resource=found.secret_arn or found.secret_id,
        title=title,
        cause=cause,
        todo=tuple(todo),
        evidence={key: value for key, value in known.items() if value},
        identity=(found.function_arn, cause),
        window=DAY,
        first_seen=now,
        last_seen=now,
    )


def _told_of(
    settings: Settings,
    now: datetime,
    record: Record,
    *,
    kind: Kind,
    severity: Severity,
    title: str,
    cause: str,
    todo: str,
    **evidence: str,
) -> Finding:
    """One record's own finding: AWS was asked for no more than the record says, or knew none."""
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
