"""guardctl acceptance, over HTTP against the embedded cloud: it passes, notices, and cleans up.

`ACCEPTANCE=all` plays every fault, and stops it at every call that makes something (`make
nightly`); else one of each kind.
"""

import json
import os
import re
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from guardctl.acceptance import command
from guardctl.acceptance.stage import NETWORK
from guardctl.acceptance.story import STORY
from tests.guardctl.acceptance_runs import OPERATOR, Operator, held, held_by_lambda

STEPS = (
    "sqs:CreateQueue",
    "sns:Subscribe",
    "ec2:CreateVpc",
    "ec2:CreateSubnet",
    "ec2:ModifyVpcEndpoint",
    "secretsmanager:CreateSecret",
    "iam:CreateRole",
    "sts:AssumeRole",
    "ec2:DeleteVpcEndpoints",
    "ec2:DeleteTags",
    "lambda:CreateFunction",
    "secretsmanager:RotateSecret",
)
EVERYTHING = os.environ.get("ACCEPTANCE") == "all"
STOPPED_AT = STEPS if EVERYTHING else ("iam:CreateRole",)
nightly = pytest.mark.skipif(not EVERYTHING, reason="a run of its own: see make nightly")

# What AWS asks for beside the call's own permission ("Actions, resources, and condition keys" of
# each service, service authorization reference).
IMPLIED = {
    "ec2:CreateVpc": {"ec2:CreateTags"},
    "iam:CreateRole": {"iam:TagRole"},
    "lambda:CreateFunction": {"iam:PassRole", "lambda:TagResource", "ec2:DescribeVpcs"},
    "secretsmanager:CreateSecret": {"secretsmanager:TagResource"},
    "secretsmanager:RotateSecret": {"lambda:InvokeFunction"},
    "sqs:CreateQueue": {"sqs:TagQueue"},
}
FREE = {"sts:GetCallerIdentity"}  # needs no permission
DOCUMENT = Path(__file__).parents[2] / "docs" / "acceptance.md"


@pytest.fixture
def operator(cloud, monkeypatch):
    return Operator(cloud, monkeypatch)


@pytest.fixture
def before(cloud):
    """What is in the account without a run."""
    return held(cloud)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


# --- a run ----------------------------------------------------------------------------------------


def test_a_whole_run_passes_and_leaves_nothing(cloud, account, operator, before):
    def lambda_makes_an_interface():
        """As Lambda does in the function's subnets; EC2 shows it as available in the end."""
        subnet = account.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        account.ec2.create_network_interface(SubnetId=subnet)

    with operator.during("lambda:CreateFunction", lambda_makes_an_interface):
        ended = operator.run("--yes", "--tag", "cost-centre=42=a")

    assert ended.code == 0, ended.stdout + ended.stderr
    assert [one["title"] for one in ended.chapters] == [one.title for one in STORY]
    assert all(one["holds"] and one["checks"] for one in ended.chapters)
    assert ended.report["holds"]
    assert ended.report["left"] == []
    assert held(cloud) == before
    assert untagged(cloud, {"cost-centre": "42=a"}) == []
    first = ended.chapters[0]["checks"][0]
    assert first["seconds"] >= 600, "the endpoint came before GraceMinutes were over"
    for reported in ("about $", "at most $", "minutes", "GraceMinutes", "Removing what was made"):
        assert reported in ended.stderr
    allowed = listed()
    for call, more in IMPLIED.items():
        assert more <= allowed, f"{call} needs {more - allowed} too"
    asked = set(operator.calls()) - FREE
    assert asked <= allowed
    assert allowed - asked <= set().union(*IMPLIED.values()), "listed and not needed"


CREATIONS = {
    "CreateVpc",
    "CreateSubnet",
    "CreateSecret",
    "CreateRole",
    "CreateFunction",
    "CreateQueue",
}


def untagged(cloud, tags):
    """The operator's creations without these tags, and the run's own."""
    made = [
        one for one in cloud.calls if one.action in CREATIONS and one.principal.endswith(OPERATOR)
    ]
    assert {one.action for one in made} == CREATIONS
    expected = [*tags.items(), ("vpce-guard-acceptance", "")]
    return [
        one.action
        for one in made
        if not all(key in str(one.params) and value in str(one.params) for key, value in expected)
    ]


def listed() -> set[str]:
    """The operator's permissions as the document lists them."""
    found = re.search(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    return {action for one in json.loads(found[1])["Statement"] for action in one["Action"]}


def test_a_stack_that_hears_of_no_vpc_is_noticed(cloud, account, operator, before):
    account.client("events").disable_rule(Name=cloud.resource("VpcLifeRule"))

    ended = operator.run("--yes")

    assert ended.code == 1
    chapters = {one["number"]: one for one in ended.chapters}
    (check,) = chapters[1]["checks"]
    assert (check["holds"], check["seen"]) == (False, "no endpoint")
    assert any(cloud.resource("EnsureEndpointFunctionLogGroup") in one for one in check["where"])
    assert any("guardctl redrive vpc" in one for one in check["where"])
    for number in (2, 3, 5):
        assert chapters[number]["problem"].startswith("left out: an earlier chapter left no")
    assert chapters[4]["holds"]
    assert chapters[6]["holds"]
    assert held(cloud) == before


@nightly
@pytest.mark.parametrize(
    ("rule", "chapter", "seen"),
    [
        ("BypassRule", 4, "no bypass with"),
        ("EndpointChangeRule", 2, "no policy-restored with"),
        ("RotationRule", 6, "no rotation-cannot-reach-endpoint with"),
    ],
)
def test_a_rule_that_is_off_is_noticed(cloud, account, operator, before, rule, chapter, seen):
    account.client("events").disable_rule(Name=cloud.resource(rule))

    ended = operator.run("--yes")

    assert ended.code == 1
    failed = next(one for one in ended.chapters if not one["holds"])
    assert failed["number"] == chapter
    assert failed["checks"][-1]["seen"].startswith(seen)
    assert held(cloud) == before


@nightly
def test_a_function_that_fails_is_noticed_by_its_dead_letters(cloud, operator, before):
    function = "RestorePolicyFunction"
    cloud.fault("ec2", "ModifyVpcEndpoint", "InternalError", times=99, function=function)

    ended = operator.run("--yes", "--patience", "110")

    assert ended.code == 1
    assert not ended.chapters[1]["holds"]
    # The heartbeat may have put it back, after which it is tried again.
    assert any("PolicyDeadLetterQueue" in one["seen"] for one in ended.chapters[-1]["checks"])
    assert held(cloud) == before


@nightly
def test_what_aws_refuses_the_operator_is_reported_with_the_permission(cloud, operator, before):
    cloud.fault("secretsmanager", "CreateSecret", "AccessDeniedException", times=9)

    ended = operator.run("--yes")

    assert ended.code == 1
    assert "missing permission: secretsmanager:CreateSecret" in ended.chapters[3]["problem"]
    assert ended.chapters[4]["holds"], "the others go on"
    assert held(cloud) == before


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", STOPPED_AT)
def test_ctrl_c_leaves_nothing(cloud, operator, before, action):
    with operator.during(action, interrupt):
        ended = operator.run("--yes")

    assert ended.code == 1
    assert ended.report["stopped"]
    assert not ended.report["holds"]
    assert operator.calls()[-1] != action
    assert held(cloud) == before


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=nightly)])
def test_a_process_that_gets_a_signal_leaves_nothing(cloud, operator, before, number):
    ended = operator.run_apart(lambda: "ec2:DescribeVpcEndpoints" in operator.calls(), number)

    assert ended.code == 1, ended.stderr
    assert "Stopping after the present call" in ended.stderr
    assert "waiting, at most 30 minutes: the VPC has one endpoint" in ended.stderr
    assert held(cloud) == before


@nightly
def test_a_second_ctrl_c_ends_the_clean_up_and_says_how_to_go_on(cloud, operator, before):
    with (
        operator.during("secretsmanager:CreateSecret", interrupt),
        operator.during("ec2:DeleteVpcEndpoints", interrupt),
    ):
        ended = operator.run("--yes")

    assert ended.code == 1
    assert ended.report["left"] == ["the clean-up was stopped: --clean-up shows what is left"]
    assert held(cloud)["vpcs"]
    assert operator.run("--clean-up", "--yes").code == 0
    assert held(cloud) == before


def test_what_an_earlier_run_has_left_is_named_and_removed(cloud, account, operator, before):
    run = "20261129t120000-0a1b2c"
    others = {"vpce-guard-acceptance": run, "Name": f"vpce-guard-acceptance-{run}"}
    mine = account.vpc(tags=others)  # somebody has put a run's tags on it
    secrets = account.client("secretsmanager")
    own = secrets.create_secret(
        Name="prod/db", SecretString="x", Tags=[{"Key": "vpce-guard-acceptance", "Value": run}]
    )["ARN"]
    with operator.patch.context() as patch:
        patch.setattr(command, "_cleaned", lambda *_: [])  # as if it had been killed
        operator.run("--yes")
    left = held(cloud)
    assert left["functions"]

    words = refused(operator, "--yes")
    assert "an earlier run has left these" in words
    for kind in ("VPC vpc-", "secret vpce-", "function vpce-", "role vpce-", "queue vpce-"):
        assert kind in words

    assert operator.run("--clean-up").code == 2, "nobody said yes"
    assert held(cloud) == left

    assert operator.run("--clean-up", "--yes").code == 0
    assert [one["VpcId"] for one in account.ec2.describe_vpcs()["Vpcs"]] == [mine]
    assert secrets.describe_secret(SecretId=own)["Name"] == "prod/db"
    there = held(cloud)
    for kind in ("functions", "roles", "queues", "subscriptions"):
        assert there[kind] == before[kind]


def test_what_runs_left_is_removed_also_where_the_stack_is_gone(cloud, account, operator):
    run = "20261129t120000-0a1b2c"
    tags = {"vpce-guard-acceptance": run, "Name": f"vpce-guard-acceptance-{run}"}
    account.vpc(NETWORK, tags=tags)
    secrets = account.client("secretsmanager")
    listed = [{"Key": "vpce-guard-acceptance", "Value": run}]
    secrets.create_secret(Name=tags["Name"], SecretString="x", Tags=listed)
    cloud.lose_events()

    ended = operator.run("--clean-up", "--yes", "--stack-name", "deleted")

    assert (ended.code, ended.report["left"]) == (0, [])
    assert account.ec2.describe_vpcs()["Vpcs"] == []
    assert secrets.list_secrets()["SecretList"] == []
    assert "there is no stack deleted" in refused(operator, "--yes", "--stack-name", "deleted")


@nightly
def test_what_cannot_be_removed_is_named_with_the_reason(cloud, operator, before):
    cloud.fault("iam", "DeleteRole", "AccessDenied", times=99)

    with operator.during("lambda:CreateFunction", interrupt):
        ended = operator.run("--yes")

    assert ended.code == 1
    assert len(ended.report["left"]) == 2
    assert all("missing permission: iam:DeleteRole" in one for one in ended.report["left"])
    cloud._faults.clear()
    assert operator.run("--clean-up", "--yes").code == 0
    assert held(cloud) == before


@nightly
def test_interfaces_that_lambda_still_holds_are_waited_for(cloud, account, operator, before):
    """The role stays until they are gone: Lambda deletes them with it."""
    roles = []

    def lambda_holds_one():
        subnet = account.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        made = account.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
        held_by_lambda(cloud, made["NetworkInterfaceId"], timedelta(minutes=35), roles)

    with operator.during("lambda:CreateFunction", lambda_holds_one):
        ended = operator.run("--yes")

    assert ended.code == 0, ended.stdout + ended.stderr
    assert roles == [True]
    assert held(cloud) == before


# --- refusals -------------------------------------------------------------------------------------


def refused(operator, *options, **place):
    """Its words, having held that it wrote nothing."""
    records = len(operator.cloud.records)
    ended = operator.run(*options, **place)
    assert ended.code == 2, ended.stdout
    assert [one for one in operator.cloud.records[records:] if not one["readOnly"]] == []
    return ended.stderr


def test_another_account_is_asked_nothing_but_its_name(cloud, operator):
    words = refused(operator, "--yes", account="210987654321")
    assert f"credentials of account {cloud.account}" in words
    assert "for 210987654321: nothing was done" in words
    assert operator.calls() == ["sts:GetCallerIdentity"]


@pytest.mark.parametrize("account", ["12345678901", "sandbox", "1234567890123", "\u0661" * 12])
def test_what_is_no_account_is_refused_before_any_call(operator, account):
    assert "12 digits" in refused(operator, "--yes", account=account)
    assert operator.calls() == []


@pytest.mark.parametrize("tag", ["team", "=x", ""])
def test_what_is_no_tag_is_refused_before_any_call(operator, tag):
    assert "KEY=VALUE" in refused(operator, "--yes", "--tag", tag)
    assert operator.calls() == []


def test_a_region_without_the_stack_is_refused(operator):
    assert "there is no stack" in refused(operator, "--yes", region="eu-west-1")


def test_the_mode_observe_is_refused_with_the_way_to_switch(cloud, account, operator):
    name = cloud.outputs["ModeParameterName"]
    account.client("ssm").put_parameter(Name=name, Value="observe", Overwrite=True)
    words = refused(operator, "--yes")
    assert cloud.outputs["CommandToRemediate"] in words
    assert cloud.outputs["CommandToObserve"] in words


def test_nobody_to_ask_is_no_consent(operator):
    words = refused(operator)
    assert "there is no terminal to ask at\n  next: give --yes to begin" in words
    assert "about $" in words


def test_a_private_way_to_the_service_is_refused(operator, monkeypatch):
    inside = [(2, 1, 6, "", ("10.0.3.7", 443))]
    monkeypatch.setattr("guardctl.acceptance.admission.resolve", lambda *_: inside)
    assert "private address 10.0.3.7" in refused(operator, "--yes")


def test_a_missing_permission_is_named(cloud, operator):
    cloud.fault("sqs", "ListQueues", "AccessDenied", times=9)
    assert "missing permission: sqs:ListQueues" in refused(operator, "--yes")
