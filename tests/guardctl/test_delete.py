"""guardctl delete: what it says before it deletes, and the history that it exports.

That it deletes is held by test_deploy, with the real SAM CLI.
"""

import json
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from guardctl.__main__ import app
from guardctl.delete import command
from tests.reactions.policies import tamper


@pytest.fixture
def at_a_terminal(monkeypatch, tmp_path):
    """CliRunner has no terminal, but answers all the same."""
    monkeypatch.setattr(command, "require_somebody", lambda yes: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, answers="", code):
    found = CliRunner().invoke(app, ["delete", *arguments], input=answers)
    assert found.exit_code == code, found.output + repr(found.exception)
    return found


def test_it_says_what_goes_what_stays_at_what_price_and_exports(cloud, endpoint_id, at_a_terminal):
    tamper(cloud, endpoint_id)
    cloud.settle()
    ec2: Any = boto3.client("ec2")
    (endpoint,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"]
    group = endpoint["Groups"][0]["GroupId"]

    found = run(answers="\nn\n", code=1)

    goes, stays = found.stdout.split("What stays")
    assert "AWS::DynamoDB::Table" in goes
    assert (
        f"aws ec2 delete-vpc-endpoints --region us-east-1 --vpc-endpoint-ids {endpoint_id}" in stays
    )
    assert f"aws ec2 delete-security-group --region us-east-1 --group-id {group}" in stays
    assert "$14.60 a month plus data (2 AZs at $0.01 an hour)" in stays
    assert "nothing was deleted" in found.stderr
    (file,) = at_a_terminal.glob("vpce-guard-history-*.json")
    shown = CliRunner().invoke(app, ["history", endpoint_id, "--format", "json"]).stdout
    assert json.loads(file.read_text()) == json.loads(shown)
    assert (
        cloud.session("ann")
        .client("cloudformation")
        .describe_stacks(StackName="vpce-guard")["Stacks"]
    )


def test_a_file_that_exists_is_not_overwritten_and_nothing_is_deleted(cloud, at_a_terminal):
    file = at_a_terminal / "history.json"
    file.write_text("the history of an earlier stack")
    run("--yes", "--export", str(file), code=1)
    assert file.read_text() == "the history of an earlier stack"
    assert not any(call.action == "DeleteStack" for call in cloud.calls)


@pytest.mark.parametrize("answers", ["", "\n", "n\n\n", "n\nperhaps\nn\n"])
def test_what_is_not_a_yes_deletes_nothing(cloud, at_a_terminal, answers):
    run(answers=answers, code=1)
    assert not any(call.action == "DeleteStack" for call in cloud.calls)


def test_with_yes_the_history_is_exported_unless_it_is_discarded(
    cloud, endpoint_id, at_a_terminal, monkeypatch
):
    deleted = []
    monkeypatch.setattr(command, "sam_delete", deleted.append)
    tamper(cloud, endpoint_id)
    cloud.settle()
    run("--yes", "--discard-history", code=0)
    assert list(at_a_terminal.glob("*")) == []
    run("--yes", code=0)
    (file,) = at_a_terminal.glob("vpce-guard-history-*.json")
    assert [one["action"] for one in json.loads(file.read_text())][-1] == "restored"
    assert len(deleted) == 2
    run("--yes", "--discard-history", "--export", "x.json", code=2)


def test_a_stack_that_is_not_there_is_nothing_to_delete(cloud):
    assert "nothing is to be deleted" in run("--yes", "--stack-name", "none", code=0).stdout


def test_what_a_change_set_left_is_deleted_without_more(cloud):
    client = cloud.session("ann").client("cloudformation", region_name="eu-west-1")
    body = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    client.create_change_set(
        StackName="unfinished", ChangeSetName="a-set", ChangeSetType="CREATE", TemplateBody=body
    )
    found = run("--yes", "--stack-name", "unfinished", "--region", "eu-west-1", code=0)
    assert "was never deployed" in found.stdout
    assert [one["StackName"] for one in client.describe_stacks()["Stacks"]].count("unfinished") == 0


def test_the_stack_of_somebody_else_is_left_alone(cloud):
    body = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    client = cloud.session("ann").client("cloudformation", region_name="eu-west-1")
    client.create_stack(StackName="theirs", TemplateBody=body)
    found = run("--yes", "--stack-name", "theirs", "--region", "eu-west-1", code=1)
    assert "which is no guard" in found.stderr
    client.delete_stack(StackName="theirs")
