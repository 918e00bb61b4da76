"""How often each reaction asks EC2, whose calls are throttled for the whole account and Region.

Calls to the guard's own table, queues, topic and parameter are in docs/performance.md; they have
limits of their own, which nobody else shares.
"""

from collections import Counter
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from emulator import Cloud
from emulator.cloudtrail import envelope
from tests.reactions.account import Account
from tests.reactions.policies import tamper


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


READS = [
    "DescribeVpcs",
    "DescribeSubnets",
    "DescribeVpcEndpoints",
    "DescribeSecurityGroups",
    "DescribeNetworkAcls",
]


def calls_to_read(cloud: Cloud, since: int) -> list[str]:
    """All AWS calls of ensure_endpoint's one run, whatever the service."""
    cloud.settle()
    made = [one for one in cloud.calls[since:] if one.function == "EnsureEndpointFunction"]
    return [one.action for one in made]


def test_nothing_to_do_takes_five_calls(cloud: Cloud, vpc_id: str):
    """A creation that is published twice."""
    published = next(one for one in cloud.records if one["eventName"] == "CreateVpcEndpoint")
    since = len(cloud.calls)
    cloud.inject(envelope(published))
    assert calls_to_read(cloud, since) == READS


def test_nothing_to_do_for_a_new_subnet_takes_five_calls(cloud: Cloud, vpc_id: str):
    """And one to the guard's own table: a tear-down from before may come later."""
    since = len(cloud.calls)
    Account(cloud).subnet(vpc_id, "10.20.9.0/24", "us-east-1a")
    assert calls_to_read(cloud, since) == [*READS, "UpdateItem"]


def test_an_endpoint_from_scratch_takes_eleven_calls(cloud: Cloud, vpc_id: str):
    """Reads, group, rule, DNS attribute, endpoint.

    What the service offers a process asks once; whose addresses are in the VPC, only where the
    event history of the last week has somebody whom the policy would refuse.
    """
    asked_apart = {"DescribeVpcEndpointServices", "DescribeNetworkInterfaces"}
    account = Account(cloud)
    other, _ = account.vpc_with_subnets()
    since = len(cloud.calls)
    cloud.settle()
    made = [
        one.action
        for one in cloud.calls[since:]
        if one.function == "EnsureEndpointFunction" and one.service == "ec2"
        if one.action not in asked_apart
    ]
    # The reconciles before it waited for the VPC's builders.
    until = made.index("CreateVpcEndpoint") + 1
    first = max(at for at, action in enumerate(made[:until]) if action == "DescribeVpcs")
    assert account.endpoints(other)
    assert until - first <= 11, " ".join(made[first:until])


def test_a_failed_deletion_costs_one_read_of_the_interfaces(cloud: Cloud, vpc_id: str):
    account = Account(cloud)
    subnet_id = account.endpoints(vpc_id)[0]["SubnetIds"][0]
    account.ec2.create_network_interface(SubnetId=subnet_id)
    since = len(cloud.calls)
    with pytest.raises(ClientError, match="DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnet_id)
    cloud.settle()
    assert of(cloud, "EnsureEndpointFunction", since) == {
        "DescribeVpcs": 1,
        "DescribeSubnets": 2,  # the record names the subnet alone
        "DescribeVpcEndpoints": 1,
        "DescribeSecurityGroups": 1,
        "DescribeNetworkAcls": 1,
        "DescribeNetworkInterfaces": 1,
    }


RESTORED = {"DescribeVpcEndpoints": 2, "ModifyVpcEndpoint": 1}
"""The endpoint, the write, and the check of what was written."""
ECHO = {"DescribeVpcEndpoints": 1}
"""Our own write comes back as an event, and is reconciled once more."""
TAGS = {"DescribeVpcs": 1}
SOON = timedelta(seconds=15)
"""Enough for an event, its batch window, and the echo of what was written."""


def calls_to_restore(cloud: Cloud, *vpc_ids: str) -> Counter[str]:
    """What it takes to put back the policies of these VPCs' endpoints."""
    account = Account(cloud)
    ids = [account.endpoints(vpc_id)[0]["VpcEndpointId"] for vpc_id in vpc_ids]
    approved = [account.policy(id_) for id_ in ids]
    since = len(cloud.calls)
    for id_ in ids:
        tamper(cloud, id_)
        cloud.pass_time(SOON)  # so that each has an invocation of its own
    assert [account.policy(id_) for id_ in ids] == approved
    return of(cloud, "RestorePolicyFunction", since)


def test_a_policy_is_restored_in_four_calls_and_the_next_in_three(cloud: Cloud, vpc_id: str):
    assert calls_to_restore(cloud, vpc_id) == Counter(RESTORED) + Counter(ECHO) + Counter(TAGS)
    assert calls_to_restore(cloud, vpc_id) == Counter(RESTORED) + Counter(ECHO)
    cloud.pass_time(timedelta(minutes=1))
    assert calls_to_restore(cloud, vpc_id) == Counter(RESTORED) + Counter(ECHO) + Counter(TAGS)


def test_the_tags_of_one_vpc_are_the_tags_of_all(cloud: Cloud, vpc_id: str):
    others = [Account(cloud).vpc_with_subnets()[0] for _ in range(2)]
    cloud.settle()
    calls_to_restore(cloud, vpc_id)
    since = len(cloud.invocations)
    made = calls_to_restore(cloud, *others)
    runs = [one for one in cloud.invocations[since:] if one.function == "RestorePolicyFunction"]
    assert len(runs) >= 2
    assert (made["ModifyVpcEndpoint"], made["DescribeVpcs"]) == (2, 0)


def test_a_policy_that_agrees_takes_two_calls_and_the_next_one(cloud: Cloud, vpc_id: str):
    account = Account(cloud)
    (endpoint,) = account.endpoints(vpc_id)
    for expected in (
        {"DescribeVpcEndpoints": 1, "DescribeVpcs": 1},
        {"DescribeVpcEndpoints": 1},
    ):
        since = len(cloud.calls)
        account.ec2.modify_vpc_endpoint(
            VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=endpoint["PolicyDocument"]
        )
        cloud.pass_time(SOON)
        assert of(cloud, "RestorePolicyFunction", since) == expected
