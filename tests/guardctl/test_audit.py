"""guardctl audit: what it shows of an account, what it exits with, and that it changes nothing."""

import json

import pytest
from typer.testing import CliRunner

from guardctl.__main__ import app
from tests.reactions.account import SERVICE
from tests.reactions.policies import tamper

REGION = "us-east-1"


def run(*arguments, code):
    """The outcome of `guardctl audit`, on the embedded cloud's account."""
    found = CliRunner().invoke(app, ["audit", *arguments], terminal_width=200)
    assert found.exit_code == code, found.output + found.stderr
    return found


def rows(*arguments, code):
    found = run("--region", REGION, "--format", "jsonl", *arguments, code=code)
    lines = map(json.loads, found.stdout.splitlines())
    return {row["vpc_id"]: row for row in lines if "vpc_id" in row}


def checks(*arguments, code):
    """The other checks, by what is checked and of what."""
    found = run("--region", REGION, "--format", "json", *arguments, code=code)
    return {(one["check"], one["resource"]): one for one in json.loads(found.stdout)["checks"]}


def test_an_account_that_is_well_exits_with_0(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()

    row = rows(code=0)[vpc_id]
    assert (row["verdict"], row["healthy"], row["steps"]) == ("works", True, [])
    assert (row["account"], row["region"]) == (cloud.account, REGION)
    assert row["endpoint_id"] == account.endpoints(vpc_id)[0]["VpcEndpointId"]


def test_a_vpc_without_an_endpoint_is_shown_with_the_plan_and_its_price(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()

    row = rows(code=1)[vpc_id]
    assert row["verdict"] == "broken"
    assert "no working endpoint" in row["reasons"][0]
    assert row["steps"][-1].startswith(f"create the endpoint for {SERVICE} in ")
    assert (row["azs_added"], row["monthly_price_usd"]) == (2, 14.6)
    assert rows("--price", "0.05", code=1)[vpc_id]["monthly_price_usd"] == 73.0


def test_the_plan_is_the_one_that_the_deployed_function_makes(cloud, account):
    ssm = account.client("ssm")
    ssm.put_parameter(Name=cloud.outputs["ModeParameterName"], Value="observe", Overwrite=True)
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()

    planned = [f"the guard would {step}" for step in rows(code=1)[vpc_id]["steps"]]
    assert planned
    assert set(planned) <= set(cloud.findings[-1]["todo"])


def test_what_the_guard_made_is_known_by_its_tags(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    cloud.lose_events()
    account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.99.0.0/16")

    (step,) = rows(code=1)[vpc_id]["steps"]
    assert step.startswith("admit port 443 from 10.99.0.0/16 to sg-")


def test_the_audit_changes_nothing(cloud, account):
    account.vpc_with_subnets()
    before = len(cloud.calls)

    rows(code=1)

    asked = {call.iam_action for call in cloud.calls[before:]}
    assert {action.split(":")[1][:4] for action in asked} <= {
        "Desc",
        "List",
        "GetC",
        "GetF",
        "GetT",
        "GetE",
    }


def test_one_vpc_alone_can_be_asked_for(cloud, account):
    account.vpc_with_subnets()
    empty = account.vpc()

    assert list(rows("--vpc", empty, code=0)) == [empty]
    assert rows("--vpc", empty, code=0)[empty]["verdict"] == "waiting"


def test_settings_of_the_template_can_be_given(cloud, account):
    vpc_id, _ = account.vpc_with_subnets(tags={"left-alone": ""})

    assert rows("--maximum-zones", "1", code=1)[vpc_id]["azs_added"] == 1
    assert rows("--opt-out-tag", "left-alone", code=1)[vpc_id]["verdict"] == "exempt"


def test_regions_are_read_one_after_the_other(cloud, account):
    here = account.vpc()
    there = cloud.session("alice").client("ec2", region_name="eu-west-1")
    other = there.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]

    found = rows("--region", "eu-west-1", "--vpc", here, "--vpc", other, code=0)
    assert {id_: row["region"] for id_, row in found.items()} == {here: REGION, other: "eu-west-1"}


def test_route_53_is_not_asked_without_hubs(cloud, account):
    account.vpc_with_subnets()

    rows("--no-hub", code=1)
    assert not [call for call in cloud.calls if call.service == "route53"]
    rows(code=1)
    assert [call for call in cloud.calls if call.service == "route53"]


def test_the_table_shows_it_to_people(cloud, account):
    vpc_id, _ = account.vpc_with_subnets(tags={"Name": "[red]orders[/red]"})

    shown = run("--region", REGION, code=1).stdout
    assert vpc_id in shown
    assert "[red]orders[/red]" in shown
    assert "broken" in shown
    assert "14.60" in shown
    assert "1 VPCs, 1 unhealthy" in shown


def test_json_is_one_document(cloud, account):
    account.vpc_with_subnets()

    document = json.loads(run("--region", REGION, "--format", "json", code=1).stdout)
    assert document["healthy"] is False
    assert document["monthly_price_usd"] == 14.6
    assert len(document["vpcs"]) == 1


# Bad usage and credentials: exit 2 and a reason on standard error.


def test_a_vpc_that_does_not_exist_is_bad_input(cloud):
    found = run("--region", REGION, "--vpc", "vpc-0a0a0a0a0a0a0a0a0", code=2)
    assert "no such VPC in us-east-1: vpc-0a0a0a0a0a0a0a0a0" in found.stderr


def test_an_unknown_profile_is_bad_input(cloud):
    assert "nobody" in run("--region", REGION, "--profile", "nobody", code=2).stderr


@pytest.mark.parametrize("price", ["much", "-1", "NaN"])
def test_a_price_that_is_no_amount_is_bad_usage(cloud, price):
    assert "not an amount" in run("--region", REGION, "--price", price, code=2).stderr


def test_without_credentials_it_says_so(cloud, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    assert "credentials" in run("--region", REGION, code=2).stderr


def test_without_a_region_it_says_so(cloud, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)

    assert "--region" in run(code=2).stderr


def test_a_missing_permission_is_named(cloud):
    cloud.fault(service="ec2", action="DescribeVpcs", error="UnauthorizedOperation", times=9)

    found = run("--region", REGION, code=2)
    assert "missing permission: ec2:DescribeVpcs" in found.stderr


# What the deployed stack is set to, and what is judged besides VPCs.


@pytest.fixture
def set_variables(cloud, account):
    """Sets variables of ensure_endpoint, until the test ends."""
    functions = account.client("lambda")
    name = cloud.resource("EnsureEndpointFunction")
    config = functions.get_function_configuration(FunctionName=name)
    before = {key: str(one) for key, one in config["Environment"]["Variables"].items()}

    def change(**variables):
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**before, **variables}}
        )

    yield change
    change()


def test_the_deployed_stacks_settings_count(cloud, account, set_variables):
    vpc_id, _ = account.vpc_with_subnets(tags={"left-alone": ""})
    assert (
        "judged by the settings of the stack vpce-guard" in run("--region", REGION, code=1).stdout
    )

    set_variables(PRICE_PER_AZ_HOUR="0.05", MAXIMUM_ZONES="1")
    row = rows(code=1)[vpc_id]
    assert (row["azs_added"], row["monthly_price_usd"]) == (1, 36.5)

    set_variables(SCOPE="tagged")
    row = rows("--vpc", vpc_id, code=0)[vpc_id]
    assert row["verdict"] == "exempt"
    assert row["reasons"] == ["only VPCs with the tag vpce-guard:guarded are in scope"]

    set_variables(SCOPE="all", OPT_OUT_TAG="left-alone")
    assert rows("--vpc", vpc_id, code=1)[vpc_id]["verdict"] == "exempt"


def test_without_a_stack_the_defaults_count_unless_one_was_named(cloud):
    shown = run("--region", "eu-west-1", code=1).stdout
    assert "judged by the template's defaults, because there is no stack vpce-guard" in shown
    assert "there is no stack other" in run("--stack-name", "other", code=2).stderr


def test_endpoint_policies_are_compared_with_the_approved_one(cloud, account, endpoint_id):
    cloud.settle()
    assert checks(code=0)["policy", endpoint_id]["text"] == "means own-account"

    tamper(cloud, endpoint_id)
    found = checks(code=1)["policy", endpoint_id]
    assert found["healthy"] is False
    assert found["reasons"][0].startswith("wider: now also allows")
    assert found["planned"] == f"write own-account to {endpoint_id}"

    account.ec2.create_tags(
        Resources=[endpoint_id], Tags=[{"Key": "vpce-guard:ignore", "Value": ""}]
    )
    assert checks(code=0)["policy", endpoint_id]["text"] == "left alone: the tag vpce-guard:ignore"


def test_a_rotation_that_cannot_work_is_unhealthy(cloud, account):
    account.client("secretsmanager").rotate_secret(
        SecretId=account.secret("db"),
        RotationLambdaARN=account.function("rotate"),
        RotationRules={"AutomaticallyAfterDays": 30},
    )
    found = checks(code=1)["rotation", "db"]
    assert "runs outside any VPC" in found["text"]


def test_the_trail_is_judged_and_what_may_not_be_read_is_no_fault(cloud):
    assert "logs management events, reads included" in checks(code=0)["trail", REGION]["text"]
    cloud.fault(service="cloudtrail", action="DescribeTrails", error="AccessDenied", times=9)
    found = checks(code=0)["trail", REGION]
    assert "cannot be read here" in found["text"]


def test_it_is_a_list_like_a_plan_within_80_columns(cloud, account, endpoint_id):
    cloud.settle()
    tamper(cloud, endpoint_id)
    account.vpc_with_subnets(tags={"Name": "orders"})
    lines = run("--region", REGION, code=1).stdout.splitlines()
    long = [line for line in lines if len(line) > 80 and len(max(line.split(), key=len)) < 70]
    assert long == []
    assert any(line.startswith("  + create a security group") for line in lines)
    assert any(line.startswith(f"  ~ write own-account to {endpoint_id}") for line in lines)
    whole = " ".join(line.strip() for line in lines)
    assert (
        "Plan: 1 endpoint, 1 group, 2 other changes, 1 policy, $14.60 a month plus data." in whole
    )
