"""`guardctl athena`, with its SQL run in DuckDB, and `guardctl replay --groups`."""

import json
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import duckdb
import pytest
import sqlglot
from typer.testing import CliRunner

from guardctl.__main__ import app
from guardctl.athena.parquet import join_parts, read_groups
from guardctl.athena.price import LISTED, Estimate, accounts_in, estimate
from guardctl.athena.projection import COLUMNS
from guardctl.athena.query import MOST_ACCOUNTS, Span, additions, groups, groups_of, table_of_groups
from guardctl.athena.run import Engine, QueryFailed
from guardctl.athena.table import checked_folder, checked_name, folders_of_logs, table_of
from guardctl.errors import Failed
from tests.athena import ACCOUNT, REGION, Athena, Bucket, asked, table
from tests.builders import NOON
from tests.fuzz.mutate import samples

LOGS = "s3://trail-bucket/AWSLogs/o-a1b2c3d4e5/"
TABLE = table_of(LOGS, [REGION])
DAY = NOON.date()
SPAN = Span(DAY, DAY + timedelta(days=1))


def records() -> list[dict[str, Any]]:
    """The samples of Secrets Manager, each at another minute of a day, and some of them twice."""
    found = [
        one["detail"]
        for one in samples("events")
        if one.get("detail", {}).get("eventSource") == "secretsmanager.amazonaws.com"
    ]
    return [
        {**one, "eventTime": f"{DAY}T{_clock(number)}:{copy:02}Z", "eventID": f"e{number}-{copy}"}
        for number, one in enumerate(found)
        for copy in range(1 + number % 3)
    ]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A trail's bucket with one file, its table in DuckDB, and a session that has both."""
    bucket = Bucket()
    database = duckdb.connect()
    table(database, TABLE, {f"{DAY:%Y/%m/%d}": records()}, tmp_path)
    bucket.objects[f"{LOGS}{ACCOUNT}/CloudTrail/{REGION}/{DAY:%Y/%m/%d}/x.json.gz"] = b"x" * 2000
    athena = Athena(database, bucket)
    clients = {"s3": bucket, "athena": athena}
    monkeypatch.setattr(
        boto3, "Session", lambda **_: SimpleNamespace(client=lambda name: clients[name])
    )
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(Engine.__dataclass_fields__["sleep"], "default", lambda _: None)
    return SimpleNamespace(bucket=bucket, athena=athena, database=database)


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def lines(done: Any) -> list[dict[str, Any]]:
    return [json.loads(one) for one in done.stdout.splitlines()]


def run(target: Path, *more: str) -> Any:
    options = ("--results", "s3://results/a", "--since", DAY, "--until", DAY + timedelta(days=1))
    return invoke(
        "athena", "run", LOGS, target, *options, "--logged-region", REGION, "--yes", *more
    )


def test_groups_say_what_the_log_files_say(world: Any, tmp_path: Path):
    done = run(tmp_path / "groups.parquet")
    assert done.exit_code == 0, done.output
    logs = tmp_path / "logs.json"
    logs.write_text(json.dumps({"Records": records()}))
    of_logs = [
        json.loads(one)
        for one in invoke("replay", logs, "--format", "jsonl").stdout.split("\n")[:-1]
    ]
    found = invoke("replay", "--groups", tmp_path / "groups.parquet", "--format", "jsonl")
    of_groups = [json.loads(one) for one in found.stdout.split("\n")[:-1]]
    assert found.exit_code == 1
    kept = ("verdict", "severity", "cause", "principal", "secret_id", "fingerprint")
    counted: Counter[Any] = Counter()
    for row in of_groups:
        counted[tuple(row[key] for key in kept)] += row["requests"]
    assert counted == Counter(tuple(row[key] for key in kept) for row in of_logs)
    assert sum(counted.values()) > len(of_groups) > 10
    assert {row["event_id"] for row in of_groups} <= {row["event_id"] for row in of_logs}
    assert f"{len(records())} requests to Secrets Manager" in found.stderr


def test_the_query_and_its_price_come_before_it_runs(world: Any, tmp_path: Path):
    done = run(tmp_path / "groups.parquet")
    assert "GROUP BY 1, 2, 3" in done.stdout
    assert "It reads 0.0 GB in 1 files: $0.00 ($5 a TB" in done.stderr
    created, unloaded = world.athena.ran
    assert created["QueryString"] == TABLE.statement()
    assert unloaded["QueryString"].startswith("UNLOAD (\nSELECT")
    assert unloaded["ResultConfiguration"] == {"OutputLocation": "s3://results/a/"}


def test_nothing_runs_where_nobody_agrees(world: Any, tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr("guardctl.deploy.command.require_somebody", lambda _: None)
    monkeypatch.setattr("guardctl.deploy.command.agreed", lambda *_: False)
    options = ("--results", "s3://results/a", "--since", DAY, "--until", DAY + timedelta(days=1))
    done = invoke("athena", "run", LOGS, tmp_path / "g", *options)
    assert (done.exit_code, world.athena.ran) == (1, [])


def test_a_query_that_fails_says_why(world: Any, tmp_path: Path):
    world.athena.ends = {"State": "FAILED", "StateChangeReason": "HIVE_BAD_DATA: x"}
    done = run(tmp_path / "groups.parquet")
    assert done.exit_code == 2
    assert "did not end well: HIVE_BAD_DATA: x" in done.stderr


def test_a_query_is_stopped_with_the_command(world: Any):
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    engine = Engine(world.athena, world.bucket, "s3://results/", sleep=interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.run("SELECT 1")
    assert world.athena.stopped == ["1"]


def test_progress_is_what_was_read_since(world: Any):
    ticks: list[int] = []
    Engine(world.athena, world.bucket, "s3://results/", sleep=lambda _: None).run("x", ticks.append)
    assert ticks == [1000, 1000]
    world.athena.ends = {"State": "CANCELLED"}
    with pytest.raises(QueryFailed, match="CANCELLED"):
        Engine(world.athena, world.bucket, "s3://r/", sleep=lambda _: None).run("x")


def test_nothing_is_paid_for_what_could_not_be_kept(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    done = run(tmp_path / "absent" / "groups.parquet")
    assert (done.exit_code, world.athena.ran) == (2, [])
    assert "no such folder" in done.stderr
    monkeypatch.setitem(sys.modules, "duckdb", None)
    done = run(tmp_path / "groups.parquet")
    assert (done.exit_code, world.athena.ran) == (2, [])
    assert "vpce-guard[athena]" in done.stderr


def test_a_bucket_without_accounts_is_refused(world: Any, tmp_path: Path):
    world.bucket.objects.clear()
    done = run(tmp_path / "g")
    assert (done.exit_code, world.athena.ran) == (2, [])
    assert "no account has a folder in" in done.stderr


def test_no_request_at_all_is_a_file_too(tmp_path: Path):
    assert join_parts([], tmp_path / "groups.parquet") == 0
    assert list(read_groups(tmp_path / "groups.parquet")) == []
    done = invoke("replay", "--groups", tmp_path / "groups.parquet")
    assert (done.exit_code, done.stdout) == (0, "")


def test_a_folder_of_parts_is_read_as_athena_leaves_it(world: Any, tmp_path: Path):
    run(tmp_path / "groups.parquet")
    parts = tmp_path / "parts"
    parts.mkdir()
    for name in ("a", "b"):
        (parts / name).write_bytes((tmp_path / "groups.parquet").read_bytes())
    once, twice = (list(read_groups(one)) for one in (tmp_path / "groups.parquet", parts))
    assert len(twice) == 2 * len(once) > 0


def test_what_is_no_file_of_groups_is_refused(tmp_path: Path):
    (tmp_path / "text").write_text("x")
    duckdb.sql("SELECT 1 AS a").write_parquet(str(tmp_path / "other"))
    for name in ("text", "other", "absent"):
        done = invoke("replay", "--groups", tmp_path / name)
        assert done.exit_code == 2
        assert str(tmp_path / name) in done.stderr


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    done = invoke("replay", "--groups", tmp_path)
    assert done.exit_code == 2
    (tmp_path / "x").touch()
    assert "pip install 'vpce-guard[athena]'" in invoke("replay", "--groups", tmp_path).stderr


@pytest.mark.parametrize("more", [("x.json",), ("--html", "x.html"), ("--explain", "e1")])
def test_groups_stand_alone(more: tuple[str, ...], tmp_path: Path):
    done = invoke("replay", "--groups", tmp_path, *more)
    assert done.exit_code == 2
    assert "--groups stands alone" in done.stderr


def test_a_group_across_an_expiry_is_no_answer(world: Any, tmp_path: Path):
    run(tmp_path / "groups.parquet")
    entry = {"name": "n", "owner": "o", "reason": "r", "cidr": ["0.0.0.0/8", "198.0.0.0/8"]}
    whole = {"exceptions": [{**entry, "expires": f"{DAY}"}]}
    cut = {"exceptions": [{**entry, "principal": "arn:*", "cidr": "203.0.0.0/8"}]}
    for row in list(read_groups(tmp_path / "groups.parquet")):
        if row["requests"] == 3 and row["sourceipaddress"].startswith("203."):
            cut["exceptions"][0]["expires"] = row["last_seen"]
    (tmp_path / "whole.json").write_text(json.dumps(whole))
    (tmp_path / "cut.json").write_text(json.dumps(cut))
    groups_file = ("replay", "--groups", tmp_path / "groups.parquet", "--exceptions")
    assert invoke(*groups_file, tmp_path / "whole.json").exit_code == 1
    done = invoke(*groups_file, tmp_path / "cut.json")
    assert done.exit_code == 2
    assert "replay the log files of that day" in done.stderr


def test_each_form_says_the_same(world: Any, tmp_path: Path):
    run(file := tmp_path / "groups.parquet")
    document = json.loads(invoke("replay", "--groups", file, "--format", "json").stdout)
    assert document["summary"]["secrets_manager"] == len(records())
    assert document["summary"]["verdicts"]["bypass"] > 5
    assert "alerts" not in document["summary"]
    shown = invoke("replay", "--groups", file).stdout
    high = sum(row["severity"] == "high" for row in document["groups"])
    assert 0 < shown.count("\n high ") <= high
    suggested = json.loads(invoke("replay", "--groups", file, "--suggest-exceptions").stdout)
    assert suggested["exceptions"][0]["principal"].startswith("arn:")


def test_no_name_in_a_group_steers_a_terminal(world: Any, tmp_path: Path):
    hostile = {"type": "IAMUser", "arn": "arn:aws:iam::1:user/\x1b[2J\u202e[/x]"}
    one = {**records()[0], "userIdentity": hostile, "vpcEndpointId": None}
    table(world.database, TABLE, {f"{DAY:%Y/%m/%d}": [one]}, tmp_path)
    run(file := tmp_path / "groups.parquet")
    shown = invoke("replay", "--groups", file)
    assert "[/x]" in shown.stdout
    assert not [c for c in shown.output if not (c.isprintable() or c == "\n")]


@pytest.mark.parametrize(
    "more", [(), ("--assume-endpoint",), ("--secret", "prod/orders-db"), ("--org-id", "o-1")]
)
def test_a_preflight_of_groups_is_that_of_the_log_files(
    more: tuple[str, ...], world: Any, tmp_path: Path
):
    run(file := tmp_path / "groups.parquet")
    logs, policy = tmp_path / "logs.json", tmp_path / "policy.json"
    logs.write_text(json.dumps({"Records": records()}))
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*:Describe*", "Resource": "*"}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    of_logs = invoke("preflight", policy, logs, *more, "--format", "json")
    of_groups = invoke("preflight", policy, "--groups", file, *more, "--format", "json")
    document = json.loads(of_groups.stdout)
    assert document["refused"]
    assert document == json.loads(of_logs.stdout)
    assert of_groups.exit_code == of_logs.exit_code


def test_a_preflight_asks_of_one_of_both(tmp_path: Path):
    assert "Missing argument 'LOGS...'" in invoke("preflight", "own-account").stderr
    both = invoke("preflight", "own-account", "x.json", "--groups", tmp_path)
    assert (both.exit_code, "--groups stands alone" in both.stderr) == (2, True)


# The nightly table


def test_groups_of_each_day_come_to_the_groups_of_all(tmp_path: Path):
    days = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)]
    at = [
        [{**one, "eventTime": f"{day}T{hour}"} for one in records()]
        for day, hour in zip(days, ("23:59:00Z", "01:00:00Z", "02:00:00Z"), strict=True)
    ]
    # What happened at the end of a day is delivered on the next.
    delivered = {f"{days[1]:%Y/%m/%d}": at[0] + at[1], f"{days[2]:%Y/%m/%d}": at[2] + at[1]}
    database = duckdb.connect()
    table(database, TABLE, delivered, tmp_path)
    columns = ", ".join(f"{one} {'BIGINT' if one == 'requests' else 'VARCHAR'}" for one in COLUMNS)
    database.execute(f"CREATE TABLE nightly ({columns}, delivered VARCHAR)")
    for day in days:
        for statement in additions(TABLE, [ACCOUNT], day, "nightly"):
            into, _, select = statement.partition("\n")
            assert into == "INSERT INTO nightly"
            database.execute(
                f"{into} {sqlglot.transpile(select, read='athena', write='duckdb')[0]}"
            )
    span = Span(days[0], days[2])
    (query,) = groups(TABLE, [ACCOUNT], span)
    assert _rows(asked(database, groups_of("nightly", span))) == _rows(asked(database, query))
    assert [one for one in COLUMNS if f"\n  {one} " not in table_of_groups("nightly", LOGS)] == []


def _rows(found: list[dict[str, Any]]) -> list[str]:
    assert sum(row["requests"] for row in found) > 100
    return sorted(json.dumps({**row, "example": ""}) for row in found)


# Statements and prices


def test_more_accounts_than_one_query_may_name_are_several():
    accounts = [f"{number:012}" for number in range(2 * MOST_ACCOUNTS + 1)]
    found = list(groups(TABLE, accounts, SPAN))
    assert [one.count("', '") + 1 for one in found] == [MOST_ACCOUNTS, MOST_ACCOUNTS, 1]
    assert all(len(one) < 262_144 for one in found)  # bytes, as Athena allows


def test_a_day_more_is_read_than_was_asked_for():
    (query,) = groups(TABLE, [ACCOUNT], Span(date(2026, 11, 1), date(2026, 12, 1)))
    assert "delivered BETWEEN '2026/11/01' AND '2026/12/01'" in query
    assert "eventtime >= '2026-11-01' AND eventtime < '2026-12-01'" in query


@pytest.mark.parametrize("statement", [TABLE.statement(), table_of_groups("g", LOGS)])
def test_the_statements_are_athenas(statement: str):
    (found,) = sqlglot.parse(statement, read="athena")
    assert found is not None
    assert found.key == "create"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: table_of("s3://a-bucket/x'y/", [REGION]),
        lambda: table_of("logs/", [REGION]),
        lambda: table_of(LOGS, ["eu-west-1'"]),
        lambda: table_of(LOGS, [REGION], "a-b"),
        lambda: checked_name("x;y"),
        lambda: checked_folder("s3://b"),
        lambda: list(groups(TABLE, ["1'"], SPAN)),
        lambda: groups_of("x y", SPAN),
        lambda: Span(DAY, DAY),
    ],
)
def test_what_would_break_a_statement_is_refused(wrong: Any):
    with pytest.raises(Failed):
        wrong()


def test_another_place_or_region_is_another_table():
    others = [
        table_of(LOGS, [REGION, "us-east-1"]),
        table_of("s3://other-bucket/AWSLogs", [REGION]),
    ]
    assert len({one.name for one in [TABLE, *others]}) == 3
    assert table_of(LOGS, [REGION], "mine").name == "mine"


def test_few_folders_are_listed_and_many_are_estimated():
    bucket = Bucket()
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(300)]
    for folder in folders_of_logs(TABLE, [ACCOUNT], days):
        bucket.objects[f"{folder}a.json.gz"] = bucket.objects[f"{folder}b.json.gz"] = b"x" * 500
    few = estimate(bucket, folders_of_logs(TABLE, [ACCOUNT], days[:10]))
    assert few == Estimate(size=10_000, files=20, folders=10, listed=10)
    many = estimate(bucket, folders_of_logs(TABLE, [ACCOUNT], days))
    assert many == Estimate(size=300_000, files=600, folders=300, listed=LISTED)
    assert many.words.startswith("about 0.0 GB in 600 files, by 200 of 300 folders: about $")
    assert "about" not in few.words
    assert accounts_in(bucket, LOGS) == [ACCOUNT]


def test_the_price_is_athenas_and_s3s():
    assert Estimate(185_000_000_000, 400_000, 1, 1).dollars == pytest.approx(0.925 + 0.16)
    assert Estimate(0, 0, 1, 1).dollars == pytest.approx(0.00005)  # 10 MB is the least


def test_the_commands_print_statements_and_ask_nothing():
    named = ("--logged-region", REGION)
    made = invoke("athena", "table", LOGS, *named)
    assert made.stdout.strip() == TABLE.statement()
    of_groups = invoke("athena", "table", "s3://a-bucket/groups", *named, "--groups", "nightly")
    assert of_groups.stdout.strip() == table_of_groups("nightly", "s3://a-bucket/groups/")
    days = ("--since", DAY, "--until", DAY + timedelta(days=1))
    asks = invoke("athena", "query", LOGS, *named, *days, "--account", ACCOUNT)
    assert [asks.stdout.strip()] == list(groups(TABLE, [ACCOUNT], SPAN))
    adds = invoke("athena", "query", LOGS, *named, *days, "--account", ACCOUNT, "--into", "nightly")
    assert [adds.stdout.strip()] == list(additions(TABLE, [ACCOUNT], DAY, "nightly"))
    reads = invoke("athena", "query", LOGS, *named, *days, "--of", "nightly")
    assert reads.stdout.strip() == groups_of("nightly", SPAN)
    assert "no account is named" in invoke("athena", "query", LOGS, *named, *days).stderr
    assert "not a date" in invoke("athena", "query", LOGS, "--since", "x", "--of", "n").stderr
