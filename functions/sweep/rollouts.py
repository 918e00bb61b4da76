"""Begins the rollout of an approved policy: one endpoint tries it.

By a deployment that changed the policy, and by the first sweep that may write where endpoints carry
another policy than the approved one: nobody enforced it before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.approved.endpoints import canaries, unenforced
from guard.approved.rollout import StartTrial, Steady, Wait, step
from guard.policy import means

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
    redeployed: bool,
    *,
    observes: bool = False,
) -> dict[str, Rollout | None]:
    """Begin what a deployment asks for; the rollout of each policy in use, by its name.

    `observes`: nothing may be written, and what differs then is not enforced. Needs
    dynamodb:GetItem and dynamodb:UpdateItem. Raises ClientError.
    """
    known: dict[str, Rollout | None] = {}
    for policy in {one.policy.name: one.policy for one in chosen if one.policy}.values():
        rollout = rollouts.of(policy.name, now)
        differ = unenforced(chosen, policy)
        if rollout is None or (observes and means(rollout.stable, policy.policy)):
            # One endpoint by itself has no others to be spared.
            rollout = rollouts.forget(rollout, policy) if len(differ) > 1 else rollout
        first_of_all = rollout is not None and rollout.unenforced
        could = canaries(chosen, policy, rollout)
        if rollout and first_of_all:
            could = [*differ, *(id_ for id_ in could if id_ == rollout.endpoint_id)]
        found = step(
            rollout,
            policy,
            endpoint_ids=could,
            now=int(now.timestamp()),
            watch_seconds=0,
            redeployed=redeployed,
        )
        if first_of_all and observes:
            found = Wait()
        match found:
            case Steady():
                rollouts.remember(rollout, policy)
            case StartTrial(endpoint_ids) if rollout:
                free = (id_ for id_ in endpoint_ids if not pauses.of(id_, now))
                if first := next(free, None):
                    rollouts.begin(rollout, policy, first)
                    rollout = rollouts.of(policy.name, now)
            case _:
                pass  # restore_policy reconciles the canary, and does the rest
        known[policy.name] = rollout
    return known
