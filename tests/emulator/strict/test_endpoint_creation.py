"""CreateVpcEndpoint: what AWS refuses, and what it answers and leaves behind otherwise."""

from ipaddress import ip_address, ip_network

import pytest

from .account import PRIVATE_NAME, REGION, SERVICE, refused


def test_private_dns_needs_dns_hostnames(account):
    vpc_id = account.vpc(hostnames=False)
    with refused(
        "InvalidParameter",
        "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes"
        f" set to true for {vpc_id}",
    ):
        account.create(vpc_id, account.subnet(vpc_id))
    assert account.endpoints() == []


def test_private_dns_needs_dns_support(account):
    vpc_id = account.vpc()
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsSupport={"Value": False})
    with refused("InvalidParameter", "Enabling private DNS requires both"):
        account.create(vpc_id, account.subnet(vpc_id))


def test_without_private_dns_the_attributes_do_not_matter(account):
    vpc_id = account.vpc(hostnames=False)
    endpoint = account.create(vpc_id, account.subnet(vpc_id), PrivateDnsEnabled=False)
    assert endpoint["PrivateDnsEnabled"] is False
    assert PRIVATE_NAME not in [entry["DnsName"] for entry in endpoint["DnsEntries"]]


def test_a_second_endpoint_cannot_take_the_private_name(account):
    vpc_id = account.vpc()
    first, second = account.subnet(vpc_id), account.subnet(vpc_id, "b", "10.0.2.0/24")
    account.create(vpc_id, first)
    with refused(
        "InvalidParameter",
        "private-dns-enabled cannot be set because there is already a conflicting DNS domain for"
        f" {PRIVATE_NAME} in the VPC {vpc_id}",
    ):
        account.create(vpc_id, second)
    assert account.create(vpc_id, second, PrivateDnsEnabled=False)["State"] == "pending"


def test_another_vpc_may_have_the_same_private_name(account):
    for block in ("10.0.0.0/16", "10.1.0.0/16"):
        vpc_id = account.vpc(block)
        subnet_id = account.subnet(vpc_id, "a", block.replace("/16", "/24"))
        assert account.create(vpc_id, subnet_id)["PrivateDnsEnabled"] is True


def test_the_fips_service_has_a_name_of_its_own(account):
    vpc_id = account.vpc()
    subnet_id = account.subnet(vpc_id)
    account.create(vpc_id, subnet_id)
    other = account.create(vpc_id, subnet_id, ServiceName=f"{SERVICE}-fips")
    assert other["DnsEntries"][-1]["DnsName"] == f"secretsmanager-fips.{REGION}.amazonaws.com"


def test_a_private_hosted_zone_of_that_name_is_a_conflict(account):
    vpc_id = account.vpc()
    account.client("route53").create_hosted_zone(
        Name=PRIVATE_NAME,
        CallerReference="central",
        HostedZoneConfig={"PrivateZone": True},
        VPC={"VPCRegion": REGION, "VPCId": vpc_id},
    )
    with refused("InvalidParameter", f"conflicting DNS domain for {PRIVATE_NAME}"):
        account.create(vpc_id, account.subnet(vpc_id))


def test_two_subnets_in_one_zone(account):
    vpc_id = account.vpc()
    first, second = account.subnet(vpc_id), account.subnet(vpc_id, "a", "10.0.2.0/24")
    with refused(
        "DuplicateSubnetsInSameZone",
        f"Found another VPC endpoint subnet in the availability zone of {second}.",
    ):
        account.create(vpc_id, first, second)
    assert account.endpoints() == []


def test_the_same_subnet_twice(account):
    vpc_id = account.vpc()
    subnet_id = account.subnet(vpc_id)
    with refused("InvalidParameter", "more than once"):
        account.create(vpc_id, subnet_id, subnet_id)


def test_a_subnet_of_another_vpc(account):
    vpc_id, other = account.vpc(), account.vpc()
    with refused("InvalidParameter", f"does not belong to the VPC '{vpc_id}'"):
        account.create(vpc_id, account.subnet(other))


def test_a_security_group_of_another_vpc(account):
    vpc_id = account.vpc()
    subnet_id, group_id = account.subnet(vpc_id), account.group(account.vpc())
    with refused(
        "InvalidParameter",
        f"Security group {group_id} and subnet {subnet_id} belong to different networks.",
    ):
        account.create(vpc_id, subnet_id, SecurityGroupIds=[group_id])


@pytest.mark.parametrize(
    ("parameter", "value", "code", "words"),
    [
        ("VpcId", "vpc-0a0a0a0a0a0a0a0a0", "InvalidVpcID.NotFound", "vpc-0a0a0a0a0a0a0a0a0"),
        (
            "SubnetIds",
            ["subnet-0a0a0a0a0a0a0a0a0"],
            "InvalidSubnetID.NotFound",
            "The subnet ID 'subnet-0a0a0a0a0a0a0a0a0' does not exist",
        ),
        (
            "SecurityGroupIds",
            ["sg-0a0a0a0a0a0a0a0a0"],
            "InvalidGroup.NotFound",
            "The security group 'sg-0a0a0a0a0a0a0a0a0' does not exist",
        ),
        (
            "ServiceName",
            "com.amazonaws.us-east-1.secrets",
            "InvalidServiceName",
            "The Vpc Endpoint Service 'com.amazonaws.us-east-1.secrets' does not exist",
        ),
    ],
)
def test_unknown_names(account, parameter, value, code, words):
    vpc_id = account.vpc()
    request = {
        "VpcId": vpc_id,
        "ServiceName": SERVICE,
        "VpcEndpointType": "Interface",
        "SubnetIds": [account.subnet(vpc_id)],
    }
    with refused(code, words):
        account.ec2.create_vpc_endpoint(**request | {parameter: value})
    assert account.endpoints() == []


def test_a_missing_service_name(account):
    with refused("MissingParameter", "ServiceName"):
        account.ec2.create_vpc_endpoint(VpcId=account.vpc(), VpcEndpointType="Interface")


def test_a_zone_that_the_service_does_not_reach(account):
    vpc_id = account.vpc()
    subnet_id = account.subnet(vpc_id, "e")  # use1-az3
    with refused(
        "InvalidParameter",
        f"The VPC endpoint service {SERVICE} does not support the availability zone of the"
        f" subnet: {subnet_id}.",
    ):
        account.create(vpc_id, subnet_id)


def test_which_zones_the_service_reaches_is_an_option(account, playing):
    playing.unsupported_zone_ids = {"use1-az6"}
    vpc_id = account.vpc()
    with refused("InvalidParameter", "does not support the availability zone"):
        account.create(vpc_id, account.subnet(vpc_id, "a"))
    assert account.create(vpc_id, account.subnet(vpc_id, "e", "10.0.2.0/24"))


def test_without_a_type_it_is_a_gateway_and_this_service_has_none(account):
    vpc_id = account.vpc()
    with refused(
        "InvalidParameter",
        "Endpoint type (Gateway) does not match available service types ([Interface]).",
    ):
        account.ec2.create_vpc_endpoint(VpcId=vpc_id, ServiceName=SERVICE)
    with refused("InvalidParameter", "Subnet IDs are only supported for Interface"):
        account.ec2.create_vpc_endpoint(
            VpcId=vpc_id, ServiceName=SERVICE, SubnetIds=[account.subnet(vpc_id)]
        )


def test_a_gateway_endpoint_of_a_service_that_has_one(account):
    answer = account.ec2.create_vpc_endpoint(
        VpcId=account.vpc(), ServiceName=f"com.amazonaws.{REGION}.s3"
    )
    assert answer["VpcEndpoint"]["VpcEndpointType"] == "Gateway"


def test_without_a_group_the_default_group_of_the_vpc_is_attached(account):
    vpc_id = account.vpc()
    endpoint = account.create(vpc_id, account.subnet(vpc_id))
    default = {"GroupId": account.default_group(vpc_id), "GroupName": "default"}
    assert endpoint["Groups"] == [default]
    assert account.interfaces(endpoint["VpcEndpointId"])[0]["Groups"] == [default]


def test_without_subnets_it_has_no_interfaces(account):
    endpoint = account.create(account.vpc())
    assert endpoint["SubnetIds"] == []
    assert endpoint["NetworkInterfaceIds"] == []
    assert account.interfaces(endpoint["VpcEndpointId"]) == []


def test_an_interface_in_each_subnet_with_the_groups_of_the_endpoint(account):
    vpc_id = account.vpc()
    subnet_ids = [account.subnet(vpc_id), account.subnet(vpc_id, "b", "10.0.2.0/24")]
    group_id = account.group(vpc_id)
    endpoint = account.create(vpc_id, *subnet_ids, SecurityGroupIds=[group_id])
    interfaces = account.interfaces(endpoint["VpcEndpointId"])
    assert [interface["SubnetId"] for interface in interfaces] == subnet_ids
    for interface, block in zip(interfaces, ("10.0.1.0/24", "10.0.2.0/24"), strict=True):
        assert ip_address(interface["PrivateIpAddress"]) in ip_network(block)
        assert [group["GroupId"] for group in interface["Groups"]] == [group_id]
        assert interface["InterfaceType"] == "vpc_endpoint"
        assert interface["RequesterManaged"] is True
        assert interface["Status"] == "in-use"


def test_dns_entries(account):
    vpc_id = account.vpc()
    endpoint = account.create(
        vpc_id, account.subnet(vpc_id), account.subnet(vpc_id, "b", "10.0.2.0/24")
    )
    regional, first, second, private = (entry["DnsName"] for entry in endpoint["DnsEntries"])
    label, domain = regional.split(".", 1)
    assert label.startswith(endpoint["VpcEndpointId"])
    assert domain == f"secretsmanager.{REGION}.vpce.amazonaws.com"
    assert first == f"{label}-{REGION}a.{domain}"
    assert second == f"{label}-{REGION}b.{domain}"
    assert private == PRIVATE_NAME


def test_tags_address_type_and_dns_options_are_in_the_answers(account):
    vpc_id = account.vpc()
    tags = [{"Key": "vpce-guard:managed", "Value": "true"}]
    created = account.create(
        vpc_id,
        account.subnet(vpc_id),
        TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": tags}],
        IpAddressType="ipv4",
        DnsOptions={"DnsRecordIpType": "service-defined"},
    )
    for endpoint in (created, account.endpoint(created["VpcEndpointId"])):
        assert endpoint["Tags"] == tags
        assert endpoint["IpAddressType"] == "ipv4"
        assert endpoint["DnsOptions"] == {"DnsRecordIpType": "service-defined"}


def test_tags_for_another_kind_of_resource(account):
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]
    with refused("InvalidParameter", "'vpc' is not a valid taggable resource type"):
        account.create(account.vpc(), TagSpecifications=tags)


def test_ipv6_needs_subnets_that_have_it(account):
    vpc_id = account.vpc()
    subnet_id = account.subnet(vpc_id)
    for address_type in ("ipv6", "dualstack"):
        with refused("InvalidParameter", f"{address_type} is not supported by the subnet"):
            account.create(vpc_id, subnet_id, IpAddressType=address_type)


def test_interfaces_have_the_addresses_of_the_type(account):
    vpc_id = account.vpc()
    dual = account.ec2.create_subnet(
        VpcId=vpc_id,
        CidrBlock="10.0.1.0/24",
        Ipv6CidrBlock="2600:1f18:0:1::/64",
        AvailabilityZone=f"{REGION}a",
    )["Subnet"]["SubnetId"]
    native = account.ec2.create_subnet(
        VpcId=vpc_id,
        Ipv6CidrBlock="2600:1f18:0:2::/64",
        Ipv6Native=True,
        AvailabilityZone=f"{REGION}b",
    )["Subnet"]["SubnetId"]

    both = account.create(vpc_id, dual, IpAddressType="dualstack")["VpcEndpointId"]
    (interface,) = account.interfaces(both)
    assert ip_address(interface["PrivateIpAddress"]) in ip_network("10.0.1.0/24")
    address = interface["Ipv6Addresses"][0]["Ipv6Address"]
    assert ip_address(address) in ip_network("2600:1f18:0:1::/64")

    with refused("InvalidParameter", f"ipv4 is not supported by the subnet: {native}"):
        account.ec2.modify_vpc_endpoint(
            VpcEndpointId=both, AddSubnetIds=[native], IpAddressType="ipv4"
        )
    only = account.create(vpc_id, native, IpAddressType="ipv6", PrivateDnsEnabled=False)
    (interface,) = account.interfaces(only["VpcEndpointId"])
    assert "PrivateIpAddress" not in interface
    address = interface["Ipv6Addresses"][0]["Ipv6Address"]
    assert ip_address(address) in ip_network("2600:1f18:0:2::/64")
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[only["VpcEndpointId"]])
    account.wait(60)
    assert account.interfaces(only["VpcEndpointId"]) == []


def test_a_subnet_with_no_address_left(account):
    vpc_id = account.vpc()
    subnet_id = account.subnet(vpc_id, "a", "10.0.1.0/28")
    for _ in range(11):
        account.ec2.create_network_interface(SubnetId=subnet_id)
    with refused("InsufficientFreeAddressesInSubnet", subnet_id):
        account.create(vpc_id, subnet_id)


def test_fifty_endpoints_in_a_vpc(account, playing):
    playing.endpoints_per_vpc = 2
    vpc_id = account.vpc()
    for _ in range(2):
        account.create(vpc_id, PrivateDnsEnabled=False)
    with refused(
        "VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached."
    ):
        account.create(vpc_id, PrivateDnsEnabled=False)
    assert account.create(account.vpc())


def test_the_quota_is_aws_default(playing):
    assert playing.endpoints_per_vpc == 50


def test_the_same_token_gives_the_same_endpoint(account):
    vpc_id = account.vpc()
    subnet_id = account.subnet(vpc_id)
    first = account.create(vpc_id, subnet_id, ClientToken="once")
    again = account.create(vpc_id, subnet_id, ClientToken="once")
    assert again["VpcEndpointId"] == first["VpcEndpointId"]
    assert account.endpoints() == [first["VpcEndpointId"]]


def test_the_same_token_with_other_parameters(account):
    vpc_id = account.vpc()
    account.create(vpc_id, account.subnet(vpc_id), ClientToken="once")
    with refused("IdempotentParameterMismatch", "Arguments on this idempotent request"):
        account.create(vpc_id, account.subnet(vpc_id, "b", "10.0.2.0/24"), ClientToken="once")


def test_a_token_that_is_too_long(account):
    with refused("InvalidParameterValue", "ClientToken"):
        account.create(account.vpc(), ClientToken="a" * 65)
