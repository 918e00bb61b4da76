"""Another stack of the guard, with another approved policy, writes to the same endpoint. Pure.

Of two policies the one that lets less pass stays: the other guard leaves it for a day, and then
tries again, in case the first is gone. What lets more pass than the own approved policy is put back
whoever wrote it: a stack that only imitates a guard gains nothing. So where each policy lets pass
what the other one refuses, neither guard can leave it, and both say so.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from guard.approved.pauses import Pause
from guard.approved.policies import ApprovedPolicy
from guard.findings.finding import DAY, Kind, Severity
from guard.policy import Difference
from guard.table.neighbours import Neighbour
from restore_policy.changes import PAUSE, BeginPause
from restore_policy.findings import About, drift

YIELDS_FOR = timedelta(days=1)


def yield_to(
    other: Neighbour, about: About, desired: ApprovedPolicy, found: Sequence[Difference]
) -> BeginPause:
    """Leave the policy as another guard wrote it, which lets no more pass than the approved one."""
    endpoint_id, until = about.attached.endpoint_id, about.now + YIELDS_FOR
    clock = f"{until:%Y-%m-%d %H:%M} UTC"
    announcement = about.finding(
        Kind.ENFORCEMENT_PAUSED,
        Severity.MEDIUM,
        title=f"{endpoint_id} is left with the policy of the guard of the stack {other.stack}",
        cause=f"It lets no more pass than the approved one. Changed by {about.who()}.",
        done=[f"until {clock} puts back only what lets more pass than that policy"],
        todo=(
            *about.of_two_guards(),
            f"to put {about.desired(desired)} back at once: guardctl resume {endpoint_id}",
        ),
        found=found,
        window=DAY,
        identity=(other.stack,),
        other_guard=asdict(other),
        paused_until=clock,
    )
    reason = f"the guard of the stack {other.stack} keeps another policy there"
    return BeginPause(
        kind=PAUSE,
        announcement=announcement,
        drift=(drift(about, desired, found),),
        about=about,
        pause=Pause(until, reason, policy=about.attached.text),
    )
