"""Take away what is ours where it is in somebody's way: a tear-down, an endpoint of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aws_lambda_powertools import Logger

from ensure_endpoint import findings as findings_of
from ensure_endpoint.findings import About
from ensure_endpoint.in_force import proven
from ensure_endpoint.looks import Looks
from ensure_endpoint.requests import Work
from ensure_endpoint.withdrawal.act import Removed, Remover
from ensure_endpoint.withdrawal.decide import (
    Interfaces,
    Removal,
    all_of_ours,
    in_the_way,
    lived_in,
    yielding,
)
from guard.aws.errors import throttled
from guard.cloudtrail import record as records
from guard.endpoint.state import Vpc
from guard.findings.finding import Finding
from guard.reconcile.mode import Mode
from guard.table.memory import Intent, Memory, Remembered

IN_THE_WAY = "A subnet or the VPC could not be deleted because of what the guard made in it."
TEAR_DOWN_SECONDS = 1_200  # so long Terraform goes on trying to delete a subnet

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """`interfaces` asks AWS for the network interfaces of a VPC."""

    memory: Memory
    remover: Remover
    stack_id: str
    opt_out_tag: str
    looks: Looks
    interfaces: Callable[[str], Interfaces]

    def stand_down(
        self, vpc: Vpc, work: Work, about: About, mode: Mode, begun: Sequence[Intent]
    ) -> bool:
        """Withdraw from a VPC that somebody tears down; true if nothing else is to be done in it.

        Endpoints first; a group when nothing holds it any more, which the next look sees. Raises
        boto3's errors.
        """
        if not work.tear_downs and not work.removing:
            return False
        remembered = self.memory.recall(vpc.id)
        torn = self._torn_down(vpc, work, about.now)
        if not torn and not remembered.stood_down:
            logger.info("not ours, or not ours alone, is in the way", extra={"vpc_id": vpc.id})
            work.tell_late(begun, (), about.now)
            return work.only_tear_down
        torn = max(torn, remembered.torn_down)
        if torn <= remembered.used_at:
            return False  # somebody has begun to use the VPC since
        removal = all_of_ours(vpc, self.stack_id)
        if mode is Mode.OBSERVE:
            work.findings.append(findings_of.would_remove(about, removal, IN_THE_WAY))
            return True
        first = not remembered.stood_down
        if first:
            self._look_when_over(work, about, torn)
        self.memory.note(vpc.id, about.now, torn_down=torn)
        work.removes = True

        def finding(removed: Removed) -> Finding:
            return findings_of.stood_down(about, removal, removed.done, removed.refused)

        refused = self._carry_out(removal, work, about, begun, finding)
        # Of the attempts that follow each other in a tear-down, one waits for all.
        goes_on = first or bool(removal.steps) or work.removing
        if removal.waits_for and not refused and goes_on:
            self.looks.again(work, about)
        return goes_on or work.only_tear_down

    def carried_out(self, vpc: Vpc, begun: Sequence[Intent]) -> list[Intent]:
        """The changes, without what the VPC does not show: it was intended, and not done."""
        left = all_of_ours(vpc, self.stack_id).steps
        shown = [
            replace(one, finding=proven(one.finding, one.steps, vpc, self.stack_id))
            for one in begun
        ]
        return [replace(one, finding=replace(one.finding, done=one.done(left))) for one in shown]

    def note_use(self, work: Work, now: datetime) -> None:
        """Remember that the batch shows the VPC in use; an older tear-down may yet be told.

        No later than now, as for a tear-down. Raises boto3's errors.
        """
        if work.used:
            self.memory.note_use(work.vpc_id, min(work.used, _epoch(now)), now)

    def lasts(self, vpc: Vpc, remembered: Remembered, work: Work, about: About) -> bool:
        """Whether the guard still leaves the VPC to whoever tears it down. Raises boto3's errors.

        Once the tear-down is over, it is used again where AWS shows that something is left in it.
        """
        if not remembered.stood_down:
            return False
        now, torn = _epoch(about.now), remembered.torn_down
        lives = bool(lived_in(vpc, self.interfaces(vpc.id)))
        if lives and now >= torn + TEAR_DOWN_SECONDS:
            logger.info("used again", extra={"vpc_id": vpc.id})
            self.memory.note_use(vpc.id, now, about.now)
            return False
        logger.info("stood down", extra={"vpc_id": vpc.id, "lives": lives})
        if lives:
            self._look_when_over(work, about, torn)
        self.memory.note(vpc.id, about.now, torn_down=torn)
        return True

    def make_way(
        self, vpc: Vpc, work: Work, about: About, mode: Mode, begun: Sequence[Intent]
    ) -> bool:
        """Delete our endpoint where somebody else has brought theirs; true if that was done now.

        Theirs is repaired when ours is gone, by the same rules as any. Raises boto3's errors.
        """
        found = yielding(vpc, self.stack_id, self.opt_out_tag)
        if not found or not found[1].endpoint_ids or self.opt_out_tag in vpc.tags:
            return False
        theirs, removal = found
        if mode is Mode.OBSERVE:
            why = f"{theirs.id}, made by somebody else, is an endpoint for the same service."
            work.findings.append(findings_of.would_remove(about, removal, why))
            return False

        def finding(removed: Removed) -> Finding:
            return findings_of.yielded(about, theirs, removed.done, removed.refused)

        if not self._carry_out(removal, work, about, begun, finding):
            self.looks.again(work, about)
        return True

    def _torn_down(self, vpc: Vpc, work: Work, now: datetime) -> int:
        """When somebody last tried to delete what ours alone keeps; epoch seconds or 0.

        No later than now, whatever the event says: a tear-down that has yet to come never ends.
        """
        blocked = in_the_way(
            vpc,
            self.stack_id,
            {id_ for one in work.tear_downs for id_ in records.subnet_ids(one)},
            whole_vpc=any(one.event_name == "DeleteVpc" for one in work.tear_downs),
            interfaces=lambda: self.interfaces(vpc.id),
        )
        if not blocked:
            return 0
        return min(max(_epoch(one.event_time) for one in work.tear_downs), _epoch(now))

    def _look_when_over(self, work: Work, about: About, torn: int) -> None:
        """A VPC in which something still runs then must not have to wait for an event."""
        later = work.later(
            "the tear-down is over",
            about,
            not_before=torn + TEAR_DOWN_SECONDS,
            attempt=0,
            removing=False,
        )
        self.looks.ask(later, work, about.now)

    def _carry_out(
        self,
        removal: Removal,
        work: Work,
        about: About,
        begun: Sequence[Intent],
        finding: Callable[[Removed], Finding],
    ) -> str:
        """Declare, delete, and tell. Returns AWS's words if it refused."""
        earlier = tuple(step for one in begun for step in one.done(removal.steps))
        if not removal.steps and not earlier:
            return ""
        removed = Removed(earlier)
        if removal.steps:
            key = work.begin()
            self.memory.declare(key, finding(Removed(earlier + removal.steps)), about.now)
            now_removed = self.remover.apply(removal)
            removed = Removed(earlier + now_removed.done, now_removed.refused)
            if now_removed.failed:
                if throttled(now_removed.failed):
                    # Not done, and somebody else may delete the rest before the next try.
                    self.memory.correct(key, finding(removed), about.now)
                raise now_removed.failed
        if removed.done or removed.refused:
            work.findings.append(finding(removed))
        work.told += [*work.begun, *(one.key for one in begun)]
        return removed.refused


def _epoch(when: datetime) -> int:
    return int(when.timestamp())
