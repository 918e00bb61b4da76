"""`guardctl suggest-secret-policy`: what it prints of a secret of the embedded cloud."""

import json

import pytest
from typer.testing import CliRunner

from emulator.strict import secrets_manager
from guardctl.__main__ import app
from tests.reactions.account import READER, make_endpoint, put_policy

SID = "VpceGuardPerimeter"


@pytest.fixture
def vpc_id(account):
    """A VPC with an endpoint."""
    made, subnets = account.vpc_with_subnets()
    make_endpoint(account, made, subnets)
    return made


@pytest.fixture
def secret(account, vpc_id):
    made = account.secret("prod/ledger")
    put_policy(account, made, READER)
    return made


def suggest(*arguments, code):
    found = CliRunner().invoke(app, ["suggest-secret-policy", *arguments])
    assert found.exit_code == code, found.output
    return found


def test_the_policy_alone_is_printed_and_aws_takes_it(cloud, account, secret, vpc_id):
    found = suggest(secret, code=1)
    statements = json.loads(found.stdout)["Statement"]
    assert statements[0] == READER
    assert statements[1]["Sid"] == SID
    assert statements[1]["Condition"]["StringNotEqualsIfExists"] == {"aws:SourceVpc": [vpc_id]}
    account.client("secretsmanager").put_resource_policy(
        SecretId=secret, ResourcePolicy=found.stdout, BlockPublicPolicy=True
    )
    again = suggest(secret, code=0)
    assert json.loads(again.stdout) == json.loads(found.stdout)
    assert "nothing is to be changed" in again.stderr


def test_what_is_open_and_what_aws_warns_of_is_reported_beside_it(secret):
    found = suggest("prod/ledger", "--region", "us-east-1", code=1)
    assert "open: a request over the internet is not denied" in found.stderr
    assert "before you put it: AWS services that read it with a role of yours" in found.stderr


def test_that_nobody_inside_could_read_it_is_reported(account, secret):
    assert "to everybody inside" not in suggest(secret, code=1).stderr
    put_policy(account, secret, {**READER, "Effect": "Deny", "Principal": "*"})
    assert "denies reading the value to everybody inside" in suggest(secret, code=0).stderr


def test_it_writes_nothing(cloud, account, secret):
    before = len(cloud.records)
    suggest(secret, code=1)
    assert [one["eventName"] for one in cloud.records[before:] if not one["readOnly"]] == []


def test_all_of_it_for_machines(account, secret, vpc_id):
    functions = account.function("turn")
    account.client("secretsmanager").rotate_secret(
        SecretId=secret, RotationLambdaARN=functions, RotateImmediately=False
    )
    body = json.loads(suggest(secret, "--format", "json", code=1).stdout)
    assert (body["secret"], body["keeps_the_perimeter"]) == (secret, False)
    assert body["policy_before"]["Statement"] == [READER]
    assert body["policy"]["Statement"][1]["Sid"] == SID
    assert any("rotation function turn" in one for one in body["aws_warns"])
    (line,) = suggest(secret, "--format", "jsonl", code=1).stdout.splitlines()
    assert json.loads(line) == body


def test_vpcs_and_endpoints_of_others_can_be_approved(secret, vpc_id):
    hub = (
        "--approved-vpc",
        "vpc-0123456789abcdef0",
        "--approved-endpoint",
        "vpce-0123456789abcdef0",
    )
    (_, closing) = json.loads(suggest(secret, *hub, code=1).stdout)["Statement"]
    assert closing["Condition"]["StringNotEqualsIfExists"] == {
        "aws:SourceVpc": sorted([vpc_id, "vpc-0123456789abcdef0"]),
        "aws:SourceVpce": ["vpce-0123456789abcdef0"],
    }


PUBLIC = {**READER, "Sid": "Everybody", "Principal": "*"}


def test_a_statement_that_lets_everybody_in_is_left_out(account, secret):
    put_policy(account, secret, PUBLIC)
    found = suggest(secret, code=1)
    assert "left out, as it lets everybody in: Everybody" in found.stderr
    (closing,) = json.loads(found.stdout)["Statement"]
    assert closing["Sid"] == SID


def test_that_aws_would_refuse_the_policy_of_today_is_reported(account, secret):
    (_, closing) = json.loads(suggest(secret, code=1).stdout)["Statement"]
    put_policy(account, secret, PUBLIC, closing)
    found = suggest(secret, code=0)
    assert "AWS would refuse it, if it were put now: The policy allows broad" in found.stderr


def test_a_policy_that_aws_would_refuse_is_reported(cloud, secret, monkeypatch):
    monkeypatch.setattr(secrets_manager.policies, "is_public", lambda _: True)
    found = suggest(secret, code=2)
    assert "AWS would refuse it: The policy allows broad access" in found.stderr


def test_where_nothing_is_inside_nothing_is_suggested(account):
    made = account.secret("prod/lonely")
    found = suggest(made, code=2)
    assert "there is no policy to suggest: no VPC has an endpoint" in found.stderr
    assert found.stdout == ""


def test_a_secret_that_is_not_there(cloud):
    found = suggest("prod/nothing", "--region", "us-east-1", code=2)
    assert "AWS refused secretsmanager:DescribeSecret: ResourceNotFoundException" in found.stderr
