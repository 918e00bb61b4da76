"""The way from a VPC to the hub that serves it, and what a Route 53 Profile brings."""

from dataclasses import replace

import pytest

from guard.endpoint.decide import decide
from guard.endpoint.plan import Verdict
from guard.endpoint.state import AclRule, HostedZone, Hub, NetworkAcl, Route, network
from tests.builders import ACCOUNT, DESIRED, endpoint, subnet, vpc, zone

THERE = subnet("subnet-200")
LOCAL = Route(network("10.0.0.0/16"), "local")
HUB = Hub(
    endpoint("vpce-hub", private_dns=False, subnet_ids=["subnet-200"]),
    "vpc-hub",
    (replace(THERE, networks=(network("10.9.0.0/24"),)),),
    frozenset({network("10.0.0.0/8")}),
    {},
    {"subnet-200": (Route(network("10.0.0.0/8"), "tgw-1"),)},
)
OUT = (LOCAL, Route(network("10.9.0.0/16"), "tgw-1"))


def spoke(hub=HUB, routes=OUT, **more):
    brought = replace(zone("vpce-hub", live=["vpce-hub"]), hubs=(hub,))
    return replace(vpc(endpoints=[], zone=brought, **more), routes={"subnet-1": routes})


def test_a_hub_to_which_packets_get_covers_and_what_is_between_is_named():
    plan = decide(spoke(), DESIRED)
    assert plan.verdict is Verdict.COVERED
    assert any("transit gateway" in one for one in plan.notes)


@pytest.mark.parametrize(
    ("hub", "routes", "words"),
    [
        (replace(HUB, endpoint=endpoint("vpce-hub", "pendingacceptance")), OUT, "vpce-hub is pend"),
        (replace(HUB, admits=frozenset({network("10.9.0.0/16")})), OUT, "do not admit port 443"),
        (HUB, (LOCAL,), "subnet-1 has no route to vpce-hub"),
        (HUB, (LOCAL, Route(network("0.0.0.0/0"), "nat-1")), "no route to vpce-hub"),
        (HUB, (LOCAL, Route(network("10.9.0.0/16"), "")), "no route to vpce-hub"),
        # The more specific one decides.
        (HUB, (*OUT, Route(network("10.9.0.0/24"), "igw-1")), "no route to vpce-hub"),
        (replace(HUB, routes={"subnet-200": ()}), OUT, "subnet-200 has no route to vpc-1"),
        (
            replace(HUB, acls={"subnet-200": NetworkAcl("acl-9", (), ())}),
            OUT,
            "network ACLs keep subnet-1 from vpce-hub: acl-9",
        ),
    ],
)
def test_a_hub_to_which_packets_do_not_get_covers_nobody(hub, routes, words):
    plan = decide(spoke(hub, routes), DESIRED)
    assert (plan.verdict, plan.steps) == (Verdict.NOT_REPAIRABLE, ())
    assert any(words in reason for reason in plan.reasons)


def test_a_hub_that_is_being_made_is_waited_for():
    plan = decide(spoke(replace(HUB, endpoint=endpoint("vpce-hub", "pending"))), DESIRED)
    assert (plan.verdict, plan.steps) == (Verdict.SETTLING, ())


@pytest.mark.parametrize(
    "routes",
    [
        (LOCAL, Route(network("0.0.0.0/0"), "tgw-1")),
        (LOCAL, Route(network("10.9.0.0/24"), "pcx-1")),
        (LOCAL, Route(None, "tgw-1")),  # a prefix list, which may hold it
    ],
)
def test_any_route_that_may_lead_there_will_do(routes):
    assert decide(spoke(routes=routes), DESIRED).verdict is Verdict.COVERED


def test_a_hub_of_another_account_is_named_as_not_seen():
    desired = replace(DESIRED, approved_endpoints=frozenset({"vpce-hub"}))
    plan = decide(vpc(endpoints=[], zone=zone("vpce-hub")), desired)
    assert plan.verdict is Verdict.COVERED
    assert any("vpce-hub cannot be seen from here" in one for one in plan.notes)


def test_acls_of_hub_and_spoke_are_those_of_their_own_subnets():
    shut = NetworkAcl("acl-8", (AclRule(False, network("0.0.0.0/0")),), ())
    plan = decide(replace(spoke(), acls={"subnet-1": shut}), DESIRED)
    assert plan.verdict is Verdict.NOT_REPAIRABLE


def brought(owner=ACCOUNT, *, live=True):
    entries = {"vpce-hub": frozenset({"any"})} if live else {}
    return HostedZone("rp-1", owner, (), entries, profile_id="rp-1", shared_endpoint="vpce-hub")


@pytest.mark.parametrize(
    ("shared", "desired"),
    [
        (brought(), DESIRED),
        (
            brought("444455556666", live=False),
            replace(DESIRED, approved_accounts=frozenset({"444455556666"})),
        ),
        (
            brought("444455556666", live=False),
            replace(DESIRED, approved_endpoints=frozenset({"vpce-hub"})),
        ),
        (replace(zone("vpce-hub", live=["vpce-hub"]), profile_id="rp-1"), DESIRED),
    ],
)
def test_a_profile_that_brings_an_approved_endpoint_or_its_zone_covers(shared, desired):
    plan = decide(vpc(endpoints=[], zone=shared), desired)
    assert (plan.verdict, plan.steps) == (Verdict.COVERED, ())
    assert "rp-1" in plan.reasons[0]


@pytest.mark.parametrize(
    "shared",
    [
        brought(live=False),
        brought("444455556666", live=False),
        replace(zone(targets=["198.51.100.7"]), profile_id="rp-1"),
    ],
)
def test_what_a_profile_brings_besides_is_in_nobodys_way(shared):
    """What is the VPC's own comes before it, so that the guard's endpoint has the name."""
    plan = decide(vpc(endpoints=[], zone=shared), DESIRED)
    assert plan.verdict is Verdict.BROKEN
    assert plan.creates
