"""The findings about a new version of an approved policy, in the words ops read. Pure."""

from collections.abc import Sequence

from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import digest
from guard.findings.finding import DAY, Finding, Kind, Severity
from guard.policy import Difference
from restore_policy.findings import About


def applied(
    about: About,
    wanted: ApprovedPolicy,
    found: Sequence[Difference],
    *,
    canary: bool,
    watch_seconds: int,
) -> Finding:
    """An endpoint that carried the version before has the new one."""
    endpoint_id = about.attached.endpoint_id
    after = (
        f"the other endpoints follow in {watch_seconds // 60} minutes, if nothing is denied here"
    )
    return about.finding(
        Kind.POLICY_ROLLOUT,
        Severity.LOW if canary else Severity.INFO,
        title=f"{endpoint_id} has the new version of the approved policy {wanted.name}",
        cause="A deployment changed the approved policy.",
        done=[f"wrote the approved policy {wanted.name} and read it back", *([after] * canary)],
        found=found,
        identity=(digest(wanted),),
        policy_after=wanted.text,
    )


def accepted(about: About, wanted: ApprovedPolicy, others: int) -> Finding:
    """The canary held."""
    return about.finding(
        Kind.POLICY_ROLLOUT,
        Severity.LOW,
        title=f"The new version of the approved policy {wanted.name} is rolled out",
        cause=f"{about.attached.endpoint_id} had it for the time it was to be tried.",
        done=[f"asked for the {others} other endpoints that do not have it yet to be reconciled"],
        identity=(digest(wanted), "accepted"),
    )


def failed(about: About, wanted: ApprovedPolicy, why: str, *, undone: bool, after: str) -> Finding:
    """AWS refused the version, or the canary refused somebody's request."""
    endpoint_id = about.attached.endpoint_id
    done = [f"wrote the policy of before the rollout to {endpoint_id} again"] if undone else []
    return about.finding(
        Kind.POLICY_ROLLOUT_FAILED,
        Severity.HIGH,
        title=f"The new version of the approved policy {wanted.name} is not rolled out",
        cause=f"It was tried on {endpoint_id}: {why}.",
        done=[*done, "left the other endpoints with the version before"],
        todo=(
            "correct the policy and deploy it, or deploy the version before",
            "if the refusal was right, set CANARY_MINUTES of restore_policy to 0 meanwhile",
        ),
        identity=(digest(wanted), str(int(about.now.timestamp()))),
        policy_after=after,
        rejected_policy=wanted.text,
    )


def would_roll_back(about: About, wanted: ApprovedPolicy, why: str) -> Finding:
    """Observe mode: what would have been undone."""
    return about.finding(
        Kind.POLICY_ROLLOUT_FAILED,
        Severity.HIGH,
        title=f"The new version of the approved policy {wanted.name} should be rolled back",
        cause=f"It was tried on {about.attached.endpoint_id}: {why}.",
        todo=(
            f"would write the policy of before the rollout to {about.attached.endpoint_id}",
            f"set the SSM parameter {about.settings.mode_parameter} to remediate to have it done",
        ),
        window=DAY,
        identity=(digest(wanted),),
    )
