"""What is ours, what is somebody else's, and when ours has to go."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ensure_endpoint.memory import VpcRecord
from ensure_endpoint.withdrawal.decide import (
    TEAR_DOWN_SECONDS,
    LeaveAlone,
    Proceed,
    TearDown,
    Withdraw,
    all_of_ours,
    decide,
    in_the_way,
    lived_in,
    stands_down,
    yielding,
)
from guard.endpoint.state import Endpoint, SecurityGroup, Subnet, Vpc

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
STACK = "arn:aws:cloudformation:eu-west-1:111122223333:stack/vpce-guard/1"
OURS = {"vpce-guard:managed": "true", "vpce-guard:stack": STACK}
OTHER_GUARD = {"vpce-guard:managed": "true", "vpce-guard:stack": "another"}
IGNORE = "vpce-guard:ignore"
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
    group = SecurityGroup("sg-1", "g", OURS, frozenset())
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
    assert not in_the_way(theirs, STACK, ["subnet-1"], whole_vpc=True, interfaces=not_asked)


OUR_INTERFACE = {"subnet-1": frozenset({"eni-ours"})}
BESIDE_OURS = {"subnet-1": frozenset({"eni-ours", "eni-theirs"})}
ELSEWHERE = OUR_INTERFACE | {"subnet-2": frozenset({"eni-theirs"})}


@pytest.mark.parametrize(
    ("subnet_ids", "interfaces", "blocks"),
    [
        (["subnet-1"], OUR_INTERFACE, True),
        (["subnet-1"], ELSEWHERE, True),
        (["subnet-1", "subnet-2"], ELSEWHERE, True),
        (["subnet-1"], {}, True),  # its interface is still to be made
        (["subnet-1"], BESIDE_OURS, False),
        (["subnet-2"], ELSEWHERE, False),
        (["subnet-3"], OUR_INTERFACE, False),
        ([], OUR_INTERFACE, False),
    ],
)
def test_ours_is_in_the_way_of_a_subnet_in_which_it_stands_alone(subnet_ids, interfaces, blocks):
    ours = vpc(endpoint("ours", tags=OURS, interface_ids=frozenset({"eni-ours"})))
    found = in_the_way(ours, STACK, subnet_ids, whole_vpc=False, interfaces=lambda: interfaces)
    assert found is blocks


@pytest.mark.parametrize(
    ("subnets", "changes", "blocks"),
    [
        ((), {}, True),
        ((), {"groups": {}}, True),
        ((), {"endpoints": ()}, True),  # our group alone
        ((), {"endpoints": (), "groups": {}}, False),
        ((A_SUBNET,), {}, False),  # EC2 deletes no VPC that has a subnet
    ],
)
def test_ours_is_in_the_way_of_a_vpc_that_has_no_subnet_left(subnets, changes, blocks):
    one = replace(vpc(endpoint("ours", tags=OURS)), subnets=subnets, **changes)
    assert in_the_way(one, STACK, [], whole_vpc=True, interfaces=not_asked) is blocks


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
        (STOOD_DOWN, 150, BESIDE_OURS, LeaveAlone(100, check_at=OVER)),
        (STOOD_DOWN, OVER - 1, BESIDE_OURS, LeaveAlone(100, check_at=OVER)),
        (STOOD_DOWN, OVER, BESIDE_OURS, Proceed(used_at=OVER)),
        (STOOD_DOWN, OVER, OUR_INTERFACE, LeaveAlone(100)),
    ],
)
def test_a_vpc_is_left_alone_while_somebody_tears_it_down(known, now, interfaces, decided):
    def asked() -> dict[str, frozenset[str]]:
        return not_asked() if interfaces is None else interfaces

    assert stands_down(SERVED, known, now, asked) == decided
