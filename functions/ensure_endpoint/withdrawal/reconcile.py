"""Remove what the guard created where it blocks others: a tear-down, an endpoint of their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from aws_lambda_powertools import Logger

from ensure_endpoint.case import Case, steps_of
from ensure_endpoint.memory import VpcMemory, VpcRecord
from ensure_endpoint.triggers import LEAVING, leaving_notes, tear_down
from ensure_endpoint.verdict import FOLLOW_UP, YIELDED
from ensure_endpoint.withdrawal import findings
from ensure_endpoint.withdrawal.act import Remover
from ensure_endpoint.withdrawal.decide import (
    TEAR_DOWN_SECONDS,
    Interfaces,
    LeaveAlone,
    Proceed,
    Removal,
    TearDown,
    Withdraw,
    decide,
    stands_down,
    yielding,
)
from guard.findings.finding import Finding
from guard.reconcile.attempt import MOST_ATTEMPTS
from guard.reconcile.request import Request
from guard.reconcile.result import Change, Outcome, Result
from guard.settings import Settings
from guard.table.absences import KEPT, Absences

IN_THE_WAY = "A subnet or the VPC could not be deleted because of what the guard made in it."
YIELDS = timedelta(hours=1)  # by then theirs has private DNS, or a finding says why not
WITHDRAWING = {"withdrawing": ("true",)}
NOTES = (*WITHDRAWING, LEAVING)

type Announce = Callable[[Sequence[str], str], Finding]

logger = Logger(child=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawing(Change):
    """What of ours to delete. `announce` makes the finding of what was done, and AWS's refusal.

    `leaving` are subnets that somebody is deleting, with when that was tried.
    """

    case: Case
    removal: Removal
    announce: Announce
    torn_down: int = 0
    leaving: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """`interfaces` asks AWS for the network interfaces of a VPC."""

    settings: Settings
    memory: VpcMemory
    remover: Remover
    interfaces: Callable[[str], Interfaces]
    maximum_zones: int
    absences: Absences

    def withdraw(self, case: Case) -> Result | None:
        """Withdraw from a VPC that somebody tears down; None to proceed. Raises boto3's errors."""
        asked = tear_down(case.request, case.epoch)
        decision = decide(
            case.vpc,
            asked,
            lambda: self.memory.recall(case.key, case.now),
            self.settings.stack_id,
            lambda: self.interfaces(case.vpc.id),
            self.maximum_zones,
        )
        match decision:
            case Proceed(torn_down=torn):
                self._remember(case, torn)
                return None
            case LeaveAlone(torn_down=torn):
                logger.info(
                    "the deletion does not fail for our endpoint", extra={"vpc_id": case.vpc.id}
                )
                self._remember(case, torn)
                return Result(late=case.carried_out(()))
            case Withdraw():
                return self._withdraw(case, decision, asked)

    def _withdraw(self, case: Case, decision: Withdraw, asked: TearDown) -> Result:
        """Endpoints first; a group when nothing holds it any more, which a later pass sees."""
        removal, checks = decision.removal, _check_later(case, decision.check_at)
        leaving = dict.fromkeys(removal.left_subnets or asked.subnet_ids, asked.at)
        # A requeued request keeps what is noted, and not its triggers.
        notes = WITHDRAWING if decision.torn_down else {LEAVING: leaving_notes(leaving)}
        if removal.steps:
            would = findings.would_remove(case.subject, removal, IN_THE_WAY)
            words = findings.left if removal.leaves else findings.stood_down
            change = replace(
                _change(case, removal, partial(words, case.subject, removal), (would,)),
                torn_down=decision.torn_down,
                leaving=leaving,
                requests=checks,
            )
            return Result(changes=(change,), notes=notes)
        return Result(
            findings=_unfinished(case, removal.waits_for),
            late=case.carried_out(()),
            requests=checks,
            then=lambda: self._remember(case, decision.torn_down),
            requeue_after=FOLLOW_UP if removal.waits_for else None,
            notes=notes,
        )

    def stands_down(self, case: Case, known: VpcRecord) -> Result | None:
        """Whether the guard still leaves the VPC to whoever tears it down; None to proceed.

        Raises boto3's errors.
        """
        id_ = case.vpc.id
        match stands_down(case.vpc, known, case.epoch, lambda: self.interfaces(id_)):
            case Proceed(used_at=used_at):
                if used_at:
                    logger.info("used again", extra={"vpc_id": id_})
                    self.memory.note_use(case.key, used_at, case.now)
                return None
            case LeaveAlone(torn_down=torn):
                logger.info("stood down", extra={"vpc_id": id_})
                return Result(then=partial(self._remember, case, torn))

    def yield_to_theirs(self, case: Case, drift: tuple[Finding, ...]) -> Result | None:
        """Delete our endpoint where somebody else has brought theirs; None to proceed.

        Theirs is repaired when ours is gone, by the same rules as any: `drift` is what observe
        mode reports of that.
        """
        opt_out = self.settings.opt_out_tag
        found = yielding(case.vpc, self.settings.stack_id, opt_out)
        if not found or not found[1].endpoint_ids or opt_out in case.vpc.tags:
            return None
        theirs, removal = found
        why = f"{theirs.id}, made by somebody else, is an endpoint for the same service."
        would = findings.would_remove(case.subject, removal, why)
        announce = partial(findings.yielded, case.subject, theirs)
        change = _change(case, removal, announce, (would, *drift))
        return Result(changes=(change,), notes={YIELDED: (theirs.id,)})

    def act(self, change: Withdrawing) -> Outcome:
        """Delete what the change names, up to the first thing that AWS refuses."""
        self._remember(change.case, change.torn_down)
        ends = {id_: at + TEAR_DOWN_SECONDS for id_, at in change.leaving.items()}
        self.memory.note_leaving(change.case.key, ends)
        if change.removal.endpoint_ids:
            longest = KEPT if change.torn_down else YIELDS
            self.absences.begin(change.case.vpc.id, change.case.now, longest)
        removed = self.remover.apply(change.removal)
        finding = change.announce((*steps_of(change.earlier), *removed.done), removed.refused)
        return Outcome(
            done=removed.done,
            refused=removed.refused,
            failed=removed.failed,
            partial=finding,
            evidence=finding,
        )

    def complete(self, change: Withdrawing, outcome: Outcome) -> Result:
        """The finding, and another attempt while something of ours is left."""
        finding: Finding = outcome.evidence
        kept = [step for step in change.removal.steps if step not in outcome.done]
        goes_on = change.removal.goes_on or kept
        if outcome.refused:
            return Result(findings=(finding,))
        left = (*change.removal.waits_for, *kept)
        return Result(
            findings=(*[finding][: bool(finding.done)], *_unfinished(change.case, left)),
            requeue_after=FOLLOW_UP if goes_on else None,
        )

    def _remember(self, case: Case, torn_down: int) -> None:
        """The VPC is torn down: whoever builds in it again has a grace of its own."""
        if torn_down:
            fresh = {"grace_until": 0, "grace_began": 0, "endpoint_id": ""}
            self.memory.note(case.key, case.now, torn_down=torn_down, **fresh)


def _unfinished(case: Case, left: Sequence[str]) -> tuple[Finding, ...]:
    """What to publish where the last attempt has not taken everything away."""
    last = case.request.attempt >= MOST_ATTEMPTS
    return (findings.unfinished(case.subject, left),) if left and last else ()


def _change(
    case: Case, removal: Removal, announce: Announce, drift: tuple[Finding, ...]
) -> Withdrawing:
    earlier = case.carried_out(removal.steps)
    return Withdrawing(
        kind="withdraw",
        announcement=announce((*steps_of(earlier), *removal.steps), ""),
        drift=drift,
        earlier=earlier,
        case=case,
        removal=removal,
        announce=announce,
    )


def _check_later(case: Case, when: int) -> tuple[Request, ...]:
    """What still runs in a VPC after its tear-down must not have to wait for an event."""
    if not when:
        return ()
    request = case.request
    notes = {name: some for name, some in request.notes.items() if name not in NOTES}
    over = "the tear-down is over"
    return (replace(request, reason=over, not_before=when, attempt=0, entries=(), notes=notes),)
