"""`guardctl least-rights`: what each function needs, and where its role is not exactly that."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from emulator import Cloud
from guardctl.__main__ import app
from guardctl.rights.day import PARAMETERS, play
from guardctl.rights.least import NEVER, REFUSED, kind_of, policies, rights, role_of

ENSURE, SLACK = "EnsureEndpointFunction", "NotifySlackFunction"


@pytest.fixture(scope="module")
def day() -> Iterator[Cloud]:
    with Cloud.start(parameters=PARAMETERS) as cloud:
        play(cloud)
        yield cloud


def statements(cloud: Cloud, function: str) -> list[dict[str, Any]]:
    (policy,) = cloud.deployment.resources[role_of(function)][1]["Policies"]
    return policy["PolicyDocument"]["Statement"]


def problems(cloud: Cloud) -> set[tuple[str, str, str]]:
    return {
        (right.function, right.action, right.problem) for right in rights(cloud) if right.problem
    }


def test_the_roles_are_exactly_what_is_needed(day: Cloud):
    assert problems(day) == set()


def test_a_grant_too_many_is_found(day: Cloud, monkeypatch):
    more = {"Sid": "More", "Effect": "Allow", "Action": "ec2:DeleteVpc", "Resource": "*"}
    (policy,) = day.deployment.resources[role_of(SLACK)][1]["Policies"]
    monkeypatch.setitem(policy["PolicyDocument"], "Statement", [*statements(day, SLACK), more])
    assert problems(day) == {(SLACK, "ec2:DeleteVpc", NEVER)}


def test_a_grant_too_few_is_found(day: Cloud, monkeypatch):
    (policy,) = day.deployment.resources[role_of(ENSURE)][1]["Policies"]
    fewer = [one for one in statements(day, ENSURE) if one["Sid"] != "Tell"]
    monkeypatch.setitem(policy["PolicyDocument"], "Statement", fewer)
    assert problems(day) == {(ENSURE, "sns:Publish", REFUSED)}


def test_the_policies_name_kinds_of_resources_and_the_stacks_own(day: Cloud):
    document = policies(rights(day))[SLACK]
    by_action = {
        action: one["Resource"] for one in document["Statement"] for action in one["Action"]
    }
    assert by_action["sqs:ChangeMessageVisibility"].endswith(":${NotifyQueue}")
    assert by_action["xray:PutTraceSegments"] == "*"
    assert by_action["ssm:GetParameter"] == "arn:aws:ssm:us-east-1:123456789012:parameter/*"
    assert "ec2:DescribeVpcs" not in by_action


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        ("*", "*"),
        ("arn:aws:ec2:r:1:vpc/vpc-0a", "arn:aws:ec2:r:1:vpc/*"),
        ("arn:aws:lambda:r:1:function:rotate", "arn:aws:lambda:r:1:function:*"),
        ("arn:aws:secretsmanager:r:1:secret:prod/db-AbCdEf", "arn:aws:secretsmanager:r:1:secret:*"),
        ("arn:aws:s3:::logs", "arn:aws:s3:::logs"),
        ("arn:aws:s3:::logs/AWSLogs/1/one.json.gz", "arn:aws:s3:::logs/*"),
        ("arn:aws:sqs:r:1:stack-Queue-1", "arn:aws:sqs:r:1:${Queue}"),
        ("arn:aws:dynamodb:r:1:table/state-1", "arn:aws:dynamodb:r:1:table/${Table}"),
    ],
)
def test_a_resource_is_shown_as_its_kind(arn: str, kind: str):
    physical = {"Queue": "https://sqs.r/1/stack-Queue-1", "Table": "state-1"}
    assert kind_of(arn, physical) == kind


def test_the_command_prints_one_policy_for_a_function():
    done = CliRunner().invoke(
        app, ["least-rights", "--function", SLACK, "--format", "json"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert list(json.loads(done.stdout)) == [SLACK]
