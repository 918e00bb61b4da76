"""Reconcile one endpoint: compare its policy with the one chosen for it, and put that back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger

from guard.approved import rollout as canary
from guard.approved.choice import ApprovedPolicies
from guard.approved.pauses import Pauses
from guard.approved.policies import ApprovedPolicy
from guard.approved.rollout import Accept, Phase, RollBack, Rollout
from guard.approved.rollouts import Rollouts
from guard.endpoint.observe import Observer
from guard.findings.finding import Kind
from guard.policy import Difference, compare
from guard.reconcile.batch import Message
from guard.reconcile.outbox import Entry
from guard.reconcile.request import Key, Request
from guard.reconcile.result import Outcome, Result
from guard.settings import Settings
from restore_policy import findings as findings_of
from restore_policy import trial_findings
from restore_policy.act import Actor
from restore_policy.changes import REJECT, RESTORE, ROLL_BACK, PolicyChange, Restore, TakeBack
from restore_policy.complete import Completion
from restore_policy.findings import About
from restore_policy.observe import Observed, observe
from restore_policy.tagged_vpcs import TaggedVpcs
from restore_policy.trials import Trials
from restore_policy.triggers import TRIAL, requests

logger = Logger(child=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePolicy:
    """The reaction, as the kernel calls it."""

    settings: Settings
    guard_roles: frozenset[str]
    approved: ApprovedPolicies
    observer: Observer
    tagged_vpcs: TaggedVpcs
    rollouts: Rollouts
    pauses: Pauses
    trials: Trials
    actor: Actor
    completion: Completion

    def triggers(self, message: Message, now: datetime) -> list[Request]:
        """The endpoints that a message of the policy queue is about."""
        found = requests(message, self.settings, self.guard_roles)
        ids = [one.key.id for one in found]
        logger.info("endpoints to reconcile", extra={"message_id": message.id, "endpoint_ids": ids})
        return found

    def observe(self, requests: Sequence[Request], now: datetime) -> Mapping[Key, Observed]:
        """Endpoints of the service that are there, but for echoes of the guard's own writes."""
        return observe(requests, now, self.observer, self.tagged_vpcs)

    def reconcile(
        self, request: Request, state: Observed, entries: Sequence[Entry], now: datetime
    ) -> Result:
        """Bring a trial to its end if it is time, then restore the policy if it differs."""
        attached = state.attached
        about = About(self.settings, now, attached, request)
        chosen = self.approved.choose(attached.tags, state.vpc_tags)
        if chosen.policy is None:
            return Result(findings=(findings_of.no_approved_policy(about, chosen.problem),))
        trial = Result()
        if request.noted(TRIAL):
            step, trial = self.trials.next(attached, chosen.policy, now)
            match step:
                case RollBack(why=why):
                    return trial.joined(self._taken_back(chosen.policy, why, about, entries))
                case Accept():
                    trial = trial.joined(self._accepted(chosen.policy, about))
                case _:
                    pass
        opted_out = self.settings.opt_out_tag in {**state.vpc_tags, **attached.tags}
        return trial.joined(self._compared(chosen.policy, about, entries, opted_out=opted_out))

    def _accepted(self, wanted: ApprovedPolicy, about: About) -> Result:
        others = self.trials.others(self.observer, self.approved, wanted)
        finding = trial_findings.accepted(about, wanted, len(others))
        return Result(findings=(finding,)).joined(self.trials.accept(others, wanted, about.now))

    def _compared(
        self, wanted: ApprovedPolicy, about: About, entries: Sequence[Entry], *, opted_out: bool
    ) -> Result:
        """What follows from how the endpoint differs from what it is to carry.

        That is not always the deployed version: see `canary.aim`.
        """
        attached, now = about.attached, about.now
        found = compare(attached.text, wanted.policy)
        of = self.rollouts.of(wanted.name, now) if found else self.rollouts.unsettled(wanted, now)
        target = canary.aim(of, wanted, attached.endpoint_id)
        if target.policy is not wanted:
            found = compare(attached.text, target.policy.policy)
        logger.info(
            "policy differs" if found else "policy agrees",
            extra={"endpoint_id": attached.endpoint_id, "differences": [one.text for one in found]},
        )
        if not found:
            return Result(late=tuple(entries), metrics={"PoliciesAgreed": 1})
        if opted_out:
            return Result()
        if pause := self.pauses.of(attached.endpoint_id, now):
            drift = findings_of.drift_while_paused(about, target.policy, found, pause)
            then = self.completion.when_over(about.request, pause, now)
            return Result(findings=(drift,), late=tuple(entries)).joined(then)
        return self._restored(about, target, found, of, entries)

    def _restored(
        self,
        about: About,
        target: canary.Aim,
        found: Sequence[Difference],
        rollout: Rollout | None,
        entries: Sequence[Entry],
    ) -> Result:
        """Write the policy that the endpoint is to carry."""
        wanted = target.policy
        is_new = canary.is_new_version(rollout, about.attached.text, target)
        finding = (
            trial_findings.applied(
                about, wanted, found, canary=target.canary, watch_seconds=self.trials.watch
            )
            if is_new
            else findings_of.restored(about, wanted, found)
        )
        change = Restore(
            kind=RESTORE,
            announcement=finding,
            drift=(findings_of.drift(about, wanted, found),),
            writes_endpoint=True,
            supersedes=tuple(entries),
            about=about,
            text=wanted.text,
            attempts=about.request.receives,
            target=target,
            found=found,
            rollout=rollout,
            is_new=is_new,
        )
        rejected = rollout and rollout.phase is Phase.REJECTED
        late = [one for one in entries if rejected and one.kind in (REJECT, "refused")]
        return Result(late=tuple(late), changes=(change,))

    def _taken_back(
        self, wanted: ApprovedPolicy, why: str, about: About, entries: Sequence[Entry]
    ) -> Result:
        """Give the endpoint the policy back that it had before it tried the new version.

        Done twice, it writes nothing the second time; an attempt that was cut short after the write
        is published late.
        """
        attached, now = about.attached, about.now
        before = self.trials.before(attached.endpoint_id, wanted, now)
        undone = canary.same(attached.text, before)
        failed = [one for one in entries if one.finding.kind is Kind.POLICY_ROLLOUT_FAILED]
        if undone and failed:
            reject = self.trials.reject
            return Result(late=tuple(entries), then=lambda: reject(wanted, why, now))
        change = TakeBack(
            kind=ROLL_BACK,
            announcement=trial_findings.failed(about, wanted, why, undone=True, after=before),
            drift=(trial_findings.would_roll_back(about, wanted, why),),
            writes_endpoint=not undone,
            supersedes=tuple(failed),
            about=about,
            text=before,
            attempts=about.request.receives,
            wanted=wanted,
            why=why,
            undone=undone,
        )
        return Result(late=tuple(one for one in entries if one not in failed), changes=(change,))

    def act(self, change: PolicyChange, now: datetime) -> Outcome:
        """See `Actor.carry_out`."""
        return self.actor.carry_out(change)

    def complete(self, request: Request, change: Any, outcome: Outcome, now: datetime) -> Result:
        """See `Completion.of`."""
        return self.completion.of(request, change, outcome, now)

    def complete_late(self, request: Request, entry: Entry, now: datetime) -> Result:
        """See `Completion.late`."""
        return self.completion.late(request, entry, now)
