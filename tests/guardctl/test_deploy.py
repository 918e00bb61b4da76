"""make deploy and make delete: the real SAM CLI, at a terminal, against the embedded cloud."""

import json
import os
import pty
import select
import subprocess
from dataclasses import replace
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from guardctl.__main__ import app
from guardctl.deploy import changes, command
from guardctl.deploy.next_steps import After, next_steps
from guardctl.deploy.values import BadValues, declared, known_parameters, pairs, saved_pairs
from tests.template.stack import ROOT, TEMPLATE, written

REGION = "eu-west-1"
NAME = "vpce-guard"
ENTER = b"\n"


class Terminal:
    """Runs make as somebody at a terminal would, and answers its questions in turn."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def make(
        self, target: str, *variables: str, answers: tuple[bytes, ...] = ()
    ) -> tuple[int, str]:
        """The exit code and all that was shown. An answer is given when a question stands there."""
        command = ["make", "--no-print-directory", "-C", str(ROOT), target, f"REGION={REGION}"]
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*command, *variables],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=self._folder,
            start_new_session=True,
        )
        os.close(theirs)
        shown, left = b"", list(answers)
        while True:
            ready, _, _ = select.select([ours], [], [], 300)
            assert ready, f"it hangs: {shown.decode()}"
            try:
                some = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            shown += some
            if left and shown.endswith((b"[Y/n] ", b"[y/N] ")):
                os.write(ours, left.pop(0))
        os.close(ours)
        assert not left, f"never asked: {shown.decode()}"
        return process.wait(), shown.decode()


@pytest.fixture
def terminal(cloud, monkeypatch, tmp_path) -> Terminal:
    for name in ("CI", "PARAMETERS", "PROFILE", "TAGS", "YES", "EXPORT"):
        monkeypatch.delenv(name, raising=False)
    return Terminal(str(tmp_path))


def stack() -> Any:
    """As DescribeStacks shows it, None where there is none."""
    client = boto3.client("cloudformation", region_name=REGION)
    found = [one for one in client.describe_stacks()["Stacks"] if one["StackName"] == NAME]
    return found[0] if found else None


def parameters() -> dict[str, str]:
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack()["Parameters"]}


def tags() -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in stack()["Tags"]}


def test_from_the_first_deployment_with_nothing_but_enter_to_the_deletion(terminal, tmp_path):
    # Enter is enough; the values of the command line arrive, spaces and commas included.
    roles = ",".join(f"arn:aws:iam::123456789012:role/{one}" for one in "ab")
    code, shown = terminal.make(
        "deploy",
        f"PARAMETERS=AlertEmail=ops@example.com DeployingRoles='{roles}'",
        "TAGS=team='the platform, all of it' cost=42",
        answers=(ENTER,),
    )
    assert code == 0, shown
    assert "AWS::Lambda::Function: DetectBypassFunction" in shown
    assert "Three things to do next:" in shown
    mode = outputs()["ModeParameterName"]
    assert f"--region {REGION} --name {mode} --overwrite --value remediate" in shown
    assert parameters()["AlertEmail"] == "ops@example.com"
    assert parameters()["DeployingRoles"] == roles
    assert parameters()["Mode"] == "observe"
    assert tags() == {"team": "the platform, all of it", "cost": "42"}
    functions = boto3.client("lambda", region_name=REGION).list_functions()["Functions"]
    assert len(functions) >= 8

    # Nothing to change is a success, and nothing is asked.
    code, shown = terminal.make("deploy")
    assert code == 0, shown
    assert "Nothing is to be changed" in shown
    assert "Deploy this?" not in shown

    # A pipeline is asked nothing; what is not named keeps its value, the tags, too.
    code, shown = terminal.make("deploy", "PARAMETERS=LogRetentionDays=60", "YES=1")
    assert code == 0, shown
    assert "AWS::Logs::LogGroup" in shown
    assert parameters()["LogRetentionDays"] == "60"
    assert parameters()["AlertEmail"] == "ops@example.com"
    assert tags()["cost"] == "42"

    # Half of a pair is refused with what to do, by CloudFormation and through SAM.
    code, shown = terminal.make("deploy", "PARAMETERS=SlackChannel=C0123456789", "YES=1")
    assert code != 0
    assert "SlackChannel needs SlackBotTokenParameter" in shown

    # And back: Enter exports the history but deletes nothing.
    file = tmp_path / "history.json"
    code, shown = terminal.make("delete", f"EXPORT={file}", answers=(ENTER,))
    assert code != 0
    assert stack() is not None
    assert json.loads(file.read_text()) == []
    assert "SAM's bucket" in shown
    code, shown = terminal.make("delete", "YES=1")
    assert code == 0, shown
    assert f"{NAME} is deleted. What stays:" in shown
    assert stack() is None
    code, shown = terminal.make("delete", "YES=1")
    assert code == 0, shown
    assert "nothing is to be deleted" in shown


def outputs() -> dict[str, str]:
    return {one["OutputKey"]: one["OutputValue"] for one in stack()["Outputs"]}


# --- without SAM ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["deploy", "delete"])
def test_without_a_terminal_nothing_hangs(cloud, command):
    found = CliRunner().invoke(app, [command])
    assert found.exit_code == 2
    assert "there is no terminal to ask at: use --yes, or make YES=1" in found.stderr
    assert [call for call in cloud.calls if call.service == "cloudformation"] == []


def test_a_terminal_in_a_pipeline_is_none(monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.delenv("CI", raising=False)
    command.require_somebody(yes=False)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(BadValues, match="use --yes"):
        command.require_somebody(yes=False)
    command.require_somebody(yes=True)


def test_what_is_marked_stop_is_not_deployed(cloud):
    cloud.fault("ec2", "DescribeVpcEndpointServices", "InvalidServiceName", times=1)
    found = CliRunner().invoke(app, ["deploy", "--yes"])
    assert found.exit_code == 1
    assert "what is marked stop" in found.stderr
    assert not any(call.action == "CreateChangeSet" for call in cloud.calls)


@pytest.mark.parametrize(
    ("answer", "status"), [("n\n", None), ("", None), ("\n", "CREATE_COMPLETE")]
)
def test_a_no_leaves_nothing_behind_and_enter_is_a_yes(cloud, monkeypatch, answer, status):
    """SAM's part is played: it makes the change set. The end of input is a no."""
    client = boto3.client("cloudformation", region_name=REGION)
    body = json.dumps(
        {
            "Resources": {"Mode": {"Type": "AWS::SSM::Parameter", "Properties": MODE}},
            "Outputs": {"ModeParameterName": {"Value": {"Ref": "Mode"}}},
        }
    )

    def make_change_set(target, parameters, tags, further):
        assert (target.region, target.stack_name) == (REGION, "asked")
        made = client.create_change_set(
            StackName="asked", ChangeSetName="a-set", ChangeSetType="CREATE", TemplateBody=body
        )
        return made["Id"]

    monkeypatch.setattr(command, "make_change_set", make_change_set)
    monkeypatch.setattr(command, "require_somebody", lambda yes: None)
    found = CliRunner().invoke(
        app, ["deploy", "--region", REGION, "--stack-name", "asked"], input=answer
    )
    assert "create            1 AWS::SSM::Parameter: Mode" in found.stdout
    there = {one["StackName"]: one["StackStatus"] for one in client.describe_stacks()["Stacks"]}
    assert there.get("asked") == status
    assert ("nothing was deployed" in found.stderr) is (status is None)
    client.delete_stack(StackName="asked")


MODE = {"Type": "String", "Value": "observe", "Name": "/asked/mode"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--parameters", "AlertMail=ops@example.com"],
            "no parameter AlertMail: AlertEmail perhaps?",
        ),
        (["--parameters", "Mode"], "'Mode' is no Key=value pair"),
        (["--parameters", "Mode='x"], "No closing quotation"),
        (["--parameters", "Mode=observe Mode=remediate"], "Mode is given twice"),
        (["--tags", "=x"], "'=x' is no Key=value pair"),
        (["--profile", "nobody"], "nobody"),
        (["--config-env", "prdo"], "samconfig.toml has no environment prdo"),
    ],
)
def test_bad_values_are_named_before_anything_is_asked(cloud, arguments, says):
    found = CliRunner().invoke(app, ["deploy", "--yes", *arguments])
    assert found.exit_code == 2
    assert says in found.stderr
    assert cloud.calls == []


@given(st.dictionaries(st.text("abcXYZ:-", min_size=1), st.text(), max_size=4))
def test_pairs_are_read_as_a_shell_would(values):
    quoted = {key: "'" + value.replace("'", "'\"'\"'") + "'" for key, value in values.items()}
    assert pairs(" ".join(f"{key}={value}" for key, value in quoted.items())) == values


def test_samconfig_may_hold_one_text_a_list_or_a_table():
    wanted = {"A": "b c", "D": "e"}
    assert (
        saved_pairs('A="b c" D=e')
        == saved_pairs(['A="b c"', "D=e"])
        == saved_pairs(wanted)
        == wanted
    )
    assert saved_pairs(None) == {}


def test_names_are_those_of_the_template():
    assert declared(TEMPLATE.read_text()) == list(written()["Parameters"])
    with pytest.raises(BadValues, match=r"no parameter Nonsense$"):
        known_parameters({"Nonsense": "1"})


def test_what_deletes_stands_first():
    def change(action, name, replacement="False"):
        return {
            "Action": action,
            "LogicalResourceId": name,
            "ResourceType": "AWS::SQS::Queue",
            "Replacement": replacement,
        }

    some = [
        change("Add", "New"),
        change("Modify", "Same"),
        change("Modify", "Maybe", "Conditional"),
        change("Modify", "Other", "True"),
        change("Remove", "Gone"),
    ]
    verbs = [line.split("  ")[0] for line in changes.in_words(some)]
    assert verbs == ["delete", "replace", "perhaps replace", "change", "create"]


class Failing:
    """A CloudFormation in which one resource cannot be made; moto's never fails."""

    def __init__(self) -> None:
        self._events = [("1", "REVIEW_IN_PROGRESS", "stack", "")]
        self._statuses = ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]
        self.executed: list[str] = []

    def describe_change_set(self, *, ChangeSetName: str) -> Any:  # noqa: N803 - boto3's name
        return {"StackId": "stack"}

    def execute_change_set(self, *, ChangeSetName: str) -> None:  # noqa: N803
        self.executed.append(ChangeSetName)
        self._events += [
            ("2", "CREATE_COMPLETE", "VpcQueue", ""),
            ("3", "CREATE_FAILED", "SweepRole", "no right to iam:CreateRole"),
            ("4", "CREATE_FAILED", "DigestRole", "Resource creation cancelled"),
        ]

    def describe_stacks(self, *, StackName: str) -> Any:  # noqa: N803
        return {"Stacks": [{"StackStatus": self._statuses.pop(0)}]}

    def get_paginator(self, name: str) -> Any:
        assert name == "describe_stack_events"
        return self

    def paginate(self, *, StackName: str) -> Any:  # noqa: N803
        keys = ("EventId", "ResourceStatus", "LogicalResourceId", "ResourceStatusReason")
        newest_first = [dict(zip(keys, one, strict=True)) for one in reversed(self._events)]
        return [{"StackEvents": newest_first[:2]}, {"StackEvents": newest_first[2:]}]


def test_what_failed_first_is_said_last_and_each_failure_once(monkeypatch):
    monkeypatch.setattr(changes, "PACE", 0)
    cloudformation, said = Failing(), []
    with pytest.raises(changes.DeploymentFailed) as failed:
        changes.execute(cloudformation, "arn:set", said.append)
    assert cloudformation.executed == ["arn:set"]
    assert (
        str(failed.value) == "the stack is ROLLBACK_COMPLETE. SweepRole: no right to iam:CreateRole"
    )
    assert [one for one in said if one.startswith("failed")] == [
        "failed: SweepRole: no right to iam:CreateRole",
        "failed: DigestRole: Resource creation cancelled",
    ]


AFTER = After(
    outputs={
        "FindingsTopicArn": "arn:f",
        "AlarmsTopicArn": "arn:a",
        "ModeParameterName": "mode",
    },
    parameters={},
    heard={"FindingsTopicArn": False, "AlarmsTopicArn": False},
    mode="observe",
    region="eu-west-1",
    profile="sandbox",
)


def test_the_next_steps_have_the_values_of_the_stack():
    hear, read, write = next_steps(AFTER)
    where = "--region eu-west-1 --profile sandbox"
    assert f"aws sns subscribe {where} --topic-arn arn:f " in hear
    assert f"aws sns subscribe {where} --topic-arn arn:a " in hear
    assert f"guardctl audit {where}" in read
    assert f"aws ssm put-parameter {where} --name mode --overwrite --value remediate" in write


def test_the_next_steps_heed_what_is_done_already():
    done = replace(AFTER, heard=dict.fromkeys(AFTER.heard, True), mode="remediate", profile="")
    hear, read, write = next_steps(done)
    assert "confirmed" in hear
    assert "already writes" in read
    assert write.endswith("--region eu-west-1 --name mode --overwrite --value observe")
    mail = replace(AFTER, parameters={"AlertEmail": "ops@example.com"})
    assert "has sent ops@example.com a mail" in next_steps(mail)[0]
