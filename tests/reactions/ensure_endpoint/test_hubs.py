"""Hubs as a spoke sees them: by hosted zones and Route 53 Profiles, and with the way there."""

from datetime import timedelta

import pytest

from tests.reactions.account import kinds
from tests.reactions.hub import MINUTES, Net


def test_a_zone_all_of_whose_records_are_the_hubs_covers(cloud, account):
    net = Net(cloud, account)
    net.associate(net.zone(net.entry(), net.endpoint["DnsEntries"][1]["DnsName"]))
    assert net.settle() == []
    assert account.endpoints(net.spoke) == []


@pytest.mark.parametrize("others", [1, 320])
def test_one_record_that_leads_elsewhere_and_the_zone_is_no_hub(cloud, account, others):
    """However many good ones come before it."""
    net = Net(cloud, account)
    zone_id = net.zone(*[net.entry()] * others)
    net.record(zone_id, f"{net.entry()}.evil.example.com", key="z")
    net.associate(zone_id)
    assert net.settle() == ["endpoint-not-repairable"]
    assert "evil.example.com" in cloud.findings[-1]["cause"]


def test_a_zone_that_leads_elsewhere_is_published_within_minutes(cloud, account):
    net = Net(cloud, account)
    zone_id = net.zone(net.entry())
    net.associate(zone_id)
    assert net.settle() == []
    net.record(zone_id, "vpce-0a1b2c3d4e5f60718.evil.example.com", key="z")
    cloud.pass_time(MINUTES)
    assert kinds(cloud)[-1] == "endpoint-not-repairable"
    assert any("alice" in who for who in cloud.findings[-1]["evidence"]["who"])


def test_a_hub_without_a_route_from_the_spoke_covers_nobody(cloud, account):
    net = Net(cloud, account, routed=False)
    net.associate(net.zone(net.entry()))
    assert net.settle() == ["endpoint-not-repairable"]
    assert "has no route to" in cloud.findings[-1]["cause"]


def test_a_hub_whose_group_no_longer_admits_the_spoke_is_published_within_minutes(cloud, account):
    net = Net(cloud, account)
    net.associate(net.zone(net.entry()))
    assert net.settle() == []
    account.ec2.revoke_security_group_ingress(GroupId=net.group, IpPermissions=[net.rule])
    cloud.pass_time(MINUTES)
    (finding,) = (one for one in cloud.findings if one["resource"] == net.spoke)
    assert finding["kind"] == "endpoint-not-repairable"
    assert "10.30.0.0/16" in finding["cause"]


@pytest.mark.parametrize("brings", ["the endpoint", "its zone"])
def test_a_profile_that_serves_the_name_covers(cloud, account, brings):
    net = Net(cloud, account)
    zone_id = net.zone(net.entry()).rpartition("/")[2]
    zone_arn = f"arn:aws:route53:::hostedzone/{zone_id}"
    net.profile(net.arn if brings == "the endpoint" else zone_arn)
    assert net.settle() == []
    assert account.endpoints(net.spoke) == []


def test_a_spoke_whose_profile_is_taken_away_gets_an_endpoint_within_minutes(cloud, account):
    net = Net(cloud, account)
    profile_id = net.profile(net.arn)
    assert net.settle() == []
    account.client("route53profiles").disassociate_profile(
        ProfileId=profile_id, ResourceId=net.spoke
    )
    cloud.pass_time(timedelta(minutes=15))
    assert len(account.endpoints(net.spoke)) == 1


def test_a_profile_that_brings_something_else_covers_nobody(cloud, account):
    net = Net(cloud, account)
    route53 = account.client("route53")
    other = route53.create_hosted_zone(
        Name="corp.example",
        CallerReference="x",
        VPC={"VPCRegion": "us-east-1", "VPCId": net.hub},
        HostedZoneConfig={"PrivateZone": True},
    )["HostedZone"]["Id"]
    net.profile(f"arn:aws:route53:::hostedzone/{other.rpartition('/')[2]}")
    assert "endpoint-created" in net.settle()


def test_without_the_right_to_read_profiles_the_vpc_gets_its_own_endpoint(cloud, account):
    net = Net(cloud, account)
    net.profile(net.arn)
    cloud.fault("route53profiles", "ListProfileAssociations", "AccessDeniedException", times=99)
    assert "endpoint-created" in net.settle()


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("route53", "ListHostedZonesByVPC"),
        ("route53profiles", "ListProfileAssociations"),
        ("route53profiles", "ListProfileResourceAssociations"),
    ],
)
def test_what_may_not_be_read_of_hubs_is_published_once_a_day(cloud, account, service, call):
    """The VPC gets its endpoint, and nobody is left to believe that no hub serves it."""
    net = Net(cloud, account)
    net.profile(net.arn)
    cloud.fault(service, call, "AccessDeniedException", times=99)

    net.settle()
    net.account.vpc_with_subnets()
    cloud.settle(MINUTES)

    (finding,) = [one for one in cloud.findings if one["kind"] == "endpoint-not-repairable"]
    assert finding["title"] == "The guard may not read whether a hub serves VPCs"
    assert f"AWS refuses {service}:{call}: AccessDeniedException" in finding["cause"]
    assert finding["resource"] == f"account {cloud.account}"
    assert finding["evidence"]["vpc_ids"]
