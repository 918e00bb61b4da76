"""VPCs, subnets, groups and interfaces: what still depends on them, and what EC2 says of them."""

from ipaddress import ip_address, ip_network

import pytest

from .account import refused


@pytest.fixture
def placed(account):
    """A VPC with a subnet, a group, and an endpoint in both."""

    class Placed:
        vpc = account.vpc()
        subnet = account.subnet(vpc)
        group = account.group(vpc)
        id = account.create(vpc, subnet, SecurityGroupIds=[group])["VpcEndpointId"]

    return Placed


def remove(account, endpoint_id):
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
    account.wait(60)


def test_a_subnet_that_holds_an_endpoint(account, placed):
    with refused(
        "DependencyViolation",
        f"The subnet '{placed.subnet}' has dependencies and cannot be deleted.",
    ):
        account.ec2.delete_subnet(SubnetId=placed.subnet)
    assert account.ec2.describe_subnets(SubnetIds=[placed.subnet])["Subnets"]
    remove(account, placed.id)
    account.ec2.delete_subnet(SubnetId=placed.subnet)
    with refused("InvalidSubnetID.NotFound"):
        account.ec2.describe_subnets(SubnetIds=[placed.subnet])


def test_a_subnet_that_holds_any_interface(account):
    subnet_id = account.subnet(account.vpc())
    eni = account.ec2.create_network_interface(SubnetId=subnet_id)["NetworkInterface"]
    with refused("DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnet_id)
    account.ec2.delete_network_interface(NetworkInterfaceId=eni["NetworkInterfaceId"])
    account.ec2.delete_subnet(SubnetId=subnet_id)


def test_a_security_group_of_an_endpoint(account, placed):
    with refused("DependencyViolation", f"resource {placed.group} has a dependent object"):
        account.ec2.delete_security_group(GroupId=placed.group)
    remove(account, placed.id)
    account.ec2.delete_security_group(GroupId=placed.group)


def test_a_security_group_of_an_endpoint_without_interfaces(account):
    vpc_id = account.vpc()
    group_id = account.group(vpc_id)
    account.create(vpc_id, SecurityGroupIds=[group_id])
    with refused("DependencyViolation"):
        account.ec2.delete_security_group(GroupId=group_id)


def test_a_security_group_that_a_rule_of_another_names(account):
    vpc_id = account.vpc()
    named, naming = account.group(vpc_id, "named"), account.group(vpc_id, "naming")
    permission = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "UserIdGroupPairs": [{"GroupId": named}],
    }
    account.ec2.authorize_security_group_ingress(GroupId=naming, IpPermissions=[permission])
    with refused("DependencyViolation", named):
        account.ec2.delete_security_group(GroupId=named)
    account.ec2.revoke_security_group_ingress(GroupId=naming, IpPermissions=[permission])
    account.ec2.delete_security_group(GroupId=named)


def test_the_default_group_stays(account):
    group_id = account.default_group(account.vpc())
    with refused("CannotDelete", f'the specified group: "{group_id}" name: "default"'):
        account.ec2.delete_security_group(GroupId=group_id)


def test_an_interface_of_an_endpoint(account, placed):
    eni_id = account.endpoint(placed.id)["NetworkInterfaceIds"][0]
    with refused("InvalidParameterValue", f"Network interface '{eni_id}' is currently in use."):
        account.ec2.delete_network_interface(NetworkInterfaceId=eni_id)
    assert account.interfaces(placed.id)[0]["NetworkInterfaceId"] == eni_id


def test_a_vpc_with_only_an_endpoint_left(account):
    vpc_id = account.vpc()
    endpoint_id = account.create(vpc_id)["VpcEndpointId"]
    with refused(
        "DependencyViolation", f"The vpc '{vpc_id}' has dependencies and cannot be deleted."
    ):
        account.ec2.delete_vpc(VpcId=vpc_id)
    remove(account, endpoint_id)
    account.ec2.delete_vpc(VpcId=vpc_id)
    with refused("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist"):
        account.ec2.describe_vpcs(VpcIds=[vpc_id])


def test_vpcs_by_the_keys_of_their_tags(account):
    two = account.vpc()
    account.ec2.create_tags(
        Resources=[two], Tags=[{"Key": key, "Value": "x"} for key in ("a:one", "team")]
    )
    one, _ = account.vpc(), account.vpc()
    account.ec2.create_tags(Resources=[one], Tags=[{"Key": "b", "Value": "team"}])

    def found(*keys, **more):
        asked = [{"Name": "tag-key", "Values": list(keys)}]
        return {vpc["VpcId"] for vpc in account.ec2.describe_vpcs(Filters=asked, **more)["Vpcs"]}

    assert found("a:one", "b") == {one, two}
    assert found("a:*", "c") == {two}
    assert found("A:one", "x") == set()
    assert found("b", VpcIds=[two]) == set()


def test_vpcs_in_pages(account):
    made = {account.vpc() for _ in range(7)}
    asked = account.ec2.get_paginator("describe_vpcs").paginate(PaginationConfig={"PageSize": 5})
    pages = [{vpc["VpcId"] for vpc in page["Vpcs"]} for page in asked]
    assert [len(page) for page in pages] == [5, 3]  # with the default VPC
    assert made < set.union(*pages)


def test_a_vpc_with_only_a_security_group_left(account):
    vpc_id = account.vpc()
    group_id = account.group(vpc_id)
    with refused("DependencyViolation"):
        account.ec2.delete_vpc(VpcId=vpc_id)
    account.ec2.delete_security_group(GroupId=group_id)
    account.ec2.delete_vpc(VpcId=vpc_id)


def test_a_vpc_with_an_internet_gateway(account):
    vpc_id = account.vpc()
    gateway = account.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    account.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    with refused("DependencyViolation"):
        account.ec2.delete_vpc(VpcId=vpc_id)
    account.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc_id)
    account.ec2.delete_vpc(VpcId=vpc_id)


def blocks(account, vpc_id):
    vpc = account.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]
    return [
        (association["CidrBlock"], association["CidrBlockState"]["State"])
        for association in vpc["CidrBlockAssociationSet"]
    ]


def test_another_block_becomes_associated(account):
    vpc_id = account.vpc()
    answer = account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.1.0.0/16")
    assert answer["CidrBlockAssociation"]["CidrBlockState"]["State"] == "associating"
    assert blocks(account, vpc_id) == [
        ("10.0.0.0/16", "associated"),
        ("10.1.0.0/16", "associated"),
    ]


def test_a_block_from_outside_the_private_ranges(account):
    vpc_id = account.vpc()
    account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="100.64.0.0/16")
    assert ("100.64.0.0/16", "associated") in blocks(account, vpc_id)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("10.0.0.0/16", "The CIDR '10.0.0.0/16' conflicts with another CIDR"),
        ("10.0.64.0/18", "The CIDR '10.0.64.0/18' conflicts with another CIDR"),
        ("192.168.0.0/16", "The CIDR '192.168.0.0/16' is restricted."),
        ("10.2.0.0/15", "The CIDR '10.2.0.0/15' is invalid."),
    ],
)
def test_blocks_that_are_refused(account, block, words):
    vpc_id = account.vpc()
    with refused("InvalidVpc.Range", words):
        account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock=block)
    assert blocks(account, vpc_id) == [("10.0.0.0/16", "associated")]


def test_a_block_may_come_back_after_it_was_taken_out(account):
    vpc_id = account.vpc()
    for _ in range(2):
        answer = account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.1.0.0/16")
        association_id = answer["CidrBlockAssociation"]["AssociationId"]
        account.ec2.disassociate_vpc_cidr_block(AssociationId=association_id)


def test_one_attribute_in_a_request(account):
    vpc_id = account.vpc(hostnames=False)
    with refused(
        "InvalidParameterCombination",
        "Fields for multiple attribute types specified: enableDnsHostnames, enableDnsSupport",
    ):
        account.ec2.modify_vpc_attribute(
            VpcId=vpc_id, EnableDnsHostnames={"Value": True}, EnableDnsSupport={"Value": True}
        )
    with refused("InvalidParameterCombination", "No attributes specified."):
        account.ec2.modify_vpc_attribute(VpcId=vpc_id)
    assert attributes(account, vpc_id) == (True, False)


def test_hostnames_need_dns_support(account):
    vpc_id = account.vpc(hostnames=False)
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsSupport={"Value": False})
    with refused("InvalidParameterValue", vpc_id):
        account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    assert attributes(account, vpc_id) == (False, False)


def attributes(account, vpc_id):
    return tuple(
        account.ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=name[0].lower() + name[1:])[
            name
        ]["Value"]
        for name in ("EnableDnsSupport", "EnableDnsHostnames")
    )


def test_errors_name_the_id_that_does_not_exist(account):
    vpc_id = account.vpc()
    subnet_id, group_id = account.subnet(vpc_id), account.group(vpc_id)
    with refused("InvalidVpcID.NotFound", "The vpc ID 'vpc-0b' does not exist"):
        account.ec2.describe_vpcs(VpcIds=[vpc_id, "vpc-0b"])
    with refused("InvalidSubnetID.NotFound", "The subnet ID 'subnet-0b' does not exist"):
        account.ec2.describe_subnets(SubnetIds=[subnet_id, "subnet-0b"])
    with refused("InvalidGroup.NotFound", "The security group 'sg-0b' does not exist"):
        account.ec2.describe_security_groups(GroupIds=[group_id, "sg-0b"])


def test_a_nat_gateway_and_its_interface(account):
    subnet_id = account.subnet(account.vpc())
    allocation = account.ec2.allocate_address(Domain="vpc")
    made = account.ec2.create_nat_gateway(
        SubnetId=subnet_id, AllocationId=allocation["AllocationId"]
    )["NatGateway"]
    of_subnet = [{"Name": "subnet-id", "Values": [subnet_id]}]
    gateway = account.ec2.describe_nat_gateways(Filters=of_subnet)["NatGateways"][0]
    address = gateway["NatGatewayAddresses"][0]
    assert address["PublicIp"] == allocation["PublicIp"]
    assert ip_address(address["PrivateIp"]) in ip_network("10.0.1.0/24")
    interface = account.ec2.describe_network_interfaces(Filters=of_subnet)["NetworkInterfaces"][0]
    assert interface["InterfaceType"] == "nat_gateway"
    assert interface["NetworkInterfaceId"] == address["NetworkInterfaceId"]
    assert interface["PrivateIpAddress"] == address["PrivateIp"]
    with refused("DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnet_id)

    account.ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])
    account.ec2.delete_subnet(SubnetId=subnet_id)


def test_an_unknown_nat_gateway(account):
    with refused("NatGatewayNotFound", "nat-0b was not found"):
        account.ec2.describe_nat_gateways(NatGatewayIds=["nat-0b"])
    with refused("NatGatewayNotFound", "nat-0b was not found"):
        account.ec2.delete_nat_gateway(NatGatewayId="nat-0b")
