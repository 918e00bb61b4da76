"""What is said when the guard itself may not: the permission, and which policy is in the way."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from guard.aws.denials import cure, is_denial, missing_permission, reading_refused
from guard.settings import SettingsError, switch
from tests.builders import NOON, SETTINGS

USER = "User: arn:aws:sts::111122223333:assumed-role/guard/guard is not authorized"
SCP = "a service control policy"


@pytest.mark.parametrize(
    ("message", "permission", "why"),
    [
        (
            f"{USER} to perform: ec2:CreateVpcEndpoint with an explicit deny in {SCP}",
            "ec2:CreateVpcEndpoint",
            "a service control policy denies it",
        ),
        (
            f"{USER} to perform: ec2:CreateTags because no permissions boundary allows it",
            "ec2:CreateTags",
            "a permissions boundary denies it",
        ),
        ("You are not authorized to perform this operation.", "ec2:X", "check for an SCP"),
    ],
)
def test_the_permission_is_aws_s_word_or_else_what_was_tried(message, permission, why):
    assert missing_permission(message, "ec2:X") == permission
    assert cure(message, "ec2:X").startswith(f"allow the guard's role {permission}: {why}")


def denied(code, operation):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


@pytest.mark.parametrize(
    ("code", "operation", "permission"),
    [
        ("UnauthorizedOperation", "DescribeVpcs", "ec2:DescribeVpcs"),
        ("AccessDeniedException", "GetFunctionConfiguration", "lambda:GetFunctionConfiguration"),
        ("AccessDenied", "ListHostedZonesByVPC", "route53:ListHostedZonesByVPC"),
    ],
)
def test_a_refused_read_is_one_finding_with_the_action_as_iam_spells_it(
    code, operation, permission
):
    (finding,) = reading_refused(SETTINGS, NOON, denied(code, operation), frozenset({"vpc-1"}))

    assert finding.evidence["missing_permission"] == permission
    assert finding.resource == "vpc-1"
    assert permission in finding.todo[0]


def test_what_may_pass_by_itself_is_no_finding():
    throttled = denied("RequestLimitExceeded", "DescribeVpcs")
    unreachable = EndpointConnectionError(endpoint_url="https://ec2.example")

    assert not is_denial("RequestLimitExceeded")
    assert reading_refused(SETTINGS, NOON, throttled, frozenset()) == []
    assert reading_refused(SETTINGS, NOON, unreachable, frozenset()) == []


@pytest.mark.parametrize("value", ["", "yes", "True", "1"])
def test_a_switch_is_true_or_false_and_nothing_else(value):
    assert switch({"HUB": "true"}, "HUB") is True
    assert switch({"HUB": "false"}, "HUB") is False
    with pytest.raises(SettingsError, match="HUB"):
        switch({"HUB": value}, "HUB")
