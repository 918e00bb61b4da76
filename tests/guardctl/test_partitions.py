"""The guard at work in the other partitions: a short day in each, and with DRILLS=all the whole."""

import json
import os
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from emulator import Caller, Cloud
from emulator.people import Account
from guardctl.__main__ import app
from tests.reactions.account import kinds

PARTITIONS = {
    "cn-north-1": ("aws-cn", "amazonaws.com.cn", "cn-north-1.console.amazonaws.cn"),
    "us-gov-west-1": (
        "aws-us-gov",
        "amazonaws.com",
        "us-gov-west-1.console.amazonaws-us-gov.com",
    ),
    "eusc-de-east-1": ("aws-eusc", "amazonaws.eu", "eusc-de-east-1.console.amazonaws-eusc.eu"),
}
ALLOW_ALL = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}'


@pytest.fixture(scope="module", params=PARTITIONS)
def played(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """A short day: a VPC appears, its policy is opened, a secret is read past it."""
    region = request.param
    with Cloud.start({"Mode": "remediate"}, region=region) as cloud:
        account = Account(cloud)
        vpc_id, _ = account.vpc_with_subnets((f"{region}a", f"{region}b"))
        cloud.settle()
        (endpoint,) = account.endpoints(vpc_id)
        account.ec2.modify_vpc_endpoint(
            VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=ALLOW_ALL
        )
        cloud.settle()
        secret = account.secret("prod/db")
        cloud.lose_events()
        by_service = f"rds.{PARTITIONS[region][1]}"
        service = Caller(kind="role", invoked_by=by_service)
        cloud.session("rds", service).client("secretsmanager").get_secret_value(SecretId=secret)
        cloud.settle()
        account.client("secretsmanager").get_secret_value(SecretId=secret)
        cloud.settle()
        cloud.fire_schedule("HeartbeatRule")
        cloud.settle()
        yield cloud


def test_the_endpoint_has_the_name_that_aws_gives_it(played: Cloud):
    (endpoint,) = Account(played).ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert endpoint["ServiceName"] == f"com.amazonaws.{played.region}.secretsmanager"
    assert endpoint["PrivateDnsEnabled"]


def test_the_approved_policy_is_back(played: Cloud):
    (endpoint,) = Account(played).ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert endpoint["PolicyDocument"] != ALLOW_ALL
    assert "aws:PrincipalAccount" in endpoint["PolicyDocument"]


def test_each_thing_is_reported_and_a_service_is_no_bypass(played: Cloud):
    assert kinds(played) == ["endpoint-created", "policy-restored", "bypass"]


def test_nothing_fails(played: Cloud):
    assert [one.error for one in played.invocations if one.error] == []


def test_every_arn_is_of_the_partition(played: Cloud):
    partition = PARTITIONS[played.region][0]
    text = json.dumps([played.findings, played.records, played.outputs])
    assert "arn:aws:" not in text
    assert f"arn:{partition}:" in text


def test_links_lead_to_the_partitions_console(played: Cloud):
    host = PARTITIONS[played.region][2]
    links = [link for one in played.findings for link in one["links"].items()]
    console = [link for label, link in links if label != "Runbook"]
    assert console
    assert all(link.startswith(f"https://{host}/") for link in console)
    assert host.partition(".")[2] in played.outputs["DashboardUrl"]


@pytest.mark.skipif(os.environ.get("DRILLS") != "all", reason="make nightly plays the whole day")
@pytest.mark.parametrize("region", [*PARTITIONS, "us-gov-east-1", "cn-northwest-1"])
def test_the_whole_drill_holds(region: str):
    result = CliRunner().invoke(app, ["drill", "--region", region, "--format", "jsonl"])
    assert result.exit_code == 0, result.output
    failed = [
        (chapter["title"], check)
        for chapter in map(json.loads, result.stdout.splitlines())
        for check in chapter["checks"]
        if not check["holds"]
    ]
    assert failed == []


def test_a_region_that_botocore_does_not_know_is_refused():
    result = CliRunner().invoke(app, ["drill", "--region", "xx-new-1"])
    assert result.exit_code == 2
    assert "xx-new-1" in result.stderr
