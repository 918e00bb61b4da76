"""Take away what is ours where it is in somebody's way: a tear-down, an endpoint of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from guard import ensure_findings as findings_of
from guard import record as records
from guard.ensure_findings import About
from guard.finding import Finding
from guard.memory import Intent, Memory
from guard.mode import Mode
from guard.neighbours import Removal, all_of_ours, in_the_way, yielding
from guard.removal import Removed, Remover
from guard.vpc import Vpc
from guard.worklist import Work

IN_THE_WAY = "A subnet or the VPC could not be deleted because of what the guard made in it."


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """`look_again` asks for another look at the VPC in a minute."""

    memory: Memory
    remover: Remover
    stack_id: str
    opt_out_tag: str
    look_again: Callable[[Work, About], None]

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
        if not remembered.stood_down and not self._blocks(vpc, work):
            work.tell_late(begun, (), about.now)
            return work.only_tear_down  # something else is in the way: no reason to do anything
        torn = max((_epoch(one.event_time) for one in work.tear_downs), default=0)
        torn = max(torn, remembered.torn_down)
        if torn <= max(remembered.used_at, work.used):
            return False  # somebody has begun to use the VPC since
        removal = all_of_ours(vpc, self.stack_id)
        if mode is Mode.OBSERVE:
            work.findings.append(findings_of.would_remove(about, removal, IN_THE_WAY))
            return True
        first = not remembered.stood_down
        self.memory.note(vpc.id, about.now, torn_down=torn)
        work.removes = True

        def finding(removed: Removed) -> Finding:
            return findings_of.stood_down(about, removal, removed.done, removed.refused)

        refused = self._carry_out(removal, work, about, begun, finding)
        # Of the attempts that follow each other in a tear-down, one waits for all.
        if removal.waits_for and not refused and (first or removal.steps or work.removing):
            self.look_again(work, about)
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
            return findings_of.yielded(about, theirs, removal, removed.refused)

        if not self._carry_out(removal, work, about, begun, finding):
            self.look_again(work, about)
        return True

    def _blocks(self, vpc: Vpc, work: Work) -> bool:
        subnet_ids = {id_ for one in work.tear_downs for id_ in records.subnet_ids(one)}
        whole = any(one.event_name == "DeleteVpc" for one in work.tear_downs)
        return in_the_way(vpc, self.stack_id, subnet_ids, whole_vpc=whole)

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
            self.memory.declare(work.begin(), finding(Removed(earlier + removal.steps)), about.now)
            now_removed = self.remover.apply(removal)
            removed = Removed(earlier + now_removed.done, now_removed.refused)
        if removed.done or removed.refused:
            work.findings.append(finding(removed))
        work.told += [*work.begun, *(one.key for one in begun)]
        return removed.refused


def _epoch(when: datetime) -> int:
    return int(when.timestamp())
