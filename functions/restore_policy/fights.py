"""No tug-of-war: how often an endpoint's policy was put back within an hour, and when to let go.

Putting a policy back is counted once AWS has it, so that a failure of AWS never counts as a fight.
The second time within an hour weighs more. The third time the policy is still put back, and then
left alone for an hour: a tool that runs every few minutes gets no second fight out of it, and what
a person breaks is not left so for the day. Each further pause within a day is twice as long. What
lets more pass is put back in a pause, too: see `restore_policy.reconcile`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from guard.approved.history import RESTORED, History
from guard.approved.pauses import Pause
from guard.cloudtrail.callers import Caller
from guard.table.budgets import Budgets

HOUR, DAY = 3_600, 86_400
LONGEST = timedelta(hours=6)  # of a pause that follows others: a sweep's period
_NO_LIMIT = 10**9


@dataclass(frozen=True, slots=True)
class Fight:
    """How often the policy was put back within the hour, and who changed it those times."""

    reverts: int
    callers: tuple[Caller, ...] = ()


@dataclass(frozen=True, slots=True)
class Fights:
    """Counts in the state table; methods raise StateError, or boto3's ClientError."""

    budgets: Budgets
    history: History
    most: int
    pause: timedelta

    def count(self, endpoint_id: str, now: datetime) -> Fight:
        """The policy was just put back once more."""
        reverts = self.budgets.take(self._key(endpoint_id), _NO_LIMIT, HOUR, now).used
        if reverts < self.most:
            return Fight(reverts)
        hour_ago = now - timedelta(seconds=HOUR)
        changes = takewhile(lambda one: one.at > hour_ago, self.history.latest(endpoint_id, now))
        undone = (change for change in changes if change.action == RESTORED)
        callers = [caller for change in undone for caller in change.callers]
        return Fight(reverts, tuple({one.words: one for one in callers}.values()))

    def _key(self, endpoint_id: str) -> str:
        return self.history.items.name("reverts", endpoint_id)

    def pause_due(self, endpoint_id: str, fight: Fight, policy: str, now: datetime) -> Pause | None:
        """The pause to begin with this policy, if it has come to that."""
        if fight.reverts < self.most:
            return None
        key = self.history.items.name("pauses", endpoint_id)
        earlier = self.budgets.take(key, _NO_LIMIT, DAY, now).used - 1
        length = max(self.pause, min(self.pause * 2 ** min(earlier, 20), LONGEST))
        reason = f"it was put back {fight.reverts} times within an hour"
        return Pause(now + length, reason, policy=policy)
