"""How often each reaction asks EC2, whose calls are throttled for the whole account and Region.

Calls to the guard's own table, queues, topic and parameter are told in docs/performance.md; they
have limits of their own, which nobody else shares.
"""

import json
from collections import Counter

import pytest

from emulator import Cloud
from tests.reactions.account import ALLOW_ALL, Account


@pytest.fixture
def vpc_id(cloud: Cloud) -> str:
    """A VPC with its endpoint, and warm functions."""
    vpc_id, _ = Account(cloud).vpc_with_subnets()
    cloud.settle()
    return vpc_id


def of(cloud: Cloud, function: str, since: int) -> Counter[str]:
    return Counter(
        one.action
        for one in cloud.calls[since:]
        if one.function == function and one.service == "ec2"
    )


def test_nothing_to_do_takes_four_calls(cloud: Cloud, vpc_id: str):
    account, since, runs = Account(cloud), len(cloud.calls), len(cloud.invocations)
    account.subnet(vpc_id, "10.20.9.0/24", "us-east-1a")
    cloud.settle()
    assert [run.function for run in cloud.invocations[runs:]] == ["EnsureEndpointFunction"]
    made = [one for one in cloud.calls[since:] if one.function]
    assert [one.action for one in made] == [
        "DescribeVpcs",
        "DescribeSubnets",
        "DescribeVpcEndpoints",
        "DescribeSecurityGroups",
    ]


def test_an_endpoint_from_scratch_takes_ten_calls(cloud: Cloud, vpc_id: str):
    """Reads, group, rule, DNS attribute, endpoint; what the service offers is known by now."""
    account = Account(cloud)
    other, _ = account.vpc_with_subnets()
    since = len(cloud.calls)
    cloud.settle()
    made = [
        one.action
        for one in cloud.calls[since:]
        if one.function == "EnsureEndpointFunction" and one.service == "ec2"
    ]
    # The looks before it waited for the VPC's builders.
    until = made.index("CreateVpcEndpoint") + 1
    begun = max(at for at, action in enumerate(made[:until]) if action == "DescribeVpcs")
    assert account.endpoints(other)
    assert until - begun <= 10, made[begun:until]


def test_a_policy_is_restored_in_four_calls(cloud: Cloud, vpc_id: str):
    """The endpoint, its VPC's tags, the write, and the look at what was written."""
    account = Account(cloud)
    (endpoint,) = account.endpoints(vpc_id)
    since = len(cloud.calls)
    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=json.dumps(ALLOW_ALL)
    )
    cloud.settle()
    made = of(cloud, "RestorePolicyFunction", since)
    assert made["ModifyVpcEndpoint"] == 1
    # Our own write comes back as an event, and is looked at once more.
    assert made.total() <= 4 + 1, made


def test_a_policy_that_agrees_takes_two_calls(cloud: Cloud, vpc_id: str):
    account = Account(cloud)
    (endpoint,) = account.endpoints(vpc_id)
    since = len(cloud.calls)
    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=endpoint["PolicyDocument"]
    )
    cloud.settle()
    made = of(cloud, "RestorePolicyFunction", since)
    assert made == {"DescribeVpcEndpoints": 1, "DescribeVpcs": 1}
