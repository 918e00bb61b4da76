"""What moto answers truly already to the reads the guard makes; it must stay so."""

from .account import refused


def test_a_new_vpc(account):
    vpc_id = account.vpc(hostnames=False)
    vpc = account.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]
    assert vpc["State"] == "available"
    assert vpc["OwnerId"] == account.id
    assert vpc["IsDefault"] is False
    assert vpc["Ipv6CidrBlockAssociationSet"] == []
    for name, value in {"EnableDnsSupport": True, "EnableDnsHostnames": False}.items():
        answer = account.ec2.describe_vpc_attribute(
            VpcId=vpc_id, Attribute=name[0].lower() + name[1:]
        )
        assert answer[name] == {"Value": value}


def test_an_ipv6_block_of_a_vpc(account):
    vpc_id = account.vpc()
    account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, AmazonProvidedIpv6CidrBlock=True)
    vpc = account.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]
    (association,) = vpc["Ipv6CidrBlockAssociationSet"]
    assert "::/" in association["Ipv6CidrBlock"]
    assert association["Ipv6CidrBlockState"]["State"] == "associated"


def test_a_subnet(account):
    vpc_id = account.vpc()
    subnet_id = account.subnet(vpc_id)
    subnet = account.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]
    assert subnet["AvailabilityZone"] == "us-east-1a"
    assert subnet["AvailabilityZoneId"] == "use1-az6"
    assert subnet["AvailableIpAddressCount"] == 251
    assert subnet["OwnerId"] == account.id
    assert subnet["Ipv6Native"] is False
    assert subnet["Ipv6CidrBlockAssociationSet"] == []
    assert "OutpostArn" not in subnet
    account.create(vpc_id, subnet_id)
    subnet = account.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]
    assert subnet["AvailableIpAddressCount"] == 250


def test_a_subnet_with_ipv6_carries_a_dual_stack_endpoint(account):
    vpc_id = account.vpc()
    subnet_id = account.ec2.create_subnet(
        VpcId=vpc_id,
        CidrBlock="10.0.1.0/24",
        Ipv6CidrBlock="2600:1f18::/64",
        AvailabilityZone="us-east-1a",
    )["Subnet"]["SubnetId"]
    subnet = account.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]
    (association,) = subnet["Ipv6CidrBlockAssociationSet"]
    assert association["Ipv6CidrBlock"] == "2600:1f18::/64"
    assert association["Ipv6CidrBlockState"]["State"] == "associated"
    assert account.create(vpc_id, subnet_id, IpAddressType="dualstack")["IpAddressType"] == (
        "dualstack"
    )


def test_rules_of_a_security_group(account):
    group_id = account.group(account.vpc())
    permission = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "IpRanges": [{"CidrIp": "10.0.0.0/16", "Description": "the VPC"}],
    }
    account.ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[permission])
    with refused("InvalidPermission.Duplicate", "already exists"):
        account.ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[permission])

    group = account.ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    (ingress,) = group["IpPermissions"]
    assert {name: ingress[name] for name in permission} == permission
    rules = account.ec2.describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group_id]}]
    )["SecurityGroupRules"]
    (inward,) = [rule for rule in rules if not rule["IsEgress"]]
    assert inward["CidrIpv4"] == "10.0.0.0/16"
    assert (inward["FromPort"], inward["ToPort"], inward["IpProtocol"]) == (443, 443, "tcp")


def test_interfaces_by_address_and_by_group(account):
    vpc_id = account.vpc()
    group_id = account.group(vpc_id)
    endpoint = account.create(vpc_id, account.subnet(vpc_id), SecurityGroupIds=[group_id])
    (interface,) = account.interfaces(endpoint["VpcEndpointId"])
    for name, value in {
        "vpc-id": vpc_id,
        "group-id": group_id,
        "addresses.private-ip-address": interface["PrivateIpAddress"],
    }.items():
        found = account.ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])
        assert found["NetworkInterfaces"] == [interface], name
