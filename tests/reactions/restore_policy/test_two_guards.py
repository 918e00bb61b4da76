"""Two stacks of the guard in one account: they notice each other, and neither opens an endpoint."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from emulator import Caller
from guard.policy import parse
from guard.policy.difference import Risk, compare, overall_risk
from tests.reactions.account import ALLOW_ALL, kinds, writes
from tests.reactions.policies import tamper

RESTORE = "RestorePolicyFunction"
HEARTBEAT = {"detail-type": "Scheduled Event"}
SERVICE = {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:*", "Resource": "*"}
OTHER = "blue"


@pytest.fixture(autouse=True)
def alone_again(account) -> Iterator[None]:
    yield
    account.client("cloudformation").delete_stack(StackName=OTHER)


def deploy_other(
    account, approved="one-secret", description="VPCE Guard keeps traffic", role="RestorePolicyRole"
) -> str:
    """Another stack with what a guard is known by; the name of its role."""
    trust = {"Version": "2012-10-17", "Statement": []}
    template = {
        "Description": description,
        "Parameters": {"ApprovedPolicy": {"Type": "String", "Default": approved}},
        "Resources": {
            role: {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}
        },
    }
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(
        StackName=OTHER, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
    )
    (made,) = cloudformation.list_stack_resources(StackName=OTHER)["StackResourceSummaries"]
    return made["PhysicalResourceId"]


def send_heartbeat(cloud) -> None:
    run = cloud.invoke("HeartbeatFunction", HEARTBEAT)
    assert run.error_type is None, run.output


def found(cloud, kind: str) -> list[dict[str, Any]]:
    return [one for one in cloud.findings if one["kind"] == kind]


def write(cloud, endpoint_id, role: str, policy: Any) -> None:
    session = cloud.session(role, Caller(kind="role"))
    session.client("ec2").modify_vpc_endpoint(
        VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(policy)
    )


def fight(cloud, account, endpoint_id, role: str, policy: Any, rounds: int) -> int:
    """The other guard puts its policy back whenever the endpoint's lets more pass: how often."""
    times = 0
    for _ in range(rounds):
        seen = compare(json.dumps(account.policy(endpoint_id)), parse(json.dumps(policy)))
        if overall_risk(seen) is Risk.WIDER:
            write(cloud, endpoint_id, role, policy)
            times += 1
        cloud.pass_time(timedelta(minutes=10))
    return times


def narrower(account, endpoint_id) -> Any:
    policy = account.policy(endpoint_id)
    return {**policy, "Statement": policy["Statement"][:1]}


@pytest.fixture
def role(cloud, account, endpoint_id) -> str:
    name = deploy_other(account)
    send_heartbeat(cloud)
    cloud.settle()
    return name


# --- they notice each other -----------------------------------------------------------------------


def test_another_guard_with_another_policy_is_published_once_a_day(cloud, account, role):
    (seen,) = found(cloud, "other-guard")
    assert (seen["severity"], seen["resource"]) == ("medium", OTHER)
    assert seen["evidence"]["stacks"] == {"vpce-guard": "own-account", OTHER: "one-secret"}
    assert "Mode=observe" in seen["todo"][1]
    send_heartbeat(cloud)
    assert len(found(cloud, "other-guard")) == 1
    cloud.pass_time(timedelta(hours=25))
    send_heartbeat(cloud)
    assert len(found(cloud, "other-guard")) == 2


@pytest.mark.parametrize(
    "made",
    [
        {"approved": "own-account"},  # an upgrade by a second stack, or another scope
        {"description": "Our VPCE Guard dashboards"},
        {"role": "DashboardRole"},
    ],
)
def test_what_wants_nothing_else_is_not_published(cloud, account, endpoint_id, made):
    deploy_other(account, **made)
    send_heartbeat(cloud)
    assert found(cloud, "other-guard") == []


# --- and do not fight -----------------------------------------------------------------------------


def test_of_two_policies_the_narrower_stays_and_nobody_writes_on(cloud, account, endpoint_id, role):
    less = narrower(account, endpoint_id)
    before = len(writes(cloud, RESTORE))

    assert fight(cloud, account, endpoint_id, role, less, rounds=30) == 1

    assert account.policy(endpoint_id)["Statement"] == less["Statement"]
    assert len(writes(cloud, RESTORE)) == before
    (left,) = found(cloud, "enforcement-paused")
    assert left["severity"] == "medium"
    assert OTHER in left["title"]
    assert f"Changed by the guard of the stack {OTHER}" in left["cause"]
    assert left["evidence"]["other_guard"]["approved_policy"] == "one-secret"
    assert left["evidence"]["difference"]
    assert any("vpce-guard" in one and OTHER in one for one in left["todo"])
    assert "policy-restored" not in kinds(cloud)


def test_other_words_that_let_the_same_pass_are_left_too(cloud, account, endpoint_id, role):
    approved = account.policy(endpoint_id)
    allowed = next(one for one in approved["Statement"] if one["Effect"] == "Allow")
    again = {**allowed, "Sid": "Again", "Resource": "arn:aws:secretsmanager:*:*:secret:prod/*"}
    other = {**approved, "Statement": [*approved["Statement"], again]}
    differences = compare(json.dumps(other), parse(json.dumps(approved)))
    assert {one.risk for one in differences} == {Risk.DIFFERENT}

    write(cloud, endpoint_id, role, other)
    cloud.pass_time(timedelta(minutes=10))

    assert account.policy(endpoint_id)["Statement"] == other["Statement"]
    assert "policy-restored" not in kinds(cloud)


def test_it_is_tried_again_after_a_day_and_the_other_guard_is_named_again(
    cloud, account, endpoint_id, role
):
    approved, less = account.policy(endpoint_id), narrower(account, endpoint_id)
    fight(cloud, account, endpoint_id, role, less, rounds=1)
    for _ in range(9):
        cloud.pass_time(timedelta(hours=3))
        cloud.fire_schedule()
        cloud.settle()
    assert account.policy(endpoint_id) == approved  # as if the other were gone

    send_heartbeat(cloud)
    fight(cloud, account, endpoint_id, role, less, rounds=3)
    assert account.policy(endpoint_id)["Statement"] == less["Statement"]
    assert len(found(cloud, "enforcement-paused")) >= 2


def test_what_lets_more_pass_is_put_back_whichever_guard_writes_it(
    cloud, account, endpoint_id, role
):
    """A stack that only imitates a guard opens nothing, however often it tries."""
    approved = account.policy(endpoint_id)
    for _ in range(8):
        write(cloud, endpoint_id, role, ALLOW_ALL)
        cloud.pass_time(timedelta(minutes=2))
        assert account.policy(endpoint_id) == approved
    (restored,) = found(cloud, "policy-restored")
    assert restored["severity"] == "high"
    assert f"the guard of the stack {OTHER}" in restored["cause"]
    assert f"keep vpce-guard or {OTHER}" in restored["todo"][0]
    assert "enforcement-paused" not in kinds(cloud)


def test_a_policy_that_lets_more_and_less_pass_is_put_back(cloud, account, endpoint_id, role):
    approved = account.policy(endpoint_id)
    crossing = {"Statement": [{**SERVICE, "Principal": {"AWS": "111122223333"}}]}
    assert fight(cloud, account, endpoint_id, role, crossing, rounds=6) == 6
    assert account.policy(endpoint_id) == approved
    assert len(found(cloud, "policy-restored")) == 1


def test_while_it_is_left_nobody_else_opens_it(cloud, account, endpoint_id, role):
    less = narrower(account, endpoint_id)
    write(cloud, endpoint_id, role, less)
    cloud.pass_time(timedelta(minutes=2))
    for who in (role, "mallory"):
        if who == role:
            write(cloud, endpoint_id, role, ALLOW_ALL)
        else:
            tamper(cloud, endpoint_id, who)
        cloud.pass_time(timedelta(minutes=2))
        assert account.policy(endpoint_id)["Statement"] == less["Statement"]
        assert found(cloud, "policy-restored")[-1]["severity"] == "high"


# --- near misses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["a user", "another role", "a role named alike", "somebody too"])
def test_anybody_else_is_nobodys_guard(cloud, account, endpoint_id, role, who):
    approved, less = account.policy(endpoint_id), narrower(account, endpoint_id)
    match who:
        case "a user":
            tamper(cloud, endpoint_id, role, policy=less)
        case "another role":
            write(cloud, endpoint_id, "deployer", less)
        case "a role named alike":
            write(cloud, endpoint_id, f"{role}X", less)
        case _:
            write(cloud, endpoint_id, role, less)
            tamper(cloud, endpoint_id, policy=less)
    cloud.settle()
    assert account.policy(endpoint_id) == approved
    (restored,) = found(cloud, "policy-restored")
    assert "the guard of the stack" not in restored["cause"]
    assert restored["severity"] == "medium"


def test_a_guard_that_is_gone_is_forgotten_within_hours(cloud, account, endpoint_id, role):
    approved = account.policy(endpoint_id)
    account.client("cloudformation").delete_stack(StackName=OTHER)
    send_heartbeat(cloud)
    write(cloud, endpoint_id, role, narrower(account, endpoint_id))
    cloud.settle()
    assert account.policy(endpoint_id) == approved


def test_in_observe_mode_it_is_published_as_the_other_guards(cloud, account, endpoint_id, role):
    less = narrower(account, endpoint_id)
    account.client("ssm").put_parameter(
        Name=cloud.outputs["ModeParameterName"], Value="observe", Overwrite=True
    )
    cloud.clock.skip(120)
    write(cloud, endpoint_id, role, less)
    cloud.settle()
    assert account.policy(endpoint_id)["Statement"] == less["Statement"]
    (drift,) = found(cloud, "policy-drift")
    assert f"the guard of the stack {OTHER}" in drift["cause"]
    assert "enforcement-paused" not in kinds(cloud)
