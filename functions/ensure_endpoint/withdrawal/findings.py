"""The findings of a withdrawal, in the words ops read. Pure."""

from collections.abc import Sequence

from ensure_endpoint.findings import VpcSubject
from ensure_endpoint.withdrawal.decide import Removal
from guard.endpoint.state import Endpoint
from guard.findings.finding import DAY, Finding, Kind, Severity


def yielded(about: VpcSubject, theirs: Endpoint, done: Sequence[str], refused: str = "") -> Finding:
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


def stood_down(
    about: VpcSubject, removal: Removal, done: Sequence[str], refused: str = ""
) -> Finding:
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


def would_remove(about: VpcSubject, removal: Removal, why: str) -> Finding:
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
