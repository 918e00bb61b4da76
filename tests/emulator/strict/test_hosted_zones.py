"""Private hosted zones beside endpoints: who sees them, who reads them, and whose the name is."""

import pytest
from botocore.exceptions import ClientError
from moto.ec2 import ec2_backends

from tests.emulator.strict.account import PRIVATE_NAME, REGION, SERVICE


@pytest.fixture
def vpc_id(account):
    return account.vpc()


def make_zone(account, vpc_id, name=PRIVATE_NAME):
    return account.client("route53").create_hosted_zone(
        Name=name,
        CallerReference=f"{name}{vpc_id}",
        VPC={"VPCRegion": REGION, "VPCId": vpc_id},
        HostedZoneConfig={"PrivateZone": True},
    )["HostedZone"]["Id"]


def zones(account, vpc_id):
    answer = account.client("route53").list_hosted_zones_by_vpc(VPCId=vpc_id, VPCRegion=REGION)
    return [(one["Name"], one["Owner"]) for one in answer["HostedZoneSummaries"]]


def test_a_vpcs_own_zone_is_listed_with_its_owner(account, vpc_id):
    make_zone(account, vpc_id)

    assert zones(account, vpc_id) == [(f"{PRIVATE_NAME}.", {"OwningAccount": account.id})]


def test_the_zone_behind_private_dns_is_the_services(account, vpc_id):
    account.create(vpc_id, account.subnet(vpc_id), PrivateDnsEnabled=True)

    assert zones(account, vpc_id) == [(f"{PRIVATE_NAME}.", {"OwningService": "vpce.amazonaws.com"})]


def test_a_name_that_private_dns_has_cannot_be_given_to_a_zone(account, vpc_id):
    other = make_zone(account, account.vpc("10.1.0.0/16"))
    account.create(vpc_id, account.subnet(vpc_id), PrivateDnsEnabled=True)

    with pytest.raises(ClientError, match="ConflictingDomainExists"):
        make_zone(account, vpc_id)
    with pytest.raises(ClientError, match="ConflictingDomainExists"):
        account.client("route53").associate_vpc_with_hosted_zone(
            HostedZoneId=other, VPC={"VPCRegion": REGION, "VPCId": vpc_id}
        )


def test_another_name_may_be_taken_beside_it(account, vpc_id):
    account.create(vpc_id, account.subnet(vpc_id), PrivateDnsEnabled=True)

    make_zone(account, vpc_id, "internal.example")
    assert len(zones(account, vpc_id)) == 2


@pytest.mark.parametrize("state", ["failed", "rejected", "expired"])
def test_an_endpoint_that_ended_badly_has_no_name(account, vpc_id, state):
    made = account.create(vpc_id, account.subnet(vpc_id), PrivateDnsEnabled=True)
    endpoint = ec2_backends[account.id][REGION].vpc_end_points[made["VpcEndpointId"]]
    endpoint.end_in(state, "because")
    (shown,) = account.ec2.describe_vpc_endpoints()["VpcEndpoints"]

    assert (shown["State"], shown["FailureReason"]) == (state, "because")
    assert shown["NetworkInterfaceIds"] == []
    make_zone(account, vpc_id)


def test_ipv6_wants_subnets_that_have_nothing_else(account, vpc_id):
    account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, AmazonProvidedIpv6CidrBlock=True)
    (vpc,) = account.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].removesuffix("00::/56")
    both, alone = (
        account.ec2.create_subnet(
            VpcId=vpc_id, Ipv6CidrBlock=f"{block}0{n}::/64", AvailabilityZone=f"{REGION}a", **more
        )["Subnet"]
        for n, more in enumerate([{"CidrBlock": "10.0.1.0/24"}, {"Ipv6Native": True}])
    )

    assert (both["AvailableIpAddressCount"], alone["AvailableIpAddressCount"]) == (251, 0)
    with pytest.raises(ClientError, match="IP address type ipv6"):
        account.create(vpc_id, both["SubnetId"], IpAddressType="ipv6", ServiceName=SERVICE)
    account.create(vpc_id, alone["SubnetId"], IpAddressType="ipv6", ServiceName=SERVICE)
