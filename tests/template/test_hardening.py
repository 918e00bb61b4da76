"""What the parameters of "Hardening" do: a key, a boundary, functions in a VPC."""

import json
from typing import Any

import pytest

from tests.template.stack import ACCOUNT, EVERYTHING, REGION, Stack, listed
from tools.rights.access import Policies, verdict
from tools.rights.needs import Need
from tools.rights.onbehalf import INTERFACES

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-1111-2222-3333-444455556666"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
PLACEMENT = {
    "FunctionSubnets": "subnet-0a1b2c3d4e5f60718,subnet-0a1b2c3d4e5f60719",
    "FunctionSecurityGroups": "sg-0a1b2c3d4e5f60718",
}

PLAIN = Stack()
HARD = Stack(
    {
        **EVERYTHING,
        **PLACEMENT,
        "EncryptionKeyArn": KEY,
        "PermissionsBoundaryArn": BOUNDARY,
    }
)
# Slack is on the internet; and a heartbeat from behind an endpoint would be no bypass.
OUTSIDE = {"NotifySlackFunction", "HeartbeatFunction"}
FUNCTIONS = sorted(HARD.of_type("AWS::Lambda::Function"))
ROLES = sorted(HARD.of_type("AWS::IAM::Role"))


def role_of(function: str) -> str:
    return f"{function.removesuffix('Function')}Role"


def keyed(stack: Stack, kind: str, name: str) -> set[Any]:
    """The keys by which resources of a type name a KMS key, and what they name."""
    return {one.get(name) for one in stack.of_type(kind).values()}


def test_what_is_stored_is_encrypted_with_the_key_that_is_given():
    for kind, name in (
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
    ):
        assert keyed(HARD, kind, name) == {KEY}, kind
    assert keyed(HARD, "AWS::SQS::Queue", "SqsManagedSseEnabled") == {None}
    assert HARD.properties("StateTable")["SSESpecification"] == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": KEY,
    }


def test_without_a_key_aws_encrypts_with_its_own_and_none_is_paid_for():
    assert PLAIN.of_type("AWS::KMS::Key") == {}
    assert PLAIN.properties("FindingsTopic")["KmsMasterKeyId"] == "alias/aws/sns"
    assert keyed(PLAIN, "AWS::SQS::Queue", "SqsManagedSseEnabled") == {True}
    assert keyed(PLAIN, "AWS::SQS::Queue", "KmsMasterKeyId") == {None}
    assert PLAIN.properties("StateTable")["SSESpecification"] == {"SSEEnabled": False}


def test_no_finding_is_published_where_only_aws_disks_encrypt():
    """The functions know one topic, and it is the one with server-side encryption."""
    for function in PLAIN.of_type("AWS::Lambda::Function").values():
        text = json.dumps(function["Environment"])
        assert "AlarmsTopic" not in text


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_use_the_key_and_has_the_boundary(role: str):
    properties = HARD.properties(role)
    assert properties["PermissionsBoundary"] == BOUNDARY
    assert "KeyPolicy" in properties["ManagedPolicyArns"]
    plain = PLAIN.properties(role)
    assert "PermissionsBoundary" not in plain
    assert plain["ManagedPolicyArns"] == []


def test_the_key_is_used_only_through_the_services_that_encrypt_with_it():
    (statement,) = HARD.properties("KeyPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Resource"], statement["Action"]) == (
        KEY,
        ["kms:Decrypt", "kms:GenerateDataKey"],
    )
    assert statement["Condition"]["StringEquals"]["kms:ViaService"] == [
        f"{service}.{REGION}.amazonaws.com" for service in ("dynamodb", "sns", "sqs")
    ]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_are_placed_where_that_is_asked(function: str):
    assert "VpcConfig" not in PLAIN.properties(function)
    placed = HARD.properties(function).get("VpcConfig")
    attached = "VpcPolicy" in HARD.properties(role_of(function))["ManagedPolicyArns"]
    assert attached == (function not in OUTSIDE)
    if function in OUTSIDE:
        assert placed is None
        return
    assert placed is not None
    for name, parameter in (
        ("SubnetIds", "FunctionSubnets"),
        ("SecurityGroupIds", "FunctionSecurityGroups"),
    ):
        assert placed[name] == PLACEMENT[parameter]


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - OUTSIDE))
@pytest.mark.parametrize("action", INTERFACES)
def test_lambda_may_make_interfaces_and_the_code_may_only_what_its_own_role_says(
    function: str, action: str
):
    role = HARD.properties(role_of(function))
    (policy,) = role["Policies"]
    statements = [one for one in policy["PolicyDocument"]["Statement"] if one["Resource"] == "*"]
    own = {"Function": {**policy["PolicyDocument"], "Statement": statements}}
    vpc = HARD.properties("VpcPolicy")["PolicyDocument"]
    need = Need(action, "*", {"aws:SecureTransport": "true"})
    code = Need(action, "*", {**need.keys, "lambda:SourceFunctionArn": "arn:aws:lambda:r:1:f:x"})
    arn = f"arn:aws:iam::{ACCOUNT}:role/{function}"
    both = Policies({**own, "VpcPolicy": vpc})

    assert verdict(need, arn, both).allowed
    assert verdict(code, arn, both).allowed == verdict(code, arn, Policies(own)).allowed
    readers = {"EnsureEndpointFunction", "DetectBypassFunction"}
    may = (function in readers and action.endswith("DescribeNetworkInterfaces")) or (
        function in {*readers, "SweepFunction", "RestorePolicyFunction"}
        and action.endswith("DescribeSubnets")
    )
    assert verdict(code, arn, both).allowed == may


def test_what_makes_or_takes_interfaces_is_denied_to_the_code_whatever_else_it_may_do():
    """As in AWS's guide, which denies what only reads, too: two functions have to read."""
    (deny,) = [
        one
        for one in HARD.properties("VpcPolicy")["PolicyDocument"]["Statement"]
        if one["Effect"] == "Deny"
    ]
    assert set(deny["Action"]) == {one for one in INTERFACES if ":Describe" not in one}
    assert deny["Condition"] == {"Null": {"lambda:SourceFunctionArn": "false"}}
    assert listed(deny["Resource"]) == ["*"]


def test_placed_in_a_vpc_route_53_is_not_asked_and_need_not_be_reached():
    """It would take one more endpoint, which is not offered everywhere."""

    def asks(stack: Stack) -> tuple[str, bool]:
        function = stack.properties("EnsureEndpointFunction")
        granted = json.dumps(stack.properties("EnsureEndpointRole")["Policies"])
        return function["Environment"]["Variables"]["COVERED_BY_HUB"], "route53:List" in granted

    assert (asks(PLAIN), asks(HARD)) == (("true", True), ("false", False))


def test_the_stack_without_parameters_has_none_of_it():
    assert {"KeyPolicy", "VpcPolicy"} & set(PLAIN.resources) == set()
    assert {"KeyPolicy", "VpcPolicy"} <= set(HARD.resources)
