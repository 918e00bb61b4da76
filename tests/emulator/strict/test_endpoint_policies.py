"""Endpoint policies: what AWS takes, what it gives back, and what it refuses."""

import json

import pytest

from .account import FULL_ACCESS, refused

ALLOW = FULL_ACCESS["Statement"][0]


def without(*elements):
    return {name: value for name, value in ALLOW.items() if name not in elements}


def given(condition):
    return {"Statement": [ALLOW | {"Condition": condition}]}


def test_without_a_policy_the_default_document_is_attached(account):
    endpoint = account.create(account.vpc())
    assert json.loads(endpoint["PolicyDocument"]) == FULL_ACCESS


def test_a_policy_comes_back_in_another_layout(account):
    document = {"Version": "2012-10-17", "Statement": [ALLOW | {"Sid": "Everything"}]}
    text = json.dumps(document)
    endpoint_id = account.create(account.vpc(), PolicyDocument=text)["VpcEndpointId"]
    kept = account.endpoint(endpoint_id)["PolicyDocument"]
    assert kept != text
    assert json.loads(kept) == document

    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(FULL_ACCESS)
    )
    assert account.policy(endpoint_id) == FULL_ACCESS


def test_text_that_is_not_json_is_refused_with_its_position(account):
    with refused(
        "InvalidPolicyDocument", "The Policy Document is not valid. Syntax error at position (1,16)"
    ):
        account.create(account.vpc(), PolicyDocument='{"Statement": [')
    assert account.endpoints() == []


@pytest.mark.parametrize(
    "document",
    [
        pytest.param([], id="not an object"),
        pytest.param({}, id="no statement"),
        pytest.param({"Statement": []}, id="an empty list of statements"),
        pytest.param({"Statement": [ALLOW], "Statements": []}, id="an unknown element"),
        pytest.param({"Version": "2020-01-01", "Statement": [ALLOW]}, id="an unknown version"),
        pytest.param({"Statement": ["Allow"]}, id="a statement that is no object"),
        pytest.param({"Statement": [ALLOW | {"Effekt": "Allow"}]}, id="an unknown part"),
        pytest.param({"Statement": [without("Principal")]}, id="no principal"),
        pytest.param({"Statement": [without("Action")]}, id="no action"),
        pytest.param({"Statement": [without("Resource")]}, id="no resource"),
        pytest.param({"Statement": [without("Effect")]}, id="no effect"),
        pytest.param({"Statement": [ALLOW | {"NotAction": "*"}]}, id="both kinds of action"),
        pytest.param({"Statement": [ALLOW | {"Action": "GetSecretValue"}]}, id="a bare action"),
        pytest.param({"Statement": [ALLOW | {"Resource": "secret"}]}, id="a bare resource"),
        pytest.param({"Statement": [ALLOW | {"Principal": "111122223333"}]}, id="a bare account"),
        pytest.param({"Statement": [ALLOW | {"Principal": {"Nobody": "*"}}]}, id="a bad kind"),
        pytest.param({"Statement": [ALLOW | {"Principal": {"AWS": ""}}]}, id="an empty name"),
        pytest.param(given([]), id="a condition that is no object"),
        pytest.param(given({"StringEquals": "a"}), id="an operator without keys"),
        pytest.param(given({"StringEquals": {"aws:PrincipalArn": {}}}), id="a value that is none"),
        pytest.param(
            given({"StringLike": {"aws:PrincipalAccount": "1111*"}}), id="a wildcard in a system id"
        ),
        pytest.param(
            given({"NumericEquals": {"aws:PrincipalAccount": "111122223333"}}), id="a numeric id"
        ),
        pytest.param(given({"StringLike": {"aws:PrincipalArn": "arn*"}}), id="too short a prefix"),
        pytest.param(
            {"Statement": [ALLOW | {"Resource": "arn:aws:secretsmanager:*:1111*:secret:a"}]},
            id="half an account",
        ),
        pytest.param(
            given({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::1111*:role/x"}}),
            id="half an account in a condition",
        ),
    ],
)
def test_what_is_no_endpoint_policy_is_refused(account, document):
    endpoint_id = account.create(account.vpc())["VpcEndpointId"]
    with refused("InvalidPolicyDocument", "The Policy Document is not valid."):
        account.ec2.modify_vpc_endpoint(
            VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(document)
        )
    assert account.policy(endpoint_id) == FULL_ACCESS


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"Statement": ALLOW}, id="one statement, not a list"),
        pytest.param({"Statement": [without("Action") | {"NotAction": ["s3:*"]}]}, id="NotAction"),
        pytest.param(
            {"Statement": [ALLOW | {"Principal": {"AWS": ["arn:aws:iam::111122223333:root"]}}]},
            id="principals by kind",
        ),
        pytest.param(
            given(
                {
                    "StringEquals": {"aws:PrincipalAccount": "111122223333"},
                    "ForAnyValue:StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admins"},
                    "BoolIfExists": {"aws:PrincipalIsAWSService": "true"},
                }
            ),
            id="conditions",
        ),
        pytest.param(
            {"Statement": [ALLOW | {"Resource": "arn:aws:secretsmanager:*:*:secret:*"}]},
            id="any account",
        ),
    ],
)
def test_policies_that_aws_takes(account, document):
    endpoint_id = account.create(account.vpc(), PolicyDocument=json.dumps(document))[
        "VpcEndpointId"
    ]
    assert account.policy(endpoint_id) == document


def test_a_policy_may_have_20480_characters_and_no_more(account):
    text = json.dumps(FULL_ACCESS)
    longest = text + " " * (20_480 - len(text))
    endpoint_id = account.create(account.vpc(), PolicyDocument=longest)["VpcEndpointId"]
    with refused("InvalidPolicyDocument", "20480"):
        account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=longest + " ")


def test_a_gateway_endpoint_has_its_policy_checked_too(account):
    gateway = {"VpcId": account.vpc(), "ServiceName": "com.amazonaws.us-east-1.s3"}
    with refused("InvalidPolicyDocument"):
        account.ec2.create_vpc_endpoint(**gateway, PolicyDocument="{}")
    text = json.dumps({"Statement": [ALLOW | {"Sid": "One"}]})
    endpoint_id = account.ec2.create_vpc_endpoint(**gateway, PolicyDocument=text)["VpcEndpoint"][
        "VpcEndpointId"
    ]
    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, ResetPolicy=True)
    assert account.policy(endpoint_id) == FULL_ACCESS


def test_reset_is_for_gateway_endpoints(account):
    endpoint_id = account.create(account.vpc())["VpcEndpointId"]
    with refused("InvalidParameter", "ResetPolicy is only supported for Gateway type"):
        account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, ResetPolicy=True)
    with refused("InvalidParameterCombination", "ResetPolicy"):
        account.ec2.modify_vpc_endpoint(
            VpcEndpointId=endpoint_id, ResetPolicy=True, PolicyDocument=json.dumps(FULL_ACCESS)
        )
