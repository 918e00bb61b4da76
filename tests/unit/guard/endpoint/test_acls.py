"""What network ACLs let through: rule by rule, and between the subnets of a VPC."""

from dataclasses import replace
from ipaddress import ip_address
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.endpoint.acls import EPHEMERAL, between, outcomes, walls
from guard.endpoint.answers import acl_of
from guard.endpoint.decide import decide
from guard.endpoint.plan import CreateEndpoint, Verdict
from guard.endpoint.state import HTTPS, AclRule, NetworkAcl, network
from tests.builders import DESIRED, ZONES, endpoint, subnet, vpc

ALL, ALL6 = network("0.0.0.0/0"), network("::/0")
V4 = frozenset({4})
ALLOW = (AclRule(True, ALL), AclRule(True, ALL6))


def rule(cidr="0.0.0.0/0", low=0, high=65_535, *, allow=True):
    return AclRule(allow, network(cidr), low, high)


def acl(ingress=ALLOW, egress=ALLOW, id_="acl-1"):
    return NetworkAcl(id_, tuple(ingress), tuple(egress))


def with_acls(one, **acls):
    """The VPC with these ACLs, by the number of the subnet; the others have AWS's default one."""
    named = {f"subnet-{name[1:]}": value for name, value in acls.items()}
    return replace(one, acls={s.id: named.get(s.id, acl(id_="acl-0")) for s in one.subnets})


THREE = vpc(
    subnets=[subnet(f"subnet-{n}", ZONES[n - 1]) for n in (1, 2, 3)],
    endpoints=[endpoint(subnet_ids=["subnet-1", "subnet-2", "subnet-3"])],
)
DENY = (rule(allow=False),)
NO_HTTPS = (rule(low=443, high=443, allow=False), *ALLOW)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((), {False}),
        ((rule(),), {True}),
        ((rule(low=1024),), {False}),
        ((rule(low=443, high=443),), {True}),
        ((rule(allow=False), rule()), {False}),
        ((rule("10.0.1.0/25", allow=False), rule()), {True, False}),
        # Halves of everything are everything.
        ((rule("0.0.0.0/1", allow=False), rule("128.0.0.0/1", allow=False), rule()), {False}),
        ((rule("10.0.1.0/25"), rule("10.0.1.128/25")), {True}),
        ((rule("10.0.1.7/32"),), {True, False}),
        ((rule("::/0"),), {False}),
    ],
)
def test_the_first_rule_that_fits_decides_for_each_address_and_port(rules, expected):
    assert outcomes(rules, network("10.0.1.0/24"), HTTPS, HTTPS) == expected


networks = st.sampled_from(
    [network(f"10.0.0.{n << s}/{32 - s}") for s in range(5) for n in range(16 >> s)]
)
rules = st.builds(
    lambda allow, net, one, other: AclRule(allow, net, min(one, other), max(one, other)),
    st.booleans(),
    networks,
    st.integers(0, 9),
    st.integers(0, 9),
)


@given(st.lists(rules, max_size=6), networks, st.integers(0, 9), st.integers(0, 9))
def test_it_is_what_each_packet_alone_would_meet(some, asked, one, other):
    low, high = min(one, other), max(one, other)

    def met(address, port):
        for each in some:
            if ip_address(address) in each.network and each.low <= port <= each.high:
                return each.allow
        return False

    expected = {met(a, port) for a, port in product(asked, range(low, high + 1))}
    assert outcomes(tuple(some), asked, low, high) == expected


def test_rules_made_to_be_many_pieces_end_soon():
    many = tuple(
        rule(f"10.{n}.{n}.{n}/32", 100 * n, 100 * n + 7, allow=bool(n % 2)) for n in range(40)
    )
    assert outcomes((*many, *many), network("10.0.0.0/8"), 0, 65_535) == {True, False}


def test_acls_that_aws_makes_let_everything_through():
    assert walls(with_acls(THREE), ["subnet-1", "subnet-2"], V4) == walls(THREE, ["subnet-1"], V4)
    assert decide(with_acls(THREE), DESIRED).verdict is Verdict.WORKS


def kept(client_acl, target_acl):
    one = with_acls(THREE, s1=client_acl, s2=target_acl)
    first, second, _ = one.subnets
    return between(one.acls, first, second, V4)


@pytest.mark.parametrize(
    ("client", "target", "words"),
    [
        (acl(egress=NO_HTTPS), acl(), "no request out to 10.0.2.0/24"),
        (acl(ingress=[rule(high=1023)]), acl(), "no answer in from 10.0.2.0/24"),
        (acl(), acl(ingress=NO_HTTPS), "no request in from 10.0.1.0/24"),
        (acl(), acl(egress=[rule(low=443, high=443)]), "no answer out to 10.0.1.0/24"),
    ],
)
def test_each_of_four_ways_can_be_closed(client, target, words):
    wall = kept(client, target)
    assert wall
    assert wall.closed
    assert words in wall.words


@pytest.mark.parametrize(
    ("client", "target"),
    [
        # What AWS's guide recommends: HTTPS one way, ephemeral ports the other.
        (
            acl(egress=[rule(low=443, high=443)], ingress=[rule(low=1024)]),
            acl(ingress=[rule("10.0.0.0/16", 443, 443)], egress=[rule(low=32_768)]),
        ),
        (acl(egress=[rule("10.0.0.0/8")], ingress=[rule("10.0.0.0/8")]), acl()),
        (acl(ingress=[rule("0.0.0.0/0", 22, 22, allow=False), *ALLOW]), acl()),
    ],
)
def test_what_lets_https_and_its_answers_through_is_no_wall(client, target):
    assert kept(client, target) is None


def test_answers_to_some_ports_alone_are_a_wall_in_part():
    wall = kept(acl(ingress=[rule(low=49_152)]), acl())
    assert wall
    assert not wall.closed
    assert EPHEMERAL[0] < 49_152 <= EPHEMERAL[1]


def test_a_deny_all_acl_everywhere_leaves_no_working_endpoint():
    shut = acl(DENY, DENY)
    plan = decide(with_acls(THREE, s1=shut, s2=shut, s3=shut), DESIRED)
    assert plan.verdict is Verdict.NOT_REPAIRABLE
    assert "acl-1" in plan.reasons[0]
    assert plan.steps == ()


def test_clients_that_may_not_call_out_anywhere_leave_none_either():
    mute = acl(egress=NO_HTTPS)
    plan = decide(with_acls(THREE, s1=mute, s2=mute, s3=mute), DESIRED)
    assert plan.verdict is Verdict.NOT_REPAIRABLE


def test_one_interface_that_is_shut_is_what_every_client_may_get():
    plan = decide(with_acls(THREE, s2=acl(ingress=NO_HTTPS, id_="acl-9")), DESIRED)
    assert plan.verdict is Verdict.NOT_REPAIRABLE
    assert any("acl-9" in reason and "subnet-2" in reason for reason in plan.reasons)


def test_a_subnet_isolated_on_purpose_is_named_and_no_more():
    """A database's subnet, whose ACL lets no HTTPS out, with no interface in it."""
    one = replace(THREE, endpoints=(endpoint(subnet_ids=["subnet-1", "subnet-2"]),))
    one = replace(one, subnets=(*one.subnets[:2], subnet("subnet-3", ZONES[0])))
    plan = decide(with_acls(one, s3=acl(egress=NO_HTTPS)), DESIRED)
    assert plan.verdict is Verdict.DEGRADED
    assert all("subnet-3" in reason for reason in plan.reasons)


def test_two_subnets_of_which_one_is_isolated_are_no_endpoint_that_is_shut():
    one = vpc(subnets=[subnet("subnet-1", ZONES[0]), subnet("subnet-2", ZONES[0])])
    plan = decide(with_acls(one, s2=acl(egress=NO_HTTPS)), DESIRED)
    assert plan.verdict is Verdict.DEGRADED


def test_a_single_subnet_has_no_wall_in_it():
    plan = decide(with_acls(vpc(), s1=acl(DENY, DENY)), DESIRED)
    assert plan.verdict is Verdict.WORKS


def test_interfaces_go_where_the_others_get_through():
    bare = replace(
        THREE,
        endpoints=(),
        subnets=(*THREE.subnets, subnet("subnet-4", ZONES[0], 10)),
    )
    plan = decide(with_acls(bare, s1=acl(DENY, DENY), s3=acl(ingress=NO_HTTPS)), DESIRED)
    create = plan.steps[-1]
    assert isinstance(create, CreateEndpoint)
    assert create.subnet_ids == ("subnet-4", "subnet-2")
    assert any("subnet-3: its network ACL keeps the others out" in one for one in plan.reasons)


def test_where_nobody_gets_through_anywhere_the_endpoint_is_made_all_the_same():
    shut = acl(DENY, DENY)
    plan = decide(with_acls(replace(THREE, endpoints=()), s1=shut, s2=shut, s3=shut), DESIRED)
    create = plan.steps[-1]
    assert isinstance(create, CreateEndpoint)
    assert len(create.subnet_ids) == 3


def test_dual_stack_is_closed_where_both_versions_are():
    dual = [
        subnet("subnet-1", ZONES[0], dual_stack=True),
        subnet("subnet-2", ZONES[1], dual_stack=True),
    ]
    one = vpc(subnets=dual)
    both = frozenset({4, 6})
    v4_only = with_acls(one, s2=acl(ingress=[rule()]))
    wall = between(v4_only.acls, *v4_only.subnets, both)
    assert wall
    assert not wall.closed
    assert between(v4_only.acls, *v4_only.subnets, V4) is None


def test_dns_servers_of_ones_own_are_named_as_a_limit():
    plan = decide(replace(vpc(), resolvers=("203.0.113.53",), dhcp_options_id="dopt-1"), DESIRED)
    assert plan.verdict is Verdict.DEGRADED
    (reason,) = plan.reasons
    assert "203.0.113.53" in reason
    assert "dopt-1" in reason


def test_ec2s_answer_is_read_in_the_order_of_its_numbers():
    entries = [
        {"RuleNumber": 32767, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"},
        {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"},
        {"RuleNumber": 90, "Protocol": "17", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"},
        {
            "RuleNumber": 80,
            "Protocol": "6",
            "RuleAction": "deny",
            "Ipv6CidrBlock": "::/0",
            "PortRange": {"From": 443, "To": 443},
        },
    ]
    read = acl_of(
        {"NetworkAclId": "acl-1", "Entries": [{**one, "Egress": False} for one in entries]}
    )
    assert read.egress == ()
    assert read.ingress == (
        AclRule(False, ALL6, 443, 443),
        AclRule(True, ALL),
        AclRule(False, ALL),
    )
