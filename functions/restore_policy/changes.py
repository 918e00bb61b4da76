"""The changes that restore_policy makes, as data."""

from collections.abc import Sequence
from dataclasses import dataclass

from guard.approved.history import APPLIED, RESTORED, ROLLED_BACK
from guard.approved.pauses import Pause
from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import DesiredPolicy, Rollout
from guard.findings.finding import Kind
from guard.policy import Difference
from guard.reconcile.result import Change
from restore_policy.findings import About

# Kinds of changes: parts of the names of their entries in the outbox.
RESTORE, ROLL_BACK, REJECT, PAUSE = "restore", "roll-back", "reject", "pause"
# How the version before named the entries of the last three.
OLD_NAMES = ("#back", "#refused", "#pause")

# What the history calls a change, by the kind of the finding that announces it.
ACTIONS = {Kind.POLICY_ROLLOUT: APPLIED, Kind.POLICY_ROLLOUT_FAILED: ROLLED_BACK}


def action(kind: Kind) -> str:
    """What the history calls the change that a finding of this kind announces."""
    return ACTIONS.get(kind, RESTORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange(Change):
    """A change of one endpoint; `about` is what its findings share."""

    about: About


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(PolicyChange):
    """Write a policy to the endpoint. `attempts`: how often SQS handed the messages out."""

    text: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore(Write):
    """Write the policy that the endpoint is to carry.

    `found` is how it differs; `rollout` was read then. `is_new`: nobody has changed the policy, the
    endpoint gets a new version. `in_pause`: enforcement stays paused.
    """

    target: DesiredPolicy
    found: Sequence[Difference]
    rollout: Rollout | None
    is_new: bool = False
    in_pause: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack(Write):
    """Write the policy of before a rollout again, unless the endpoint has it: `undone`."""

    desired: ApprovedPolicy
    why: str
    undone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject(PolicyChange):
    """AWS refused a new version: it is tried on no other endpoint."""

    rollout: Rollout
    desired: ApprovedPolicy
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginPause(PolicyChange):
    """Leave the endpoint's policy alone for a time."""

    pause: Pause
