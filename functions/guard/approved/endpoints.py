"""All endpoints at once: which of them do not carry what they are to carry."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from guard.approved.choice import ApprovedPolicies
from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import Phase, Rollout, desired_policy
from guard.endpoint.state import AttachedPolicy, Tags, managed_by
from guard.policy import means


@dataclass(frozen=True, slots=True)
class Chosen:
    """One endpoint with the policy chosen for it; None where that cannot be used.

    `ignored`: one of its tags chooses nothing. `ours`: the guard made the endpoint, so that it had
    the approved policy from the start.
    """

    attached: AttachedPolicy
    policy: ApprovedPolicy | None
    opted_out: bool
    ignored: bool = False
    ours: bool = False

    @property
    def left_alone(self) -> bool:
        """Whether the guard writes no policy there, whatever it carries."""
        return self.opted_out or self.attached.requester_managed


def choose_all(
    policies: Iterable[AttachedPolicy],
    vpc_tags: Mapping[str, Tags],
    approved: ApprovedPolicies,
    opt_out_tag: str,
) -> list[Chosen]:
    """Every endpoint with the policy that its tags, its VPC's or the stack choose."""
    found: list[Chosen] = []
    for one in policies:
        of_vpc = vpc_tags.get(one.vpc_id, {})
        chosen = approved.choose(one.tags, of_vpc)
        opted_out = opt_out_tag in {**of_vpc, **one.tags}
        ours = managed_by(one.tags, approved.settings.stack_id)
        found.append(Chosen(one, chosen.policy, opted_out, bool(chosen.ignored), ours))
    return found


def differing(chosen: Iterable[Chosen], rollouts: Mapping[str, Rollout | None]) -> list[str]:
    """The endpoints to reconcile: other policy than theirs, none that can be used, or a tag that
    chooses nothing. While the first of all tries a policy, or was refused, the others are not.
    """
    trying = {one.endpoint_id for one in rollouts.values() if one and one.phase is Phase.TRYING}

    # Most carry the same text, and most are no canary: each text is compared once.
    @cache
    def agrees(text: str, policy: ApprovedPolicy, canary: str) -> bool:
        return means(text, desired_policy(rollouts.get(policy.name), policy, canary).policy.policy)

    def is_healthy(one: Chosen, policy: ApprovedPolicy) -> bool:
        known, id_ = rollouts.get(policy.name), one.attached.endpoint_id
        if known and known.unenforced and known.phase is not Phase.STEADY and not one.ours:
            return True
        return agrees(one.attached.text, policy, id_ if id_ in trying else "")

    return [
        one.attached.endpoint_id
        for one in chosen
        if one.policy is None or one.ignored or not is_healthy(one, one.policy)
    ]


def canaries(
    chosen: Sequence[Chosen], policy: ApprovedPolicy, rollout: Rollout | None
) -> list[str]:
    """Endpoints that could try a version: those first that carry the one before, untouched."""
    could = [one.attached for one in chosen if one.policy == policy and not one.left_alone]
    stable = desired_policy(rollout, policy, "").policy.policy
    untouched = {text for text in {one.text for one in could} if means(text, stable)}
    could.sort(key=lambda one: (one.text not in untouched, one.endpoint_id))
    return [one.endpoint_id for one in could]


def unenforced(chosen: Sequence[Chosen], policy: ApprovedPolicy) -> list[str]:
    """Endpoints of others that are to carry the policy and do not: one of them tries it first."""
    could = [one for one in chosen if one.policy == policy and not one.left_alone and not one.ours]
    texts = {one.attached.text for one in could}
    agreeing = {text for text in texts if means(text, policy.policy)}
    ids = (one.attached.endpoint_id for one in could if one.attached.text not in agreeing)
    return sorted(ids)
