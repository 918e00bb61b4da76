"""The findings about a new version of an approved policy, in the words ops read. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from guard.approved.policies import ApprovedPolicy
from guard.approved.refusals import CONSENT
from guard.approved.rollout import digest
from guard.findings.finding import DAY, Finding, Kind, Severity
from guard.policy import Difference
from restore_policy.findings import About


def applied(
    about: About,
    desired: ApprovedPolicy,
    found: Sequence[Difference],
    *,
    canary: bool,
    watch_seconds: int,
    first: bool = False,
) -> Finding:
    """An endpoint that carried the version before has the new one; `first`: it had no version."""
    endpoint_id = about.attached.endpoint_id
    after = (
        f"the other endpoints follow in {watch_seconds // 60} minutes, if nothing is denied here"
    )
    return about.finding(
        Kind.POLICY_ROLLOUT,
        Severity.LOW if canary else Severity.INFO,
        title=f"{endpoint_id} has the approved policy {desired.name} for the first time"
        if first
        else f"{endpoint_id} has the new version of the approved policy {desired.name}",
        cause=" ".join(
            (
                "The guard may write, and nothing was enforced here before."
                if first
                else "A deployment changed the approved policy.",
                *about.refused(),
            )
        ),
        done=[
            f"wrote the approved policy {about.desired(desired)} and read it back",
            *([after] * canary),
        ],
        found=found,
        identity=(digest(desired),),
        policy_after=desired.text,
    )


def asks(about: About, desired: ApprovedPolicy, found: Sequence[Difference]) -> Finding:
    """The policy would refuse what callers were seen doing: nothing is written before a yes."""
    who = about.refuses.who
    finding = about.finding(
        Kind.POLICY_ROLLOUT,
        Severity.HIGH,
        title=f"The rollout of the approved policy {desired.name} waits: it would refuse callers",
        cause=" ".join(about.refused()),
        todo=("widen the approved policy, and deploy it", CONSENT, *about.refuses.lacking),
        found=found,
        window=DAY,
        identity=(digest(desired), "asks"),
    )
    return replace(finding, graver=who)


def accepted(about: About, desired: ApprovedPolicy, others: int) -> Finding:
    """The canary held."""
    return about.finding(
        Kind.POLICY_ROLLOUT,
        Severity.LOW,
        title=f"The new version of the approved policy {desired.name} is rolled out",
        cause=f"{about.attached.endpoint_id} had it for the time it was to be tried.",
        done=[f"asked for the {others} other endpoints that do not have it yet to be reconciled"],
        identity=(digest(desired), "accepted"),
    )


def failed(about: About, desired: ApprovedPolicy, why: str, *, undone: bool, after: str) -> Finding:
    """AWS refused the version, or the canary refused somebody's request."""
    endpoint_id = about.attached.endpoint_id
    done = [f"wrote the policy of before the rollout to {endpoint_id} again"] if undone else []
    return about.finding(
        Kind.POLICY_ROLLOUT_FAILED,
        Severity.HIGH,
        title=f"The new version of the approved policy {desired.name} is not rolled out",
        cause=f"It was tried on {endpoint_id}: {why}.",
        done=[*done, "left the other endpoints with the version before"],
        todo=(
            "correct the policy and deploy it, or deploy the version before",
            "if the refusal was right, set CANARY_MINUTES of restore_policy to 0 meanwhile",
        ),
        identity=(digest(desired), str(int(about.now.timestamp()))),
        policy_after=after,
        rejected_policy=desired.text,
    )


def would_roll_back(about: About, desired: ApprovedPolicy, why: str) -> Finding:
    """Observe mode: what would have been undone."""
    return about.finding(
        Kind.POLICY_ROLLOUT_FAILED,
        Severity.HIGH,
        title=f"The new version of the approved policy {desired.name} should be rolled back",
        cause=f"It was tried on {about.attached.endpoint_id}: {why}.",
        todo=(
            f"the guard would give {about.attached.endpoint_id} the policy of before the rollout",
            about.to_remediate(),
        ),
        window=DAY,
        identity=(digest(desired),),
    )
