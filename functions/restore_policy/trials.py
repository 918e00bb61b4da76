"""An endpoint tries a new version of an approved policy: what is asked, noted and decided then.

Five times during the watch the endpoint is reconciled, and at once when it denied a request:
detect_bypass notes that in the table, and sends a request for it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from guard.approved import rollout as canary
from guard.approved.choice import ApprovedPolicies
from guard.approved.endpoints import choose_all
from guard.approved.history import History
from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import DesiredPolicy, Rollout, Step, Wait
from guard.approved.rollouts import TRYING, Rollouts
from guard.endpoint.observe import Observer
from guard.endpoint.state import AttachedPolicy
from guard.policy import means
from guard.reconcile.request import Key, Request, asking
from guard.reconcile.requeue import EARLY_SECONDS
from guard.reconcile.result import Result
from guard.settings import Settings
from restore_policy.triggers import FIRST, TRIAL

CHECKS = 5  # during a watch
LEAST = timedelta(minutes=1)  # between two of them
SPREAD_DELAY = timedelta(seconds=10)  # the others are reconciled once the version is accepted


@dataclass(frozen=True, slots=True)
class Trials:
    """`watch` is for how many seconds the canary's denials count; methods raise ClientError."""

    rollouts: Rollouts
    history: History
    settings: Settings
    watch: int

    @property
    def every(self) -> timedelta:
        """The time between two checks, in whole seconds and rounded up: there is none too many."""
        return max(LEAST, timedelta(seconds=-(-self.watch // CHECKS)))

    def applied(
        self, rollout: Rollout | None, target: DesiredPolicy, change: int, now: datetime
    ) -> Result:
        """A policy was written: if that was the canary's first, the watch begins."""
        if not rollout or not target.canary or rollout.applied_at:
            return Result()
        before = self._before(rollout, change, now)
        self.rollouts.applied(rollout, target.policy.name, change, before, now, self.watch)
        return self._check_again(rollout.endpoint_id, now + timedelta(seconds=self.watch), now)

    def next(
        self, attached: AttachedPolicy, desired: ApprovedPolicy, now: datetime
    ) -> tuple[Step, Result]:
        """What is to be done about the version now, and the request for the next check."""
        rollout = self.rollouts.of(desired.name, now)
        if not rollout or not rollout.is_trying(desired, attached.endpoint_id):
            return Wait(), Result()
        if not rollout.applied_at and means(attached.text, desired.policy):
            # Written by an attempt that was cut short, or by hand.
            return Wait(), self.applied(rollout, DesiredPolicy(desired, canary=True), 0, now)
        watched = self.rollouts.watch(attached.endpoint_id, now)
        found = canary.step(
            rollout,
            desired,
            endpoint_ids=(attached.endpoint_id,),
            now=int(now.timestamp()),
            watch_seconds=self.watch,
            denied=watched.denied,
        )
        # A sweep's request, or one that came back, does not begin a second row of checks.
        due = watched.next_check <= now.timestamp() + EARLY_SECONDS
        if isinstance(found, Wait) and found.until and due:
            ends = datetime.fromtimestamp(found.until, UTC)
            return found, self._check_again(attached.endpoint_id, ends, now)
        return found, Result()

    def _check_again(self, endpoint_id: str, ends: datetime, now: datetime) -> Result:
        when = min(ends, now + self.every)
        again = self._asking(endpoint_id, TRYING, when, **{TRIAL: ("true",)})
        return Result(requests=(again,), then=lambda: self.rollouts.note_check(endpoint_id, when))

    def _asking(
        self, endpoint_id: str, reason: str, when: datetime, **notes: tuple[str, ...]
    ) -> Request:
        key = Key(self.settings.account_id, self.settings.region, "endpoint", endpoint_id)
        return replace(asking(key, reason, **notes), not_before=int(when.timestamp()))

    def accept(self, others: list[str], desired: ApprovedPolicy, now: datetime) -> Result:
        """Requests for the others, and the version is accepted once they are sent: a process that
        dies in between does both again. At the end of a chain the next sweep asks for them.
        """
        reason = f"a new version of {desired.name} was accepted"
        rollout, when = self.rollouts.of(desired.name, now), now + SPREAD_DELAY
        notes = {FIRST: ("true",)} if rollout and rollout.unenforced else {}
        return Result(
            requests=tuple(self._asking(id_, reason, when, **notes) for id_ in others),
            then=lambda: self._accepted(desired, now),
        )

    def _accepted(self, desired: ApprovedPolicy, now: datetime) -> None:
        rollout = self.rollouts.of(desired.name, now)
        if rollout:
            self.rollouts.accept(rollout, desired)

    def others(
        self, observer: Observer, approved: ApprovedPolicies, desired: ApprovedPolicy
    ) -> list[AttachedPolicy]:
        """The endpoints that are to carry the version and do not yet."""
        chosen = choose_all(
            observer.attached_policies().values(),
            observer.vpc_tags(),
            approved,
            self.settings.opt_out_tag,
        )
        texts = {one.attached.text for one in chosen}
        agreeing = {text for text in texts if means(text, desired.policy)}
        return [
            one.attached
            for one in chosen
            if one.policy == desired and not one.left_alone and one.attached.text not in agreeing
        ]

    def before(self, endpoint_id: str, desired: ApprovedPolicy, now: datetime) -> str:
        """The policy that the endpoint had before the version, by the history."""
        rollout = self.rollouts.of(desired.name, now)
        if rollout is None:
            return desired.text
        return self._before(replace(rollout, endpoint_id=endpoint_id), rollout.change, now)

    def _before(self, rollout: Rollout, number: int, now: datetime) -> str:
        """What the canary had before that change, else what is enforced elsewhere."""
        change = self.history.change(rollout.endpoint_id, number, now) if number else None
        return (change.before if change else "") or rollout.stable

    def reject(self, desired: ApprovedPolicy, why: str, now: datetime) -> None:
        """The version is not to be tried again before the next deployment."""
        rollout = self.rollouts.of(desired.name, now)
        if rollout:
            self.rollouts.reject(rollout, desired.name, why)
