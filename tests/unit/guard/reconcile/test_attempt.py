"""What a reaction may ask the kernel for, beyond one plain change: limits, retries, chains."""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from guard.reconcile.batch import HOPS
from guard.reconcile.mode import Mode
from guard.reconcile.request import asking
from guard.reconcile.result import Change, Outcome, Result
from tests.unit.guard.reconcile.toy import GOOD, Fault, Toy, World, event, finding, key

pytestmark = pytest.mark.usefixtures("namespace")

MINUTE = timedelta(minutes=1)
HOWS = ("throttled", "failed", "lost", "killed before", "killed after")


def played(reaction: type[Toy], *, faults: tuple[Fault, ...] = (), **world: Any) -> World:
    made = World({"vpc-1": "bad"}, faults=faults, reaction=reaction, **world)
    made.arrive(event("vpc-1"))
    made.settle()
    return made


def titles(world: World) -> list[str]:
    return [one.title for one in world.published]


# --- limits ---------------------------------------------------------------------------------------


@dataclass
class Purse:
    """A limit of so many changes."""

    left: int
    given_back: list[Outcome] = field(default_factory=list)

    def refuse(self, now):
        if not self.left:
            return finding("vpc-1", "limit reached")
        self.left -= 1
        return None

    def give_back(self, outcome, now):
        self.given_back.append(outcome)
        if not outcome.done:
            self.left += 1


def limited(purse: Purse) -> type[Toy]:
    class Limited(Toy):
        def reconcile(self, *asked: Any) -> Result:
            result = super().reconcile(*asked)
            changes = tuple(replace(one, limit=purse) for one in result.changes)
            return replace(result, changes=changes)

    return Limited


def test_what_is_beyond_a_limit_is_reported_and_not_done():
    world = played(limited(Purse(0)))
    assert (titles(world), world.changed) == (["limit reached"], [])
    assert "UpdateItem" not in world.calls


def test_a_change_uses_its_limit_once():
    purse = Purse(3)
    world = played(limited(purse))
    assert (world.changed, purse.left) == (["vpc-1"], 2)


@pytest.mark.parametrize("how", ["throttled", "refused", "failed"])
@pytest.mark.parametrize("call", ["UpdateItem", "Modify"])
def test_what_was_not_done_uses_no_limit(call, how):
    purse = Purse(3)
    plain = played(limited(Purse(3)))
    world = played(limited(purse), faults=(Fault(plain.calls.index(call), how),))
    assert purse.left == 3 - len(world.changed)


# --- AWS refuses for now --------------------------------------------------------------------------


class Halfway(Toy):
    """At first AWS does one step of two, and refuses the other for now."""

    def act(self, change, now):
        if len(self.world.changed) == 0:
            self.world.call("Modify", lambda: self.world.changed.append("one step"))
            part = finding(change.id, "repaired", done=("one step",))
            return Outcome(
                done=("one step",), partial=part, retry_after=MINUTE, notes={"left": ("b",)}
            )
        return super().act(change, now)


def test_what_aws_refuses_for_now_is_another_attempt_that_knows_what_was_done():
    world = World({"vpc-1": "bad"}, reaction=Halfway)
    world.arrive(event("vpc-1"))
    world.deliver(world.queue[:])
    (again,) = world.queue
    detail = again["body"]["detail"]
    assert (detail["attempt"], detail["notes"]) == (1, {"left": ["b"]})
    (item,) = detail["entries"]
    assert json.loads(world.items[item]["kind_repair"])["finding"]["done"] == ["one step"]
    world.settle()
    assert world.changed == ["one step", "vpc-1"]
    assert titles(world) == ["repaired"]
    assert not any(world.items[item].values())


def test_what_was_done_in_part_is_published_late_if_nobody_has_to_do_the_rest():
    world = World({"vpc-1": "bad"}, reaction=Halfway)
    world.arrive(event("vpc-1"))
    world.deliver(world.queue[:])
    world.resources["vpc-1"] = GOOD
    world.settle()
    assert [(one.title, one.done) for one in world.published] == [
        ("repaired (reported late)", ["one step"])
    ]


# --- a change that follows another ----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Note(Change):
    id: str


class Rejecting(Toy):
    """AWS refuses each change, and that is noted so that it is not asked for again."""

    def reconcile(self, request, state, entries, now):
        if "rejected" in self.world.resources:
            return Result(late=tuple(one for one in entries if one.kind == "reject"))
        return super().reconcile(request, state, entries, now)

    def act(self, change, now):
        if isinstance(change, Note):
            self.world.call("Reject", lambda: self.world.resources.update(rejected="yes"))
            return Outcome(done=change.announcement.done)
        return Outcome(refused=self.world.call("Modify", lambda: "no"))

    def complete(self, request, change, outcome, now):
        if isinstance(change, Note):
            return Result(findings=(change.announcement,))
        rejected = finding(change.id, "rejected", done=("left it",))
        note = Note(kind="reject", announcement=rejected, own=True, id=change.id)
        return Result(changes=(note,))


REJECTED = played(Rejecting)


def test_a_change_of_the_guards_own_follows_in_the_place_of_the_refused_one():
    assert titles(REJECTED) == ["rejected"]
    assert REJECTED.calls == [
        *("Describe", "UpdateItem", "Modify", "UpdateItem", "Reject", "Publish", "UpdateItem")
    ]
    (item,) = REJECTED.items.values()
    assert item == {"kind_repair": "", "kind_reject": ""}


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("number", range(len(REJECTED.calls)))
def test_a_process_that_dies_between_the_two_publishes_neither_wrongly(number, how):
    world = played(Rejecting, faults=(Fault(number, how),))
    assert {one.removesuffix(" (reported late)") for one in titles(world)} == {"rejected"}
    assert world.dead == []


# --- what else a result may ask for ---------------------------------------------------------------


class Two(Toy):
    def reconcile(self, request, state, entries, now):
        (change,) = super().reconcile(request, state, entries, now).changes
        other = replace(change, drift=(finding("vpc-1", "and this, too"),))
        return Result(changes=(change, other))


def test_in_observe_mode_each_change_is_reported_and_else_the_first_is_made():
    world = played(Two, mode=Mode.OBSERVE)
    assert titles(world) == ["would be repaired", "and this, too"]
    world = World({"vpc-1": "bad"}, reaction=Two)
    world.arrive(event("vpc-1"))
    world.deliver(world.queue[:])
    assert world.changed == ["vpc-1"]


class Slotted(Toy):
    """Somebody has taken a slot for the resource already."""

    def reconcile(self, request, state, entries, now):
        result = super().reconcile(request, state, entries, now)
        slot = int(now.timestamp()) + 60
        return replace(result, changes=tuple(replace(c, not_before=slot) for c in result.changes))


def test_what_has_a_slot_is_left_to_it():
    world = played(Slotted)
    assert (world.calls, world.changed, world.published) == (["Describe"], [], [])


class Asking(Toy):
    def reconcile(self, request, state, entries, now):
        if request.key.id != "vpc-1":
            return Result()
        others = tuple(asking(key(f"vpc-{n}"), "because of vpc-1") for n in range(2, 14))
        return Result(
            requests=others,
            then=lambda: self.world.call("remember", lambda: None),
            notes={"seen": ("yes",)},
        )


def test_many_requests_go_in_batches_and_are_remembered_after_that():
    world = World({"vpc-1": GOOD}, reaction=Asking)
    world.arrive({**event("vpc-1"), HOPS: 3})
    world.deliver(world.queue[:])
    assert world.calls == ["Describe", "SendMessageBatch", "SendMessageBatch", "remember"]
    assert Counter(one["body"][HOPS] for one in world.queue) == {4: 12}


class Refusing(Toy):
    def observe(self, requests, now):
        error = {"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}
        raise ClientError(error, "DescribeVpcs")


def test_what_the_guard_may_not_read_is_reported_and_no_dead_letter():
    world = played(Refusing)
    assert set(titles(world)) == {"The guard may not read what it guards"}
    assert world.dead == []


class RefusingLater(Toy):
    """The read that one resource needs is refused, or that of a message is."""

    phase = "reconcile"

    def triggers(self, message, now):
        if self.phase == "triggers":
            raise denied("GetFunctionConfiguration")
        return super().triggers(message, now)

    def reconcile(self, *asked: Any) -> Result:
        if self.phase == "reconcile":
            raise denied("DescribeSecret")
        return super().reconcile(*asked)


class RefusingFirst(RefusingLater):
    phase = "triggers"


def denied(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)


@pytest.mark.parametrize("reaction", [RefusingLater, RefusingFirst])
def test_a_read_that_is_refused_at_any_step_is_a_finding_and_no_dead_letter(reaction):
    world = played(reaction)
    assert set(titles(world)) == {"The guard may not read what it guards"}
    assert world.dead == []


class WithoutTable(Toy):
    def observe(self, requests, now):
        raise denied("GetItem")


def test_what_refuses_the_guard_its_own_table_is_kept():
    world = played(WithoutTable)
    assert len(world.dead) == 1


class ThenBlind(Toy):
    """It may read until it has changed something."""

    def observe(self, requests, now):
        if self.world.changed:
            raise denied("DescribeVpcs")
        return super().observe(requests, now)


def test_a_change_that_is_not_published_yet_is_kept_when_the_guard_may_not_read_again():
    change = played(Toy).calls.index("Modify")
    world = played(ThenBlind, faults=(Fault(change, "killed after"),))
    assert world.changed
    assert len(world.dead) == 1


def test_results_are_joined_in_their_order():
    calls: list[str] = []
    one = Result(findings=(finding("a", "a"),), then=lambda: calls.append("a"), metrics={"A": 1})
    other = Result(findings=(finding("b", "b"),), then=lambda: calls.append("b"), metrics={"B": 1})
    both = one.joined(Result()).joined(other)
    assert both.then
    both.then()
    assert calls == ["a", "b"]
    assert [it.title for it in both.findings] == ["a", "b"]
    assert both.metrics == {"A": 1, "B": 1}
    assert Result().joined(Result()).then is None
