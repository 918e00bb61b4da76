"""The judgement on a VPC: each deviation alone has its reason and its step, nothing else does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.endpoint.decide import decide, serving_endpoint
from guard.endpoint.groups import group_name, uncovered
from guard.endpoint.placement import choose_subnets
from guard.endpoint.plan import (
    AuthoriseHttps,
    CreateEndpoint,
    CreateGroup,
    EnableDnsAttribute,
    ModifyEndpoint,
    Plan,
    RevokeIngress,
    Verdict,
)
from guard.endpoint.state import (
    LIVE,
    PREFERRED_SUBNET_TAG,
    Endpoint,
    Rule,
    SecurityGroup,
    Vpc,
    network,
)
from tests.builders import DESIRED, OURS, STACK, ZONES, endpoint, group, subnet, vpc, zone


def test_a_working_endpoint_needs_nothing():
    plan = decide(vpc(), DESIRED)

    assert plan == Plan("vpc-1", Verdict.WORKS, endpoint_id="vpce-1")


def test_a_vpc_without_an_endpoint_gets_one_with_everything_it_needs():
    bare = vpc(
        endpoints=[],
        groups=[],
        dns_support=False,
        dns_hostnames=False,
        subnets=[subnet("subnet-1", "use1-az1"), subnet("subnet-2", "use1-az2")],
        networks=["10.0.0.0/16", "100.64.0.0/20"],
    )

    assert decide(bare, DESIRED).steps == (
        EnableDnsAttribute("vpc-1", "enableDnsSupport"),
        EnableDnsAttribute("vpc-1", "enableDnsHostnames"),
        CreateGroup("vpc-1", group_name("vpc-1", STACK)),
        AuthoriseHttps(None, ("10.0.0.0/16", "100.64.0.0/20")),
        CreateEndpoint(
            "vpc-1",
            DESIRED.service_name,
            ("subnet-1", "subnet-2"),
            None,
            DESIRED.policy,
            known_endpoints=(),
        ),
    )


def test_our_group_left_from_an_earlier_endpoint_is_used_again():
    plan = decide(vpc(endpoints=[]), DESIRED)

    (create,) = plan.steps
    assert isinstance(create, CreateEndpoint)
    assert create.group_id == "sg-ours"


def test_an_earlier_endpoint_is_part_of_the_creation_so_that_its_token_is_not_used_again():
    plan = decide(vpc(endpoints=[endpoint("vpce-old", "deleted")]), DESIRED)

    (create,) = plan.steps
    assert isinstance(create, CreateEndpoint)
    assert create.known_endpoints == ("vpce-old",)


@pytest.mark.parametrize(
    ("deviation", "reason"),
    [
        ({"owner_id": "444455556666"}, "444455556666"),
        ({"tags": {"vpce-guard:ignore": ""}}, "vpce-guard:ignore"),
    ],
)
def test_what_is_not_ours_to_change_is_exempt_even_without_an_endpoint(deviation, reason):
    plan = decide(vpc(endpoints=[], **deviation), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.EXEMPT, ())
    assert reason in plan.reasons[0]


def test_without_a_subnet_there_is_nothing_to_put_an_endpoint_in_yet():
    plan = decide(vpc(endpoints=[], subnets=[]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.WAITING, ())


@pytest.mark.parametrize(
    "unusable",
    [
        subnet(zone_id="use1-az3"),
        subnet(free=0),
        subnet(on_outpost=True),
        subnet(zone_id="usw2-lax1-az1", zone="us-west-2-lax-1a"),
        subnet(zone_id="use1-wl1-bos-wlz1", zone="us-east-1-wl1-bos-wlz-1"),
    ],
    ids=["unsupported AZ", "no free address", "outpost", "Local Zone", "Wavelength Zone"],
)
def test_subnets_that_cannot_hold_the_endpoint_are_reported_not_tried(unusable):
    plan = decide(vpc(endpoints=[], subnets=[unusable]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.NOT_REPAIRABLE, ())
    assert unusable.zone_id in plan.reasons[0]


def test_without_an_approved_policy_no_endpoint_is_created():
    plan = decide(vpc(endpoints=[]), replace(DESIRED, policy="", policy_problem="no such policy"))

    assert (plan.verdict, plan.steps) == (Verdict.NOT_REPAIRABLE, ())
    assert plan.reasons == ("no such policy",)


@pytest.mark.parametrize("state", ["deleted", "failed", "rejected", "expired"])
def test_a_dead_endpoint_is_replaced(state):
    plan = decide(vpc(endpoints=[endpoint(state=state, problem="quota")]), DESIRED)

    assert plan.verdict is Verdict.BROKEN
    assert plan.creates
    assert f"vpce-1 is {state} (quota)" in plan.reasons


def test_while_one_is_deleting_the_private_name_is_taken_so_we_wait():
    plan = decide(vpc(endpoints=[endpoint(state="deleting")]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.SETTLING, ())


@pytest.mark.parametrize("state", ["pending", "partial"])
def test_a_right_endpoint_that_is_not_yet_available_settles(state):
    plan = decide(vpc(endpoints=[endpoint(state=state)]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.SETTLING, ())
    assert plan.reasons == (f"vpce-1 is {state}",)


def test_what_a_pending_endpoint_lacks_waits_until_aws_and_its_maker_are_done():
    lacking = endpoint(state="pending", private_dns=False, subnet_ids=[], group_ids=["sg-theirs"])

    plan = decide(vpc(endpoints=[lacking]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.SETTLING, ())
    assert decide(vpc(endpoints=[replace(lacking, state="available")]), DESIRED).steps


def test_a_partial_endpoint_gets_what_it_lacks():
    plan = decide(vpc(endpoints=[endpoint(state="partial", private_dns=False)]), DESIRED)

    assert plan.steps == (ModifyEndpoint("vpce-1", enable_private_dns=True),)


def test_an_endpoint_that_nobody_accepted_yet_is_reported_and_not_touched():
    waiting = endpoint(state="pendingacceptance", private_dns=False)

    plan = decide(vpc(endpoints=[waiting]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.NOT_REPAIRABLE, ())
    assert "accept" in plan.reasons[0]


@pytest.mark.parametrize(
    ("deviation", "steps", "reason"),
    [
        (
            {"dns_hostnames": False},
            [EnableDnsAttribute("vpc-1", "enableDnsHostnames")],
            "enableDnsHostnames is off",
        ),
        (
            {"dns_support": False},
            [EnableDnsAttribute("vpc-1", "enableDnsSupport")],
            "enableDnsSupport is off",
        ),
        (
            {"endpoints": [endpoint(private_dns=False)]},
            [ModifyEndpoint("vpce-1", enable_private_dns=True)],
            "private DNS is off",
        ),
        (
            {"subnets": [subnet(), subnet("subnet-2", "use1-az2")]},
            [ModifyEndpoint("vpce-1", add_subnet_ids=("subnet-2",))],
            "no network interface in use1-az2",
        ),
        (
            {"endpoints": [endpoint(subnet_ids=[])]},
            [ModifyEndpoint("vpce-1", add_subnet_ids=("subnet-1",))],
            "no network interface in use1-az1",
        ),
        (
            {"networks": ["10.0.0.0/16", "100.64.0.0/20"]},
            [AuthoriseHttps("sg-ours", ("100.64.0.0/20",))],
            "do not admit port 443",
        ),
        (
            {
                "endpoints": [endpoint(group_ids=["sg-theirs"])],
                "groups": [group("sg-theirs", [], tags={})],
            },
            [
                CreateGroup("vpc-1", group_name("vpc-1", STACK)),
                AuthoriseHttps(None, ("10.0.0.0/16",)),
                ModifyEndpoint("vpce-1", add_group=True),
            ],
            "do not admit port 443",
        ),
        (
            {
                "endpoints": [endpoint(group_ids=["sg-theirs"])],
                "groups": [group("sg-theirs", [], tags={}), group()],
            },
            [ModifyEndpoint("vpce-1", add_group=True, group_id="sg-ours")],
            "do not admit port 443",
        ),
    ],
    ids=[
        "hostnames off",
        "support off",
        "private DNS off",
        "new AZ",
        "no interfaces at all",
        "second CIDR",
        "their group keeps the VPC out",
        "their group, ours is there",
    ],
)
def test_each_fault_alone_has_its_own_steps_and_reason(deviation, steps, reason):
    plan = decide(vpc(**deviation), DESIRED)

    assert (plan.verdict, plan.endpoint_id) == (Verdict.BROKEN, "vpce-1")
    assert list(plan.steps) == steps
    assert any(reason in one for one in plan.reasons)


def test_all_that_one_endpoint_lacks_goes_into_one_call():
    lacking = vpc(
        subnets=[subnet(), subnet("subnet-2", "use1-az2")],
        endpoints=[endpoint(group_ids=["sg-theirs"], private_dns=False)],
        groups=[group("sg-theirs", [], tags={}), group()],
    )

    assert decide(lacking, DESIRED).steps == (
        ModifyEndpoint("vpce-1", ("subnet-2",), True, "sg-ours", enable_private_dns=True),
    )


def test_a_group_of_another_stack_is_not_ours():
    theirs = group("sg-ours", [], tags=OURS | {"vpce-guard:stack": "arn:other"})

    plan = decide(vpc(groups=[theirs]), DESIRED)

    assert AuthoriseHttps("sg-ours", ("10.0.0.0/16",)) not in plan.steps
    assert CreateGroup("vpc-1", group_name("vpc-1", STACK)) in plan.steps


def test_a_group_that_admits_more_than_the_vpc_is_enough_and_stays_as_it_is():
    wide = vpc(
        endpoints=[endpoint(group_ids=["sg-theirs"])],
        groups=[group("sg-theirs", ["10.0.0.0/9", "0.0.0.0/0"], tags={})],
    )

    assert decide(wide, DESIRED).verdict is Verdict.WORKS


def test_a_gateway_endpoint_serves_nobody():
    plan = decide(vpc(endpoints=[endpoint(type_="gateway")]), DESIRED)

    assert plan.creates


def test_of_several_endpoints_the_one_with_private_dns_is_the_one_that_must_work():
    plain = endpoint("vpce-plain", private_dns=False)
    named = endpoint("vpce-named")

    assert serving_endpoint([plain, named]) == named
    assert decide(vpc(endpoints=[plain, named]), DESIRED).endpoint_id == "vpce-named"


# Subnet choice and coverage: the input is a shape.

SUBNETS = st.lists(
    st.builds(
        subnet,
        id_=st.integers(0, 40).map(lambda n: f"subnet-{n}"),
        zone_id=st.sampled_from([*ZONES, "use1-az3"]),
        free=st.integers(0, 250),
        tags=st.sampled_from([{}, {PREFERRED_SUBNET_TAG: ""}]),
        on_outpost=st.sampled_from([False, False, False, True]),
        ipv6_only=st.sampled_from([False, False, False, True]),
        dual_stack=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda one: one.id,
)


@given(SUBNETS, st.sets(st.sampled_from(ZONES)))
def test_one_subnet_is_chosen_for_each_zone_that_has_none(subnets, taken):
    chosen = choose_subnets(subnets, taken)

    zones = {one.id: one.zone_id for one in subnets}
    chosen_zones = [zones[id_] for id_ in chosen]
    assert len(set(chosen_zones)) == len(chosen_zones)
    assert set(chosen_zones) == {one.zone_id for one in subnets} - taken


@given(SUBNETS, st.randoms())
def test_the_choice_does_not_depend_on_the_order_aws_lists_them_in(subnets, random):
    shuffled = list(subnets)
    random.shuffle(shuffled)

    assert choose_subnets(subnets, ()) == choose_subnets(shuffled, ())


@given(SUBNETS)
def test_a_preferred_subnet_wins_then_the_one_with_most_room(subnets):
    by_id = {one.id: one for one in subnets}
    for id_ in choose_subnets(subnets, ()):
        rivals = [one for one in subnets if one.zone_id == by_id[id_].zone_id]
        if any(PREFERRED_SUBNET_TAG in one.tags for one in rivals):
            rivals = [one for one in rivals if PREFERRED_SUBNET_TAG in one.tags]
        assert by_id[id_] in rivals
        assert by_id[id_].free_addresses == max(one.free_addresses for one in rivals)


@given(st.integers(0, 255), st.integers(17, 28))
def test_the_two_halves_of_a_network_admit_the_whole_of_it(octet, length):
    whole = network(f"10.{octet}.0.0/{length}")
    halves = list(whole.subnets(prefixlen_diff=1))

    assert uncovered([whole], halves) == ()
    assert uncovered([whole], halves[:1]) == (whole,)
    assert uncovered([whole], [whole.supernet()]) == ()


def test_ipv6_is_not_covered_by_ipv4():
    v6 = network("2001:db8::/56")

    assert uncovered([v6], [network("0.0.0.0/0")]) == (v6,)
    assert uncovered([v6], [network("::/0")]) == ()


# The plan carried out on paper: whatever the VPC was like, nothing is left to do afterwards.

ENDPOINTS = st.lists(
    st.builds(
        endpoint,
        id_=st.integers(0, 9).map(lambda n: f"vpce-{n}"),
        state=st.sampled_from(
            [*sorted(LIVE), "deleting", "deleted", "failed", "rejected", "expired"]
        ),
        subnet_ids=st.sets(st.integers(0, 40).map(lambda n: f"subnet-{n}"), max_size=2),
        group_ids=st.sets(st.sampled_from(["sg-ours", "sg-theirs"]), min_size=1),
        type_=st.sampled_from(["interface", "gateway"]),
        private_dns=st.booleans(),
        ip_type=st.sampled_from(["ipv4", "ipv4", "dualstack", "ipv6"]),
        dns_type=st.sampled_from(["", "ipv4"]),
    ),
    max_size=3,
    unique_by=lambda one: one.id,
)
VPCS = st.builds(
    vpc,
    networks=st.sets(
        st.sampled_from(["10.0.0.0/16", "100.64.0.0/20", "2001:db8::/56"]), min_size=1
    ),
    dns_support=st.booleans(),
    dns_hostnames=st.booleans(),
    service_ip_types=st.sampled_from([("ipv4",), ("ipv4", "ipv6"), ("ipv6",)]),
    zone=st.sampled_from(
        [None, None, zone("vpce-hub"), zone("vpce-0", live=["vpce-0"]), zone(targets=["10.9.9.9"])]
    ),
    subnets=SUBNETS,
    endpoints=ENDPOINTS,
    groups=st.sampled_from(
        [
            [],
            [group(admits=[])],
            [group(), group("sg-theirs", [], tags={})],
            [group("sg-theirs", ["0.0.0.0/0", "::/0"], tags={})],
        ]
    ),
)


def applied(vpc: Vpc, plan: Plan) -> Vpc:
    """The VPC as AWS would show it some minutes after the plan, were nothing refused."""
    for step in plan.steps:
        vpc = _applied_step(vpc, step)
    return settled(vpc)


def settled(vpc: Vpc) -> Vpc:
    """The VPC when AWS is done with what was going on: states that pass have passed."""
    became = {"pending": "available", "partial": "available", "deleting": "deleted"}
    return replace(
        vpc,
        endpoints=tuple(
            replace(
                one,
                state=became.get(one.state, one.state),
                interface_ids=frozenset(f"eni-{id_}" for id_ in one.subnet_ids),
            )
            for one in vpc.endpoints
        ),
    )


def _applied_step(vpc: Vpc, step) -> Vpc:
    match step:
        case EnableDnsAttribute(_, "enableDnsSupport"):
            return replace(vpc, dns_support=True)
        case EnableDnsAttribute():
            return replace(vpc, dns_hostnames=True)
        case CreateGroup(_, name):
            new = SecurityGroup("sg-new", name, OURS, frozenset())
            return replace(vpc, groups={**vpc.groups, "sg-new": new})
        case AuthoriseHttps(group_id, cidrs):
            one = vpc.groups[group_id or "sg-new"]
            admitted = one.admits_https_from | {network(cidr) for cidr in cidrs}
            rules = one.rules | {Rule("tcp", 443, 443, cidr) for cidr in cidrs}
            admits = replace(one, admits_https_from=admitted, rules=rules)
            return replace(vpc, groups={**vpc.groups, one.id: admits})
        case RevokeIngress(group_id, rules):
            left = vpc.groups[group_id].rules - set(rules)
            less = replace(vpc.groups[group_id], rules=left)
            return replace(vpc, groups={**vpc.groups, group_id: less})
        case CreateEndpoint():
            groups = frozenset({step.group_id or "sg-new"})
            subnets = frozenset(step.subnet_ids)
            new = endpoint("vpce-new", "pending", subnets, groups, ip_type=step.ip_type)
            return replace(vpc, endpoints=(*vpc.endpoints, new))
        case ModifyEndpoint():
            return replace(vpc, endpoints=tuple(_modified(one, step) for one in vpc.endpoints))
    raise AssertionError(step)


def _modified(one: Endpoint, step: ModifyEndpoint) -> Endpoint:
    if one.id != step.endpoint_id:
        return one
    added = {step.group_id or "sg-new"} if step.add_group else set()
    return replace(
        one,
        state="pending",
        subnet_ids=one.subnet_ids | set(step.add_subnet_ids),
        group_ids=one.group_ids | added,
        private_dns=one.private_dns or step.enable_private_dns,
        ip_type=step.ip_type or one.ip_type,
        dns_type=step.ip_type or one.dns_type,
    )


@given(VPCS)
def test_after_the_plan_there_is_nothing_left_to_do(one):
    one = settled(one)
    first = decide(one, DESIRED)

    second = decide(applied(one, first), DESIRED)

    assert second.steps == ()
    if first.steps:
        assert second.verdict in (Verdict.WORKS, Verdict.DEGRADED, Verdict.COVERED)
    else:
        assert second == first


@given(VPCS)
def test_every_verdict_but_works_gives_its_reasons(one):
    plan = decide(one, DESIRED)

    assert plan.reasons or plan.verdict is Verdict.WORKS
    assert bool(plan.steps) == (plan.verdict is Verdict.BROKEN)


# Who else has the name: hubs, hosted zones, a second endpoint, FIPS.

OFF = endpoint(private_dns=False)
ENTRY = "vpce-hub-abcd1234.secretsmanager.us-east-1.vpce.amazonaws.com"


@pytest.mark.parametrize(
    ("hub", "desired"),
    [
        (zone("vpce-hub", live=["vpce-hub"]), DESIRED),
        (zone("vpce-hub"), replace(DESIRED, approved_endpoints=frozenset({"vpce-hub"}))),
        (
            zone(owner_id="444455556666"),
            replace(DESIRED, approved_accounts=frozenset({"444455556666"})),
        ),
        (zone("vpce-hub", live=["vpce-hub"], targets=[f"{ENTRY.upper()}."]), DESIRED),
        (
            zone(targets=[ENTRY.replace("1234.", "1234-us-east-1a."), ENTRY]),
            replace(DESIRED, approved_endpoints=frozenset({"vpce-hub"})),
        ),
    ],
    ids=["own account", "approved endpoint", "approved account's zone", "letters", "of one AZ"],
)
@pytest.mark.parametrize("endpoints", [[], [OFF]], ids=["none", "one without private DNS"])
def test_a_vpc_whose_name_a_hub_serves_is_covered(hub, desired, endpoints):
    plan = decide(vpc(endpoints=endpoints, groups=[], zone=hub), desired)

    assert (plan.verdict, plan.steps) == (Verdict.COVERED, ())
    assert "Z0HUB" in plan.reasons[0]


@pytest.mark.parametrize(
    "hub",
    [
        zone("vpce-hub"),
        zone("vpce-hub", "vpce-other", live=["vpce-hub"]),
        zone(targets=["10.1.2.3"]),
        zone("vpce-hub", live=["vpce-hub"], targets=["vpce-hub-x.amazonaws.com", "10.1.2.3"]),
        zone(),
        zone(owner_id="444455556666"),
        # What only seems to be a hub: names that hold an id, of another service or Region.
        zone("vpce-hub", live=["vpce-hub"], targets=["vpce-hub-abcd1234.evil.example.com"]),
        zone("vpce-hub", live=["vpce-hub"], targets=[f"evil-{ENTRY}"]),
        zone("vpce-hub", live=["vpce-hub"], targets=[f"{ENTRY}.evil.example.com"]),
        zone("vpce-hub", live=["vpce-hub"], targets=[ENTRY.replace("secretsmanager", "ssm")]),
        zone("vpce-hub", live=["vpce-hub"], targets=[ENTRY.replace("us-east-1", "eu-west-1")]),
        zone("vpce-hub", live=["vpce-hub"], targets=[ENTRY, "198.51.100.7"]),
        zone("vpce-hub", live=["vpce-hub"], targets=[ENTRY, "1 . alpn=h2"]),
    ],
)
def test_a_hosted_zone_that_points_elsewhere_is_a_conflict_that_only_people_can_end(hub):
    plan = decide(vpc(endpoints=[], zone=hub), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.NOT_REPAIRABLE, ())
    assert "the private hosted zone Z0HUB" in plan.reasons[0]


def test_a_covered_vpc_needs_its_dns_attributes_all_the_same():
    hub = zone("vpce-hub", live=["vpce-hub"])

    plan = decide(vpc(endpoints=[], dns_hostnames=False, zone=hub), DESIRED)

    assert plan.steps == (EnableDnsAttribute("vpc-1", "enableDnsHostnames"),)
    assert decide(applied(vpc(endpoints=[], zone=hub), plan), DESIRED).verdict is Verdict.COVERED


def test_the_hub_itself_has_no_private_dns_and_is_repaired_in_all_else():
    hub = vpc(
        endpoints=[OFF],
        zone=zone("vpce-1", live=["vpce-1"]),
        subnets=[subnet(), subnet("subnet-2", "use1-az2")],
    )

    plan = decide(hub, DESIRED)

    assert plan.steps == (ModifyEndpoint("vpce-1", ("subnet-2",)),)
    assert decide(applied(hub, plan), DESIRED).verdict is Verdict.WORKS


def test_with_private_dns_on_no_zone_counts():
    # AWS allows only one of the two, so a zone that is still listed is on its way out.
    assert decide(vpc(zone=zone("vpce-hub")), DESIRED).verdict is Verdict.WORKS


def test_that_route_53_could_not_be_asked_is_noted():
    plan = decide(vpc(endpoints=[], zone_unread="Route 53 refuses it: AccessDenied"), DESIRED)

    assert plan.creates
    assert "AccessDenied" in plan.notes[0]


def test_private_dns_waits_until_the_endpoint_that_has_the_name_is_gone():
    going = endpoint("vpce-old", "deleting")

    plan = decide(vpc(endpoints=[OFF, going]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.SETTLING, ())
    assert "vpce-old" in plan.reasons[0]


def test_one_that_is_deleting_without_the_name_is_in_nobodys_way():
    going = endpoint("vpce-old", "deleting", private_dns=False)

    assert decide(vpc(endpoints=[OFF, going]), DESIRED).steps
    assert decide(vpc(endpoints=[endpoint(), going]), DESIRED).verdict is Verdict.WORKS


def test_a_second_endpoint_without_private_dns_is_noted_and_left_alone():
    plan = decide(vpc(endpoints=[endpoint(), endpoint("vpce-2", private_dns=False)]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.WORKS, ())
    assert "vpce-2" in plan.notes[0]


def test_a_fips_endpoint_never_counts_for_the_plain_name():
    fips = endpoint("vpce-fips")

    alone = decide(vpc(endpoints=[], fips_endpoints=[fips]), DESIRED)
    beside = decide(vpc(fips_endpoints=[fips]), DESIRED)

    assert alone.creates
    assert (beside.verdict, beside.steps) == (Verdict.WORKS, ())
    assert "vpce-fips has the FIPS name alone" in beside.notes[0]


# Security groups.


def test_a_group_without_egress_is_fine_for_an_endpoint():
    answering = group("sg-theirs", tags={}, reaches=[])

    plan = decide(vpc(endpoints=[endpoint(group_ids=["sg-theirs"])], groups=[answering]), DESIRED)

    assert plan.verdict is Verdict.WORKS


def test_ipv6_networks_of_the_vpc_must_be_admitted_too():
    plan = decide(vpc(networks=["10.0.0.0/16", "2001:db8::/56"]), DESIRED)

    assert plan.steps == (AuthoriseHttps("sg-ours", ("2001:db8::/56",)),)


def test_an_endpoint_that_opted_out_is_left_alone_however_broken():
    opted_out = replace(endpoint(private_dns=False), tags={"vpce-guard:ignore": ""})

    plan = decide(vpc(endpoints=[opted_out]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.EXEMPT, ())


def test_the_group_of_another_stack_does_not_take_the_name_of_ours():
    assert group_name("vpc-1", STACK) != group_name("vpc-1", STACK.replace("1f2e3d4c", "5a6b7c8d"))
