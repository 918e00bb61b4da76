"""A new version of an approved policy: tried on one endpoint before all get it. Pure.

    steady ── deployed policy differs ──▶ trying, on one endpoint ──▶ accepted: steady, with the new
       ▲                                        │ AWS refuses it, or the endpoint denies requests
       └── a deployment of the old one          ▼
                                             rejected: the old one stays, until the next deployment

What is tried is known by a digest of its text; whether it differs at all is a matter of meaning.
While a version is tried, and after it was rejected, every other endpoint is to carry the version
before, and is put back to that.

The first enforcement is a rollout as well: nothing is known to be enforced before (`stable` is
empty), so one endpoint tries the policy, and the others are left as they are until it held.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from guard.approved.policies import ApprovedPolicy
from guard.policy import PolicyError, means, parse


class Phase(StrEnum):
    STEADY = "steady"
    TRYING = "trying"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What is known of one approved policy.

    `stable` is the text that endpoints carry, empty before any is enforced; `previous` the one they
    carried before. Of a version
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

    @property
    def unenforced(self) -> bool:
        """Whether nothing was enforced yet."""
        return not self.stable

    def concerns(self, desired: ApprovedPolicy) -> bool:
        """Whether the version tried or rejected is this one."""
        return self.phase is not Phase.STEADY and self.candidate == digest(desired)

    def is_trying(self, desired: ApprovedPolicy, endpoint_id: str) -> bool:
        """Whether that endpoint is the one that tries this version."""
        return (
            self.phase is Phase.TRYING
            and self.concerns(desired)
            and self.endpoint_id == endpoint_id
        )


@dataclass(frozen=True, slots=True)
class DesiredPolicy:
    """What an endpoint is to carry now. `canary`: it is the one that tries the new version."""

    policy: ApprovedPolicy
    canary: bool = False


@dataclass(frozen=True, slots=True)
class Steady:
    """There is nothing to try: endpoints carry the deployed version, or there is none."""


@dataclass(frozen=True, slots=True)
class StartTrial:
    """Apply the version to the first of these that can be written to."""

    endpoint_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Check again then (epoch seconds); 0: nothing to do until the next sweep or deployment."""

    until: int = 0


@dataclass(frozen=True, slots=True)
class Accept:
    """The canary held: all others get the version."""


@dataclass(frozen=True, slots=True)
class RollBack:
    """The canary did not hold: back to the version before, for the reason given."""

    why: str


type Step = Steady | StartTrial | Wait | Accept | RollBack


def digest(policy: ApprovedPolicy) -> str:
    """Names one version of a policy's text: 16 hexadecimal digits."""
    return hashlib.sha256(policy.text.encode()).hexdigest()[:16]


def same_meaning(one: str, other: str) -> bool:
    """Whether two texts mean the same; False where the second cannot be read."""
    try:
        return means(one, parse(other))
    except PolicyError:
        return False


def desired_policy(
    rollout: Rollout | None, desired: ApprovedPolicy, endpoint_id: str
) -> DesiredPolicy:
    """What the endpoint is to carry, where the deployed policy is `desired`."""
    if rollout is None or means(rollout.stable, desired.policy):
        return DesiredPolicy(desired)
    if rollout.is_trying(desired, endpoint_id):
        return DesiredPolicy(desired, canary=True)
    try:
        return DesiredPolicy(ApprovedPolicy(desired.name, rollout.stable, parse(rollout.stable)))
    except PolicyError:  # this version of the guard does not understand what an older one wrote
        return DesiredPolicy(desired)


def is_new_version(rollout: Rollout | None, found: str, target: DesiredPolicy) -> bool:
    """Whether an endpoint carries the version before, so that nobody has changed it."""
    if rollout is None or not found:
        return False
    if rollout.unenforced:
        return target.canary
    before = rollout.stable if target.canary else rollout.previous
    return bool(before) and same_meaning(found, before)


def step(
    rollout: Rollout | None,
    desired: ApprovedPolicy,
    *,
    endpoint_ids: Sequence[str],
    now: int,
    watch_seconds: int,
    denied: str = "",
    redeployed: bool = False,
) -> Step:
    """What is to be done about the deployed policy `desired`.

    `endpoint_ids` are the endpoints that are to carry it, the best canary first. `denied` is a
    request that the canary has refused since the version was applied. `redeployed` says that the
    stack has just been deployed, which gives a rejected version another try.
    """
    if rollout is None or means(rollout.stable, desired.policy):
        return Steady()
    if not rollout.concerns(desired) or (rollout.phase is Phase.REJECTED and redeployed):
        return StartTrial(tuple(endpoint_ids)) if endpoint_ids else Steady()
    if rollout.phase is Phase.REJECTED:
        return Wait()
    if rollout.endpoint_id not in endpoint_ids:
        return StartTrial(tuple(endpoint_ids)) if endpoint_ids else Steady()
    if not rollout.applied_at:
        return Wait()
    if denied:
        return RollBack(denied)
    ends = rollout.applied_at + watch_seconds
    return Accept() if now >= ends else Wait(ends)
