"""Endpoints that are there and do not work, and names that others have: event in, end state out."""

import json

import pytest
from moto.ec2 import ec2_backends

from emulator import Caller
from emulator.strict import options
from tests.reactions.account import ALLOW_ALL, SERVICE, kinds, writes

ENSURE = "EnsureEndpointFunction"
NAME = "secretsmanager.us-east-1.amazonaws.com"
NOT_AUTHORIZED = "You are not authorized to perform this operation."
DENIED_BY_SCP = (
    "not authorized to perform: ec2:CreateTags on resource: x"
    " with an explicit deny in a service control policy"
)


@pytest.fixture
def hub(cloud, account):
    """A VPC whose endpoint has no private DNS, and a hosted zone that points at it; their ids."""
    vpc_id, subnets = account.vpc_with_subnets(tags={"vpce-guard:ignore": "the hub"})
    dns(account, vpc_id)
    made = endpoint(
        account,
        vpc_id,
        SubnetIds=subnets,
        SecurityGroupIds=[admitting(account, vpc_id)],
        PrivateDnsEnabled=False,
    )
    zone_id = zone(account, vpc_id, made["DnsEntries"][0]["DnsName"])
    cloud.settle()
    return vpc_id, made["VpcEndpointId"], zone_id


def admitting(account, vpc_id, cidr="10.0.0.0/8") -> str:
    """A security group that lets HTTPS in from there."""
    made = account.ec2.create_security_group(GroupName="hub", Description="hub", VpcId=vpc_id)
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": cidr}]}
    account.ec2.authorize_security_group_ingress(GroupId=made["GroupId"], IpPermissions=[rule])
    return made["GroupId"]


def dns(account, vpc_id) -> None:
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})


def endpoint(account, vpc_id, **settings):
    return account.ec2.create_vpc_endpoint(
        **{"VpcId": vpc_id, "ServiceName": SERVICE, "VpcEndpointType": "Interface", **settings}
    )["VpcEndpoint"]


def zone(account, vpc_id, target) -> str:
    """A private hosted zone of the service's name, pointing at a target, associated with a VPC."""
    route53 = account.client("route53")
    zone_id = route53.create_hosted_zone(
        Name=NAME,
        CallerReference=vpc_id,
        VPC={"VPCRegion": "us-east-1", "VPCId": vpc_id},
        HostedZoneConfig={"PrivateZone": True},
    )["HostedZone"]["Id"]
    alias = {"DNSName": target, "HostedZoneId": "Z7HUB8P4", "EvaluateTargetHealth": False}
    change = {
        "Action": "CREATE",
        "ResourceRecordSet": {"Name": NAME, "Type": "A", "AliasTarget": alias},
    }
    route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": [change]})
    return zone_id


def associate(account, zone_id, vpc_id) -> None:
    account.client("route53").associate_vpc_with_hosted_zone(
        HostedZoneId=zone_id, VPC={"VPCRegion": "us-east-1", "VPCId": vpc_id}
    )


def ours(cloud, id_):
    """The emulator's own object behind an endpoint."""
    return ec2_backends[cloud.account][cloud.region].vpc_end_points[id_]


# States, interfaces, AZs.


@pytest.mark.parametrize("state", ["failed", "rejected", "expired"])
def test_an_endpoint_that_ended_badly_is_replaced(cloud, account, state):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (first,) = account.endpoints(vpc_id)
    ours(cloud, first["VpcEndpointId"]).end_in(state, "AWS says why")

    account.subnet(vpc_id, "10.20.9.0/24", "us-east-1d")
    cloud.settle()

    live = [one for one in account.endpoints(vpc_id) if one["State"] == "available"]
    assert len(live) == 1
    assert f"is {state} (AWS says why)" in cloud.findings[-1]["cause"]
    assert "was deleted" not in cloud.findings[-1]["cause"]


def test_an_endpoint_that_stays_partial_is_published_after_ten_attempts(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (one,) = account.endpoints(vpc_id)
    ours(cloud, one["VpcEndpointId"]).end_in("partial")

    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": False})
    cloud.settle()

    assert kinds(cloud)[-1] == "endpoint-not-repairable"
    assert "is partial" in cloud.findings[-1]["cause"]
    assert writes(cloud, ENSURE)[-1] == "ModifyVpcAttribute"


def test_an_interface_endpoint_without_subnets_gets_them(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets(tags={"vpce-guard:ignore": ""})
    dns(account, vpc_id)
    cloud.settle()
    made = endpoint(account, vpc_id, PrivateDnsEnabled=True)
    assert made["NetworkInterfaceIds"] == []
    account.ec2.delete_tags(Resources=[vpc_id], Tags=[{"Key": "vpce-guard:ignore"}])

    cloud.settle()

    (found,) = account.endpoints(vpc_id)
    assert sorted(found["SubnetIds"]) == sorted(subnets)
    assert len(found["NetworkInterfaceIds"]) == 2


def test_an_az_whose_only_subnet_is_full_is_published_and_the_rest_served(cloud, account):
    vpc_id = account.vpc()
    account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")
    full = account.subnet(vpc_id, "10.20.1.0/28", "us-east-1b")
    for _ in range(11):
        account.ec2.create_network_interface(SubnetId=full)

    cloud.settle()

    (found,) = account.endpoints(vpc_id)
    assert full not in found["SubnetIds"]
    assert kinds(cloud) == ["endpoint-created", "endpoint-degraded"]
    assert f"{full}: no free IPv4 address" in cloud.findings[-1]["cause"]


# IP versions.


@pytest.fixture
def v6(account):
    """A VPC with an IPv6 block; its id and a function that makes subnets of it."""
    vpc_id = account.vpc()
    account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, AmazonProvidedIpv6CidrBlock=True)
    (vpc,) = account.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].removesuffix("00::/56")

    def subnet(number, zone, *, v4=True):
        family = {"CidrBlock": f"10.20.{number}.0/24"} if v4 else {"Ipv6Native": True}
        return account.ec2.create_subnet(
            VpcId=vpc_id,
            Ipv6CidrBlock=f"{block}{number:02x}::/64",
            AvailabilityZone=zone,
            **family,
        )["Subnet"]["SubnetId"]

    return vpc_id, subnet


def test_subnets_of_ipv6_alone_beside_dual_stack_ones_get_a_dual_stack_endpoint(cloud, account, v6):
    vpc_id, subnet = v6
    both = subnet(1, "us-east-1a")
    subnet(2, "us-east-1b", v4=False)

    cloud.settle()

    (found,) = account.endpoints(vpc_id)
    assert (found["IpAddressType"], found["SubnetIds"]) == ("dualstack", [both])
    assert found["DnsOptions"]["DnsRecordIpType"] == "dualstack"
    assert kinds(cloud)[0] == "endpoint-created"


def test_a_vpc_of_ipv6_alone_gets_an_ipv6_endpoint(cloud, account, v6):
    vpc_id, subnet = v6
    alone = subnet(1, "us-east-1a", v4=False)

    cloud.settle()

    (found,) = account.endpoints(vpc_id)
    assert (found["IpAddressType"], found["SubnetIds"]) == ("ipv6", [alone])
    assert found["State"] == "available"


def test_an_ipv4_endpoint_becomes_dual_stack_when_a_subnet_of_ipv6_alone_comes(cloud, account, v6):
    vpc_id, subnet = v6
    subnet(1, "us-east-1a")
    cloud.settle()
    assert account.endpoints(vpc_id)[0]["IpAddressType"] == "ipv4"

    subnet(2, "us-east-1a", v4=False)
    cloud.settle()

    (found,) = account.endpoints(vpc_id)
    assert (found["IpAddressType"], found["State"]) == ("dualstack", "available")
    assert kinds(cloud) == ["endpoint-created", "endpoint-repaired"]


# Hubs and conflicts.


def test_a_vpc_that_a_hub_serves_is_left_to_it(cloud, account, hub):
    _, _, zone_id = hub
    vpc_id = account.vpc()
    dns(account, vpc_id)
    associate(account, zone_id, vpc_id)

    account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")
    cloud.settle()

    assert account.endpoints(vpc_id) == []
    # The hub itself is opted out, with an endpoint that carries another policy.
    assert sorted(kinds(cloud)) == ["guard-changed", "opted-out"]
    assert writes(cloud, ENSURE) == []


def test_a_covered_vpc_gets_the_dns_attributes_that_the_zone_needs(cloud, account, hub):
    _, _, zone_id = hub
    vpc_id = account.vpc()
    associate(account, zone_id, vpc_id)

    account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")
    cloud.settle()

    assert account.dns_attributes(vpc_id) == (True, True)
    assert writes(cloud, ENSURE) == ["ModifyVpcAttribute"]


def test_the_hub_itself_is_repaired_without_private_dns(cloud, account, hub):
    vpc_id, endpoint_id, _ = hub
    account.ec2.delete_tags(Resources=[vpc_id], Tags=[{"Key": "vpce-guard:ignore"}])

    added = account.subnet(vpc_id, "10.20.9.0/24", "us-east-1d")
    cloud.settle()

    (found,) = account.endpoints(vpc_id)
    assert found["VpcEndpointId"] == endpoint_id
    assert added in found["SubnetIds"]
    assert found["PrivateDnsEnabled"] is False
    assert "endpoint-not-repairable" not in kinds(cloud)


def test_a_zone_that_points_at_no_approved_endpoint_is_published_and_nothing_tried(cloud, account):
    vpc_id = account.vpc()
    dns(account, vpc_id)
    zone(account, vpc_id, "vpce-0a1b2c3d4e5f60718-x.secretsmanager.us-east-1.vpce.amazonaws.com")

    account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")
    cloud.settle()

    assert (kinds(cloud), writes(cloud, ENSURE)) == (["endpoint-not-repairable"], [])
    assert "vpce-0a1b2c3d4e5f60718" in cloud.findings[0]["cause"]


def test_another_accounts_zone_is_not_trusted_unless_the_account_is_approved(cloud, account):
    network = cloud.session("network", Caller(account="444455556666"))
    vpc_id = account.vpc()
    network.client("route53").create_hosted_zone(
        Name=NAME,
        CallerReference="hub",
        VPC={"VPCRegion": "us-east-1", "VPCId": vpc_id},
        HostedZoneConfig={"PrivateZone": True},
    )

    account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")
    cloud.settle()

    assert kinds(cloud) == ["endpoint-not-repairable"]
    assert "444455556666" in cloud.findings[0]["cause"]


def test_route_53_is_not_asked_where_an_endpoint_works(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    asked = [call.action for call in cloud.calls if call.service == "route53"]
    assert set(asked) == {"ListHostedZonesByVPC"}

    account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.99.0.0/16")
    cloud.settle()

    assert [call.action for call in cloud.calls if call.service == "route53"] == asked


def test_without_the_right_to_ask_route_53_the_vpc_gets_its_own_endpoint(cloud, account):
    cloud.fault(service="route53", action="ListHostedZonesByVPC", error="AccessDenied", times=99)
    vpc_id, _ = account.vpc_with_subnets()

    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1


def test_throttled_by_route_53_the_vpc_is_reconciled_again(cloud, account):
    cloud.fault(service="route53", action="ListHostedZonesByVPC", error="Throttling", times=4)
    vpc_id, _ = account.vpc_with_subnets()

    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1
    assert cloud.dead_letters("VpcQueue") == []


# FIPS and other services.


def test_a_fips_endpoint_does_not_serve_the_plain_name_and_is_left_alone(cloud, account):
    vpc_id = account.vpc(tags={"vpce-guard:ignore": ""})
    dns(account, vpc_id)
    subnet = account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")
    group = account.ec2.create_security_group(
        GroupName="theirs", Description="admits nobody", VpcId=vpc_id
    )["GroupId"]
    fips = endpoint(
        account,
        vpc_id,
        ServiceName=f"{SERVICE}-fips",
        SubnetIds=[subnet],
        SecurityGroupIds=[group],
        PrivateDnsEnabled=True,
    )["VpcEndpointId"]
    cloud.settle()
    account.ec2.delete_tags(Resources=[vpc_id], Tags=[{"Key": "vpce-guard:ignore"}])

    account.subnet(vpc_id, "10.20.1.0/24", "us-east-1b")
    cloud.settle()

    (plain,) = account.endpoints(vpc_id)
    assert plain["State"] == "available"
    (other,) = account.ec2.describe_vpc_endpoints(VpcEndpointIds=[fips])["VpcEndpoints"]
    assert (other["SubnetIds"], [g["GroupId"] for g in other["Groups"]]) == ([subnet], [group])


def test_the_policy_of_a_fips_endpoint_is_guarded_like_any_other(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    (plain,) = account.endpoints(vpc_id)
    fips = endpoint(
        account,
        vpc_id,
        ServiceName=f"{SERVICE}-fips",
        SubnetIds=subnets,
        PrivateDnsEnabled=True,
        PolicyDocument=json.dumps(ALLOW_ALL),
    )["VpcEndpointId"]

    cloud.settle()

    assert account.policy(fips) == account.policy(plain["VpcEndpointId"])
    assert "policy-restored" in kinds(cloud)


def test_endpoints_of_other_services_are_never_touched(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    kms = endpoint(
        account,
        vpc_id,
        ServiceName="com.amazonaws.us-east-1.kms",
        SubnetIds=subnets[:1],
        PrivateDnsEnabled=False,
        PolicyDocument=json.dumps(ALLOW_ALL),
    )["VpcEndpointId"]
    before = [call.action for call in cloud.calls if call.function and call.params.get("kms")]

    account.subnet(vpc_id, "10.20.9.0/24", "us-east-1d")
    cloud.settle()

    (found,) = account.ec2.describe_vpc_endpoints(VpcEndpointIds=[kms])["VpcEndpoints"]
    assert (found["SubnetIds"], found["PrivateDnsEnabled"]) == (subnets[:1], False)
    touched = [c for c in cloud.calls if c.function and c.params.get("VpcEndpointId") == kms]
    assert (touched, before) == ([], [])


# Refusals.


def test_a_full_quota_is_published_with_what_to_do(cloud, account):
    options.endpoints_per_vpc = 0
    account.vpc_with_subnets()

    cloud.settle()

    finding = cloud.findings[-1]
    assert finding["kind"] == "endpoint-not-repairable"
    assert "VpcEndpointLimitExceeded" in finding["cause"]
    assert "raise the quota" in finding["todo"][0]


@pytest.mark.parametrize(
    ("words", "todo"),
    [
        (
            f"{NOT_AUTHORIZED} User: arn:aws:sts::123456789012:assumed-role/x is {DENIED_BY_SCP}",
            "allow the guard's role ec2:CreateTags: a service control policy denies it",
        ),
        (
            NOT_AUTHORIZED,
            (
                "allow the guard's role ec2:CreateVpcEndpoint: "
                "check for an SCP or permissions boundary"
            ),
        ),
    ],
    ids=["AWS names it", "AWS names nothing"],
)
def test_a_denial_is_published_with_the_missing_permission(cloud, account, words, todo):
    cloud.fault(
        service="ec2",
        action="CreateVpcEndpoint",
        error="UnauthorizedOperation",
        message=words,
        times=99,
        function=ENSURE,
    )
    account.vpc_with_subnets()

    cloud.settle()

    assert cloud.findings[-1]["kind"] == "endpoint-not-repairable"
    assert cloud.findings[-1]["todo"][0] == todo


def test_a_denied_read_is_published_with_the_missing_permission(cloud, account):
    cloud.fault(
        service="ec2",
        action="DescribeSubnets",
        error="UnauthorizedOperation",
        times=999,
        function=ENSURE,
    )
    account.vpc_with_subnets()

    cloud.settle()

    assert set(kinds(cloud)) == {"endpoint-not-repairable"}
    assert cloud.findings[0]["evidence"]["missing_permission"] == "ec2:DescribeSubnets"
    assert cloud.dead_letters("VpcQueue") == []


def test_a_name_that_is_taken_is_published_with_how_to_find_by_whom(cloud, account):
    words = "private-dns-enabled cannot be set because there is already a conflicting DNS domain"
    cloud.fault(
        service="ec2",
        action="CreateVpcEndpoint",
        error="InvalidParameter",
        message=words,
        times=99,
        function=ENSURE,
    )
    account.vpc_with_subnets()

    cloud.settle()

    assert "list-hosted-zones-by-vpc" in cloud.findings[-1]["todo"][0]
