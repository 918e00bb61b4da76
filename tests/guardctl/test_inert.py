"""No text of others steers the terminal: one way out, and every command run over hostile text."""

import ast
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.table import Table
from typer.testing import CliRunner

from guardctl import __main__ as main
from guardctl.commands import load
from guardctl.screen import say, say_document
from guardctl.terminal import console
from tests.reactions.account import Account

ROOT = Path(__file__).parents[2]
GUARDCTL = sorted((ROOT / "guardctl").rglob("*.py"))
SCREEN = ROOT / "guardctl" / "screen.py"
WAYS_OUT = (SCREEN, SCREEN.with_name("terminal.py"))
# Escape sequences, BEL, C1, marks that reverse text, DEL; and rich's markup
STEERS = ("\x1b[2J", "\x1b]0;", "\x07", "\x9b31m", "\u202e", "\u2066", "\x7f", "\x08", "\r")
E = "".join(STEERS)
IN_XML = "\x9b31m\u202e\u2066\x7f"  # the others are in no answer of CloudFormation's
MARKUP = "[/x][bold]["


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("path", [one for one in GUARDCTL if one not in WAYS_OUT], ids=str)
def test_every_file_prints_by_the_one_way_out(path: Path):
    own = {"print", "typer.echo", "typer.secho", "click.echo", "Console", "pprint"}
    assert own & set(calls(path)) == set()
    assert "sys.stdout.write" not in path.read_text()
    assert "sys.stderr.write" not in path.read_text()


def steers(text: str) -> list[str]:
    """Characters that a terminal would obey, apart from the end of a line."""
    return [c for c in text if not (c.isprintable() or c == "\n")]


def test_what_is_said_steers_nothing(capsys):
    say(f"a{E}b\nc")
    say(f"a{E}b", err=True)
    shown = capsys.readouterr()
    assert not steers(shown.out + shown.err)
    assert shown.out.startswith("a")
    assert "b\nc" in shown.out


def test_a_table_draws_hostile_cells_and_titles_as_text():
    text = io.StringIO()
    table = Table(E, title=f"t{E}{MARKUP}")
    table.add_row(f"{E}{MARKUP}")
    console(file=text, width=200).print(table)
    assert not steers(text.getvalue())
    assert MARKUP in text.getvalue()


def test_colours_of_our_own_stay():
    text = io.StringIO()
    console(file=text, force_terminal=True, color_system="standard").print("x", style="red")
    assert "\x1b[31m" in text.getvalue()


def test_a_document_means_the_same_afterwards(capsys):
    body = {"Sid": f"{E}\U000e0001"}
    say_document(json.dumps(body, ensure_ascii=False, indent=1))
    shown = capsys.readouterr().out
    assert not steers(shown)
    assert json.loads(shown) == body


def commands() -> set[str]:
    names: set[str] = set()
    for name in typer.main.get_command(main.app).commands:  # pyright: ignore[reportAttributeAccessIssue]
        inner = getattr(load(name), "commands", {})
        names |= {f"{name} {one}" for one in inner} or {name}
    return names


POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "x",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "*",
            "Resource": f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{E}{MARKUP}*",
        }
    ],
}


def record(**more: Any) -> dict[str, Any]:
    return {
        "eventName": "GetSecretValue",
        "eventSource": "secretsmanager.amazonaws.com",
        "eventTime": "2026-05-04T12:00:00Z",
        "eventID": f"id{E}",
        "eventType": "AwsApiCall",
        "awsRegion": "us-east-1",
        "recipientAccountId": "123456789012",
        "sourceIPAddress": "203.0.113.9",
        "userAgent": f"agent{E}{MARKUP}",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::123456789012:user/{E}{MARKUP}"},
        "requestParameters": {"secretId": f"prod/{E}{MARKUP}"},
        **more,
    }


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "hostile.json").write_text(json.dumps({**POLICY, f"Key{E}{MARKUP}": 1}))
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    entry = {"name": f"n{E}{MARKUP}", f"odd{E}{MARKUP}": 1}
    (tmp_path / "exceptions.json").write_text(json.dumps({"exceptions": [entry]}))
    through = {"vpcEndpointId": f"vpce-0a{E}", "eventID": "two"}
    records = [record(), record(**through), record(eventTime=f"{E}[/x]"), record(eventName=E)]
    (tmp_path / "log.json").write_text(json.dumps({"Records": records}, ensure_ascii=False))
    return tmp_path


@pytest.fixture
def hostile(cloud, account: Account, endpoint_id: str) -> str:
    """An account in which whatever can be named by somebody is named by an enemy."""
    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(POLICY))
    cloud.settle()
    vpc_id = account.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    tags = [{"Key": "Name", "Value": "prod\u202e gnp.exe[/x]"}]
    account.ec2.create_tags(Resources=[vpc_id], Tags=tags)
    secret = account.secret("prod/own")
    policy = {**POLICY, "Statement": [{**POLICY["Statement"][0], "Resource": "*", "Sid": "y"}]}
    policy["Statement"][0]["Condition"] = {"StringEquals": {"aws:SourceVpc": "vpc-\u202e\x9b"}}
    account.client("secretsmanager").put_resource_policy(
        SecretId=secret, ResourcePolicy=json.dumps(policy, ensure_ascii=False)
    )
    cloud.settle()
    said = {"reason": f"{E}{MARKUP}", "owner": f"{E}{MARKUP}", f"odd{E}{MARKUP}": 1}
    account.client("ssm").put_parameter(
        Name="/vpce-guard/vpce-guard/exceptions/ci", Value=json.dumps(said), Type="String"
    )
    body = {"detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2"}
    detail = {"eventName": f"CreateVpc{E}", "userIdentity": {"arn": E}, "eventID": E}
    for queue in ("VpcDeadLetterQueue", "DetectionDeadLetterQueue"):
        account.client("sqs").send_message(
            QueueUrl=cloud.resource(queue), MessageBody=json.dumps({**body, "detail": detail})
        )
    return endpoint_id


type Arguments = Callable[[Path, str], list[str]]
# Where a command reads nothing of others, what it is given is hostile, and comes back in words.
RUNS: dict[str, Arguments] = {
    "doctor": lambda _, __: ["doctor", "--parameters", f"{E}{MARKUP}=1"],
    "upgrade": lambda _, __: ["upgrade", "--stack-name", f"{IN_XML}{MARKUP}"],
    "deploy": lambda _, __: ["deploy", "--parameters", f"{E}{MARKUP}=1", "--yes"],
    "delete": lambda _, __: ["delete", "--config-env", f"{E}{MARKUP}", "--yes"],
    "drill": lambda _, __: ["drill", "--region", f"{E}{MARKUP}"],
    "acceptance": lambda _, __: ["acceptance", "--stack-name", f"{IN_XML}{MARKUP}", "--yes"],
    "audit": lambda _, __: ["audit", "--region", "us-east-1"],
    "replay": lambda files, _: ["replay", str(files / "log.json"), "--processes", "1"],
    "ocsf": lambda files, _: ["ocsf", str(files / "log.json")],
    "athena table": lambda _, __: ["athena", "table", f"s3://a-bucket/{E}{MARKUP}"],
    "athena query": lambda _, __: [
        *("athena", "query", "s3://a-bucket/AWSLogs/", "--since", "2026-11-01"),
        *("--account", f"{E}{MARKUP}"),
    ],
    "athena run": lambda files, _: [
        *("athena", "run", "s3://a-bucket/AWSLogs/", str(files / "groups"), "--yes"),
        *("--results", f"s3://a-bucket/{E}{MARKUP}", "--since", "2026-11-01"),
    ],
    "preflight": lambda files, _: [
        "preflight",
        str(files / "policy.json"),
        str(files / "log.json"),
    ],
    "twin propose": lambda files, _: [
        *("twin", "propose", str(files / "log.json"), "--into", f"{files / 'twin'}{IN_XML}"),
    ],
    "twin prove": lambda files, _: [
        *("twin", "prove", f"{files / 'none'}{E}{MARKUP}", str(files / "log.json"), "--offline"),
    ],
    "suggest-secret-policy": lambda _, __: [
        "suggest-secret-policy",
        "prod/own",
        "--region",
        "us-east-1",
    ],
    "history": lambda _, endpoint_id: ["history", endpoint_id],
    "rollback": lambda _, endpoint_id: ["rollback", endpoint_id, "--to", "2", "--dry-run"],
    "resume": lambda _, __: ["resume", f"vpce-{E}{MARKUP}"],
    "redrive": lambda _, __: ["redrive"],
    "policies lint": lambda files, _: ["policies", "lint", "--offline", str(files / "policies")],
    "policies compare": lambda files, _: [
        "policies",
        "compare",
        str(files / "policy.json"),
        str(ROOT / "layers/approved_policies/endpoint_policies/own-account.json"),
    ],
    "exceptions add": lambda _, __: [
        *("exceptions", "add", f"{E}{MARKUP}", "--principal", f"{E}{MARKUP}"),
        *("--expires", f"{E}{MARKUP}", "--reason", f"{E}{MARKUP}"),
    ],
    "exceptions list": lambda _, __: ["exceptions", "list"],
    "exceptions remove": lambda _, __: ["exceptions", "remove", f"n{IN_XML}{MARKUP}"],
    "exceptions lint": lambda files, _: ["exceptions", "lint", str(files / "exceptions.json")],
}
FORMATS = {
    "audit",
    "replay",
    "preflight",
    "history",
    "redrive",
    "policies lint",
    "exceptions list",
} | {"twin propose"}
SARIF = {"preflight", "policies lint", "exceptions lint"}


def test_every_command_is_run_over_hostile_text():
    assert set(RUNS) == commands()


@pytest.mark.parametrize("name", RUNS)
def test_no_command_prints_hostile_text_raw(
    name: str, files: Path, hostile: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "240")
    said = ""
    forms = ["json", "jsonl"] * (name in FORMATS) + ["sarif"] * (name in SARIF)
    for form in (None, *forms):
        arguments = [*RUNS[name](files, hostile), *(["--format", form] if form else [])]
        found = CliRunner().invoke(main.app, arguments, terminal_width=240)
        assert found.exit_code in (0, 1, 2), found.exception
        assert not isinstance(found.exception, Exception) or isinstance(
            found.exception, SystemExit
        ), found.exception
        assert not steers(found.output + found.stderr)
        said += found.output + found.stderr
    assert said.strip()


def test_a_time_that_is_markup_is_bad_input_and_no_traceback(tmp_path: Path):
    log = tmp_path / "log.json"
    log.write_text(json.dumps({"Records": [record(eventTime="[/x]")]}))
    found = CliRunner().invoke(main.app, ["replay", str(log), "--processes", "1"])
    assert found.exit_code == 2
    assert "Traceback" not in found.output + found.stderr


def test_an_error_that_nobody_foresaw_is_printed_inert(monkeypatch, capsys):
    def fail() -> None:
        raise RuntimeError(E)

    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert not steers(capsys.readouterr().err)
