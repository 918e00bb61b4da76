"""What is ours, what is somebody else's, and when ours has to go."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ensure_endpoint.memory import VpcRecord
from ensure_endpoint.withdrawal.decide import (
    TEAR_DOWN_SECONDS,
    Leave,
    LeaveAlone,
    Proceed,
    Removal,
    TearDown,
    Withdraw,
    all_of_ours,
    decide,
    in_the_way,
    lived_in,
    stands_down,
    undone,
    yielding,
)
from guard.endpoint.groups import group_name
from guard.endpoint.state import Endpoint, SecurityGroup, Subnet, Vpc, network

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
STACK = "arn:aws:cloudformation:eu-west-1:111122223333:stack/vpce-guard/1"
OURS = {"vpce-guard:managed": "true", "vpce-guard:stack": STACK}
OTHER_GUARD = {"vpce-guard:managed": "true", "vpce-guard:stack": "another"}
IGNORE = "vpce-guard:ignore"
SOME = network("10.0.0.0/24")
A_SUBNET = Subnet("subnet-1", "eu-west-1a", "euw1-az1", free_addresses=9)


def endpoint(id_: str, state: str = "available", **changes) -> Endpoint:
    plain = Endpoint(
        id=id_,
        type="interface",
        state=state,
        subnet_ids=frozenset({"subnet-1"}),
        group_ids=frozenset({"sg-1"}),
        private_dns=True,
        created=NOON,
    )
    return replace(plain, **changes)


def vpc(*endpoints: Endpoint, **changes) -> Vpc:
    group = SecurityGroup("sg-1", group_name("vpc-1", STACK), OURS, frozenset())
    plain = Vpc(
        id="vpc-1",
        owner_id="111122223333",
        tags={},
        networks=frozenset(),
        dns_support=True,
        dns_hostnames=True,
        subnets=(),
        endpoints=endpoints,
        groups={"sg-1": group},
        service_zones=frozenset(),
    )
    return replace(plain, **changes)


def not_asked() -> dict[str, frozenset[str]]:
    raise AssertionError("AWS must not be asked for interfaces here")


def test_ours_yields_to_theirs_and_keeps_its_group():
    found = yielding(
        vpc(endpoint("ours", tags=OURS), endpoint("theirs", private_dns=False)), STACK, IGNORE
    )
    assert found
    assert (found[0].id, found[1].endpoint_ids, found[1].group_ids) == ("theirs", ("ours",), ())


@pytest.mark.parametrize(
    "other",
    [
        endpoint("theirs", "failed"),
        endpoint("theirs", "deleting"),
        endpoint("theirs", "pendingacceptance"),
        endpoint("theirs", type="gateway"),
        endpoint("theirs", tags={IGNORE: ""}),
        endpoint("theirs", tags=OTHER_GUARD),
        endpoint("ours too", tags=OURS),
    ],
)
def test_ours_yields_to_nothing_that_does_not_serve_or_is_not_to_be_touched(other):
    assert yielding(vpc(endpoint("ours", tags=OURS), other), STACK, IGNORE) is None


def test_theirs_alone_is_no_reason_to_do_anything():
    assert yielding(vpc(endpoint("theirs")), STACK, IGNORE) is None


def test_an_endpoint_goes_first_and_holds_its_group():
    removal = all_of_ours(vpc(endpoint("ours", tags=OURS), endpoint("theirs")), STACK)
    assert (removal.endpoint_ids, removal.group_ids) == (("ours",), ())
    assert removal.waits_for == ("ours", "theirs")


def test_a_group_waits_for_a_deleting_endpoint_and_goes_when_that_is_deleted():
    waiting = all_of_ours(vpc(endpoint("ours", "deleting", tags=OURS)), STACK)
    assert (waiting.steps, waiting.waits_for) == ((), ("ours",))
    free = all_of_ours(vpc(endpoint("ours", "deleted", tags=OURS)), STACK)
    assert (free.group_ids, free.waits_for) == (("sg-1",), ())


def test_another_guards_things_are_not_ours():
    group = SecurityGroup("sg-1", "g", OTHER_GUARD, frozenset())
    theirs = vpc(endpoint("e", tags=OTHER_GUARD), groups={"sg-1": group})
    assert all_of_ours(theirs, STACK).steps == ()
    asked = TearDown(at=200, subnet_ids=frozenset({"subnet-1"}), whole_vpc=True)
    assert decide(theirs, asked, VpcRecord, STACK, not_asked) == Proceed()


def test_a_group_of_another_name_is_not_ours_whatever_its_tags_say():
    """Whoever may tag can write the tags; nobody can rename a group."""
    tagged = SecurityGroup("sg-1", "payments", OURS, frozenset())
    assert all_of_ours(vpc(groups={"sg-1": tagged}), STACK).steps == ()


OUR_INTERFACE = {"subnet-1": frozenset({"eni-ours"})}
BESIDE_OURS = {"subnet-1": frozenset({"eni-ours", "eni-theirs"})}
ELSEWHERE = OUR_INTERFACE | {"subnet-2": frozenset({"eni-theirs"})}


@pytest.mark.parametrize(
    ("subnet_ids", "interfaces", "blocked"),
    [
        (["subnet-1"], OUR_INTERFACE, {"subnet-1"}),
        (["subnet-1", "subnet-2"], ELSEWHERE, {"subnet-1"}),
        (["subnet-1"], {}, {"subnet-1"}),  # its interface is still to be made
        (["subnet-1"], BESIDE_OURS, set()),
        (["subnet-2"], ELSEWHERE, set()),
        ([], OUR_INTERFACE, set()),
    ],
)
def test_ours_is_in_the_way_of_a_subnet_in_which_it_stands_alone(subnet_ids, interfaces, blocked):
    ours = vpc(endpoint("ours", tags=OURS, interface_ids=frozenset({"eni-ours"})))
    assert in_the_way(ours, STACK, subnet_ids, lived_in(ours, interfaces)) == blocked


@pytest.mark.parametrize(
    ("subnets", "changes", "goes"),
    [
        ((), {}, True),
        ((), {"groups": {}}, True),
        ((), {"endpoints": ()}, True),  # our group alone
        ((), {"endpoints": (), "groups": {}}, False),
        ((A_SUBNET,), {}, False),  # EC2 deletes no VPC that has a subnet
    ],
)
def test_ours_is_in_the_way_of_a_vpc_that_has_no_subnet_left(subnets, changes, goes):
    one = replace(vpc(endpoint("ours", tags=OURS)), subnets=subnets, **changes)
    decided = decide(one, TearDown(at=200, whole_vpc=True), VpcRecord, STACK, not_asked)
    assert isinstance(decided, Withdraw) is goes


A, B, C = (
    Subnet(f"subnet-{n}", f"eu-west-1{z}", f"euw1-az{n}", free_addresses=9, networks=(SOME,))
    for n, z in ((1, "a"), (2, "b"), (3, "c"))
)
BESIDE_A = replace(A, id="subnet-9")
IN_ALL = endpoint("ours", tags=OURS, subnet_ids=frozenset({A.id, B.id, C.id}))
IN_A = replace(IN_ALL, subnet_ids=frozenset({A.id}))


@pytest.mark.parametrize(
    ("ours", "subnets", "named", "leaves"),
    [
        (IN_ALL, (A, B, C), {C.id}, Leave("ours", (C.id,))),
        (IN_ALL, (A, B, C), {A.id, C.id}, Leave("ours", (A.id, C.id))),
        (IN_A, (A, B), {A.id}, Leave("ours", (A.id,), instead=(B.id,))),
        (IN_A, (A, BESIDE_A), {A.id}, Leave("ours", (A.id,))),  # AWS takes one subnet of an AZ
    ],
    ids=["one of three", "two of three", "the only one", "the only one of the AZ"],
)
def test_where_another_subnet_is_lived_in_only_those_that_are_named_leave(
    ours, subnets, named, leaves
):
    there = vpc(ours, subnets=subnets, service_zones=frozenset({A.zone_id, B.zone_id, C.zone_id}))
    lived = {B.id: frozenset({"eni-theirs"}), BESIDE_A.id: frozenset({"eni-theirs"})}
    asked = TearDown(at=200, subnet_ids=frozenset(named), alone=True)

    decided = decide(there, asked, VpcRecord, STACK, lambda: lived)

    check_at = 200 + TEAR_DOWN_SECONDS + 60
    assert decided == Withdraw(Removal("vpc-1", leaves=(leaves,)), 0, check_at)


def test_a_move_is_carried_out_where_the_vpc_shows_it():
    there = vpc(IN_ALL, subnets=(A, B, C, BESIDE_A))
    assert set(Leave("ours", (C.id,), (BESIDE_A.id,)).steps) <= undone(there, STACK)
    moved = replace(IN_ALL, subnet_ids=frozenset({A.id, B.id, BESIDE_A.id}))
    moved_there = vpc(moved, subnets=(A, B, C, BESIDE_A))
    assert not set(Leave("ours", (C.id,), (BESIDE_A.id,)).steps) & undone(moved_there, STACK)


def test_a_subnet_is_lived_in_by_whatever_is_no_guards_endpoint():
    both = vpc(
        endpoint("ours", tags=OURS, interface_ids=frozenset({"eni-1"})),
        endpoint("another guard's", tags=OTHER_GUARD, interface_ids=frozenset({"eni-2"})),
        endpoint("theirs", interface_ids=frozenset({"eni-3"})),
    )
    interfaces = {
        "subnet-1": frozenset({"eni-1", "eni-2"}),
        "subnet-2": frozenset({"eni-1", "eni-3"}),
        "subnet-3": frozenset({"eni-4"}),
    }
    assert lived_in(both, interfaces) == {"subnet-2", "subnet-3"}


# Tear-downs.

NEVER = VpcRecord()
STOOD_DOWN = VpcRecord(torn_down=100)
OVER = 100 + TEAR_DOWN_SECONDS
SERVED = vpc(endpoint("ours", tags=OURS, interface_ids=frozenset({"eni-ours"})))
EMPTIED = vpc(groups={})
ATTEMPT = TearDown(at=200, subnet_ids=frozenset({"subnet-1"}), alone=True)
ELSEWHERE_TOO = replace(ATTEMPT, alone=False)
ASIDE = replace(ATTEMPT, subnet_ids=frozenset({"subnet-9"}))


@pytest.mark.parametrize(
    ("there", "asked", "known", "decided"),
    [
        (SERVED, TearDown(), NEVER, Proceed()),
        (SERVED, ATTEMPT, NEVER, Withdraw(all_of_ours(SERVED, STACK), 200, 200 + 1_200)),
        (SERVED, ELSEWHERE_TOO, NEVER, Withdraw(all_of_ours(SERVED, STACK), 200, 1_400)),
        (SERVED, ASIDE, NEVER, LeaveAlone()),
        (SERVED, replace(ASIDE, alone=False), NEVER, Proceed()),
        (SERVED, ATTEMPT, VpcRecord(used_at=201), Proceed()),
        # In the same second nobody knows which came first: what is in use stays.
        (SERVED, ATTEMPT, VpcRecord(used_at=200), Proceed()),
        (SERVED, ATTEMPT, VpcRecord(used_at=199), Withdraw(all_of_ours(SERVED, STACK), 200, 1_400)),
        (SERVED, ATTEMPT, STOOD_DOWN, Withdraw(all_of_ours(SERVED, STACK), 200)),
        (SERVED, ASIDE, STOOD_DOWN, Withdraw(all_of_ours(SERVED, STACK), 100)),
        (EMPTIED, ATTEMPT, STOOD_DOWN, LeaveAlone(100)),
        (EMPTIED, ELSEWHERE_TOO, STOOD_DOWN, Proceed(100)),
        (
            EMPTIED,
            TearDown(withdrawing=True),
            STOOD_DOWN,
            Withdraw(all_of_ours(EMPTIED, STACK), 100),
        ),
        (EMPTIED, TearDown(withdrawing=True), VpcRecord(torn_down=100, used_at=150), Proceed()),
    ],
)
def test_a_tear_down_ends_in_one_of_three_decisions(there, asked, known, decided):
    assert decide(there, asked, lambda: known, STACK, lambda: OUR_INTERFACE) == decided


def test_nothing_is_asked_of_anybody_where_nobody_tears_down():
    def recall() -> VpcRecord:
        raise AssertionError("the table must not be read here")

    assert decide(SERVED, TearDown(), recall, STACK, not_asked) == Proceed()


def test_a_stand_down_ends_when_the_vpc_is_used_later():
    assert VpcRecord(torn_down=100).stood_down
    assert VpcRecord(torn_down=100, used_at=100).stood_down is False
    assert VpcRecord(torn_down=100, used_at=99).stood_down
    assert not VpcRecord().stood_down


@pytest.mark.parametrize(
    ("known", "now", "interfaces", "decided"),
    [
        (VpcRecord(torn_down=100, used_at=100), 150, None, Proceed()),
        (STOOD_DOWN, 150, {}, LeaveAlone(100)),
        (STOOD_DOWN, OVER, {}, LeaveAlone(100)),
        (STOOD_DOWN, 150, BESIDE_OURS, Proceed(used_at=150)),  # nothing lived in it before
        (STOOD_DOWN, OVER, BESIDE_OURS, Proceed(used_at=OVER)),
        (STOOD_DOWN, OVER, OUR_INTERFACE, LeaveAlone(100)),
    ],
)
def test_a_vpc_is_left_alone_while_somebody_tears_it_down(known, now, interfaces, decided):
    def asked() -> dict[str, frozenset[str]]:
        return not_asked() if interfaces is None else interfaces

    assert stands_down(SERVED, known, now, asked) == decided
