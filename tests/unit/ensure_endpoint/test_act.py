"""What is made once is not made twice, and what is somebody else's stays so."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ensure_endpoint.act import Actor, Applied, client_token
from guard.endpoint.plan import CreateEndpoint, CreateGroup, Plan, Verdict
from tests.builders import NOON, OURS, SERVICE, STACK

STEP = CreateEndpoint(
    "vpc-1", SERVICE, ("subnet-1",), "sg-1", "{}", known_endpoints=("vpce-1", "vpce-2")
)
NAME = "vpce-guard-vpc-1-0a1b2c3d"


def token(step: CreateEndpoint = STEP, group_id: str = "sg-1", later: int = 0) -> str:
    return client_token(step, group_id, NOON + timedelta(minutes=later))


def test_two_workers_that_see_the_same_have_one_token():
    assert token() == token(replace(STEP), later=59)
    assert len(token()) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"vpc_id": "vpc-2"},
        {"service_name": "another"},
        {"subnet_ids": ("subnet-2",)},
        {"policy": "[]"},
        {"ip_type": "dualstack"},
        {"known_endpoints": ("vpce-1",)},  # what was made under the token before is there, or gone
        {"known_endpoints": ()},
    ],
    ids=str,
)
def test_who_sees_anything_else_has_another_token(change: dict[str, Any]):
    assert token(replace(STEP, **change)) != token()


def test_another_group_and_another_hour_have_another_token():
    assert len({token(), token(group_id="sg-2"), token(later=60)}) == 3


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.Session().client("ec2", region_name="us-east-1")


def make_group(ec2: Any, vpc_id: str, tags: dict[str, str]) -> str:
    group_id = ec2.create_security_group(GroupName=NAME, Description="d", VpcId=vpc_id)["GroupId"]
    if tags:
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        ec2.create_tags(Resources=[group_id], Tags=pairs)
    return group_id


def applied(ec2: Any, vpc_id: str) -> Applied:
    plan = Plan(vpc_id, Verdict.BROKEN, (), (CreateGroup(vpc_id, NAME),))
    return Actor(ec2, STACK, lambda: NOON).apply(plan, "a test", {})


@pytest.mark.parametrize("tags", [{}, {**OURS, "vpce-guard:stack": "another"}], ids=["none", "his"])
def test_a_group_of_our_name_without_our_tags_is_not_used(ec2, tags):
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    make_group(ec2, vpc_id, tags)
    found = applied(ec2, vpc_id)
    assert (found.group_id, found.done) == ("", ())
    assert found.refused
    assert found.refused.code == "InvalidGroup.Duplicate"


def test_a_group_that_another_worker_made_is_used(ec2):
    vpc_ids = [ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(2)]
    theirs, ours = (make_group(ec2, vpc_id, OURS) for vpc_id in vpc_ids)
    found = applied(ec2, vpc_ids[1])
    assert found.group_id == ours != theirs
    assert found.refused is None
