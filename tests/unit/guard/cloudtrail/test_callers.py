"""Callers: which tool it was by the user agent, and how they are reported."""

import pytest

from guard.cloudtrail.callers import Caller, in_words, tool_of
from guard.cloudtrail.record import parse

SDK_GO = "aws-sdk-go-v2/1.21.0 os/linux lang/go#1.20.8 md/GOOS#linux md/GOARCH#amd64 api/ec2#1.120"


@pytest.mark.parametrize(
    ("user_agent", "tool"),
    [
        (
            f"APN/1.0 HashiCorp/1.0 Terraform/1.5.7 (+https://www.terraform.io) {SDK_GO}",
            "Terraform",
        ),
        (f"APN/1.0 OpenTofu/1.8.1 terraform-provider-aws/5.70.0 {SDK_GO}", "Terraform"),
        (f"APN/1.0 Pulumi/1.0 terraform-provider-aws/dev {SDK_GO}", "Pulumi"),
        ("cloudformation.amazonaws.com", "CloudFormation"),
        ("aws-cdk/2.100.0 aws-sdk-nodejs/2.1400.0 linux/v18.17.0", "CDK"),
        ("console.ec2.amazonaws.com", "console"),
        ("console.amazonaws.com", "console"),
        ("signin.amazonaws.com", "console"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36", "console"),
        ("aws-cli/2.15.30 Python/3.11.8 Linux/6.1 exe/x86_64 prompt/off", "AWS CLI"),
        ("aws-cli/1.18.69 Python/3.8.10 Linux/5.4 botocore/1.16.19", "AWS CLI"),
        ("Boto3/1.40.45 md/Botocore#1.40.45 ua/2.1 os/linux lang/python#3.13.7", "AWS SDK"),
        (SDK_GO, "AWS SDK"),
        ("config.amazonaws.com", "an AWS service"),
        ("AWS Internal", "an AWS service"),
        ("curl/8.5.0", ""),
        ("", ""),
    ],
)
def test_a_tool_is_known_by_its_user_agent(user_agent: str, tool: str) -> None:
    assert tool_of(user_agent) == tool


def test_a_console_session_is_reported_where_the_user_agent_says_nothing() -> None:
    assert tool_of("something new", from_console=True) == "console"
    assert tool_of("aws-cli/2.15.30 exec-env/CloudShell", from_console=True) == "AWS CLI"


def record(**more: object):
    return parse(
        {
            "eventName": "ModifyVpcEndpoint",
            "eventSource": "ec2.amazonaws.com",
            "eventTime": "2026-11-25T12:00:00Z",
            "eventID": "e-1",
            "requestID": "r-1",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mallory"},
            "sourceIPAddress": "198.51.100.7",
            "userAgent": "aws-cli/2.15.30",
            **more,
        }
    )


def test_a_caller_is_read_from_a_record_and_reported_in_words() -> None:
    caller = Caller.of(record())
    assert caller.words == "arn:aws:iam::111122223333:user/mallory from 198.51.100.7 with AWS CLI"
    assert (caller.event_id, caller.request_id) == ("e-1", "r-1")
    assert Caller.from_json(caller.to_json()) == caller


def test_what_a_service_does_for_somebody_is_reported_by_the_service() -> None:
    behalf = {
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::111122223333:assumed-role/deploy/x",
            "invokedBy": "cloudformation.amazonaws.com",
        },
        "sourceIPAddress": "cloudformation.amazonaws.com",
        "userAgent": "cloudformation.amazonaws.com",
    }
    assert Caller.of(record(**behalf)).tool == "CloudFormation"


def test_equal_callers_are_reported_once_and_none_as_nothing() -> None:
    caller = Caller.of(record())
    assert in_words([caller, Caller.of(record(eventID="e-2")), Caller(principal="bob")]) == (
        f"{caller.words}; bob"
    )
    assert in_words([]) == ""
