"""make deploy and make delete: the real SAM CLI, at a terminal, against the embedded cloud."""

import json
import os
import pty
import select
import subprocess
from typing import Any

import pytest
from typer.testing import CliRunner

from emulator import Cloud
from guardctl.__main__ import app
from guardctl.deploy import command
from guardctl.deploy.values import BadValues
from tests.template.stack import ROOT

REGION = "eu-west-1"
NAME = "vpce-guard"
ENTER = b"\n"


class Terminal:
    """Runs make as somebody at a terminal would, and answers its questions in order."""

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
    for name in ("CI", "PARAMETERS", "PROFILE", "TAGS", "YES", "EXPORT", "ACCEPT"):
        monkeypatch.delenv(name, raising=False)
    # SAM CLI's own texts are none of ours: an operator's need no rules.
    keys = cloud.session("operator").get_credentials()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)
    return Terminal(str(tmp_path))


def stack(cloud: Cloud) -> Any:
    """As DescribeStacks shows it, None where there is none."""
    client = cloud.session("ann").client("cloudformation", region_name=REGION)
    found = [one for one in client.describe_stacks()["Stacks"] if one["StackName"] == NAME]
    return found[0] if found else None


def parameters(cloud: Cloud) -> dict[str, str]:
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack(cloud)["Parameters"]}


def tags(cloud: Cloud) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in stack(cloud)["Tags"]}


def test_from_the_first_deployment_with_nothing_but_enter_to_the_deletion(
    cloud, terminal, tmp_path
):
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
    mode = outputs(cloud)["ModeParameterName"]
    assert f"--region {REGION} --name {mode} --overwrite --value remediate" in shown
    assert parameters(cloud)["AlertEmail"] == "ops@example.com"
    assert parameters(cloud)["DeployingRoles"] == roles
    assert parameters(cloud)["Mode"] == "observe"
    assert tags(cloud) == {"team": "the platform, all of it", "cost": "42"}
    functions = (
        cloud.session("ann").client("lambda", region_name=REGION).list_functions()["Functions"]
    )
    assert len(functions) >= 8

    # Nothing to change is a success, and nothing is asked.
    code, shown = terminal.make("deploy")
    assert code == 0, shown
    assert "Nothing is to be changed" in shown
    assert "Deploy this?" not in shown

    # Who let the guard write by the command that was printed finds the deployment in agreement.
    switch = cloud.session("ann").client("ssm", region_name=REGION)
    switch.put_parameter(Name=mode, Value="remediate", Overwrite=True)

    # A pipeline is asked nothing; what is not named keeps its value, the tags, too.
    code, shown = terminal.make("deploy", "PARAMETERS=LogRetentionDays=60", "YES=1")
    assert code == 0, shown
    assert "AWS::Logs::LogGroup" in shown
    assert parameters(cloud)["LogRetentionDays"] == "60"
    assert parameters(cloud)["AlertEmail"] == "ops@example.com"
    assert tags(cloud)["cost"] == "42"
    assert parameters(cloud)["Mode"] == "remediate"

    # One that was stopped stays stopped, and is deployed as one that writes: the heartbeat says so.
    switch.put_parameter(Name=mode, Value="observe", Overwrite=True)
    code, shown = terminal.make("deploy", "PARAMETERS=LogRetentionDays=90", "YES=1")
    assert code == 0, shown
    assert parameters(cloud)["Mode"] == "remediate"
    assert switch.get_parameter(Name=mode)["Parameter"]["Value"] == "observe"

    # Half of a pair is refused with what to do, by CloudFormation and through SAM.
    code, shown = terminal.make("deploy", "PARAMETERS=SlackChannel=C0123456789", "YES=1")
    assert code != 0
    assert "SlackChannel needs SlackWebhookParameter" in shown

    # And back: Enter exports the history but deletes nothing.
    file = tmp_path / "history.json"
    code, shown = terminal.make("delete", f"EXPORT={file}", answers=(ENTER,))
    assert code != 0
    assert stack(cloud) is not None
    assert json.loads(file.read_text()) == []
    assert "SAM's bucket" in shown
    code, shown = terminal.make("delete", "YES=1", "DISCARD=1")
    assert code == 0, shown
    assert f"{NAME} is deleted. What stays:" in shown
    assert stack(cloud) is None
    code, shown = terminal.make("delete", "YES=1")
    assert code == 0, shown
    assert "nothing is to be deleted" in shown


def outputs(cloud: Cloud) -> dict[str, str]:
    return {one["OutputKey"]: one["OutputValue"] for one in stack(cloud)["Outputs"]}


# --- without SAM ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["deploy", "delete"])
def test_without_a_terminal_nothing_hangs(cloud, command):
    found = CliRunner().invoke(app, [command])
    assert found.exit_code == 2
    assert "there is no terminal to ask at\n  next: use --yes, or make YES=1\n" in found.stderr
    assert [call for call in cloud.calls if call.service == "cloudformation"] == []


def test_a_terminal_in_a_pipeline_is_none(monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.delenv("CI", raising=False)
    command.require_somebody(yes=False)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(BadValues, match="no terminal to ask at"):
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
    client = cloud.session("ann").client("cloudformation", region_name=REGION)
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
