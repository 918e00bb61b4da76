"""The kernel under a toy reaction: every fault of every call, orders of messages, bad messages."""

import itertools
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.reconcile.attempt import MOST_ATTEMPTS
from guard.reconcile.batch import BACKED_OFF, HOPS, INSTEAD_OF, NOT_BEFORE
from guard.reconcile.mode import Mode
from guard.reconcile.requeue import MOST_HOPS, MOST_THROTTLES
from tests.unit.guard.reconcile.toy import GOOD, Fault, World, event, finding, key

pytestmark = pytest.mark.usefixtures("namespace")

HOWS = ("throttled", "refused", "failed", "lost", "killed before", "killed after")


def fault_free() -> list[str]:
    world = World({"vpc-1": "bad"})
    world.arrive(event("vpc-1"))
    world.settle()
    return world.calls


CALLS = fault_free()


def titles(world: World) -> list[str]:
    return [one.title.removesuffix(" (reported late)") for one in world.published]


def test_the_way_without_faults():
    """A record before the change, a mark after its publication, and a check of the result."""
    assert [
        *("Describe", "UpdateItem", "Modify", "SendMessage", "Publish", "UpdateItem"),
        "Describe",
    ] == CALLS


PUBLISHED = {"not repairable", "The guard may not read what it guards"}


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("number", range(len(CALLS)))
def test_every_fault_of_every_call(number, how, times):
    """All is well and published, or ops read why not, or the message is kept for them."""
    world = World({"vpc-1": "bad"}, faults=(Fault(number, how, times),))
    world.arrive(event("vpc-1"))
    world.settle()
    well = world.resources["vpc-1"] == GOOD and "repaired" in titles(world)
    assert well or world.dead or PUBLISHED & {*titles(world)}
    if world.changed:
        assert "repaired" in titles(world) or world.dead
    assert how == "refused" or not world.dead


@pytest.mark.parametrize(("first", "second"), list(itertools.product(HOWS, HOWS)))
def test_two_faults_one_after_the_other(first, second):
    for number, gap in itertools.product(range(6), range(1, 6)):
        faults = (Fault(number, first), Fault(number + gap, second))
        world = World({"vpc-1": "bad"}, faults=faults)
        world.arrive(event("vpc-1"))
        world.settle()
        assert not world.changed or "repaired" in titles(world), faults
        assert world.changed or world.dead or PUBLISHED & {*titles(world)}, faults


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
@pytest.mark.parametrize("batch", [1, 2, 10])
def test_any_order_of_messages_ends_in_the_same_state(order, batch):
    events = [event("vpc-1"), event("vpc-1", "vpc-2"), event("vpc-3"), event("gone")]
    world = World({"vpc-1": "bad", "vpc-2": "bad", "vpc-3": GOOD})
    for number in order:
        world.arrive(events[number])
    world.settle(batch=batch)
    assert set(world.resources.values()) == {GOOD}
    assert sorted(world.changed) == ["vpc-1", "vpc-2"]
    assert sorted(one.resource for one in world.published) == ["vpc-1", "vpc-2"]


def test_equal_requests_are_one_reconciliation_with_all_triggers():
    world = World({"vpc-1": "bad"})
    for who in ("anna", "otto"):
        world.arrive(event("vpc-1", who=who))
    world.settle()
    (published,) = world.published
    assert published.cause == "By anna, otto."


def test_observe_mode_reports_and_changes_nothing():
    world = World({"vpc-1": "bad"}, mode=Mode.OBSERVE)
    world.arrive(event("vpc-1"))
    world.settle()
    assert (titles(world), world.changed, world.items) == (["would be repaired"], [], {})


@pytest.mark.parametrize(("mode", "sent"), [(Mode.REMEDIATE, 1), (Mode.OBSERVE, 0)])
def test_the_requests_of_a_change_are_sent_before_it_and_with_it_alone(mode, sent):
    world = World({"vpc-1": "bad"}, mode=mode, check_after=600, faults=(Fault(3, "killed before"),))
    (id_,) = (world.arrive(event("vpc-1")),)
    world.deliver([one for one in world.queue if one["id"] == id_])
    checks = [one for one in world.queue if one["body"]["detail"].get("reason") == "check"]
    assert (len(checks), world.changed) == (sent, [])
    assert all(one["due"] == world.now + timedelta(minutes=10) for one in checks)


@pytest.mark.parametrize("error", [ValueError, KeyError, RecursionError, RuntimeError])
def test_a_resource_that_cannot_be_reconciled_harms_no_other(error):
    def broken(id_):
        if id_ == "vpc-2":
            raise error(id_)

    world = World({"vpc-1": "bad", "vpc-2": "bad", "vpc-3": "bad"}, broken=broken)
    for id_ in world.resources:
        world.arrive(event(id_))
    world.settle()
    assert world.changed == ["vpc-1", "vpc-3"]
    assert [one["body"]["detail"]["ids"] for one in world.dead] == [("vpc-2",)]


@pytest.mark.parametrize("error", [ValueError, UnicodeError, ZeroDivisionError])
def test_a_resource_that_breaks_the_observation_harms_no_other(error, monkeypatch):
    from tests.unit.guard.reconcile.toy import Toy

    real = Toy.observe

    def observe(self, requests, now):
        if any(one.key.id == "vpc-2" for one in requests):
            raise error
        return real(self, requests, now)

    monkeypatch.setattr(Toy, "observe", observe)
    world = World({"vpc-1": "bad", "vpc-2": "bad"})
    for id_ in world.resources:
        world.arrive(event(id_))
    world.settle()
    assert world.changed == ["vpc-1"]
    assert len(world.dead) == 1


def own(id_, **more):
    detail = {"vpcId": id_, "reason": "test"}
    return {"source": "vpce-guard", "detail-type": "VPCE Guard Reconcile", "detail": detail | more}


DEEP = json.loads("[" * 490 + "]" * 490)
BAD = (
    own("vpc-1", notBefore=10**400),
    own("vpc-1", notBefore=float("inf")),
    own("vpc-1", attempt="3"),
    own("vpc-1", reasons=5),
    own("vpc-1", reasons=[5]),
    own("\udfff"),
    own("vpc-1", triggers=[{"at": 10**400}]),
    own("vpc-1", triggers=[{"name": {}}]),
    own("vpc-1", triggers={"name": "x"}),
    own("vpc-1", entries=[DEEP]),
    own("vpc-1", notes={"trial": DEEP}),
    own("vpc-1", notes=DEEP),
    own(DEEP),
    {**own("vpc-1"), HOPS: -1},
    {**own("vpc-1"), BACKED_OFF: "x"},
    {**own("vpc-1"), NOT_BEFORE: 1.5},
    {"detail": {"ids": 5}},
    {"detail": {"ids": [DEEP]}},
    {"detail": DEEP},
    DEEP,
    "no JSON",
    "[" * 100_000,
)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: str(bad)[:60])
def test_a_bad_message_fails_alone(bad):
    world = World({"vpc-1": "bad"}, faults=(Fault(0, "throttled"),))
    world.arrive(own("vpc-1"))
    world.arrive(bad)
    world.settle()
    assert world.changed == ["vpc-1"]
    assert [one["body"] for one in world.dead] == [bad]
    assert titles(world) == ["repaired"]


def test_half_a_character_in_what_people_wrote_stops_nothing():
    """A caller's name may hold one, and comes back in the guard's own message."""
    world = World({"vpc-1": "bad"})
    world.arrive(own("vpc-1", reason="\ud800", triggers=[{"name": "E", "who": "an\ud800na"}]))
    world.settle()
    assert (world.changed, world.dead) == (["vpc-1"], [])
    assert world.published[0].cause == "By an?na."


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ("vpcId", "reason", "attempt", "throttled", "notBefore", "triggers", "entries", "notes")


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON), st.dictionaries(st.text(), JSON))
def test_any_message_beside_an_honest_one(detail, more):
    world = World({"vpc-1": "bad"})
    world.arrive(event("vpc-1"))
    world.arrive({**more, **own("vpc-9"), "detail": detail})
    due = [one for one in world.queue if one["due"] <= world.now]
    world.deliver(due)
    assert world.changed == ["vpc-1"]
    assert titles(world) == ["repaired"]


def test_what_is_always_throttled_is_given_up_after_a_bounded_number_of_requeues():
    world = World({"vpc-1": "bad"}, always={"Modify": "throttled"})
    world.arrive(event("vpc-1"))
    world.settle()
    assert len(world.dead) == 1
    assert world.calls.count("SendMessage") <= MOST_THROTTLES
    assert world.published == []


def test_what_never_becomes_good_is_followed_up_a_bounded_number_of_times():
    world = World({"vpc-1": "bad"}, always={"Modify": "ignored"})
    world.arrive(event("vpc-1"))
    world.settle()
    assert world.calls.count("SendMessage") == MOST_ATTEMPTS
    assert world.dead == []


def test_at_the_end_of_a_chain_the_message_fails_and_the_change_is_published_once():
    world = World({"vpc-1": "bad"})
    world.arrive({**event("vpc-1"), HOPS: MOST_HOPS})
    world.settle()
    assert world.changed == ["vpc-1"]
    assert titles(world) == ["repaired"]
    assert world.dead == []


def test_a_request_that_is_early_waits_in_the_queue():
    world = World({"vpc-1": "bad"})
    due = int(world.now.timestamp()) + 1_800
    world.arrive(own("vpc-1", notBefore=due))
    world.deliver(world.queue[:])
    assert (world.calls, world.changed) == (["ChangeMessageVisibility"], [])
    world.settle()
    assert world.changed == ["vpc-1"]
    assert world.now.timestamp() >= due


def test_a_copy_of_the_version_before_is_not_reconciled_before_its_time():
    world = World({"vpc-1": "bad"})
    due = int(world.now.timestamp()) + 600
    world.arrive({**event("vpc-1"), NOT_BEFORE: due, INSTEAD_OF: "m7"})
    world.deliver(world.queue[:])
    assert world.calls == ["ChangeMessageVisibility"]
    world.settle()
    assert world.changed == ["vpc-1"]
    assert world.now.timestamp() >= due


def test_one_throttled_write_spares_the_others_of_its_batch():
    """They take a slot of their own, and the slots are apart."""
    world = World({f"vpc-{n}": "bad" for n in range(5)})
    throttled = CALLS.index("Modify")
    world.faults = (Fault(throttled, "throttled"),)
    for id_ in world.resources:
        world.arrive(event(id_))
    world.deliver(world.queue[:])
    assert world.calls.count("Modify") == 1
    assert world.slots == 5
    assert len({one["due"] for one in world.queue}) == 5
    world.settle()
    assert set(world.resources.values()) == {GOOD}
    assert len(world.published) == 5


def test_a_message_of_several_resources_is_replaced_once():
    world = World({"vpc-1": "bad", "vpc-2": "bad"}, faults=(Fault(0, "throttled"),))
    world.arrive(event("vpc-1", "vpc-2"))
    world.deliver(world.queue[:])
    (copy,) = world.queue
    assert (copy["body"][INSTEAD_OF], copy["body"][BACKED_OFF]) == ("m0", 1)
    world.settle()
    assert sorted(world.changed) == ["vpc-1", "vpc-2"]


def test_what_the_version_before_recorded_is_published_late():
    """Under its old name, by the message that comes back after the deployment."""
    world = World({"vpc-1": GOOD})
    body = finding("vpc-1", "repaired", done=("made good",)).to_json()
    for name in ("intent#vpc-1#m0", "intent#vpc-1#m0#old"):
        world.items[name] = {"intent": json.dumps(body)}
    world.arrive(event("vpc-1"))
    world.queue[0]["receives"] = 1
    world.settle()
    assert [one.title for one in world.published] == ["repaired (reported late)"] * 2
    assert [one["intent"] for one in world.items.values()] == ["", ""]


def test_a_request_of_the_version_before_is_understood():
    """With its entries, and with who and what set it off."""
    world = World({"vpc-1": GOOD, "vpc-2": "bad"})
    body = finding("vpc-1", "repaired", done=("made good",)).to_json()
    world.items["intent#vpc-1#old"] = {"intent": json.dumps(body)}
    world.arrive(own("vpc-1", intents=["vpc-1#old"], throttled=3))
    world.arrive(own("vpc-2", reasons=["CreateVpc"], who=["anna"], eventIds=["e"]))
    world.settle()
    late, repaired = world.published
    assert late.title == "repaired (reported late)"
    assert repaired.cause == "By anna."


def test_each_name_in_the_table_has_the_account_and_the_region():
    world = World({"vpc-1": "bad"}, faults=(Fault(2, "throttled"),))
    world.arrive(event("vpc-1"))
    world.settle()
    place = f"{key('').account}/{key('').region}"
    assert world.items
    assert all(place in name for name in world.items)


def test_a_finding_that_cannot_be_published_brings_only_its_messages_back():
    world = World({"vpc-1": "bad", "vpc-2": GOOD}, faults=(Fault(4, "failed"),))
    world.arrive(event("vpc-1"))
    world.arrive(event("vpc-2"))
    world.deliver(world.queue[:])
    assert [one["id"] for one in world.queue if one["receives"]] == ["m0"]
    world.settle()
    assert [one.title for one in world.published] == ["repaired (reported late)"]
