"""ModifyVpcEndpoint: the same refusals as on creation, all before anything changes."""

import json

import pytest

from .account import FULL_ACCESS, PRIVATE_NAME, SERVICE, refused


@pytest.fixture
def placed(account):
    """A VPC with subnets in the zones a and b, and an endpoint in the first, with own group."""

    class Placed:
        vpc = account.vpc()
        subnets = (account.subnet(vpc), account.subnet(vpc, "b", "10.0.2.0/24"))
        group = account.group(vpc)
        id = account.create(vpc, subnets[0], SecurityGroupIds=[group])["VpcEndpointId"]

    return Placed


def modify(account, placed, **change):
    return account.ec2.modify_vpc_endpoint(VpcEndpointId=placed.id, **change)


def subnets_of_interfaces(account, placed):
    return [interface["SubnetId"] for interface in account.interfaces(placed.id)]


def test_interfaces_follow_subnets(account, placed):
    first, second = placed.subnets
    assert modify(account, placed, AddSubnetIds=[second])["Return"] is True
    assert account.endpoint(placed.id)["SubnetIds"] == [first, second]
    assert subnets_of_interfaces(account, placed) == [first, second]

    kept = account.interfaces(placed.id)[1]["NetworkInterfaceId"]
    modify(account, placed, RemoveSubnetIds=[first])
    assert account.endpoint(placed.id)["SubnetIds"] == [second]
    assert account.endpoint(placed.id)["NetworkInterfaceIds"] == [kept]
    everything = account.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [interface["SubnetId"] for interface in everything] == [second]


def test_dns_entries_follow_subnets(account, placed):
    before = len(account.endpoint(placed.id)["DnsEntries"])
    modify(account, placed, AddSubnetIds=[placed.subnets[1]])
    assert len(account.endpoint(placed.id)["DnsEntries"]) == before + 1


def test_interfaces_follow_groups(account, placed):
    other = account.group(placed.vpc, "other")
    modify(account, placed, AddSecurityGroupIds=[other], RemoveSecurityGroupIds=[placed.group])
    for holder in (account.endpoint(placed.id), *account.interfaces(placed.id)):
        assert [group["GroupId"] for group in holder["Groups"]] == [other]


def test_a_later_interface_has_the_groups_too(account, placed):
    modify(account, placed, AddSubnetIds=[placed.subnets[1]])
    for interface in account.interfaces(placed.id):
        assert [group["GroupId"] for group in interface["Groups"]] == [placed.group]


def test_the_last_group_stays(account, placed):
    with refused("InvalidParameter", "at least one security group"):
        modify(account, placed, RemoveSecurityGroupIds=[placed.group])
    assert account.endpoint(placed.id)["Groups"][0]["GroupId"] == placed.group


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"AddSubnetIds": ["subnet-0a0a0a0a0a0a0a0a0"]}, "InvalidSubnetID.NotFound"),
        ({"AddSecurityGroupIds": ["sg-0a0a0a0a0a0a0a0a0"]}, "InvalidGroup.NotFound"),
        ({"RemoveSubnetIds": ["subnet-0a0a0a0a0a0a0a0a0"]}, "InvalidParameter"),
        ({"RemoveSecurityGroupIds": ["sg-0a0a0a0a0a0a0a0a0"]}, "InvalidParameter"),
        ({"AddRouteTableIds": ["rtb-0a0a0a0a0a0a0a0a0"]}, "InvalidParameter"),
        ({"PolicyDocument": "{}"}, "InvalidPolicyDocument"),
        ({"IpAddressType": "dualstack"}, "InvalidParameter"),
    ],
)
def test_a_refused_change_changes_nothing(account, placed, change, code):
    account.wait(90)
    before = account.endpoint(placed.id)
    valid = {"PrivateDnsEnabled": False, "PolicyDocument": json.dumps(FULL_ACCESS)}
    with refused(code):
        modify(account, placed, **valid | change)
    assert account.endpoint(placed.id) == before
    assert before["State"] == "available"


def test_a_second_subnet_in_a_zone(account, placed):
    neighbour = account.subnet(placed.vpc, "a", "10.0.3.0/24")
    with refused("DuplicateSubnetsInSameZone", neighbour):
        modify(account, placed, AddSubnetIds=[neighbour])
    with refused("DuplicateSubnetsInSameZone", placed.subnets[0]):
        modify(account, placed, AddSubnetIds=[placed.subnets[0]])


def test_a_subnet_of_another_vpc(account, placed):
    with refused("InvalidParameter", "does not belong to the VPC"):
        modify(account, placed, AddSubnetIds=[account.subnet(account.vpc(), "c")])


def test_a_group_of_another_vpc(account, placed):
    with refused("InvalidParameter", "belong to different networks"):
        modify(account, placed, AddSecurityGroupIds=[account.group(account.vpc())])


def test_a_zone_that_the_service_does_not_reach(account, placed):
    far = account.subnet(placed.vpc, "e", "10.0.3.0/24")
    with refused("InvalidParameter", f"{SERVICE} does not support the availability zone"):
        modify(account, placed, AddSubnetIds=[far])


def test_private_dns_can_be_switched_off_and_on(account, placed):
    modify(account, placed, PrivateDnsEnabled=False)
    off = account.endpoint(placed.id)
    assert off["PrivateDnsEnabled"] is False
    assert PRIVATE_NAME not in [entry["DnsName"] for entry in off["DnsEntries"]]
    modify(account, placed, PrivateDnsEnabled=True)
    on = account.endpoint(placed.id)
    assert on["PrivateDnsEnabled"] is True
    assert PRIVATE_NAME in [entry["DnsName"] for entry in on["DnsEntries"]]


def test_private_dns_is_kept_by_a_change_that_does_not_name_it(account, placed):
    modify(account, placed, PrivateDnsEnabled=False)
    modify(account, placed, AddSubnetIds=[placed.subnets[1]])
    assert account.endpoint(placed.id)["PrivateDnsEnabled"] is False


def test_private_dns_needs_the_attributes_of_the_vpc(account, placed):
    modify(account, placed, PrivateDnsEnabled=False)
    account.ec2.modify_vpc_attribute(VpcId=placed.vpc, EnableDnsHostnames={"Value": False})
    with refused("InvalidParameter", "Enabling private DNS requires both"):
        modify(account, placed, PrivateDnsEnabled=True)


def test_private_dns_conflicts_with_another_endpoint(account, placed):
    modify(account, placed, PrivateDnsEnabled=False)
    account.create(placed.vpc)
    with refused("InvalidParameter", f"conflicting DNS domain for {PRIVATE_NAME}"):
        modify(account, placed, PrivateDnsEnabled=True)


def test_asking_again_for_private_dns_is_no_conflict_with_itself(account, placed):
    modify(account, placed, PrivateDnsEnabled=True)
    assert account.endpoint(placed.id)["PrivateDnsEnabled"] is True


def test_dns_options(account, placed):
    modify(account, placed, DnsOptions={"DnsRecordIpType": "service-defined"})
    assert account.endpoint(placed.id)["DnsOptions"] == {"DnsRecordIpType": "service-defined"}


def test_an_unknown_endpoint(account):
    with refused(
        "InvalidVpcEndpointId.NotFound",
        "The Vpc Endpoint Id 'vpce-0a0a0a0a0a0a0a0a0' does not exist",
    ):
        account.ec2.modify_vpc_endpoint(
            VpcEndpointId="vpce-0a0a0a0a0a0a0a0a0", PrivateDnsEnabled=True
        )
