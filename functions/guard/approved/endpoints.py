"""All endpoints at once: which of them do not carry what they are to carry."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from guard.approved.choice import ApprovedPolicies
from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import Phase, Rollout, aim, means
from guard.endpoint.state import AttachedPolicy, Tags


@dataclass(frozen=True, slots=True)
class Chosen:
    """One endpoint with the policy chosen for it; None where that cannot be used."""

    attached: AttachedPolicy
    policy: ApprovedPolicy | None
    opted_out: bool


def choose_all(
    policies: Iterable[AttachedPolicy],
    vpc_tags: Mapping[str, Tags],
    approved: ApprovedPolicies,
    opt_out_tag: str,
) -> list[Chosen]:
    """Every endpoint with the policy that its tags, its VPC's or the stack choose."""
    return [
        Chosen(
            one,
            approved.choose(one.tags, vpc_tags.get(one.vpc_id, {})).policy,
            opt_out_tag in {**vpc_tags.get(one.vpc_id, {}), **one.tags},
        )
        for one in policies
    ]


def differing(chosen: Iterable[Chosen], rollouts: Mapping[str, Rollout | None]) -> list[str]:
    """The endpoints to look at: other policy than theirs, or none that can be used."""
    trying = {one.endpoint_id for one in rollouts.values() if one and one.phase is Phase.TRYING}

    # Most carry the same text, and most are no canary: each text is compared once.
    @cache
    def agrees(text: str, policy: ApprovedPolicy, canary: str) -> bool:
        return means(text, aim(rollouts.get(policy.name), policy, canary).policy)

    def is_well(one: AttachedPolicy, policy: ApprovedPolicy) -> bool:
        canary = one.endpoint_id if one.endpoint_id in trying else ""
        return agrees(one.text, policy, canary)

    return [
        one.attached.endpoint_id
        for one in chosen
        if one.policy is None or not is_well(one.attached, one.policy)
    ]


def canaries(
    chosen: Sequence[Chosen], policy: ApprovedPolicy, rollout: Rollout | None
) -> list[str]:
    """Endpoints that could try a version: those first that carry the one before, untouched."""
    ours = [one.attached for one in chosen if one.policy == policy and not one.opted_out]
    stable = aim(rollout, policy, "").policy
    untouched = {text for text in {one.text for one in ours} if means(text, stable)}
    ours.sort(key=lambda one: (one.text not in untouched, one.endpoint_id))
    return [one.endpoint_id for one in ours]
