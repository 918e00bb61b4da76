"""The findings about which policy counts for an endpoint. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from guard.approved.policies import ApprovedPolicy
from guard.findings.finding import DAY, ONCE, Finding, Kind, Severity
from guard.policy import Difference, Risk, overall_risk
from restore_policy.findings import About


def tag_ignored(
    about: About, ignored: str, desired: ApprovedPolicy, found: Sequence[Difference], who: str
) -> Finding:
    """A tag names no policy that can be chosen: the endpoint is compared as if it had none."""
    wider = overall_risk(found) is Risk.WIDER
    state = "lets more pass than that" if wider else "differs from that" if found else "is that one"
    finding = about.finding(
        Kind.POLICY_NOT_RESTORABLE,
        Severity.HIGH if found else Severity.MEDIUM,
        title=f"A tag of {about.attached.endpoint_id} or its VPC chooses no approved policy",
        cause=f"{ignored}, by the tag that was set by {who}. {desired.name} counts instead;"
        f" the endpoint's policy {state}.",
        todo=(
            "ask whoever set the tag; take it away, or name a policy of the layer in it",
            "keep the tag's key to those who may choose: see the SCP in docs/security.md",
        ),
        found=found,
        window=DAY,
        identity=("tag", ignored),
    )
    return replace(finding, graver=("wider",) if wider else ())


def no_approved_policy(about: About, problem: str) -> Finding:
    """The approved policy cannot be loaded: the endpoint is left as it is."""
    return about.finding(
        Kind.POLICY_NOT_RESTORABLE,
        Severity.HIGH,
        title="There is no approved endpoint policy to enforce",
        cause=problem,
        todo=("correct the approved policy or the template's parameters, and deploy",),
        window=DAY,
    )


def not_ours_to_change(
    about: About, desired: ApprovedPolicy, found: Sequence[Difference]
) -> Finding:
    """An AWS service made the endpoint for itself, and nobody else changes it. Published once."""
    endpoint_id = about.attached.endpoint_id
    return about.finding(
        Kind.POLICY_NOT_RESTORABLE,
        Severity.LOW,
        title=f"Endpoint policy of {endpoint_id} is an AWS service's own, and stays so",
        cause=f"{endpoint_id} belongs to the AWS service that made it: nobody else changes it."
        f" Its policy differs from {desired.name}.",
        todo=("nothing, if the service is meant to be used; else remove what made the endpoint",),
        found=found,
        window=ONCE,
        identity=("requester-managed",),
    )
