"""`make least-rights`: what each function needs, and where its role is not exactly that."""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from emulator import Cloud
from tools.rights import second
from tools.rights.__main__ import app
from tools.rights.access import verdict
from tools.rights.deployed import Deployed
from tools.rights.least import NEVER, REFUSED, kind_of, policies, rights, role_of

ENSURE, SLACK = "EnsureEndpointFunction", "NotifySlackFunction"


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
    fewer = [one for one in statements(day, ENSURE) if one["Sid"] != "Publish"]
    monkeypatch.setitem(policy["PolicyDocument"], "Statement", fewer)
    assert problems(day) == {(ENSURE, "sns:Publish", REFUSED)}


def test_the_policies_name_kinds_of_resources_and_the_stacks_own(day: Cloud):
    document = policies(rights(day))[SLACK]
    by_action = {
        action: one["Resource"] for one in document["Statement"] for action in one["Action"]
    }
    assert by_action["sqs:ChangeMessageVisibility"].endswith(":${NotifyUrgentQueue}")
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
        app, ["--function", SLACK, "--format", "json"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert list(json.loads(done.stdout)) == [SLACK]


# --- the second judge -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged_case(day: Cloud) -> second.Case:
    if not (second.FOLDER / "node_modules").exists():
        pytest.skip("make lint installs the second judge")
    return second.case(Deployed(day))


def lines(case: second.Case) -> list[str]:
    return second.findings(case, second.judged(case.text))


def changed(case: second.Case, function: str, *more: Any, without: str = "") -> second.Case:
    """The case with another policy of a function's role."""
    roles = deepcopy(dict(case.roles))
    document = roles[function]["identity"]["Function"]
    kept = [one for one in document["Statement"] if one["Sid"] != without]
    roles[function]["identity"]["Function"] = {**document, "Statement": [*kept, *more]}
    return replace(case, roles=roles)


def test_the_second_judge_finds_nothing(judged_case: second.Case):
    assert lines(judged_case) == []


def test_both_judges_decide_alike(day: Cloud, judged_case: second.Case):
    deployed = Deployed(day)
    theirs = [one["result"] == "Allowed" for one in second.judged(judged_case.text)]
    ours = [
        verdict(one.need, deployed.principal(one), deployed.policies(one)).allowed
        for one in judged_case.asked
    ]
    assert ours == theirs
    assert set(ours[: judged_case.allowed]) == {True}
    assert set(ours[judged_case.allowed :]) == {False}


def test_a_needed_statement_that_is_gone_is_found(judged_case: second.Case):
    (line,) = lines(changed(judged_case, ENSURE, without="Publish"))
    assert line.startswith(f"needed and denied: {ENSURE}: sns:Publish on arn:aws:sns:")


def test_an_unused_statement_is_found(judged_case: second.Case):
    more = {"Sid": "More", "Effect": "Allow", "Action": "ec2:DeleteVpc", "Resource": "*"}
    assert lines(changed(judged_case, SLACK, more)) == [
        "granted and unused: NotifySlackRole Function.More allows ec2:DeleteVpc"
    ]


def test_the_wrong_deny_is_found(judged_case: second.Case):
    """As the stack's own policy had it in the placement FunctionSubnets."""
    deny = {
        "Sid": "NotByTheCode",
        "Effect": "Deny",
        "Action": "ec2:DescribeNetworkInterfaces",
        "Resource": "*",
        "Condition": {"Null": {"lambda:SourceFunctionArn": "false"}},
    }
    found = lines(changed(judged_case, ENSURE, deny))
    assert found[-1] == (
        f"needed and denied by Function.NotByTheCode: {ENSURE}: ec2:DescribeNetworkInterfaces on * "
        "(called)"
    )


def test_a_condition_that_is_gone_is_found(judged_case: second.Case):
    (statement,) = [
        one
        for one in judged_case.roles[ENSURE]["identity"]["Function"]["Statement"]
        if one["Sid"] == "TagWhatIsCreated"
    ]
    bare = {key: value for key, value in statement.items() if key != "Condition"}
    found = lines(changed(judged_case, ENSURE, bare, without="TagWhatIsCreated"))
    assert found
    assert all(one.startswith("not refused, by Function.TagWhatIsCreated") for one in found)


def test_a_boundary_too_narrow_and_a_deny_that_denies_nothing_are_found(judged_case: second.Case):
    roles = deepcopy(dict(judged_case.roles))
    but_sns = {"Sid": "ButSns", "Effect": "Allow", "NotAction": "sns:*", "Resource": "*"}
    roles[ENSURE]["boundary"] = {"Version": "2012-10-17", "Statement": [but_sns]}
    found = lines(replace(judged_case, roles=roles))
    assert f"needed and denied by pb: {ENSURE}: sns:Publish on " in "\n".join(found)
    idle = {"Sid": "Idle", "Effect": "Deny", "Action": "ec2:DeleteVpc", "Resource": "*"}
    assert lines(changed(judged_case, SLACK, idle)) == [
        "granted and unused: NotifySlackRole Function.Idle denies ec2:DeleteVpc"
    ]


def test_a_queue_that_lets_no_rule_send_is_found(judged_case: second.Case):
    resources = deepcopy(dict(judged_case.resources))
    (queue,) = [arn for arn in resources if "-VpcQueue-" in arn]
    resources[queue]["Statement"] = resources[queue]["Statement"][1:]
    found = lines(replace(judged_case, resources=resources))
    assert found
    assert all(
        one.startswith(f"needed and denied: events.amazonaws.com: sqs:SendMessage on {queue}")
        for one in found
    )


def test_what_the_second_judge_does_not_know_is_not_passed(judged_case: second.Case):
    requests = [dict(one) for one in judged_case.requests]
    requests[0] = {**requests[0], "action": "logs:NoSuchAction"}
    requests[1] = {**requests[1], "context": {"ec2:NoSuchKey": "x"}}
    found = lines(replace(judged_case, requests=requests))
    assert len([one for one in found if one.startswith("not judged: ")]) == 2
