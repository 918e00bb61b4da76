"""DryRun and throttling, which come before the request is read."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from .account import SERVICE, refused

WOULD = "Request would have succeeded, but DryRun flag is set."


def test_a_dry_run_creates_no_endpoint(account):
    vpc_id = account.vpc()
    with refused("DryRunOperation", WOULD):
        account.ec2.create_vpc_endpoint(
            VpcId=vpc_id, ServiceName=SERVICE, VpcEndpointType="Interface", DryRun=True
        )
    assert account.endpoints() == []


def test_a_dry_run_changes_and_deletes_no_endpoint(account):
    endpoint_id = account.create(account.vpc())["VpcEndpointId"]
    account.wait(90)
    before = account.endpoint(endpoint_id)
    with refused("DryRunOperation", WOULD):
        account.ec2.modify_vpc_endpoint(
            VpcEndpointId=endpoint_id, PrivateDnsEnabled=False, DryRun=True
        )
    with refused("DryRunOperation", WOULD):
        account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id], DryRun=True)
    assert account.endpoint(endpoint_id) == before


def test_a_dry_run_touches_no_security_group(account):
    vpc_id = account.vpc()
    group_id = account.group(vpc_id)
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    with refused("DryRunOperation", WOULD):
        account.ec2.create_security_group(
            GroupName="other", Description="for a test", VpcId=vpc_id, DryRun=True
        )
    with refused("DryRunOperation", WOULD):
        account.ec2.authorize_security_group_ingress(
            GroupId=group_id,
            IpPermissions=[rule | {"IpRanges": [{"CidrIp": "10.0.0.0/16"}]}],
            DryRun=True,
        )
    with refused("DryRunOperation", WOULD):
        account.ec2.delete_security_group(GroupId=group_id, DryRun=True)
    groups = account.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])[
        "SecurityGroups"
    ]
    assert {group["GroupName"] for group in groups} == {"default", "endpoint"}
    assert all(group["IpPermissions"] == [] for group in groups if group["GroupId"] == group_id)


def test_a_dry_run_makes_and_deletes_no_network(account):
    vpc_id = account.vpc()
    subnet_id = account.subnet(vpc_id)
    for call, parameters in (
        (account.ec2.create_vpc, {"CidrBlock": "10.1.0.0/16"}),
        (account.ec2.create_subnet, {"VpcId": vpc_id, "CidrBlock": "10.0.2.0/24"}),
        (account.ec2.delete_subnet, {"SubnetId": subnet_id}),
        (account.ec2.delete_vpc, {"VpcId": vpc_id}),
        (account.ec2.create_tags, {"Resources": [vpc_id], "Tags": [{"Key": "a", "Value": "b"}]}),
        (account.ec2.describe_vpc_endpoints, {}),
    ):
        with refused("DryRunOperation", WOULD):
            call(**parameters, DryRun=True)
    vpc = account.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]
    assert vpc.get("Tags", []) == []
    assert len(account.ec2.describe_vpcs()["Vpcs"]) == 2  # with the default VPC
    of_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
    subnets = account.ec2.describe_subnets(Filters=of_vpc)["Subnets"]
    assert [subnet["SubnetId"] for subnet in subnets] == [subnet_id]


def test_of_many_at_once_only_one_takes_the_private_name(account):
    vpc_id = account.vpc()

    def attempt(_):
        try:
            return account.create(vpc_id)["VpcEndpointId"]
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))
    assert sorted(outcomes) == sorted(["InvalidParameter"] * 7 + account.endpoints())


def test_nothing_is_throttled_by_default(account):
    vpc_id = account.vpc()
    for _ in range(6):
        account.create(vpc_id, PrivateDnsEnabled=False)


@pytest.fixture
def throttled(playing):
    playing.throttle = True


def create(account, vpc_id):
    account.create(vpc_id, PrivateDnsEnabled=False)


def test_four_at_once_and_one_every_ten_thirds_of_a_second(account, throttled):
    vpc_id = account.vpc()
    for _ in range(4):
        create(account, vpc_id)
    with refused("RequestLimitExceeded", "Request limit exceeded."):
        create(account, vpc_id)
    account.wait(3)
    with refused("RequestLimitExceeded"):
        create(account, vpc_id)
    account.wait(0.4)
    create(account, vpc_id)
    assert len(account.endpoints()) == 5


def test_the_bucket_holds_four_however_long_it_fills(account, throttled):
    vpc_id = account.vpc()
    account.wait(3600)
    for _ in range(4):
        create(account, vpc_id)
    with refused("RequestLimitExceeded"):
        create(account, vpc_id)


def test_each_action_and_each_account_has_its_own_bucket(account, throttled):
    vpc_id = account.vpc()
    for _ in range(4):
        create(account, vpc_id)
    endpoint_id = account.endpoints()[0]  # reads are not throttled
    for _ in range(4):
        account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PrivateDnsEnabled=False)
    with refused("RequestLimitExceeded"):
        account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PrivateDnsEnabled=False)
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])

    account.id = f"{(int(account.id) + 1) % 10**12:012}"
    create(account, account.vpc())
