"""What follows a change of restore_policy: the history, the trial, a pause, and the finding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from botocore.exceptions import ClientError

from guard.approved.history import APPLIED, LEFT, RESTORED, ROLLED_BACK, Change, History
from guard.approved.pauses import PAUSED, REACH, Pause, Pauses
from guard.approved.policies import ApprovedPolicy
from guard.aws.errors import code_of, message_of, readable
from guard.findings.finding import Kind
from guard.policy import Difference
from guard.reconcile.measuring import since_event
from guard.reconcile.outbox import Entry, entry_of
from guard.reconcile.request import Request, asking
from guard.reconcile.result import Outcome, Result
from restore_policy import findings as findings_of
from restore_policy import trial_findings
from restore_policy.changes import (
    PAUSE,
    REJECT,
    BeginPause,
    PolicyChange,
    Reject,
    Restore,
    TakeBack,
    action,
)
from restore_policy.fights import Fight, Fights
from restore_policy.findings import About
from restore_policy.trials import Trials


@dataclass(frozen=True, slots=True)
class Completion:
    """Needs dynamodb:GetItem and dynamodb:UpdateItem; methods raise ClientError, StateError."""

    history: History
    pauses: Pauses
    fights: Fights
    trials: Trials

    def of(self, request: Request, change: PolicyChange, outcome: Outcome, now: datetime) -> Result:
        """What follows a change, or AWS's refusal of it."""
        match change:
            case Restore() if outcome.refused:
                return self._refused(change, outcome.refused)
            case Restore():
                return self._restored(request, change, now)
            case TakeBack() if outcome.refused:
                return self._not_taken_back(change, outcome.refused, now)
            case TakeBack():
                return self._taken_back(request, change, now)
            case BeginPause(pause=pause):
                paused = Result(findings=(change.announcement,), metrics={"EnforcementPaused": 1})
                return paused.joined(self.when_over(request, pause, now))
            case _:
                return Result(findings=(change.announcement,))

    def late(self, request: Request, entry: Entry, now: datetime) -> Result:
        """The same for a change of an earlier attempt; nothing for a pause that is over."""
        found = Result(findings=(entry.late(now),))
        if entry.finding.kind is Kind.ENFORCEMENT_PAUSED:
            pause = self.pauses.of(request.key.id, now)
            return found.joined(self.when_over(request, pause, now)) if pause else Result()
        change = Change.of(entry.finding, action(entry.finding.kind))
        if change.before != change.after:  # not a version that AWS refused
            self.history.keep(change, entry.key, now)
        return found

    def left(
        self, about: About, desired: ApprovedPolicy, found: Sequence[Difference], pause: Pause
    ) -> Result:
        """A change that is left alone in a pause: who made it is kept for the end of the pause."""
        drift = findings_of.drift_while_paused(about, desired, found, pause)
        change = replace(Change.of(drift, LEFT), after=desired.text)
        key = f"left#{'#'.join(about.event_ids)}"
        left = Result(
            findings=(drift,),
            then=(lambda: self.history.keep(change, key, about.now)) if change.callers else None,
        )
        return left.joined(self.when_over(about.request, pause, about.now))

    def when_over(self, request: Request, pause: Pause, now: datetime) -> Result:
        """The request for the end of a pause, once, and when that is near enough."""
        if pause.asked or pause.until - now > REACH:
            return Result()
        due = int(pause.until.timestamp())
        return Result(
            requests=(replace(asking(request.key, PAUSED), not_before=due),),
            then=lambda: self.pauses.note_asked(request.key.id, pause),
        )

    def _restored(self, request: Request, change: Restore, now: datetime) -> Result:
        """Keep it, begin the watch of a trial, and pause where restoring has become a fight."""
        about, desired, finding = change.about, change.target.policy, change.announcement
        kept = Change.of(finding, APPLIED if change.is_new else RESTORED)
        number = self.history.keep(kept, entry_of(request, change).key, now)
        trial = self.trials.applied(change.rollout, change.target, number, now)
        metrics = {"PoliciesRestored": 1, **since_event(request, now)}
        # Another guard never tires: to let go of what it opens would only leave that open.
        if change.is_new or change.in_pause or about.neighbour:
            return Result(findings=(finding,), metrics=metrics).joined(trial)
        fight = self.fights.count(request.key.id, now)
        restored = findings_of.restored(about, desired, change.found, fight)
        pauses = self._pausing(change, fight, now)
        return Result(findings=(restored,), metrics=metrics, changes=pauses).joined(trial)

    def _pausing(self, change: Restore, fight: Fight, now: datetime) -> tuple[BeginPause, ...]:
        about = change.about
        pause = self.fights.pause_due(about.attached.endpoint_id, fight, change.text, now)
        if not pause:
            return ()
        finding = findings_of.paused(about, change.target.policy, fight, pause)
        return (BeginPause(kind=PAUSE, announcement=finding, own=True, about=about, pause=pause),)

    def _refused(self, change: Restore, error: ClientError) -> Result:
        """AWS refused the policy for good; a new version is not tried on others then."""
        metrics = {"PoliciesNotRestorable": 1}
        if not (change.target.canary and change.rollout):
            finding = findings_of.refused(change.about, change.found, error)
            return Result(findings=(finding,), metrics=metrics)
        about, desired = change.about, change.target.policy
        why = f"AWS refused it: {code_of(error)}: {readable(message_of(error))}"
        text = about.attached.text
        finding = trial_findings.failed(about, desired, why, undone=False, after=text)
        reject = Reject(
            kind=REJECT,
            announcement=finding,
            own=True,
            about=about,
            rollout=change.rollout,
            desired=desired,
            why=why,
        )
        return Result(metrics=metrics, changes=(reject,))

    def _taken_back(self, request: Request, change: TakeBack, now: datetime) -> Result:
        finding = change.announcement
        if not change.undone:
            kept = Change.of(finding, ROLLED_BACK)
            self.history.keep(kept, entry_of(request, change).key, now)
        self.trials.reject(change.desired, change.why, now)
        return Result(findings=(finding,))

    def _not_taken_back(self, change: TakeBack, error: ClientError, now: datetime) -> Result:
        """AWS refused: the version is tried on no other endpoint, and stays on this one."""
        about, text = change.about, change.about.attached.text
        failed = trial_findings.failed(about, change.desired, change.why, undone=False, after=text)
        self.trials.reject(change.desired, change.why, now)
        return Result(
            findings=(failed, findings_of.refused(about, (), error)),
            metrics={"PoliciesNotRestorable": 1},
        )
