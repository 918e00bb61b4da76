"""Whom an endpoint's groups let in: ours exactly the VPC, theirs whom they chose."""

from dataclasses import replace

import pytest

from guard.endpoint.answers import group_of
from guard.endpoint.decide import decide
from guard.endpoint.groups import own_groups
from guard.endpoint.plan import AuthoriseHttps, ModifyEndpoint, RevokeIngress, Verdict
from guard.endpoint.state import Rule
from tests.builders import DESIRED, OURS, STACK, endpoint, group, vpc

VPC_RULE = Rule("tcp", 443, 443, "10.0.0.0/16")
THEIRS = endpoint(group_ids=["sg-theirs"])


def ours(*rules: Rule):
    return replace(group(), rules=frozenset(rules))


# Ours.


@pytest.mark.parametrize(
    "rule",
    [
        Rule("tcp", 443, 443, "100.64.0.0/16"),  # a range that was taken from the VPC
        Rule("-1", -1, -1, "0.0.0.0/0"),
        Rule("tcp", 443, 443, "0.0.0.0/0"),
        Rule("tcp", 0, 65535, "10.0.0.0/16"),
        Rule("udp", 443, 443, "10.0.0.0/16"),
        Rule("icmp", -1, -1, "10.0.0.0/16"),
        Rule("tcp", 443, 443, "::/0"),
        Rule("tcp", 443, 443, "sg-0123", "111122223333"),
        Rule("tcp", 443, 443, "pl-0123"),
    ],
    ids=str,
)
def test_what_our_group_admits_beyond_the_vpc_is_taken_away(rule):
    plan = decide(vpc(groups=[ours(VPC_RULE, rule)]), DESIRED)

    assert plan.verdict is Verdict.BROKEN
    assert plan.steps == (RevokeIngress("sg-ours", (rule,)),)
    assert "sg-ours admits more" in plan.reasons[0]


@pytest.mark.parametrize(
    ("networks", "rules"),
    [
        (["10.0.0.0/16"], [VPC_RULE, Rule("tcp", 443, 443, "10.0.4.0/24")]),
        (["10.0.0.0/16", "2001:db8::/56"], [VPC_RULE, Rule("tcp", 443, 443, "2001:db8::/56")]),
        (["10.0.0.0/17", "10.0.128.0/17"], [VPC_RULE]),
    ],
    ids=["a part once more", "both versions", "two halves as one"],
)
def test_what_our_group_admits_of_the_vpc_stays(networks, rules):
    assert decide(vpc(networks=networks, groups=[ours(*rules)]), DESIRED).verdict is Verdict.WORKS


def test_a_rule_that_is_too_wide_is_replaced_and_not_only_taken_away():
    everything = Rule("-1", -1, -1, "0.0.0.0/0")

    plan = decide(vpc(groups=[ours(everything)]), DESIRED)

    assert plan.steps == (
        AuthoriseHttps("sg-ours", ("10.0.0.0/16",)),
        RevokeIngress("sg-ours", (everything,)),
    )


def test_our_group_beside_theirs_is_kept_exact_too():
    both = endpoint(group_ids=["sg-theirs", "sg-ours"])
    wide = Rule("tcp", 22, 22, "0.0.0.0/0")
    groups = [ours(VPC_RULE, wide), group("sg-theirs", ["0.0.0.0/0"], {})]

    assert decide(vpc(endpoints=[both], groups=groups), DESIRED).steps == (
        RevokeIngress("sg-ours", (wide,)),
    )


def test_a_group_of_another_name_is_not_ours_whatever_its_tags_say():
    """Whoever may tag can write the tags; nobody can rename a group."""
    tagged = replace(ours(VPC_RULE, Rule("tcp", 22, 22, "0.0.0.0/0")), name="payments")

    assert own_groups(vpc(groups=[tagged]), STACK) == []
    assert decide(vpc(groups=[tagged]), DESIRED).verdict is Verdict.WORKS


def test_every_source_of_a_rule_is_read():
    raw = {
        "GroupId": "sg-1",
        "GroupName": "g",
        "IpPermissions": [
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [{"CidrIp": "10.0.0.0/16"}],
                "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
                "UserIdGroupPairs": [{"GroupId": "sg-2", "UserId": "111122223333"}],
                "PrefixListIds": [{"PrefixListId": "pl-1"}],
            },
        ],
    }
    assert group_of(raw).rules == {
        Rule("-1", -1, -1, "0.0.0.0/0"),
        VPC_RULE,
        Rule("tcp", 443, 443, "::/0"),
        Rule("tcp", 443, 443, "sg-2", "111122223333"),
        Rule("tcp", 443, 443, "pl-1"),
    }


# Theirs.


@pytest.mark.parametrize(
    "theirs",
    [
        group("sg-theirs", [], {}, admits_groups=["sg-clients"]),
        group("sg-theirs", [], {}, admits_groups=["sg-theirs"]),
        group("sg-theirs", [], {}, prefix_lists=True),
        group("sg-theirs", ["10.0.0.0/17"], {}),
        group("sg-theirs", ["192.168.0.0/16"], {}),
    ],
    ids=["another group", "its own members", "a prefix list", "half the CIDR", "elsewhere"],
)
def test_whom_somebody_chose_to_admit_is_left_so_and_reported(theirs):
    plan = decide(vpc(endpoints=[THEIRS], groups=[theirs]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.DEGRADED, ())
    assert "sg-theirs admit port 443 from a part of the VPC" in plan.reasons[-1]


@pytest.mark.parametrize(
    ("theirs", "networks"),
    [
        (group("sg-theirs", [], {}), ["10.0.0.0/16"]),
        (replace(group("sg-1", [], {}, admits_groups=["sg-1"]), name="default"), ["10.0.0.0/16"]),
        (group("sg-theirs", tags={}), ["10.0.0.0/16", "100.64.0.0/16"]),
    ],
    ids=["nobody", "the default group", "a range that was added since"],
)
def test_a_group_that_keeps_the_vpc_out_by_no_choice_gets_ours_beside_it(theirs, networks):
    served = endpoint(group_ids=[theirs.id])

    plan = decide(vpc(endpoints=[served], groups=[theirs], networks=networks), DESIRED)

    assert plan.steps[-1] == ModifyEndpoint("vpce-1", add_group=True)
    assert all(getattr(step, "group_id", None) != theirs.id for step in plan.steps)


def test_whoever_is_let_in_to_ours_was_not_chosen_by_its_owner():
    tampered = replace(THEIRS, tags=OURS)
    chosen = group("sg-theirs", [], {}, admits_groups=["sg-clients"])

    plan = decide(vpc(endpoints=[tampered], groups=[chosen, group()]), DESIRED)

    assert plan.steps == (ModifyEndpoint("vpce-1", add_group=True, group_id="sg-ours"),)


def test_no_group_is_made_for_addresses_that_the_endpoint_does_not_have():
    """A group that admits IPv6 helps nobody at an endpoint of IPv4."""
    networks = ["10.0.0.0/16", "2001:db8::/56"]
    theirs = group("sg-theirs", tags={})

    v4 = decide(vpc(endpoints=[THEIRS], groups=[theirs], networks=networks), DESIRED)
    both = replace(THEIRS, ip_type="dualstack", dns_type="dualstack")
    dual = decide(vpc(endpoints=[both], groups=[theirs], networks=networks), DESIRED)

    assert (v4.verdict, v4.steps) == (Verdict.WORKS, ())
    assert dual.steps[-1] == ModifyEndpoint("vpce-1", add_group=True)


def test_what_an_aws_service_made_for_itself_is_left_alone():
    managed = endpoint(group_ids=["sg-theirs"], requester_managed=True)
    shut = [group("sg-theirs", [], {})]

    plan = decide(vpc(endpoints=[managed], groups=shut), DESIRED)
    well = decide(vpc(endpoints=[replace(managed, group_ids=frozenset({"sg-ours"}))]), DESIRED)

    assert (plan.verdict, plan.steps) == (Verdict.DEGRADED, ())
    assert "belongs to the AWS service that made it" in plan.reasons[-1]
    assert well.verdict is Verdict.WORKS


def test_what_an_aws_service_made_for_itself_without_private_dns_serves_nobody_else():
    managed = endpoint("vpce-aws", private_dns=False, requester_managed=True)

    plan = decide(vpc(endpoints=[managed]), DESIRED)

    assert plan.creates
