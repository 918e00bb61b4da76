"""Each function may do exactly what it does: every grant is used, every call is granted."""

import json
import re
from pathlib import Path

import cfnlint
import pytest
from botocore.exceptions import ClientError
from botocore.session import Session

from emulator import Cloud
from emulator.server import Call
from emulator.templates import parse as parse_template
from guard.aws.denials import action_of
from tests.template.stack import EVERYTHING, PSEUDO, ROOT, Stack
from tests.template.test_functions import FILES
from tools.rights.least import PLATFORM, role_of
from tools.rights.needs import Grant, Need, grants, needs

WILDCARDS = parse_template((ROOT / ".iam-wildcards.yaml").read_text())
KNOWN = json.loads(
    (Path(cfnlint.__file__).parent / "data/AdditionalSpecs/Policies.json").read_text()
)

# What IAM calls by another name.
OPERATIONS = {"s3:ListBucket": "ListObjectsV2", "lambda:InvokeFunction": "Invoke"}


def of_the_function(stack: Stack, function: str) -> list[Grant]:
    """The grants that the function's own code must use."""
    return [
        grant for grant in grants(stack.properties(role_of(function))) if grant.sid not in PLATFORM
    ]


def test_each_function_has_a_role_of_its_own(stack: Stack):
    functions = stack.of_type("AWS::Lambda::Function")
    assert {name: one["Role"] for name, one in functions.items()} == {
        name: f"arn:{role_of(name)}" for name in FILES
    }
    assert set(stack.of_type("AWS::IAM::Role")) == {role_of(name) for name in FILES}


@pytest.mark.parametrize("function", FILES)
def test_a_role_grants_what_the_files_docstring_says(stack: Stack, function: str):
    said = (ROOT / "functions" / FILES[function] / "app.py").read_text().split('"""')[1]
    (rights,) = re.findall(r"^IAM: (.*)", said, re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"\b[a-z0-9]+:[A-Z]\w+", rights))
    most = Stack(
        {**EVERYTHING, "Scope": "rotation", "SlackChannel": "C0123456789"}
    )  # with every grant that depends on a parameter
    granted = {grant.action for grant in grants(most.properties(role_of(function)))}
    assert {grant.action for grant in of_the_function(most, function)} <= named <= granted


def test_secrets_are_listed_only_where_the_scope_needs_it(stack: Stack):
    lists = "secretsmanager:ListSecrets"
    for one, may in ((stack, False), (Stack({**EVERYTHING, "Scope": "rotation"}), True)):
        granted = grants(one.properties("EnsureEndpointRole"))
        assert (lists in {grant.action for grant in granted}) is may


@pytest.mark.parametrize("function", FILES)
def test_every_action_exists_and_is_spelled_out(stack: Stack, function: str):
    models = Session()
    for grant in of_the_function(stack, function):
        service, action = grant.action.split(":")
        operation = OPERATIONS.get(grant.action, action)
        assert operation in models.get_service_model(service).operation_names, grant.action


@pytest.mark.parametrize("function", FILES)
def test_a_grant_names_its_resources_wherever_aws_can(stack: Stack, function: str):
    everywhere = {
        grant.action
        for grant in grants(stack.properties(role_of(function)))
        if "*" in grant.resources
    }
    assert everywhere <= set(WILDCARDS)


def test_a_wildcard_has_a_reason_and_is_used():
    used = {
        grant.action
        for stack in (Stack(), Stack({**EVERYTHING, "Scope": "rotation"}))
        for function in FILES
        for grant in grants(stack.properties(role_of(function)))
        if "*" in grant.resources
    }
    assert used == set(WILDCARDS)
    assert all(len(reason) > 20 for reason in WILDCARDS.values())


@pytest.mark.parametrize("action", WILDCARDS)
def test_aws_knows_no_narrower_resource(action: str):
    """By the Service Authorization Reference, as cfn-lint ships it."""
    service, name = action.split(":")
    assert "Resources" not in KNOWN[service]["Actions"][name.lower()]


@pytest.mark.parametrize("function", FILES)
def test_what_aws_asks_for_on_behalf_of_a_function_is_granted_where_it_is_needed(
    stack: Stack, function: str
):
    """The embedded cloud never asks for these, so no recorded call can prove them."""
    actions = {grant.action for grant in grants(stack.properties(role_of(function)))}
    called_by_rules = {
        one["FunctionName"] for one in stack.of_type("AWS::Lambda::Permission").values()
    }
    polls = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
    assert {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments"} <= actions
    assert polls <= actions or function in called_by_rules
    # A SecureString may be under the owner's key; the key aws/sns asks publishers for nothing.
    # A trail's log files may be under a key, too.
    assert ("kms:Decrypt" in actions) == (function in {"NotifySlackFunction", "FindMissedFunction"})
    private_dns = "route53:AssociateVPCWithHostedZone"
    assert (private_dns in actions) == ("ec2:CreateVpcEndpoint" in actions)


def test_only_what_this_stack_made_can_be_deleted(stack: Stack):
    """By its tags, which nobody can put on what exists: see claiming, below."""
    ours = {
        "StringEquals": {
            "aws:ResourceTag/vpce-guard:managed": "true",
            "aws:ResourceTag/vpce-guard:stack": PSEUDO["AWS::StackId"],
        }
    }
    conditions = {
        grant.action: grant.conditions
        for name in FILES
        for grant in grants(stack.properties(role_of(name)))
        if re.search(":(Delete|Revoke|Terminate|Detach)", grant.action)
    }
    assert conditions == {
        "ec2:DeleteVpcEndpoints": ours,
        "ec2:DeleteSecurityGroup": ours,
        "ec2:RevokeSecurityGroupIngress": ours,
        "sqs:DeleteMessage": {},
        "dynamodb:DeleteItem": {},  # the digest, of what it has reported
    }


@pytest.mark.parametrize(
    ("need", "why"),
    [
        (
            Need(
                "ec2:CreateVpcEndpoint",
                "arn:aws:ec2:eu-west-1:111122223333:vpc-endpoint/new",
                {
                    "ec2:VpceServiceName": "com.amazonaws.eu-west-1.s3",
                    "aws:RequestTag/vpce-guard:managed": "true",
                },
            ),
            "another service",
        ),
        (
            Need(
                "ec2:CreateVpcEndpoint",
                "arn:aws:ec2:eu-west-1:111122223333:vpc-endpoint/new",
                {"ec2:VpceServiceName": "com.amazonaws.eu-west-1.secretsmanager"},
            ),
            "without our tag",
        ),
        (
            Need(
                "ec2:CreateSecurityGroup",
                "arn:aws:ec2:eu-west-1:111122223333:security-group/new",
            ),
            "without our tag",
        ),
        (
            Need(
                "ec2:AuthorizeSecurityGroupIngress",
                "arn:aws:ec2:eu-west-1:111122223333:security-group/sg-0a",
                {"aws:ResourceTag/team": "orders"},
            ),
            "a group that is not ours",
        ),
        (
            Need(
                "ec2:RevokeSecurityGroupIngress",
                "arn:aws:ec2:eu-west-1:111122223333:security-group/sg-0a",
                {"aws:ResourceTag/vpce-guard:managed": "true"},
            ),
            "a group of another stack",
        ),
        (
            Need(
                "ec2:DeleteVpcEndpoints",
                "arn:aws:ec2:eu-west-1:111122223333:vpc-endpoint/vpce-0a",
                {
                    "aws:ResourceTag/vpce-guard:managed": "true",
                    "aws:ResourceTag/vpce-guard:stack": "another guard's stack",
                },
            ),
            "an endpoint of another stack",
        ),
        (
            Need(
                "ec2:DeleteSecurityGroup",
                "arn:aws:ec2:eu-west-1:111122223333:security-group/sg-0a",
                {"aws:ResourceTag/team": "orders"},
            ),
            "a group that is not ours",
        ),
        (
            Need(
                "ec2:CreateTags",
                "arn:aws:ec2:eu-west-1:111122223333:security-group/sg-0a",
                {"aws:RequestTag/vpce-guard:managed": "true"},
            ),
            "claiming what exists already",
        ),
        (
            Need("ec2:ModifyVpcAttribute", "arn:aws:ec2:eu-west-1:444455556666:vpc/vpc-0a"),
            "another account",
        ),
    ],
)
def test_ensure_endpoint_is_refused(stack: Stack, need: Need, why: str):
    allowed = [one for one in grants(stack.properties("EnsureEndpointRole")) if one.meets(need)]
    assert allowed == [], why


def test_the_service_may_be_created_under_its_name_in_every_partition(stack: Stack):
    for prefix in ("com.amazonaws", "cn.com.amazonaws"):
        need = Need(
            "ec2:CreateVpcEndpoint",
            "arn:aws:ec2:eu-west-1:111122223333:vpc-endpoint/new",
            {
                "ec2:VpceServiceName": f"{prefix}.eu-west-1.secretsmanager",
                "aws:RequestTag/vpce-guard:managed": "true",
            },
        )
        assert any(one.meets(need) for one in grants(stack.properties("EnsureEndpointRole")))


def test_restore_policy_cannot_touch_what_hangs_on_an_endpoint(stack: Stack):
    modify = "ec2:ModifyVpcEndpoint"
    for kind in ("subnet", "security-group", "route-table", "vpc"):
        need = Need(modify, f"arn:aws:ec2:eu-west-1:111122223333:{kind}/x-0a")
        assert not any(one.meets(need) for one in grants(stack.properties("RestorePolicyRole")))


# --- on the embedded cloud ------------------------------------------------------------------------


def by_function(cloud: Cloud, function: str) -> list[Call]:
    return [call for call in cloud.calls if call.function == function]


def role(cloud: Cloud, function: str) -> list[Grant]:
    return grants(cloud.deployment.resources[role_of(function)][1])


@pytest.mark.parametrize("function", FILES)
def test_every_call_is_granted(day: Cloud, function: str):
    allowed = role(day, function)
    refused = [
        need
        for call in by_function(day, function)
        for need in needs(call, day)
        if not any(grant.meets(need) for grant in allowed)
    ]
    assert by_function(day, function)
    assert refused == []


@pytest.mark.parametrize("function", FILES)
def test_every_grant_is_used(day: Cloud, function: str):
    needed = [need for call in by_function(day, function) for need in needs(call, day)]
    idle = {
        (grant.sid, grant.action)
        for grant in role(day, function)
        if grant.sid not in PLATFORM and not any(grant.meets(need) for need in needed)
    }
    assert idle == set()


@pytest.mark.parametrize("function", FILES)
def test_what_is_refused_is_named_as_iam_does(day: Cloud, function: str):
    """Botocore's error has the operation alone; the finding names the permission."""
    calls = {(one.action, one.iam_action) for one in day.calls if one.function == function}
    assert {action_of(ClientError({}, action)) for action, _ in calls} == {
        permission for _, permission in calls
    }


@pytest.mark.parametrize("function", FILES)
def test_every_call_is_in_the_models_that_the_layer_keeps(day: Cloud, function: str):
    """Of botocore's models the built layer holds these operations only."""
    kept = json.loads((ROOT / "layers" / "dependencies" / "operations.json").read_text())
    assert [
        (call.service, call.action)
        for call in by_function(day, function)
        if call.action not in kept.get(call.service, ())
    ] == []
