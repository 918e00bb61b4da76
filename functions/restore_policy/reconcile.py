"""Reconcile one endpoint: compare its policy with the one chosen for it, and put that back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from guard.approved import rollout as canary
from guard.approved.choice import ApprovedPolicies
from guard.approved.pauses import Pause, Pauses
from guard.approved.policies import ApprovedPolicy
from guard.approved.refusals import Asks
from guard.approved.rollout import Accept, Phase, RollBack, Rollout
from guard.approved.rollouts import Rollouts
from guard.cloudtrail.tagging import Taggers
from guard.endpoint.observe import Observer
from guard.endpoint.state import managed_by
from guard.findings.finding import Kind
from guard.policy import Difference, Risk, compare, overall_risk
from guard.reconcile.batch import Message
from guard.reconcile.outbox import Entry
from guard.reconcile.request import Key, Request
from guard.reconcile.result import Outcome, Result
from guard.settings import Settings
from guard.table.neighbours import Neighbours
from restore_policy import choice_findings, trial_findings
from restore_policy import findings as findings_of
from restore_policy.act import Actor
from restore_policy.changes import REJECT, RESTORE, ROLL_BACK, PolicyChange, Restore, TakeBack
from restore_policy.complete import Completion
from restore_policy.findings import About
from restore_policy.narrowing import Narrowing
from restore_policy.neighbours import yield_to
from restore_policy.observe import Observed, observe
from restore_policy.trials import Trials
from restore_policy.triggers import FIRST, TAGGED, TRIAL, requests
from restore_policy.vpc_tag_cache import VpcTagCache

logger = Logger(child=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePolicy:
    """The reaction, as the kernel calls it."""

    settings: Settings
    guard_roles: frozenset[str]
    approved: ApprovedPolicies
    observer: Observer
    vpc_tag_cache: VpcTagCache
    taggers: Taggers
    narrowing: Narrowing
    rollouts: Rollouts
    pauses: Pauses
    neighbours: Neighbours
    trials: Trials
    actor: Actor
    completion: Completion

    def triggers(self, message: Message, now: datetime) -> list[Request]:
        """The endpoints that a message of the policy queue is about."""
        found = requests(message, self.settings, self.guard_roles, self._in_vpcs)
        ids = [one.key.id for one in found]
        logger.info("endpoints to reconcile", extra={"message_id": message.id, "endpoint_ids": ids})
        return found

    def _in_vpcs(self, vpc_ids: Collection[str]) -> list[str]:
        found = self.observer.attached_policies().values()
        return [one.endpoint_id for one in found if one.vpc_id in vpc_ids]

    def observe(self, requests: Sequence[Request], now: datetime) -> Mapping[Key, Observed]:
        """Endpoints of the service that are there, but for echoes of the guard's own writes."""
        return observe(requests, now, self.observer, self.vpc_tag_cache)

    def reconcile(
        self, request: Request, state: Observed, entries: Sequence[Entry], now: datetime
    ) -> Result:
        """Bring a trial to its end if it is time, then restore the policy if it differs."""
        attached = state.attached
        chosen = self.approved.choose(attached.tags, state.vpc_tags)
        by = chosen.by if chosen.by_tag else ""
        about = About(self.settings, now, attached, request, chosen_by=by)
        if chosen.policy is None:
            return Result(findings=(choice_findings.no_approved_policy(about, chosen.problem),))
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
        if chosen.ignored:
            found = compare(attached.text, chosen.policy.policy)
            args = (
                about,
                chosen.ignored,
                chosen.policy,
                found,
                self._tagger(about, self.approved.tag),
            )
            trial = trial.joined(Result(findings=(choice_findings.tag_ignored(*args),)))
        opted_out = self.settings.opt_out_tag in {**state.vpc_tags, **attached.tags}
        return trial.joined(self._compared(chosen.policy, about, entries, opted_out=opted_out))

    def _tagger(self, about: About, tag: str) -> str:
        """Who set a tag of the endpoint or its VPC. The event history is minutes late."""
        for one in about.request.triggers:
            if tag in one.facts.get(TAGGED, "").split("\n"):
                return f"{one.who} at {datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M} UTC"
        resources = about.attached.endpoint_id, about.attached.vpc_id
        return self.taggers.who(resources, tag, about.now)

    def _accepted(self, desired: ApprovedPolicy, about: About) -> Result:
        others = self.trials.others(self.observer, self.approved, desired)
        ids = [one.endpoint_id for one in others]
        finding = trial_findings.accepted(about, desired, len(ids))
        return Result(findings=(finding,)).joined(self.trials.accept(ids, desired, about.now))

    def _compared(
        self, desired: ApprovedPolicy, about: About, entries: Sequence[Entry], *, opted_out: bool
    ) -> Result:
        """What follows from how the endpoint differs from what it is to carry.

        That is not always the deployed version: see `canary.desired_policy`.
        """
        attached, now = about.attached, about.now
        found = compare(attached.text, desired.policy)
        of = (
            self.rollouts.of(desired.name, now)
            if found
            else self.rollouts.if_in_progress(desired, now)
        )
        target = canary.desired_policy(of, desired, attached.endpoint_id)
        if target.policy is not desired:
            found = compare(attached.text, target.policy.policy)
        logger.info(
            "policy differs" if found else "policy agrees",
            extra={"endpoint_id": attached.endpoint_id, "differences": [one.text for one in found]},
        )
        if not found:
            return Result(late=tuple(entries), metrics={"PoliciesAgreed": 1})
        if attached.requester_managed:
            left = choice_findings.not_ours_to_change(about, target.policy, found)
            return Result(findings=(left,), late=tuple(entries))
        if opted_out:
            who = self._tagger(about, self.settings.opt_out_tag)
            came = self.narrowing.through(about, target.policy)
            left = findings_of.opted_out(about, target.policy, found, who, came)
            return Result(findings=(left,), late=tuple(entries))
        if of and of.unenforced and not target.canary and not self._is_in_force(about):
            # Its turn comes when the canary has held, which that one's finding says.
            return Result(late=tuple(entries))
        if pause := self.pauses.of(attached.endpoint_id, now):
            return self._in_pause(about, target.policy, found, pause, entries)
        if not about.callers:
            about = replace(about, left=self.completion.history.left(attached.endpoint_id, now))
        principals = [one.principal for one in about.callers]
        about = replace(about, neighbour=self.neighbours.author(principals, now))
        if about.neighbour and overall_risk(found) is not Risk.WIDER:
            change = yield_to(about.neighbour, about, target.policy, found)
            return Result(late=tuple(entries), changes=(change,))
        if about.chosen_by:
            tag = self.approved.tag
            about = replace(
                about, chosen_by=f"{about.chosen_by}, set by {self._tagger(about, tag)}"
            )
        return self._restored(about, target, found, of, entries)

    def _is_in_force(self, about: About) -> bool:
        """Whether the endpoint had its policy from the guard, or somebody changes it just now."""
        ours = managed_by(about.attached.tags, self.settings.stack_id)
        return ours or bool(about.callers) or bool(about.request.noted(FIRST))

    def _in_pause(
        self,
        about: About,
        desired: ApprovedPolicy,
        found: Sequence[Difference],
        pause: Pause,
        entries: Sequence[Entry],
    ) -> Result:
        """Put back at once what lets more pass; leave anything else until the pause is over."""
        kept = pause.put_back(about.attached.text, found)
        if not kept:
            left = self.completion.left(about, desired, found, pause)
            return Result(late=tuple(entries)).joined(left)
        restored = findings_of.restored_in_pause(about, kept, found, pause)
        change = Restore(
            kind=RESTORE,
            announcement=restored,
            drift=(findings_of.open_in_pause(restored, about),),
            writes_endpoint=True,
            supersedes=tuple(entries),
            about=about,
            text=kept.text,
            attempts=about.request.receives,
            target=canary.DesiredPolicy(kept),
            found=found,
            rollout=None,
            in_pause=True,
        )
        then = self.completion.when_over(about.request, pause, about.now)
        return Result(changes=(change,)).joined(then)

    def _restored(
        self,
        about: About,
        target: canary.DesiredPolicy,
        found: Sequence[Difference],
        rollout: Rollout | None,
        entries: Sequence[Entry],
    ) -> Result:
        """Write the policy that the endpoint is to carry."""
        desired = target.policy
        first = bool(rollout and rollout.unenforced) or bool(about.request.noted(FIRST))
        is_new = canary.is_new_version(rollout, about.attached.text, target) or (
            bool(about.request.noted(FIRST)) and not about.callers
        )
        refuses = self.narrowing.of(about, desired, canary=is_new and target.canary)
        about = replace(about, refuses=refuses)
        finding = (
            trial_findings.applied(
                about,
                desired,
                found,
                canary=target.canary,
                watch_seconds=self.trials.watch,
                first=first,
            )
            if is_new
            else findings_of.restored(about, desired, found)
        )
        change = Restore(
            kind=RESTORE,
            announcement=finding,
            drift=(findings_of.drift(about, desired, found),),
            writes_endpoint=True,
            limit=Asks(trial_findings.asks(about, desired, found)) if refuses.who else None,
            supersedes=tuple(entries),
            about=about,
            text=desired.text,
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
        self, desired: ApprovedPolicy, why: str, about: About, entries: Sequence[Entry]
    ) -> Result:
        """Give the endpoint the policy back that it had before it tried the new version.

        Done twice, it writes nothing the second time; an attempt that was cut short after the write
        is published late.
        """
        attached, now = about.attached, about.now
        before = self.trials.before(attached.endpoint_id, desired, now)
        undone = canary.same_meaning(attached.text, before)
        failed = [one for one in entries if one.finding.kind is Kind.POLICY_ROLLOUT_FAILED]
        if undone and failed:
            reject = self.trials.reject
            return Result(late=tuple(entries), then=lambda: reject(desired, why, now))
        change = TakeBack(
            kind=ROLL_BACK,
            announcement=trial_findings.failed(about, desired, why, undone=True, after=before),
            drift=(trial_findings.would_roll_back(about, desired, why),),
            writes_endpoint=not undone,
            supersedes=tuple(failed),
            about=about,
            text=before,
            attempts=about.request.receives,
            desired=desired,
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
