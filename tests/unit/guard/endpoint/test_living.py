"""Grace, turns, scope, cost, and what is ours: the decisions behind living with others."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ensure_endpoint.cost import cents, monthly_price, words, zones_added
from ensure_endpoint.later import LONGEST_DELAY, Later
from ensure_endpoint.triggers import concern
from ensure_endpoint.withdrawal.decide import all_of_ours, in_the_way, lived_in, yielding
from guard.endpoint.decide import CreateEndpoint, CreateGroup, ModifyEndpoint
from guard.endpoint.scope import Guarded
from guard.endpoint.state import Endpoint, SecurityGroup, Subnet, Vpc
from guard.reconcile.batch import Batch
from guard.reconcile.pace import put_off
from guard.table.memory import Intent, Remembered
from guard.variables import SettingsError, dollars
from tests.findings import A_BYPASS
from tests.template.stack import sample

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
STACK = "arn:aws:cloudformation:eu-west-1:111122223333:stack/vpce-guard/1"
OURS = {"vpce-guard:managed": "true", "vpce-guard:stack": STACK}
OTHER_GUARD = {"vpce-guard:managed": "true", "vpce-guard:stack": "another"}
IGNORE = "vpce-guard:ignore"
SERVICE = "com.amazonaws.eu-west-1.secretsmanager"
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


# Later looks.


def test_a_later_look_says_again_all_that_it_carries():
    later = Later(
        vpc_id="vpc-1",
        reason="follow-up",
        attempt=3,
        throttled=2,
        not_before=1_000,
        removing=True,
        who=("alice",),
        event_ids=("e",),
        secrets=("db",),
        intents=("k",),
        reasons=("CreateVpc",),
    )
    assert Later.from_detail(later.to_detail()) == later


def test_a_later_look_carries_no_more_than_a_message_holds():
    later = Later(vpc_id="vpc-1", reason="r", who=tuple(str(n) for n in range(1_000)))
    assert len(later.to_detail()["who"]) == 10


@pytest.mark.parametrize(
    ("not_before", "delay"), [(0, 0), (90, 0), (160, 60), (100 + 3_600, LONGEST_DELAY)]
)
def test_a_delay_is_what_sqs_takes(not_before, delay):
    assert Later(vpc_id="vpc-1", reason="r", not_before=not_before).delay(100.0) == delay


@pytest.mark.parametrize(
    "detail",
    [{}, {"vpcId": 1}, {"vpcId": "vpc-1", "attempt": "1"}, {"vpcId": "vpc-1", "who": [1]}],
)
def test_a_later_look_of_another_form_is_refused(detail):
    with pytest.raises(ValueError, match="vpcId"):
        Later.from_detail(detail)


# Events.


def test_a_deletion_that_something_blocks_is_a_tear_down():
    one = concern(sample("tear-down.delete-vpc-in-use"), SERVICE)
    assert (one.is_tear_down, one.vpc_ids) == (True, {"vpc-0a1b2c3d4e5f60718"})
    other = concern(sample("tear-down.delete-subnet-in-use"), SERVICE)
    assert (other.is_tear_down, other.subnet_ids) == (True, {"subnet-0b0b0b0b0b0b0b0b2"})


def test_a_deletion_that_was_denied_is_none():
    one = concern(sample("none.delete-subnet-denied"), SERVICE)
    assert not one.is_tear_down
    assert {*one.vpc_ids, *one.subnet_ids} == set()
    assert not one.every_vpc


# Ours and theirs.


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


def test_a_stand_down_ends_when_the_vpc_is_used_later():
    assert Remembered(torn_down=100).stood_down
    assert Remembered(torn_down=100, used_at=100).stood_down is False
    assert Remembered(torn_down=100, used_at=99).stood_down
    assert not Remembered().stood_down


# Scope.


@pytest.mark.parametrize(
    ("scope", "changes", "rotates", "left_out"),
    [
        ("all", {"is_default": True}, False, False),
        ("tagged", {}, True, True),
        ("tagged", {"tags": {"mine": ""}}, False, False),
        ("not-default", {"is_default": True}, True, True),
        ("not-default", {}, False, False),
        ("rotation", {}, False, True),
        ("rotation", {}, True, False),
    ],
)
def test_scope(scope, changes, rotates, left_out):
    why = Guarded.of(scope, "mine").leaves_out(vpc(**changes), lambda: rotates)
    assert bool(why) is left_out


def test_a_scope_that_does_not_exist_is_refused_at_cold_start():
    with pytest.raises(SettingsError, match="some"):
        Guarded.of("some", "mine")


# Cost.


def test_a_plan_costs_what_its_new_azs_cost():
    steps = (
        CreateGroup("vpc-1", "g"),
        CreateEndpoint("vpc-1", SERVICE, ("subnet-1", "subnet-2"), None, "{}", ()),
        ModifyEndpoint("vpce-1", add_subnet_ids=("subnet-3",), enable_private_dns=True),
    )
    assert zones_added(steps) == 3
    assert monthly_price(3, Decimal("0.01")) == Decimal("21.90")
    assert words(1, Decimal("0.013")) == "$9.49 a month (1 AZ at $0.013 an hour) plus data"


def test_what_is_counted_is_never_below_what_is_paid():
    assert cents(Decimal("0.001")) == 1
    assert cents(Decimal("7.30")) == 730


@pytest.mark.parametrize("text", ["ten", "-1", "NaN", "Infinity", ""])
def test_an_amount_that_is_none_is_refused_at_cold_start(text):
    with pytest.raises(SettingsError, match="PRICE"):
        dollars({"PRICE": text}, "PRICE")


# Messages and changes begun.


def test_a_message_that_is_put_off_waits_longer_each_time_and_keeps_its_key():
    (message,) = Batch.open({"Records": [{"messageId": "m", "body": '{"detail": {}}'}]}).messages
    delays = []
    for _ in range(8):
        body, delay = put_off(message)
        delays.append(delay)
        message = replace(message, id="another", envelope=body)
    assert delays == [20, 40, 80, 160, 320, 640, 900, 900]
    assert message.backed_off == 8
    assert (message.key, message.redelivered) == ("m", True)


def test_a_message_tells_how_often_it_came():
    record = {
        "messageId": "m",
        "body": '{"detail": {}}',
        "attributes": {"ApproximateReceiveCount": "2"},
    }
    (message,) = Batch.open({"Records": [record]}).messages
    assert (message.receives, message.redelivered) == (2, True)


def test_the_steps_that_are_still_to_do_were_not_done():
    intent = Intent("k", replace(A_BYPASS, done=("one", "two", "three")))
    assert intent.done(["two", "four"]) == ("one", "three")
