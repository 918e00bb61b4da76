"""`guardctl replay` keeps its contract: lines, order, formats, exit codes, broken input."""

import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmarks.corpus import huge_array
from detect_bypass.findings import fingerprint
from detect_bypass.judge import PREDICATES, Inventory, judge
from detect_bypass.judge.exceptions import ExceptionsError
from detect_bypass.judge.exceptions import parse as parse_exceptions
from guard.cloudtrail.record import from_envelope, parse
from guardctl.__main__ import app
from tests.records import (
    ACCOUNT,
    ENDPOINT_DENIED,
    FOREIGN_ENDPOINT,
    OTHER_ACCOUNT,
    OWN_ENDPOINT,
    READ,
    ROOT,
    ROTATION_SUCCEEDED,
    SECRET,
    changed,
    envelope,
    read,
    role,
)

KEYS = [
    "event_id",
    "event_name",
    "event_time",
    "verdict",
    "alert",
    "severity",
    "cause",
    "principal",
    "secret_id",
    "source_ip",
    "vpc_endpoint_id",
    "fingerprint",
    "account",
    "region",
]
OTHER = read(eventSource="ec2.amazonaws.com", eventName="RunInstances")
APPROVED = read(vpcEndpointId=OWN_ENDPOINT, eventID="approved")
LATER = read(eventTime="2026-06-02T00:00:00Z", eventID="later")


def replay(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)], input=stdin)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def log(tmp_path: Path):
    def write(*records: Any, name: str = "log.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"Records": records}).encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def test_verdicts_alone_are_the_same_lines_and_exit_code_without_what_is_published(log):
    path = log(OTHER, READ, ROTATION_SUCCEEDED, LATER, APPROVED)
    whole = replay(path, "--format", "jsonl")
    alone = replay(path, "--format", "jsonl", "--verdicts-only")
    assert (alone.exit_code, alone.stdout) == (whole.exit_code, whole.stdout)
    assert "Findings:" in whole.stderr
    assert "Findings:" not in alone.stderr
    assert "Verdicts: " in alone.stderr
    quiet = replay(
        log(APPROVED), "--format", "jsonl", "--verdicts-only", "--approved-endpoint", OWN_ENDPOINT
    )
    assert quiet.exit_code == 0


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--format", "json"),
        ("--format", "ocsf"),
        ("--format", "jsonl", "--html", "page.html"),
        ("--format", "jsonl", "--suggest-exceptions"),
        ("--format", "jsonl", "--explain", "approved"),
    ],
)
def test_verdicts_alone_are_lines_and_nothing_else(log, more):
    refused = replay(log(READ), "--verdicts-only", *more)
    assert refused.exit_code == 2
    assert "--verdicts-only is for --format jsonl" in " ".join(refused.stderr.split())


def test_one_line_for_each_record_of_secrets_manager_in_order(log):
    path = log(OTHER, READ, ROTATION_SUCCEEDED, OTHER, LATER, ENDPOINT_DENIED)
    result = replay(path, "--format", "jsonl")
    found = lines(result)
    assert [list(one) for one in found] == [KEYS] * 4
    assert [one["event_id"] for one in found] == [
        one["eventID"] for one in (READ, ROTATION_SUCCEEDED, LATER, ENDPOINT_DENIED)
    ]
    assert found[0] == {
        "event_id": READ["eventID"],
        "event_name": "GetSecretValue",
        "event_time": "2026-06-01T09:30:00Z",
        "verdict": "bypass",
        "alert": True,
        "severity": "high",
        "cause": "It came from the public address 198.51.100.7, not through a VPC endpoint.",
        "principal": f"arn:aws:iam::{ACCOUNT}:user/alice",
        "secret_id": SECRET,
        "source_ip": "198.51.100.7",
        "vpc_endpoint_id": None,
        "fingerprint": found[2]["fingerprint"],
        "account": ACCOUNT,
        "region": READ["awsRegion"],
    }
    assert "6 records: 4 of Secrets Manager, 2 of other services" in result.stderr
    assert result.exit_code == 1


def test_nothing_found(log):
    result = replay(log(OTHER, ROTATION_SUCCEEDED), "--format", "jsonl")
    assert result.exit_code == 0
    assert [one["verdict"] for one in lines(result)] == ["service"]


def test_approved_endpoints(log):
    path = log(APPROVED)
    assert lines(replay(path, "--format", "jsonl"))[0]["verdict"] == "foreign_endpoint"
    options = ("--approved-endpoint", "vpce-0", "--approved-endpoint", OWN_ENDPOINT)
    result = replay(path, "--format", "jsonl", *options)
    assert (lines(result)[0]["verdict"], result.exit_code) == ("approved", 0)


def test_accounts(log):
    path = log(read(vpcEndpointId=FOREIGN_ENDPOINT, vpcEndpointAccountId=OTHER_ACCOUNT))
    assert replay(path).exit_code == 1
    assert replay(path, "--account", ACCOUNT, "--account", OTHER_ACCOUNT).exit_code == 0


def test_exceptions(log, tmp_path):
    entry = {
        "name": "n",
        "owner": "o",
        "reason": "r",
        "expires": "2026-06-01",
        "cidr": "198.51.100.7/32",
    }
    file = tmp_path / "exceptions.json"
    file.write_text(json.dumps({"exceptions": [entry]}))
    found = lines(replay(log(READ, LATER), "--exceptions", file, "--format", "jsonl"))
    assert [one["verdict"] for one in found] == ["exempt", "bypass"]  # it expired in between


@pytest.mark.parametrize("content", ["{", '{"exceptions": [{}]}', None])
def test_exceptions_that_cannot_be_used(log, tmp_path, content):
    file = tmp_path / "exceptions.json"
    if content is not None:
        file.write_text(content)
    result = replay(log(READ), "--exceptions", file)
    assert (result.exit_code, result.stdout) == (2, "")


def test_since_and_until(log):
    path = log(READ, LATER)
    for options, ids in (
        (("--since", "2026-06-02"), ["later"]),
        (("--until", "2026-06-02T00:00:00Z"), [READ["eventID"]]),
        (("--since", "2026-06-01", "--until", "2026-06-02T00:00:01Z"), [READ["eventID"], "later"]),
    ):
        found = lines(replay(path, "--format", "jsonl", *options))
        assert [one["event_id"] for one in found] == ids
    assert replay(path, "--since", "soon").exit_code == 2


def test_json(log):
    result = replay(log(OTHER, READ, changed(READ, eventID="again"), LATER), "--format", "json")
    body = json.loads(result.stdout)
    assert len(body["records"]) == 3
    (finding,) = body["findings"]
    assert (finding["occurrences"], finding["alerts"], finding["secrets"]) == (3, 2, [SECRET])
    assert [one["count"] for one in body["alerts"]] == [2, 1]  # in the next window it is anew
    assert body["digests"] == []
    assert body["summary"]["records"] == 4
    assert body["summary"]["other_services"] == 1
    assert body["summary"]["first_seen"] == "2026-06-01T09:30:00Z"
    assert body["summary"]["last_seen"] == "2026-06-02T00:00:00Z"
    assert json.loads(replay(log(OTHER), "--format", "json").stdout)["records"] == []


def test_table(log):
    result = replay(log(READ, LATER, ROTATION_SUCCEEDED))
    assert result.exit_code == 1
    assert "bypass" in result.stdout
    assert "Findings: 1, of 2 occurrences; alerts: 2; deferred" in result.stderr
    assert f"Top secrets: {SECRET} (2)" in result.stderr


def test_a_call_that_several_records_are_about_is_one_alert_in_each_account(log):
    twin = changed(READ, eventID="twin", sharedEventID="s", recipientAccountId=OTHER_ACCOUNT)
    shared = changed(READ, eventID="first", sharedEventID="s")
    result = replay(log(READ, READ, shared, twin), "--format", "json")
    body = json.loads(result.stdout)
    assert len(body["records"]) == 4
    # READ and `first` are two calls of one caller; the other account's guard receives the twin.
    assert (body["summary"]["findings"], body["summary"]["occurrences"]) == (2, 3)
    assert sorted(one["account"] for one in body["alerts"]) == [ACCOUNT, OTHER_ACCOUNT]
    assert "Findings: 2, of 3 occurrences; alerts: 2;" in result.stderr


def test_causes_are_counted_without_what_makes_each_differ(log):
    instances = [role("app", session=f"i-0123456789abcde{n}") for n in range(3)]
    records = [
        read(eventID=f"{n}", userIdentity=one, sourceIPAddress=f"198.51.100.{n}")
        for n, one in enumerate(instances)
    ]
    records.append(read(eventID="6", sourceIPAddress="2001:db8::1:2"))
    body = json.loads(replay(log(*records), "--format", "json").stdout)
    (most, of_most), (other, of_other) = body["summary"]["top_causes"].items()
    assert (of_most, of_other) == (3, 1)
    assert most.startswith("Instance i-* reached Secrets Manager from the public address *, not")
    assert other.startswith("It came from the public address *, not")


def test_what_is_in_records_does_not_steer_the_terminal(log):
    result = replay(log(read(requestParameters={"secretId": "\x1b[2J[bold]x"})))
    assert "\x1b[2J" not in result.output
    assert "[bold]x" in result.stderr


def test_explain(log):
    result = replay(log(READ, LATER), "--explain", "later")
    assert result.exit_code == 0
    assert "yes came_from_address: It came from an address of the internet" in result.stdout
    assert "sourceIPAddress is '198.51.100.7'" in result.stdout
    assert "no  came_through_known_endpoint: " in result.stdout
    assert "vpcEndpointId is absent" in result.stdout
    explained = [line for line in result.stdout.splitlines() if line[:5] in ("  yes", "  no ")]
    assert len(explained) == len(PREDICATES)
    assert READ["eventID"] not in result.stdout
    assert replay(log(READ), "--explain", "nobody").exit_code == 2


def test_suggested_exceptions_would_work_once_somebody_owns_them(log):
    records = [
        READ,
        LATER,
        read(eventID="3", userIdentity=role("app"), sourceIPAddress="198.51.100.8"),
        read(eventID="4", userIdentity=ROOT),
        read(eventID="5", vpcEndpointId=FOREIGN_ENDPOINT),
        read(eventID="6", sessionCredentialFromConsole="true"),
    ]
    body = json.loads(replay(log(*records), "--suggest-exceptions").stdout)
    assert {entry["principal"] for entry in body["exceptions"]} == {
        f"arn:aws:iam::{ACCOUNT}:user/alice",
        f"arn:aws:iam::{ACCOUNT}:role/app",
    }
    with pytest.raises(ExceptionsError, match="owner"):
        parse_exceptions(body)
    for entry in body["exceptions"]:
        entry |= {"owner": "o", "reason": "r"}
    exceptions = parse_exceptions(body)
    verdicts = [judge(parse(one), Inventory(), exceptions).verdict for one in records[:3]]
    assert verdicts == ["exempt"] * 3


def test_suggested_names_are_unlike_and_pass_lint_for_two_accounts_with_equal_roles(log, tmp_path):
    other = "444455556666"
    twins = [role("app"), json.loads(json.dumps(role("app")).replace(ACCOUNT, other)), role("app.")]
    records = [read(eventID=str(n), userIdentity=one) for n, one in enumerate(twins)]
    body = json.loads(replay(log(*records), "--suggest-exceptions").stdout)
    names = [entry["name"] for entry in body["exceptions"]]
    assert {*names} == {f"role-app-{ACCOUNT}", f"role-app-{other}", f"role-app-{ACCOUNT}--2"}
    for entry in body["exceptions"]:
        entry |= {"owner": "o", "reason": "r", "expires": "2999-01-01"}
    file = tmp_path / "exceptions.json"
    file.write_text(json.dumps(body))
    assert CliRunner().invoke(app, ["exceptions", "lint", str(file)]).exit_code == 0


# Input


def test_standard_input():
    content = "\n".join(map(json.dumps, [OTHER, READ])).encode()
    for data in (content, gzip.compress(content)):
        assert len(lines(replay("-", "--format", "jsonl", stdin=data))) == 1


def test_folders_and_patterns(log, tmp_path):
    log(changed(READ, eventID="b"), name="logs/AWSLogs/2026/b.json.gz")
    log(changed(READ, eventID="a"), name="logs/AWSLogs/2026/a.json.gz")
    log(changed(READ, eventID="c"), name="logs/AWSLogs/2026/c.jsonl")
    log(READ, name="logs/AWSLogs/CloudTrail-Digest/digest.json.gz")
    log(READ, name="logs/AWSLogs/2026/README.txt")

    def ids(*arguments: object) -> list[str]:
        return [one["event_id"] for one in lines(replay(*arguments, "--format", "jsonl"))]

    assert ids(tmp_path / "logs") == ["a", "b", "c"]
    assert ids(tmp_path / "logs" / "**" / "[ab].json.gz") == ["a", "b"]
    assert ids(tmp_path / "logs/AWSLogs/2026/c.jsonl", tmp_path / "**/a.json.gz") == ["c", "a"]


def test_envelopes(log):
    result = replay(
        log(envelope(READ), envelope(OTHER), envelope(ROTATION_SUCCEEDED)), "--format", "jsonl"
    )
    assert [one["verdict"] for one in lines(result)] == ["bypass", "service"]


def test_several_processes_say_the_same(log, tmp_path, monkeypatch):
    monkeypatch.setattr("guardctl.replay.pool._WORTH_PROCESSES", 0)
    for number in range(12):
        log(OTHER, changed(READ, eventID=f"{number:02}"), name=f"logs/{number:02}.json.gz")
    (tmp_path / "logs" / "05.json.gz").write_bytes(b"not a log")
    one = replay(tmp_path / "logs", "--format", "jsonl", "--processes", 1)
    two = replay(tmp_path / "logs", "--format", "jsonl", "--processes", 2)
    assert len(lines(one)) == 11
    assert (two.stdout, two.stderr, two.exit_code) == (one.stdout, one.stderr, one.exit_code)


# Broken input


def test_what_can_be_read_is_judged_beside_what_cannot(log, tmp_path):
    good, cut, empty = log(READ), tmp_path / "cut.json.gz", tmp_path / "empty.json"
    packed = gzip.compress(json.dumps({"Records": [READ] * 9}).encode())
    cut.write_bytes(packed[:-12])
    empty.write_bytes(b"")
    missing = tmp_path / "missing.json"
    result = replay(missing, empty, cut, good, "--format", "jsonl")
    assert len(lines(result)) >= 1
    assert lines(result)[-1]["event_id"] == READ["eventID"]
    assert result.exit_code == 2
    for words in (
        f"{missing}: no such file, folder or match",
        f"{empty}:1:1: the file is empty",
        f"{cut}:1:",
        "end-of-stream marker",
        "Places that could not be read: 3",
    ):
        assert words in result.stderr


def test_each_broken_file_is_reported_with_place_and_reason(log, tmp_path):
    line, good = json.dumps(READ), log(READ, name="z.json")
    broken = {
        "half.jsonl": (f"{line}\n{line[:200]}\n{line}\n".encode(), "2:201: "),
        "utf32.json": (line.encode("utf-32"), "1:"),
        "latin.jsonl": (b'{"eventName": "caf\xe9"}\n', "1:22: not UTF-8"),
        "list.json": (
            f'{{"Records": [{line}'.encode(),
            f"1:{len(line) + 14}: the file ends inside",
        ),
        "text.json.gz": (b"no gzip", "1:1: Expecting value"),
    }
    for name, (content, _) in broken.items():
        (tmp_path / name).write_bytes(content)
    result = replay(tmp_path, "--format", "jsonl")
    for name, (_, reason) in broken.items():
        assert f"{tmp_path / name}:{reason}" in result.stderr
    assert len(lines(result)) == 4  # two of half.jsonl, one of list.json, and the good one
    assert lines(result)[-1] == lines(replay(good, "--format", "jsonl"))[0]
    assert result.exit_code == 2


def test_an_array_larger_than_its_memory(tmp_path):
    file = huge_array(tmp_path / "huge.json.gz", 0.2)
    replaying = f"{sys.executable} -m guardctl replay {file} --format jsonl"
    command = ["bash", "-c", f"ulimit -v 400000; exec {replaying}"]  # kilobytes
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    assert int(result.stderr.split(" records")[0].replace(",", "")) > 100_000


def test_progress_is_shown_on_a_terminal_and_nowhere_else(log):
    path = log(READ)
    command = [sys.executable, "-m", "guardctl", "replay", str(path), str(path)]
    plain = subprocess.run(command, capture_output=True, text=True)
    assert "Judging" not in plain.stderr
    assert "Findings: 1" in plain.stderr
    ours, theirs = pty.openpty()
    shown = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    reported = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "Judging" in reported
    assert shown.stdout == plain.stdout


def test_a_folder_without_logs(tmp_path):
    assert replay(tmp_path).exit_code == 2


def test_a_file_that_may_not_be_read(log):
    path = log(READ)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads everything")
    assert f"{path}: Permission denied" in replay(path).stderr


def test_an_object_that_is_no_record(log):
    result = replay(log({"a": 1}, READ), "--format", "jsonl")
    assert len(lines(result)) == 1
    assert "a record needs a readable eventName, eventSource, eventTime" in result.stderr
    assert result.exit_code == 2


def test_a_record_of_the_service_that_cannot_be_read_is_a_line(log):
    result = replay(log(read(eventTime=...)), "--format", "jsonl")
    (found,) = lines(result)
    assert list(found) == KEYS
    assert (found["verdict"], found["alert"], found["event_time"]) == ("unreadable", True, None)
    assert "eventTime" in found["cause"]
    assert result.exit_code == 1


def test_a_detail_that_is_no_record(log):
    event = envelope(READ)
    result = replay(log({**event, "detail": "text"}, {**event, "detail-type": "Scheduled Event"}))
    assert result.exit_code == 2
    assert "a record must be an object" in result.stderr
    assert "1 records: 0 of Secrets Manager, 1 of other services" in result.stderr


def test_many_broken_lines_do_not_flood_the_terminal(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("rubbish\n{}\n" * 50)
    result = replay(path)
    assert "and 90 more such places" in result.stderr
    assert result.stderr.count("\n") < 20


# The same live and in replay


@pytest.mark.parametrize(
    "record",
    [
        READ,
        APPROVED,
        ROTATION_SUCCEEDED,
        ENDPOINT_DENIED,
        read(vpcEndpointId=FOREIGN_ENDPOINT, vpcEndpointAccountId=OTHER_ACCOUNT),
        read(sessionCredentialFromConsole="true"),
        read(userIdentity=None, sourceIPAddress=None),
        read(errorCode="AccessDenied", requestParameters=None),
    ],
)
def test_the_same_record_is_judged_the_same_live_and_in_replay(record, log):
    inventory = Inventory(
        accounts=frozenset({ACCOUNT}), approved_endpoints=frozenset({OWN_ENDPOINT})
    )
    live = from_envelope(json.loads(json.dumps(envelope(record))))
    judgement = judge(live, inventory)
    options = ("--account", ACCOUNT, "--approved-endpoint", OWN_ENDPOINT, "--format", "jsonl")
    (found,) = lines(replay(log(record), *options))
    assert found["verdict"] == judgement.verdict
    assert found["severity"] == judgement.severity
    assert found["cause"] == judgement.cause
    assert found["fingerprint"] == fingerprint(live, judgement)
