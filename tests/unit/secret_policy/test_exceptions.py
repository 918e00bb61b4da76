"""Networks, principals and tags that are approved by review may be let in; nobody else."""

import json
from dataclasses import replace
from typing import Any

import pytest

from guard.policy import parse
from guard.policy.evaluate import Outcome, Request, evaluate
from secret_policy.correction import corrected
from secret_policy.exceptions import Exceptions
from secret_policy.perimeter import Perimeter, gaps, shuts_everybody_out

ACCOUNT, VPC = "111122223333", "vpc-0aaaaaaaaaaaaaaaa"
SECRET = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:prod/db-AbCdEf"
OFFICE, SERVICE_ROLES = "203.0.113.0/24", f"arn:aws:iam::{ACCOUNT}:role/service-role/*"
EC2 = "arn:aws:iam::*:role/aws:ec2-infrastructure"
HERE = frozenset({VPC})
BARE = Perimeter(
    ACCOUNT, "aws", HERE, endpoint_ids=frozenset({"vpce-0aaaaaaaaaaaaaaaa"}), served_vpc_ids=HERE
)
APPROVED = replace(
    BARE,
    exceptions=Exceptions(
        frozenset({OFFICE, "2001:db8::/32"}),
        frozenset({SERVICE_ROLES, EC2}),
        frozenset({"network-perimeter-exception=true", "data-perimeter-include!=true"}),
    ),
)


def deny(**conditions: dict[str, Any]) -> str:
    """AWS's published example for secrets, "EnforceNetworkPerimeter", with these conditions."""
    condition: dict[str, Any] = {
        "NotIpAddressIfExists": {"aws:SourceIp": OFFICE},
        "StringNotEqualsIfExists": {
            "aws:SourceVpc": VPC,
            "aws:PrincipalTag/network-perimeter-exception": "true",
        },
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"},
        "ArnNotLikeIfExists": {
            "aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/*", EC2]
        },
        "StringEquals": {"aws:PrincipalTag/data-perimeter-include": "true"},
        **conditions,
    }
    statement = {
        "Sid": "EnforceNetworkPerimeter",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "secretsmanager:*",
        "Resource": "*",
        "Condition": {key: value for key, value in condition.items() if value},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_awss_published_example_is_whole_once_its_exceptions_are_approved():
    assert gaps(deny(), SECRET, APPROVED) == ()
    assert gaps(deny(), SECRET, BARE)


@pytest.mark.parametrize(
    "conditions",
    [
        {"NotIpAddressIfExists": {"aws:SourceIp": "203.0.113.64/26"}},
        {"NotIpAddressIfExists": {"aws:SourceIp": ["203.0.113.7", "2001:db8:1::/48"]}},
        {"ArnNotLikeIfExists": {"aws:PrincipalArn": SERVICE_ROLES.replace("*", "a*")}},
        {"StringEquals": {"AWS:principaltag/Data-Perimeter-Include": ["true", "perhaps"]}},
        {"StringEquals": {}, "NotIpAddressIfExists": {}},
    ],
    ids=str,
)  # fmt: skip
def test_less_than_what_is_approved_is_whole(conditions: dict[str, Any]):
    assert gaps(deny(**conditions), SECRET, APPROVED) == ()


@pytest.mark.parametrize(
    "conditions",
    [
        {"NotIpAddressIfExists": {"aws:SourceIp": "203.0.112.0/23"}},
        {"NotIpAddressIfExists": {"aws:SourceIp": [OFFICE, "198.51.100.1"]}},
        {"ForAnyValue:NotIpAddress": {"aws:SourceIp": OFFICE}, "NotIpAddressIfExists": {}},
        {"ArnNotLikeIfExists": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}},
        {"ArnNotLikeIfExists": {"aws:PrincipalArn": "arn:aws:iam::*:role/service-role/*"}},
        {"StringNotLike": {"aws:PrincipalArn": SERVICE_ROLES}},  # its star takes colons
        {"ArnLike": {"aws:PrincipalArn": SERVICE_ROLES}},
        {"StringNotEqualsIfExists": {"aws:SourceVpc": VPC, "aws:PrincipalTag/other": "true"}},
        {"StringNotEquals": {"aws:PrincipalTag/network-perimeter-exception": "yes"}},
        {"StringEquals": {"aws:PrincipalTag/data-perimeter-include": "false"}},
        {"IpAddress": {"aws:SourceIp": OFFICE}},
    ],
    ids=str,
)
def test_more_than_what_is_approved_is_open(conditions: dict[str, Any]):
    assert gaps(deny(**conditions), SECRET, APPROVED)


def outcome(text: str, **context: str | None) -> Outcome:
    known: dict[str, str | None] = {
        "aws:SourceVpc": None,
        "aws:SourceIp": "198.51.100.9",
        "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/app",
        "aws:PrincipalTag/data-perimeter-include": "true",
        **{f"aws:{key}": value for key, value in context.items()},
    }
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    document = json.loads(text)
    document["Statement"].append(everybody)
    asked = Request(
        action="secretsmanager:GetSecretValue",
        resource=SECRET,
        principals=frozenset({f"AWS:{ACCOUNT}"}),
        context=known,
        complete=True,
    )
    return evaluate(parse(json.dumps(document)), asked).outcome


def test_a_correction_lets_in_who_is_approved_and_nobody_else():
    text = corrected(None, SECRET, APPROVED)
    assert gaps(text, SECRET, APPROVED) == ()
    assert outcome(text) is Outcome.DENY
    assert outcome(text, SourceIp="203.0.113.9") is Outcome.ALLOW
    role = f"arn:aws:iam::{ACCOUNT}:role/service-role/Glue"
    assert outcome(text, PrincipalArn=role) is Outcome.ALLOW
    assert outcome(text, **{"PrincipalTag/network-perimeter-exception": "true"}) is Outcome.ALLOW
    assert outcome(text, **{"PrincipalTag/data-perimeter-include": None}) is Outcome.ALLOW
    assert outcome(text, SourceIp=None, SourceVpc=VPC) is Outcome.ALLOW
    assert outcome(text, SourceIp=None, SourceVpc="vpc-0ffffffffffffffff") is Outcome.DENY


def test_where_only_an_approved_role_may_read_not_everybody_is_shut_out():
    text = deny(
        NotIpAddressIfExists={},
        StringNotEqualsIfExists={},
        StringEquals={},
        BoolIfExists={},
        ArnNotLikeIfExists={"aws:PrincipalArn": SERVICE_ROLES},
    )
    assert not shuts_everybody_out(text, SECRET, APPROVED)
