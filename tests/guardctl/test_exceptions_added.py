"""An exception of run time: from the alert's own command to its end, and never unnoticed."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from emulator import Caller, Cloud
from emulator.people import Account
from guardctl.__main__ import app

FUNCTION = "DetectBypassFunction"
ARN = "arn:aws:iam::123456789012:role/ci"
RUNNER = Caller(kind="role", source_ip="203.0.113.9")
OTHER = Caller(kind="role", source_ip="203.0.113.10")
FOLDER = "/vpce-guard/vpce-guard/exceptions"


@pytest.fixture(autouse=True)
def operator(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Guardctl runs as user/olivia, whose calls are in the trail."""
    session = cloud.session("olivia")
    monkeypatch.setattr("guardctl.stack.boto3.Session", lambda profile_name=None: session)
    return session


def run(*arguments: str, code: int = 0) -> str:
    found = CliRunner().invoke(app, ["exceptions", *arguments], terminal_width=200)
    assert found.exit_code == code, found.output + found.stderr
    return found.stdout + found.stderr


def last_day(days: int = 30) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def add(name: str = "ci", *more: str, code: int = 0) -> str:
    given = ["--principal", ARN, "--expires", last_day(), "--reason", "No VPC yet"]
    return run("add", name, *given, *more, code=code)


def read(cloud: Cloud, caller: Caller = RUNNER, name: str = "ci") -> None:
    cloud.session(name, caller).client("secretsmanager").get_secret_value(SecretId="prod/db")
    cloud.settle()


def of(cloud: Cloud, kind: str) -> list[dict[str, Any]]:
    return [one for one in cloud.findings if one["kind"] == kind]


def put(who: Any, name: str = "ci", **entry: Any) -> None:
    """Whoever writes the parameter without the command."""
    body = {"owner": "m", "reason": "r", "expires": last_day(), "principal": ARN} | entry
    who.client("ssm").put_parameter(
        Name=f"{FOLDER}/{name}", Value=json.dumps(body), Type="String", Overwrite=True
    )


def test_the_command_that_an_alert_carries_excepts_it_and_nothing_else(cloud: Cloud, secret: str):
    read(cloud)
    (alert,) = of(cloud, "bypass")
    said = alert["todo"][-1]
    words = shlex.split(said[said.index("guardctl") :])
    assert words[:3] == ["guardctl", "exceptions", "add"]
    assert "'reason' must be a text that is not empty" in run(*words[2:], code=2)
    run(*words[2:-1], "No VPC yet")

    cloud.clock.skip(seconds=7200)
    read(cloud)
    read(cloud, OTHER)
    after = of(cloud, "bypass")[1:]
    assert [one["evidence"]["addresses"] for one in after] == [["203.0.113.10"]]


def test_who_added_it_is_published_at_once_and_its_first_use_once(cloud: Cloud, secret: str):
    said = add()
    assert "user/olivia" in said
    cloud.settle()
    (added,) = of(cloud, "guard-changed")
    assert added["severity"] == "high"
    assert "user/olivia called PutParameter on the guard's exception ci" in added["title"]
    assert "No VPC yet" in added["evidence"]["exception"]
    for _ in range(3):
        read(cloud)
        cloud.clock.skip(seconds=7200)
    assert of(cloud, "bypass") == []
    (used,) = of(cloud, "exception-used")
    assert used["severity"] == "medium"
    assert "user/olivia" in used["todo"][0]


def test_one_that_is_written_anew_is_published_anew(cloud: Cloud, secret: str):
    add()
    read(cloud)
    cloud.clock.skip(seconds=301)
    add("ci", "--secret", "prod/db", "--replace")
    read(cloud)
    assert len(of(cloud, "guard-changed")) == 2
    assert len(of(cloud, "exception-used")) == 2


@pytest.mark.parametrize(
    "way",
    [
        Caller(kind="role", invoked_by="cloudformation.amazonaws.com"),
        Caller(source_ip="198.51.100.7"),
    ],
    ids=["by a stack of his own", "by hand"],
)
def test_nobody_adds_one_unnoticed(cloud: Cloud, secret: str, way: Caller):
    put(cloud.session("mallory", way))
    cloud.settle()
    assert len(of(cloud, "guard-changed")) == 1


def test_nobody_uses_one_unnoticed_whose_event_is_lost(cloud: Cloud, secret: str):
    put(cloud.session("mallory"))
    cloud.lose_events()
    read(cloud)
    assert of(cloud, "guard-changed") == of(cloud, "bypass") == []
    (used,) = of(cloud, "exception-used")
    assert used["resource"] == "exception ci"


def test_who_deletes_one_beside_the_mode_is_published_for_both(cloud: Cloud):
    put(cloud.session("mallory"))
    cloud.settle()
    mode = cloud.resource("ModeParameter")
    cloud.session("mallory").client("ssm").delete_parameters(Names=[f"{FOLDER}/ci", mode])
    cloud.settle()
    titles = [one["title"] for one in of(cloud, "guard-changed")[1:]]
    assert sorted(title.rpartition("the guard's ")[2] for title in titles) == [
        "ModeParameter",
        "exception ci",
    ]


def test_a_neighbours_parameter_is_nothing_of_ours(cloud: Cloud, secret: str):
    ssm = cloud.session("olivia").client("ssm")
    for name in (
        "/vpce-guard/vpce-guard/exceptions-of-theirs/ci",
        "/vpce-guard/other/exceptions/ci",
    ):
        ssm.put_parameter(Name=name, Value="{}", Type="String")
    cloud.settle()
    assert of(cloud, "guard-changed") == []


@pytest.mark.parametrize(
    "entry",
    [
        {"expires": "2999-12-31"},
        {"expires": None},
        {"reason": ""},
        {"principal": "*"},
        {"principal": None},
        {"cidr": "0.0.0.0/0"},
        {"unknown": "x"},
    ],
    ids=str,
)
def test_one_that_lint_would_refuse_or_that_lasts_is_not_used(
    cloud: Cloud, secret: str, entry: dict[str, Any]
):
    put(cloud.session("mallory"), **entry)
    read(cloud)
    assert len(of(cloud, "bypass")) == 1
    (row,) = json.loads(run("list", "--format", "json"))
    assert row["state"].startswith("not used: ")


def test_one_that_is_over_is_an_alert_and_says_so(cloud: Cloud, secret: str):
    add()
    cloud.clock.skip(seconds=32 * 86_400)
    read(cloud)
    assert len(of(cloud, "bypass")) == len(of(cloud, "exception-expired")) == 1


def test_what_is_removed_is_an_alert_again(cloud: Cloud, secret: str):
    add()
    read(cloud)
    assert "alert again within five minutes" in run("remove", "ci")
    cloud.clock.skip(seconds=301)
    read(cloud)
    assert len(of(cloud, "bypass")) == 1
    assert "there is no exception ci" in run("remove", "ci", code=2)
    assert "No exceptions" in run("list")


def test_they_are_listed_with_who_wrote_them(cloud: Cloud):
    add("ci", "--owner", "platform")
    add("ci-2")
    one, two = json.loads(run("list", "--format", "json"))
    assert (one["name"], one["state"], one["owner"]) == ("ci", "in use", "platform")
    assert "user/olivia" in two["owner"]
    assert one["reason"] == "No VPC yet"


def test_the_daily_report_lists_them(cloud: Cloud):
    add()
    until = last_day()
    morning = cloud.clock.now().replace(hour=9, minute=0, second=0)
    for days in (0, 1, 2):
        cloud.settle()
        cloud.clock.skip_to(max(cloud.clock.now(), morning + timedelta(days=days)))
        cloud.settle()
    report = of(cloud, "daily-report")[-1]
    (listed,) = report["evidence"]["exceptions_added"]
    assert listed.startswith(f"ci, until {until}, of arn:aws:iam::123456789012:user/olivia")
    assert "1 exception added" in report["title"]


def test_a_daily_report_without_them_says_so(cloud: Cloud):
    cloud.fault("ssm", "GetParametersByPath", "AccessDeniedException", times=99)
    morning = cloud.clock.now().replace(hour=9, minute=0, second=0)
    for days in (0, 1, 2):
        cloud.settle()
        cloud.clock.skip_to(max(cloud.clock.now(), morning + timedelta(days=days)))
        cloud.settle()
    report = of(cloud, "daily-report")[-1]
    assert "AccessDenied" in report["evidence"]["exceptions_added"][0]
    assert "added" not in report["title"]


def asked(cloud: Cloud) -> int:
    return sum(
        (one.function, one.action) == (FUNCTION, "GetParametersByPath") for one in cloud.calls
    )


def test_they_are_read_before_an_alert_alone_and_once_in_five_minutes(cloud: Cloud, secret: str):
    cloud.session("ci", Caller(kind="service", invoked_by="lambda.amazonaws.com")).client(
        "secretsmanager"
    ).describe_secret(SecretId="prod/db")
    cloud.settle()
    assert asked(cloud) == 0
    for n in range(5):
        cloud.session(f"c{n}", RUNNER).client("secretsmanager").get_secret_value(SecretId="prod/db")
    cloud.settle()
    read(cloud, OTHER)
    assert asked(cloud) == 1


def test_where_ssm_does_not_answer_the_last_ones_hold_and_else_there_is_an_alert(
    cloud: Cloud, secret: str
):
    put(cloud.session("olivia"))
    cloud.fault("ssm", "GetParametersByPath", "InternalServerError", times=2, function=FUNCTION)
    read(cloud)
    assert len(of(cloud, "bypass")) == 1
    cloud.clock.skip(seconds=7200)
    read(cloud)
    cloud.clock.skip(seconds=7200)
    cloud.fault("ssm", "GetParametersByPath", "InternalServerError", times=2, function=FUNCTION)
    read(cloud)
    assert len(of(cloud, "bypass")) == 1


# What the command refuses


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a/b", "--principal", ARN], "no name for a parameter"),
        (["ci"], "at least one of principal"),
        (["ci", "--principal", ARN, "--expires", "2020-01-01"], "it would be over already"),
        (["ci", "--principal", ARN, "--expires", "2999-01-01"], "at most 90 days"),
        (["ci", "--principal", ARN, "--reason", " "], "'reason' must be a text"),
        (["ci", "--cidr", "10.0.0.0/4"], "'cidr'"),
        (["ci", "--principal", ARN, "--secret", "s" * 4000], "fit"),
    ],
)
def test_what_would_not_be_used_is_not_written(cloud: Cloud, arguments: list[str], said: str):
    defaults = {"--expires": last_day(), "--reason": "r"}
    given = [
        word for key, value in defaults.items() if key not in arguments for word in (key, value)
    ]
    assert said in run("add", *arguments, *given, code=2)
    assert json.loads(run("list", "--format", "json")) == []


def test_one_is_written_over_only_where_that_is_meant(cloud: Cloud):
    add()
    assert "add --replace" in add(code=2)
    add("ci", "--replace")


def test_no_more_are_added_than_are_read(cloud: Cloud, account: Account):
    for n in range(50):
        put(cloud.session("olivia"), f"n{n:02}")
    assert "there are 50 already" in add(code=2)
    add("n00", "--replace")


def test_a_permission_that_is_missing_is_named(cloud: Cloud):
    cloud.fault("ssm", "PutParameter", "AccessDeniedException")
    assert "AWS refused ssm:PutParameter" in add(code=2)


def test_a_refused_attempt_is_published_as_blocked(cloud: Cloud):
    cloud.fault("ssm", "PutParameter", "AccessDeniedException")
    with pytest.raises(ClientError):
        put(cloud.session("mallory"))
    cloud.settle()
    (finding,) = of(cloud, "guard-changed")
    assert (finding["severity"], finding["title"][:8]) == ("medium", "Blocked:")
