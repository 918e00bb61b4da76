"""What somebody who deploys the template reads: its order, parameters, outputs, environments."""

import json
import re
import tomllib
from importlib.resources import files
from typing import Any

import pytest

from guard.partitions import CONSOLES, partition_of
from tests.template.stack import PSEUDO, ROOT, TEMPLATE, Stack, written
from watch_guard.changes import TYPES

PARAMETERS = written()["Parameters"]
TEAM = "1234abcd-0000-4000-8000-00000000000a"
TEAMS_CHANNEL = "19%3ab6ef35dc342d56ba5654e6fc6d25a071%40thread.tacv2"
CHAT_TYPES = (
    "AWS::Chatbot::SlackChannelConfiguration",
    "AWS::Chatbot::MicrosoftTeamsChannelConfiguration",
)
TEXT = TEMPLATE.read_text()
BARE = "\n".join(line.partition(" #")[0] for line in TEXT.splitlines())


def functions(stack: Stack) -> list[dict[str, Any]]:
    return list(stack.of_type("AWS::Lambda::Function").values())


def test_sections_stand_in_the_order_one_reads_them():
    assert list(written()) == [
        "AWSTemplateFormatVersion",
        "Transform",
        "Description",
        "Metadata",
        "Parameters",
        "Rules",
        "Conditions",
        "Globals",
        "Resources",
        "Outputs",
    ]


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_explains_itself_and_has_a_default_within_its_bounds(name: str):
    parameter = PARAMETERS[name]
    assert parameter["Description"]
    assert is_allowed(parameter, parameter["Default"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ApprovedPolicy", "../secrets"),
        ("ApprovedAccounts", "1234"),
        ("AlertEmail", "ops"),
        ("SlackWebhookParameter", "slack-webhook"),
        ("SlackChannel", "#alerts"),
        ("SlackChannel", "C0123456789,#on-call"),
        ("SlackChannel", "C0123456789,C0999999999,C0888888888"),
        ("SlackLeastSeverity", "urgent"),
        ("SlackAccounts", "1234"),
        ("ChatChannel", "T0123456789"),
        ("ChatChannel", "T0123456789/#alerts"),
        ("ChatChannel", f"{TEAM}/{TEAM}"),
        ("ChatChannel", f"{TEAM}/{TEAMS_CHANNEL}"),
        ("ChatChannel", f"{TEAM}/{TEAM}/General"),
        ("ChatChannel", f"{TEAM}/{TEAM}/19:a@thread.tacv2"),
        ("ChatChannel", f"T0123456789/{TEAM}/{TEAMS_CHANNEL}"),
        ("ChatChannel", f"{TEAM}/{TEAM}/{TEAMS_CHANNEL}/x"),
        ("SlackWebhookParameter", "https://hooks.slack.example/services/T0/B0/x"),
        ("RunbookAddress", "http://wiki.example/runbooks"),
        ("Mode", "Remediate"),
        ("SecretPerimeter", "tagged"),
        ("GraceMinutes", 241),
        ("LogRetentionDays", 2),
    ],
)
def test_a_parameter_refuses_what_cannot_work(name: str, value: Any):
    assert not is_allowed(PARAMETERS[name], value)


def is_allowed(parameter: dict[str, Any], value: Any) -> bool:
    """Whether CloudFormation would take the value; a parameter without any bound is an error."""
    if "AllowedValues" in parameter:
        return value in parameter["AllowedValues"]
    if "AllowedPattern" in parameter:
        return all(
            re.fullmatch(parameter["AllowedPattern"], one) is not None
            for one in (value.split(",") if "List" in parameter["Type"] else [value])
        )
    return parameter["MinValue"] <= value <= parameter["MaxValue"]


def test_there_are_as_few_parameters_as_were_decided():
    assert len(PARAMETERS) <= 26


def test_every_parameter_has_one_place_in_the_console():
    groups = written()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(PARAMETERS)


def test_nothing_is_tied_to_one_partition_region_or_account():
    # Those in patterns of parameters stand for any partition.
    assert re.findall(r"\barn:(?!\$\{AWS::Partition\}|\[a-z-\]\+:)", BARE) == []
    named = re.findall(r"\b[a-z]{2}(?:-gov)?-(?:north|south|east|west|central)[a-z]*-\d\b", BARE)
    assert named == ["mx-central-1", "ap-southeast-6"]  # where RecursiveLoop cannot be set
    assert re.findall(r"\b\d{12}\b", BARE) == []
    # Service principals end so in every partition, as do event sources; the rest is the console.
    domains = set(re.findall(r"[\w.-]+\.amazonaws\.com\b(?!\.cn)", BARE))
    assert domains - set(TYPES) == {
        "chatbot.amazonaws.com",
        "cloudformation.amazonaws.com",
        "cloudtrail.amazonaws.com",
        "cloudwatch.amazonaws.com",
        "ec2.amazonaws.com",
        "route53.amazonaws.com",
        "route53profiles.amazonaws.com",
        "secretsmanager.amazonaws.com",
    }


def test_cloudformation_names_every_resource(stack: Stack):
    named = {
        "AWS::CloudWatch::Alarm": "AlarmName",
        "AWS::CloudWatch::Dashboard": "DashboardName",
        "AWS::DynamoDB::Table": "TableName",
        "AWS::Events::Rule": "Name",
        "AWS::IAM::Role": "RoleName",
        "AWS::Lambda::Function": "FunctionName",
        "AWS::Logs::LogGroup": "LogGroupName",
        "AWS::SNS::Topic": "TopicName",
        "AWS::SQS::Queue": "QueueName",
        "AWS::SSM::Parameter": "Name",
    }
    for kind, property_ in named.items():
        resources = stack.of_type(kind)
        assert resources, kind
        assert [name for name, one in resources.items() if property_ in one] == []


def test_nothing_survives_the_stack(stack: Stack):
    """`sam delete` undoes the deployment: no resource is retained."""
    keeps = {
        name
        for name, one in stack.resources.items()
        if one.get("DeletionPolicy", "Delete") != "Delete"
        or one.get("UpdateReplacePolicy", "Delete") != "Delete"
    }
    assert keeps == set()


def test_outputs_say_what_they_are_and_how_to_switch_the_mode(stack: Stack):
    assert all(one["Description"] for one in stack.outputs.values())
    for mode in ("remediate", "observe"):
        command = stack.outputs[f"CommandTo{mode.capitalize()}"]["Value"]
        assert command.startswith("aws ssm put-parameter ")
        assert "--name ModeParameter " in command
        assert command.endswith(f"--overwrite --value {mode}")
        assert re.fullmatch(stack.properties("ModeParameter")["AllowedPattern"], mode)


def test_every_queue_is_an_output(stack: Stack):
    shown = {one["Value"] for one in stack.outputs.values()}
    assert set(stack.of_type("AWS::SQS::Queue")) <= shown


def test_the_console_link_follows_the_partition(monkeypatch: pytest.MonkeyPatch):
    hosts = {
        "aws": "console.aws.amazon.com",
        "aws-cn": "console.amazonaws.cn",
        "aws-us-gov": "console.amazonaws-us-gov.com",
        "aws-eusc": "console.amazonaws-eusc.eu",
    }
    assert hosts == CONSOLES
    for partition, host in hosts.items():
        monkeypatch.setitem(PSEUDO, "AWS::Partition", partition)
        assert Stack().outputs["DashboardUrl"]["Value"].startswith(f"https://{host}/cloudwatch/")


@pytest.mark.parametrize("partition", ["aws-iso", "aws-iso-b", "aws-iso-e", "aws-new"])
def test_there_is_no_link_where_the_console_is_not_known(
    monkeypatch: pytest.MonkeyPatch, partition: str
):
    monkeypatch.setitem(PSEUDO, "AWS::Partition", partition)
    stack = Stack()
    assert "DashboardUrl" not in stack.outputs
    assert stack.of_type("AWS::CloudWatch::Dashboard")


CHANNELS = ("T0A1B2C3D/C0A1B2C3D", f"{TEAM}/{TEAM}/{TEAMS_CHANNEL}")


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_of_slack_or_teams_is_allowed(channel: str):
    assert is_allowed(PARAMETERS["ChatChannel"], channel)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-eusc"])
@pytest.mark.parametrize(("channel", "kind"), [*zip(CHANNELS, CHAT_TYPES, strict=True)])
def test_amazon_q_is_left_out_where_cloudformation_does_not_know_it(
    monkeypatch: pytest.MonkeyPatch, partition: str, channel: str, kind: str
):
    monkeypatch.setitem(PSEUDO, "AWS::Partition", partition)
    stack = Stack({"ChatChannel": channel})
    reported = {one["Environment"]["Variables"]["CHAT"] for one in functions(stack)}
    offered = partition not in ("aws-cn", "aws-us-gov")
    assert [bool(stack.of_type(one)) for one in CHAT_TYPES] == [
        offered and one == kind for one in CHAT_TYPES
    ]
    assert ("ChatRole" in stack.resources) is offered
    assert reported == {str(offered).lower()}


@pytest.mark.parametrize("kind", CHAT_TYPES)
def test_asking_for_amazon_q_there_is_refused(kind: str):
    """Where: in the partitions of the Regions whose registry has no such type."""
    schemas = files("cfnlint.data.schemas.providers")
    known = {one.name[:-5]: one for one in schemas.iterdir() if one.name.endswith(".json")}
    lacking = {
        partition_of(region)
        for region, file in known.items()
        if "-" in region and kind not in json.loads(file.read_text())
    }
    rule = written()["Rules"]["ChatIsOffered"]
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ChatChannel"}, ""]}]}
    (assertion,) = rule["Assertions"]
    named = assertion["Assert"]["Fn::Not"][0]["Fn::Contains"]
    assert named == [sorted(lacking), {"Ref": "AWS::Partition"}]
    assert "ChatChannel" in assertion["AssertDescription"]


def test_slack_and_email_are_left_out_where_nobody_wants_them():
    bare = Stack({"SlackWebhookParameter": "", "AlertEmail": ""})
    assert bare.of_type("AWS::SNS::Subscription") == {}
    assert not [name for name in bare.resources if name.startswith("Notify")]
    assert not [name for name in bare.outputs if name.startswith("Notify")]


@pytest.mark.parametrize("environment", ["default", "prod"])
def test_samconfig_has_all_that_a_deployment_needs_and_asks_nothing(environment: str):
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    deploy = config[environment]["deploy"]["parameters"]
    assert deploy["capabilities"] == "CAPABILITY_IAM"  # names are CloudFormation's: no NAMED_IAM
    assert deploy["resolve_s3"] is True
    assert deploy["fail_on_empty_changeset"] is False
    assert "confirm_changeset" not in deploy
    assert "region" not in deploy
    # A value that stands there holds at every deployment, and takes back what somebody has chosen.
    assert "parameter_overrides" not in deploy


def test_the_environments_are_separate_stacks():
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    names = [config[one]["deploy"]["parameters"]["stack_name"] for one in ("default", "prod")]
    assert len(set(names)) == 2
