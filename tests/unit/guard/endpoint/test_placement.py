"""Where the interfaces go: AZs, IP versions, the limit, and what is reported of those left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.endpoint.decide import decide
from guard.endpoint.placement import choose_subnets, place_more, place_new
from guard.endpoint.plan import CreateEndpoint, ModifyEndpoint, Verdict
from guard.endpoint.state import PREFERRED_SUBNET_TAG
from tests.builders import DESIRED, endpoint, subnet, vpc

V4 = subnet("subnet-1", "use1-az1")
V4_OTHER = subnet("subnet-2", "use1-az2")
DUAL = subnet("subnet-3", "use1-az1", dual_stack=True)
DUAL_OTHER = subnet("subnet-4", "use1-az2", dual_stack=True)
V6 = subnet("subnet-6", "use1-az4", ipv6_only=True)
V6_OTHER = subnet("subnet-7", "use1-az2", ipv6_only=True)


@pytest.mark.parametrize(
    ("subnets", "ip_type", "chosen"),
    [
        ([V4, V4_OTHER], "ipv4", ("subnet-1", "subnet-2")),
        ([DUAL, DUAL_OTHER], "ipv4", ("subnet-3", "subnet-4")),
        ([DUAL, V4_OTHER], "ipv4", ("subnet-3", "subnet-2")),
        ([DUAL, V4_OTHER, V6], "dualstack", ("subnet-3",)),
        ([DUAL, V6], "dualstack", ("subnet-3",)),
        ([V6, V6_OTHER], "ipv6", ("subnet-7", "subnet-6")),
        ([V4, V6], "ipv4", ("subnet-1",)),
    ],
    ids=[
        "IPv4",
        "dual-stack takes either, so the plainest",
        "mixed, but nobody needs IPv6",
        "IPv6 alone beside IPv4 alone",
        "IPv6 alone beside dual-stack",
        "IPv6 alone",
        "no subnet that has both",
    ],
)
def test_the_type_leaves_no_client_without_an_ip_version_if_that_can_be(subnets, ip_type, chosen):
    place = place_new(vpc(subnets=subnets), 0)

    assert (place.ip_type, place.subnet_ids) == (ip_type, chosen)


def test_who_is_left_without_an_ip_version_is_reported():
    (gap,) = place_new(vpc(subnets=[V4, V6_OTHER]), 1).gaps
    assert "subnet-7" in gap
    assert "IPv6" in gap


def test_without_ipv6_at_the_service_nobody_gets_it():
    only_v4 = vpc(subnets=[DUAL, V6], service_ip_types=["ipv4"])

    assert place_new(only_v4, 0).ip_type == "ipv4"
    plan = decide(vpc(subnets=[V6], endpoints=[], service_ip_types=["ipv4"]), DESIRED)
    assert plan.verdict is Verdict.NOT_REPAIRABLE
    assert "IPv6 alone" in plan.reasons[0]


def test_a_new_endpoint_is_created_with_the_type_and_one_that_is_there_is_changed():
    creating = decide(vpc(endpoints=[], subnets=[DUAL, V6]), DESIRED)
    changing = decide(
        vpc(subnets=[DUAL, V6], endpoints=[endpoint(subnet_ids=["subnet-3"])]), DESIRED
    )

    create = creating.steps[-1]
    assert isinstance(create, CreateEndpoint)
    assert create.ip_type == "dualstack"
    assert changing.steps == (ModifyEndpoint("vpce-1", ip_type="dualstack"),)


def test_names_that_stand_for_ipv4_alone_hide_a_dual_stack_endpoint():
    hidden = endpoint(subnet_ids=["subnet-3"], ip_type="dualstack", dns_type="ipv4")

    plan = decide(vpc(subnets=[DUAL, V6_OTHER], endpoints=[hidden]), DESIRED)

    assert ModifyEndpoint("vpce-1", ip_type="dualstack") in plan.steps


def test_an_endpoint_in_a_subnet_of_ipv4_alone_cannot_be_made_dual_stack_and_that_is_reported():
    plan = decide(vpc(subnets=[V4, V6_OTHER], endpoints=[endpoint()]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.DEGRADED, ())
    assert any("subnet-7" in reason and "IPv6 alone" in reason for reason in plan.reasons)


def test_an_endpoint_keeps_the_ip_versions_it_has():
    both = endpoint(subnet_ids=["subnet-3"], ip_type="dualstack")

    plan = decide(vpc(subnets=[DUAL, V4_OTHER], endpoints=[both]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.DEGRADED, ())
    assert "use1-az2" in plan.reasons[0]


def test_an_az_whose_subnets_are_full_is_reported_and_the_endpoint_still_works():
    full = vpc(subnets=[V4, subnet("subnet-2", "use1-az2", free=0)])

    plan = decide(full, DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.DEGRADED, ())
    assert plan.reasons == ("no network interface in use1-az2 (subnet-2: no free IPv4 address)",)


def test_an_interface_in_a_subnet_that_is_full_by_now_is_fine():
    assert decide(vpc(subnets=[subnet(free=0)]), DESIRED).verdict is Verdict.WORKS


def test_an_az_the_service_does_not_support_is_known_by_its_id_and_needs_nothing():
    plan = decide(vpc(subnets=[V4, subnet("subnet-9", "use1-az3")]), DESIRED)

    assert (plan.verdict, plan.reasons) == (Verdict.WORKS, ())
    assert plan.notes == ("the service is not in use1-az3",)


def test_azs_are_known_by_name_where_the_region_gives_no_ids():
    plan = decide(vpc(endpoints=[], service_zones=["us-east-1a"]), DESIRED)

    assert plan.creates


def test_outposts_and_local_zones_are_skipped_and_said_to_be():
    beside = [
        V4,
        subnet("subnet-8", "use1-az2", on_outpost=True),
        subnet("subnet-9", "usw2-lax1-az1", zone="us-west-2-lax-1a"),
    ]

    plan = decide(vpc(subnets=beside), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.WORKS, ())
    assert plan.notes == ("no endpoint reaches Outposts and Local Zones: subnet-8, subnet-9",)


def test_an_interface_endpoint_without_subnets_is_no_endpoint_yet():
    plan = decide(vpc(endpoints=[endpoint(subnet_ids=[])]), DESIRED)

    assert plan.steps == (ModifyEndpoint("vpce-1", ("subnet-1",)),)


def test_an_interface_endpoint_without_subnets_where_none_would_do_is_reported():
    plan = decide(vpc(endpoints=[endpoint(subnet_ids=[])], subnets=[subnet(free=0)]), DESIRED)

    assert (plan.verdict, plan.endpoint_id) == (Verdict.NOT_REPAIRABLE, "vpce-1")
    assert "no free IPv4 address" in plan.reasons[0]


def test_an_endpoint_that_shows_no_interface_is_reconciled_again():
    plan = decide(vpc(endpoints=[endpoint(interfaces=False)]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.SETTLING, ())
    assert plan.reasons == ("vpce-1 shows no network interface",)


# The limit on AZs.


def test_the_limit_prefers_azs_with_preferred_subnets_then_those_with_most_room():
    preferred = subnet("subnet-1", "use1-az1", 5, {PREFERRED_SUBNET_TAG: ""})
    roomy, tight = subnet("subnet-2", "use1-az2", 200), subnet("subnet-3", "use1-az4", 20)

    assert choose_subnets([tight, roomy, preferred], (), 1) == ("subnet-1",)
    assert choose_subnets([tight, roomy, preferred], (), 2) == ("subnet-1", "subnet-2")


def test_what_the_limit_leaves_out_is_neither_repaired_nor_reported():
    three = [V4, V4_OTHER, subnet("subnet-3", "use1-az4")]
    limited = vpc(subnets=three, endpoints=[endpoint(subnet_ids=["subnet-1", "subnet-2"])])

    place = place_more(limited, limited.endpoints[0], 2)
    assert (place.subnet_ids, place.gaps) == ((), ())


def test_an_endpoint_in_more_azs_than_the_limit_keeps_them():
    wide = vpc(subnets=[V4, V4_OTHER], endpoints=[endpoint(subnet_ids=["subnet-1", "subnet-2"])])

    assert place_more(wide, wide.endpoints[0], 1).subnet_ids == ()


SUBNETS = st.lists(
    st.builds(
        subnet,
        id_=st.integers(0, 40).map(lambda n: f"subnet-{n}"),
        zone_id=st.sampled_from(["use1-az1", "use1-az2", "use1-az3", "use1-az4"]),
        free=st.integers(0, 3),
        ipv6_only=st.booleans(),
        dual_stack=st.booleans(),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one.id,
)
IP_TYPES = st.sampled_from([("ipv4",), ("ipv6",), ("ipv4", "ipv6")])


@given(SUBNETS, IP_TYPES, st.integers(0, 3))
def test_aws_would_take_every_subnet_that_is_chosen(subnets, ip_types, limit):
    one = vpc(subnets=subnets, service_ip_types=ip_types)
    place = place_new(one, limit)

    by_id = {s.id: s for s in subnets}
    chosen = [by_id[id_] for id_ in place.subnet_ids]
    assert all(s.suits(place.ip_type) and s.zone_id in one.service_zones for s in chosen)
    assert all(s.free_addresses or place.ip_type == "ipv6" for s in chosen)
    assert len({s.zone_id for s in chosen}) == len(chosen)
    assert not limit or len(chosen) <= limit
