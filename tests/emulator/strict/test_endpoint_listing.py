"""DescribeVpcEndpoints: ids, filters, pages. DeleteVpcEndpoints: what it could not delete."""

import pytest

from .account import REGION, SERVICE, refused


@pytest.fixture
def two(account):
    """An available, tagged endpoint and a pending one, in two VPCs."""
    tags = [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "owner", "Value": "ops"}]}]

    class Two:
        vpc, other_vpc = account.vpc(), account.vpc()
        first = account.create(vpc, TagSpecifications=tags)["VpcEndpointId"]
        account.wait(90)
        second = account.create(other_vpc, ServiceName=f"{SERVICE}-fips")["VpcEndpointId"]

    return Two


def test_every_filter_finds_what_it_names(account, two):
    expected = {
        "vpc-endpoint-id": two.first,
        "vpc-id": two.vpc,
        "service-name": SERVICE,
        "vpc-endpoint-state": "available",
        "tag:owner": "ops",
        "tag-key": "owner",
    }
    for name, value in expected.items():
        assert account.endpoints(Filters=[{"Name": name, "Values": [value]}]) == [two.first], name
        both = [{"Name": name, "Values": [value, "another"]}]
        if name != "tag-key":
            assert account.endpoints(Filters=both) == [two.first], name


def test_filters_that_both_endpoints_meet(account, two):
    for name, value in {
        "vpc-endpoint-type": "Interface",
        "ip-address-type": "ipv4",
        "service-region": REGION,
        "service-name": f"{SERVICE}*",
    }.items():
        found = account.endpoints(Filters=[{"Name": name, "Values": [value]}])
        assert found == [two.first, two.second], name


def test_filters_are_combined(account, two):
    filters = [
        {"Name": "vpc-id", "Values": [two.vpc]},
        {"Name": "vpc-endpoint-state", "Values": ["pending"]},
    ]
    assert account.endpoints(Filters=filters) == []


def test_values_that_nothing_has(account, two):
    for name in ("vpc-endpoint-id", "vpc-id", "ip-address-type", "tag:owner", "tag:absent"):
        assert account.endpoints(Filters=[{"Name": name, "Values": ["none"]}]) == [], name


def test_a_filter_that_does_not_exist(account):
    with refused("InvalidParameterValue", "The filter 'endpoint-id' is invalid"):
        account.endpoints(Filters=[{"Name": "endpoint-id", "Values": ["vpce-1"]}])


def test_unknown_ids(account, two):
    with refused(
        "InvalidVpcEndpointId.NotFound",
        "The Vpc Endpoint Id 'vpce-0a0a0a0a0a0a0a0a0' does not exist",
    ):
        account.endpoints(VpcEndpointIds=[two.first, "vpce-0a0a0a0a0a0a0a0a0"])


def test_pages(account):
    vpc_id = account.vpc()
    made = [account.create(vpc_id, PrivateDnsEnabled=False)["VpcEndpointId"] for _ in range(5)]
    first = account.ec2.describe_vpc_endpoints(MaxResults=2)
    assert [endpoint["VpcEndpointId"] for endpoint in first["VpcEndpoints"]] == made[:2]
    rest = account.ec2.describe_vpc_endpoints(NextToken=first["NextToken"])
    assert [endpoint["VpcEndpointId"] for endpoint in rest["VpcEndpoints"]] == made[2:]
    assert "NextToken" not in rest

    pages = account.ec2.get_paginator("describe_vpc_endpoints").paginate(
        PaginationConfig={"PageSize": 2}
    )
    assert [len(page["VpcEndpoints"]) for page in pages] == [2, 2, 1]


def test_a_token_that_was_never_given(account):
    with refused("InvalidNextToken"):
        account.ec2.describe_vpc_endpoints(NextToken="Nonsense")


def test_deleting_lists_the_ids_it_does_not_know(account, two):
    unknown = "vpce-0a0a0a0a0a0a0a0a0"
    answer = account.ec2.delete_vpc_endpoints(VpcEndpointIds=[unknown, two.first])
    assert answer["Unsuccessful"] == [
        {
            "ResourceId": unknown,
            "Error": {
                "Code": "InvalidVpcEndpoint.NotFound",
                "Message": f"The Vpc Endpoint Id '{unknown}' does not exist",
            },
        }
    ]
    assert account.endpoint(two.first)["State"] == "deleting"
    assert account.endpoint(two.second)["State"] == "pending"


def test_a_gateway_endpoint_goes_at_once(account):
    endpoint_id = account.ec2.create_vpc_endpoint(
        VpcId=account.vpc(), ServiceName=f"com.amazonaws.{REGION}.dynamodb"
    )["VpcEndpoint"]["VpcEndpointId"]
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
    assert account.endpoints() == []
