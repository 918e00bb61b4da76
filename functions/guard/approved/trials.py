"""An endpoint tries a new version of an approved policy: what is asked, noted and decided then.

Five times during the watch the endpoint is looked at, and at once when it denied a request:
detect_bypass notes that in the table, and asks for the look.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from guard.approved import rollout as canary
from guard.approved.choice import ApprovedPolicies
from guard.approved.endpoints import ask, choose_all
from guard.approved.history import History
from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import Aim, Rollout, Step, Wait
from guard.approved.rollouts import Rollouts
from guard.endpoint.observe import Observer
from guard.endpoint.state import AttachedPolicy
from guard.reconcile.policy_requests import PolicyLooks, detail
from guard.reconcile.requeue import EARLY_SECONDS

LOOKS = 5  # during a watch
LEAST = timedelta(minutes=1)  # between two of them
REASON = "it tries a new version of its policy"
SPREAD_DELAY = 10  # seconds: the looks at the others come once the version is accepted


@dataclass(frozen=True, slots=True)
class Trials:
    """`watch` is for how many seconds the canary's denials count; methods raise ClientError."""

    rollouts: Rollouts
    history: History
    looks: PolicyLooks
    watch: int

    @property
    def every(self) -> timedelta:
        """The time between two looks, in whole seconds and rounded up: there is none too many."""
        return max(LEAST, timedelta(seconds=-(-self.watch // LOOKS)))

    def applied(
        self, rollout: Rollout | None, target: Aim, change: int, now: datetime, hops: int
    ) -> None:
        """A policy was written: if that was the canary's first, the watch begins."""
        if not rollout or not target.canary or rollout.applied_at:
            return
        self.rollouts.applied(rollout, target.policy.name, change, now, self.watch)
        self._look_again(rollout.endpoint_id, now + timedelta(seconds=self.watch), now, hops)

    def next(
        self, attached: AttachedPolicy, wanted: ApprovedPolicy, now: datetime, hops: int
    ) -> Step:
        """What is to be done about the version now; asks for the next look itself."""
        rollout = self.rollouts.of(wanted.name, now)
        if not rollout or not rollout.is_trying(wanted, attached.endpoint_id):
            return Wait()
        if not rollout.applied_at and canary.means(attached.text, wanted):
            # Written by a try that was cut short, or by hand.
            self.applied(rollout, Aim(wanted, canary=True), 0, now, hops)
            return Wait()
        watched = self.rollouts.watch(attached.endpoint_id, now)
        found = canary.step(
            rollout,
            wanted,
            endpoint_ids=(attached.endpoint_id,),
            now=int(now.timestamp()),
            watch_seconds=self.watch,
            denied=watched.denied,
        )
        # A sweep's look, or one that came back, does not begin a second row of looks.
        if isinstance(found, Wait) and found.until and watched.next_look <= _early(now):
            ends = datetime.fromtimestamp(found.until, UTC)
            self._look_again(attached.endpoint_id, ends, now, hops)
        return found

    def _look_again(self, endpoint_id: str, ends: datetime, now: datetime, hops: int) -> None:
        when = min(ends, now + self.every)
        self.looks.ask(endpoint_id, REASON, when, now, hops=hops, trial=True)
        self.rollouts.note_look(endpoint_id, when)

    def others(
        self, observer: Observer, approved: ApprovedPolicies, wanted: ApprovedPolicy
    ) -> list[str]:
        """The endpoints that are to carry the version and do not yet."""
        chosen = choose_all(
            observer.attached_policies().values(),
            observer.vpc_tags(),
            approved,
            self.looks.settings.opt_out_tag,
        )
        texts = {one.attached.text for one in chosen}
        agreeing = {text for text in texts if canary.means(text, wanted)}
        return [
            one.attached.endpoint_id
            for one in chosen
            if one.policy == wanted and not one.opted_out and one.attached.text not in agreeing
        ]

    def accept(self, others: list[str], wanted: ApprovedPolicy, now: datetime, hops: int) -> None:
        """Ask for the others, then accept: a process that dies in between does both again.

        At the end of a chain the next sweep asks for them.
        """
        reason = f"a new version of {wanted.name} was accepted"
        details = [detail(id_, reason) for id_ in others]
        queue, settings = self.looks.queue, self.looks.settings
        if queue.allows(hops):
            ask(queue.sqs, queue.url, settings, details, now, SPREAD_DELAY, hops + 1)
        rollout = self.rollouts.of(wanted.name, now)
        if rollout:
            self.rollouts.accept(rollout, wanted)

    def before(self, endpoint_id: str, wanted: ApprovedPolicy, now: datetime) -> str:
        """The policy that the endpoint had before the version, by the history."""
        rollout = self.rollouts.of(wanted.name, now)
        if rollout is None:
            return wanted.text
        change = self.history.change(endpoint_id, rollout.change, now) if rollout.change else None
        return (change.before if change else "") or rollout.stable

    def reject(self, wanted: ApprovedPolicy, why: str, now: datetime) -> None:
        """The version is not to be tried again before the next deployment."""
        rollout = self.rollouts.of(wanted.name, now)
        if rollout:
            self.rollouts.reject(rollout, wanted.name, why)


def _early(now: datetime) -> float:
    return now.timestamp() + EARLY_SECONDS
