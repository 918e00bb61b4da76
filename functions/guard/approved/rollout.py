"""A new version of an approved policy: tried on one endpoint before all get it. Pure.

    steady ── deployed policy differs ──▶ trying, on one endpoint ──▶ accepted: steady, with the new
       ▲                                        │ AWS refuses it, or the endpoint denies requests
       └── a deployment of the old one          ▼
                                             rejected: the old one stays, until the next deployment

What is tried is known by a digest of its text; whether it differs at all is a matter of meaning.
While a version is tried, and after it was rejected, every other endpoint is to carry the version
before, and is put back to that.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from guard.approved.policies import ApprovedPolicy
from guard.policy import PolicyError, parse
from guard.policy import means as policy_means


class Phase(StrEnum):
    STEADY = "steady"
    TRYING = "trying"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What is known of one approved policy.

    `stable` is the text that endpoints carry, `previous` the one they carried before. Of a version
    that is tried or was rejected: its digest (`candidate`), the canary (`endpoint_id`), since when
    the canary carries it (`applied_at`, epoch seconds, 0 for not yet), as which change in the
    history, and why it was rejected.
    """

    stable: str
    previous: str = ""
    phase: Phase = Phase.STEADY
    candidate: str = ""
    endpoint_id: str = ""
    applied_at: int = 0
    change: int = 0
    why: str = ""

    def concerns(self, wanted: ApprovedPolicy) -> bool:
        """Whether the version tried or rejected is this one."""
        return self.phase is not Phase.STEADY and self.candidate == digest(wanted)

    def is_trying(self, wanted: ApprovedPolicy, endpoint_id: str) -> bool:
        """Whether that endpoint is the one that tries this version."""
        return (
            self.phase is Phase.TRYING and self.concerns(wanted) and self.endpoint_id == endpoint_id
        )


@dataclass(frozen=True, slots=True)
class Aim:
    """What an endpoint is to carry now. `canary`: it is the one that tries the new version."""

    policy: ApprovedPolicy
    canary: bool = False


@dataclass(frozen=True, slots=True)
class Remember:
    """There is nothing to try: endpoints carry the deployed version, or there is none."""


@dataclass(frozen=True, slots=True)
class Try:
    """Apply the version to the first of these that can be written to."""

    endpoint_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again then (epoch seconds); 0: nothing to do until the next sweep or deployment."""

    until: int = 0


@dataclass(frozen=True, slots=True)
class Accept:
    """The canary held: all others get the version."""


@dataclass(frozen=True, slots=True)
class RollBack:
    """The canary did not hold: back to the version before, for the reason given."""

    why: str


type Step = Remember | Try | Wait | Accept | RollBack


def digest(policy: ApprovedPolicy) -> str:
    """Names one version of a policy's text: 16 hexadecimal digits."""
    return hashlib.sha256(policy.text.encode()).hexdigest()[:16]


def means(text: str, policy: ApprovedPolicy) -> bool:
    """Whether a policy's text means the same as a version."""
    return policy_means(text, policy.policy)


def same(one: str, other: str) -> bool:
    """Whether two texts mean the same; False where the second cannot be read."""
    try:
        return policy_means(one, parse(other))
    except PolicyError:
        return False


def aim(rollout: Rollout | None, wanted: ApprovedPolicy, endpoint_id: str) -> Aim:
    """What the endpoint is to carry, where the deployed policy is `wanted`."""
    if rollout is None or means(rollout.stable, wanted):
        return Aim(wanted)
    if rollout.is_trying(wanted, endpoint_id):
        return Aim(wanted, canary=True)
    try:
        return Aim(ApprovedPolicy(wanted.name, rollout.stable, parse(rollout.stable)))
    except PolicyError:  # this version of the guard does not understand what an older one wrote
        return Aim(wanted)


def is_new_version(rollout: Rollout | None, found: str, target: Aim) -> bool:
    """Whether an endpoint carries the version before, so that nobody has changed it."""
    if rollout is None or not found:
        return False
    before = rollout.stable if target.canary else rollout.previous
    return bool(before) and same(found, before)


def step(
    rollout: Rollout | None,
    wanted: ApprovedPolicy,
    *,
    endpoint_ids: Sequence[str],
    now: int,
    watch_seconds: int,
    denied: str = "",
    redeployed: bool = False,
) -> Step:
    """What is to be done about the deployed policy `wanted`.

    `endpoint_ids` are the endpoints that are to carry it, the best canary first. `denied` is a
    request that the canary has refused since the version was applied. `redeployed` says that the
    stack has just been deployed, which gives a rejected version another try.
    """
    if rollout is None or means(rollout.stable, wanted):
        return Remember()
    if not rollout.concerns(wanted) or (rollout.phase is Phase.REJECTED and redeployed):
        return Try(tuple(endpoint_ids)) if endpoint_ids else Remember()
    if rollout.phase is Phase.REJECTED:
        return Wait()
    if rollout.endpoint_id not in endpoint_ids:
        return Try(tuple(endpoint_ids)) if endpoint_ids else Remember()
    if not rollout.applied_at:
        return Wait()
    if denied:
        return RollBack(denied)
    ends = rollout.applied_at + watch_seconds
    return Accept() if now >= ends else Wait(ends)
