"""Begins the rollout of an approved policy that a deployment changed: one endpoint tries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.approved.endpoints import canaries
from guard.approved.rollout import Remember, Try, step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from guard.approved.endpoints import Chosen
    from guard.approved.pauses import Pauses
    from guard.approved.rollout import Rollout
    from guard.approved.rollouts import Rollouts


def roll_out(
    chosen: Sequence[Chosen],
    rollouts: Rollouts,
    pauses: Pauses,
    now: datetime,
    *,
    redeployed: bool,
) -> dict[str, Rollout | None]:
    """Begin what a deployment asks for; the rollout of each policy in use, by its name.

    Needs dynamodb:GetItem and dynamodb:UpdateItem. Raises ClientError.
    """
    known: dict[str, Rollout | None] = {}
    for policy in {one.policy.name: one.policy for one in chosen if one.policy}.values():
        rollout = rollouts.of(policy.name, now)
        found = step(
            rollout,
            policy,
            endpoint_ids=canaries(chosen, policy, rollout),
            now=int(now.timestamp()),
            watch_seconds=0,
            redeployed=redeployed,
        )
        match found:
            case Remember():
                rollouts.remember(rollout, policy)
            case Try(endpoint_ids) if rollout:
                free = (id_ for id_ in endpoint_ids if not pauses.of(id_, now))
                if first := next(free, None):
                    rollouts.begin(rollout, policy, first)
                    rollout = rollouts.of(policy.name, now)
            case _:
                pass  # restore_policy reconciles the canary, and does the rest
        known[policy.name] = rollout
    return known
