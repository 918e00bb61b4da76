"""The findings of a withdrawal, in the words ops read. Pure."""

from collections.abc import Sequence

from ensure_endpoint.findings import VpcSubject
from ensure_endpoint.withdrawal.decide import Removal
from guard.endpoint.plan import Plan
from guard.endpoint.state import Endpoint
from guard.findings.finding import DAY, Finding, Kind, Severity
from guard.findings.subject import sentence


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
            "A subnet or the VPC could not be deleted because of what the guard made in it. Nothing"
            " else was in the way, and nothing else has a network interface in the VPC."
            + (f" AWS refused to delete that: {refused}." if refused else "")
        ),
        done=done,
        todo=(
            "delete the subnet or VPC again; Terraform and CloudFormation do so by themselves",
            "the guard makes nothing in this VPC until a subnet is created or a rotation started",
            "if something begins to run in it, it gets its endpoint again",
        ),
        window=DAY if refused else 0,
        waits_for=list(removal.waits_for),
    )


def left(about: VpcSubject, removal: Removal, done: Sequence[str], refused: str = "") -> Finding:
    """Somebody deletes subnets of a VPC that is lived in, and our endpoint leaves these alone."""
    named = ", ".join(sorted(removal.left_subnets))
    return about.finding(
        Kind.STOOD_DOWN,
        Severity.HIGH if refused else Severity.LOW,
        title=f"Our endpoint in {about.vpc_id} was removed from {named}, which is being deleted",
        cause=(
            f"{named} could not be deleted because of our endpoint, and nothing else is in it. The"
            " endpoint stays in the other subnets, where something else has network interfaces."
            + (f" AWS refused to let the endpoint leave: {refused}." if refused else "")
        ),
        done=done,
        todo=(
            "delete the subnet again; Terraform and CloudFormation do so by themselves",
            "a subnet that stays gets the endpoint again when it is used, or after 20 minutes",
        ),
        window=DAY if refused else 0,
    )


def unfinished(about: VpcSubject, left: Sequence[str]) -> Finding:
    """What is ours is still there after all attempts, and nothing of AWS's says why."""
    return about.finding(
        Kind.STOOD_DOWN,
        Severity.HIGH,
        title=f"The guard has not finished its withdrawal from {about.vpc_id}",
        cause=f"After all attempts, a minute apart, this was left: {', '.join(left)}.",
        todo=(
            "see what holds it: another group's rule, or a network interface",
            "delete it by hand, if it is in the way",
        ),
        window=DAY,
    )


def left_without(about: VpcSubject, plan: Plan, theirs: Sequence[str]) -> Finding:
    """Ours was deleted for an endpoint of theirs, which the guard may not finish now."""
    ids = ", ".join(theirs)
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.HIGH,
        title=f"{about.vpc_id} has no working Secrets Manager endpoint",
        cause=f"The guard deleted its endpoint to make way for {ids}. {sentence(plan.reasons)}",
        todo=(
            f"give {ids} private DNS, or delete it: the guard then makes its own again",
            f"or remove the tag {about.settings.opt_out_tag}: the guard then repairs it",
        ),
        plan=plan,
        window=DAY,
    )


def unproven_tags(about: VpcSubject, endpoint_ids: Sequence[str]) -> Finding:
    """Endpoints carry the guard's tags, and its record does not know them: they are not deleted."""
    ids = ", ".join(endpoint_ids)
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.MEDIUM,
        title=f"The guard has no record of {ids} in {about.vpc_id}, which carries its tags",
        cause=(
            "Whoever may tag can write the guard's tags. The guard deletes only what its own record"
            f" says it made, so it treats {ids} as somebody else's."
        ),
        todo=(
            f"find in CloudTrail who made and who tagged {ids}, and remove tags that are wrong",
            "if an earlier version of the guard made it, delete it by hand where it is in the way",
        ),
        window=DAY,
        identity=tuple(endpoint_ids),
    )


def would_remove(about: VpcSubject, removal: Removal, why: str) -> Finding:
    """Observe mode: what of ours would have been removed."""
    mode = about.settings.mode_parameter
    return about.finding(
        Kind.ENDPOINT_DRIFT,
        Severity.MEDIUM,
        title=f"What the guard created in {about.vpc_id} blocks a change",
        cause=why,
        todo=(
            *(f"the guard would {step}" for step in removal.steps),
            f"set the SSM parameter {mode} to remediate to have it done",
        ),
        window=DAY,
    )
