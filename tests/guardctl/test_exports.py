"""Records in what AWS's tools export are the records that CloudTrail wrote."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from guardctl import trail
from guardctl.__main__ import app
from tests.records import ACCOUNT, READ, REGION, envelope, read, role

OTHER = read(eventSource="ec2.amazonaws.com", eventName="DescribeVpcs")
ROLE = read(
    eventID="by-a-role",
    userIdentity=role("team/app", "a=b, c"),
    requestParameters={"secretId": "db", "versionStage": "AWSCURRENT"},
    readOnly=True,
)
RECORDS = [READ, ROLE]
TEXTS = [json.dumps(one) for one in RECORDS]
STAMP = "2026-06-01T09:30:00.000Z"
LOG_EVENT = {"timestamp": 1780306200000, "ingestionTime": 1780306200500, "eventId": "3"}


def athena_cell(value: Any) -> str:
    """A cell as Athena prints it: a struct is neither JSON nor quoted."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case dict():
            inner = ", ".join(f"{key.lower()}={athena_cell(one)}" for key, one in value.items())
            return f"{{{inner}}}"
        case list():
            return f"[{', '.join(map(athena_cell, value))}]"
        case _:
            return str(value)


COLUMNS = [
    *("eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion"),
    *("sourceIPAddress", "userAgent", "errorCode", "requestParameters", "responseElements"),
    *("requestID", "eventID", "readOnly", "resources", "eventType", "recipientAccountId"),
    *("vpcEndpointId", "vpcEndpointAccountId", "eventCategory", "tlsDetails"),
]
JSON_COLUMNS = ("requestParameters", "responseElements")


def athena_row(record: dict[str, Any]) -> list[str]:
    return [
        json.dumps(record.get(name))
        if name in JSON_COLUMNS and record.get(name)
        else athena_cell(record.get(name))
        for name in COLUMNS
    ]


def athena_csv(*records: dict[str, Any], drop: str = "") -> str:
    out = io.StringIO()
    rows = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    kept = [at for at, name in enumerate(COLUMNS) if name != drop]
    rows.writerow([COLUMNS[at].lower() for at in kept])
    rows.writerows([athena_row(record)[at] for at in kept] for record in records)
    return out.getvalue()


def table(header: list[str], *rows: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([header, *rows])
    return out.getvalue()


def athena_json(*records: dict[str, Any]) -> str:
    header = [name.lower() for name in COLUMNS]
    rows = [header, *map(athena_row, records)]
    cells = [{"Data": [{"VarCharValue": cell} if cell else {} for cell in row]} for row in rows]
    metadata = {"ColumnInfo": [{"Name": name, "Type": "varchar"} for name in header]}
    result = {"Rows": cells, "ResultSetMetadata": metadata}
    return json.dumps({"UpdateCount": 0, "ResultSet": result}, indent=4)


def lower(value: Any) -> Any:
    """A record as Athena's UNLOAD writes it as JSON: structs in lower case."""
    return {key.lower(): lower(one) if isinstance(one, dict) else one for key, one in value.items()}


def unloaded(record: dict[str, Any]) -> str:
    texts = {name: json.dumps(record[name]) for name in JSON_COLUMNS if record.get(name)}
    return json.dumps(lower({**record, **texts}))


WHOLE = {
    "lookup-events": json.dumps(
        {
            "Events": [
                {"EventId": "e", "EventName": "n", "Username": "u", "CloudTrailEvent": text}
                for text in TEXTS
            ],
            "NextToken": "more",
        },
        indent=4,
    ),
    "lookup-events --query 'Events[].CloudTrailEvent'": json.dumps(TEXTS),
    "the same, --output text": "\t".join(TEXTS) + "\n",
    "filter-log-events": json.dumps(
        {
            "events": [{"logStreamName": "s", "message": text, **LOG_EVENT} for text in TEXTS],
            "searchedLogStreams": [],
        }
    ),
    "get-log-events": json.dumps(
        {
            "events": [{"timestamp": 1, "message": text, "ingestionTime": 2} for text in TEXTS],
            "nextForwardToken": "f/1",
            "nextBackwardToken": "b/1",
        }
    ),
    "an export task": "".join(f"{STAMP} {text}\n" for text in TEXTS),
    "aws logs tail": "".join(f"{STAMP[:-1]}+00:00 123_CloudTrail_x {text}\n" for text in TEXTS),
    "a subscription": "".join(
        json.dumps(
            {
                "messageType": "DATA_MESSAGE",
                "owner": ACCOUNT,
                "logGroup": "trail",
                "logStream": "s",
                "subscriptionFilters": ["f"],
                "logEvents": [{"id": "1", "timestamp": 1, "message": text}],
            }
        )
        for text in TEXTS
    ),
    "get-query-results": json.dumps(
        {
            "queryLanguage": "CWLI",
            "results": [
                [
                    {"field": "@timestamp", "value": "2026-06-01 09:30:00.000"},
                    {"field": "@message", "value": text},
                    {"field": "@ptr", "value": "x"},
                ]
                for text in TEXTS
            ],
            "statistics": {"recordsMatched": 2.0},
            "status": "Complete",
        },
        indent=2,
    ),
    "Insights, saved as JSON": json.dumps(
        [{"@timestamp": "t", "@message": one} for one in RECORDS]
    ),
    "Insights, saved as CSV": table(["@timestamp", "@message"], *(["t", one] for one in TEXTS)),
    "CloudTrail Lake": json.dumps({"QueryResultRows": [[{"eventJson": one}] for one in TEXTS]}),
    "events in texts": json.dumps([json.dumps(envelope(one)) for one in RECORDS]),
}


def read_all(content: str) -> tuple[list[Any], list[str]]:
    found = list(trail.read(io.BytesIO(content.encode()), len(content)))
    texts = [one.reason for one in found if isinstance(one, trail.Broken)]
    return [one.value for one in found if isinstance(one, trail.Element)], texts


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_a_record_kept_whole_is_that_record(content: str):
    records, broken = read_all(content)
    assert broken == []
    assert [one.get("detail", one) for one in records] == RECORDS


def judged(path: Path, content: str, *options: str) -> list[dict[str, Any]]:
    path.write_text(content)
    result = CliRunner().invoke(app, ["replay", str(path), "--format", "jsonl", *options])
    assert result.exit_code in (0, 1), result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


FROM_TABLES = {
    "Athena's result file": athena_csv(*RECORDS, OTHER),
    "get-query-results of Athena": athena_json(*RECORDS, OTHER),
    "UNLOAD as JSON": "\n".join(map(unloaded, [*RECORDS, OTHER])),
}


@pytest.mark.parametrize("content", FROM_TABLES.values(), ids=FROM_TABLES)
def test_a_row_of_a_table_is_judged_as_its_record_is(tmp_path: Path, content: str):
    plain = judged(tmp_path / "a.json", json.dumps({"Records": [*RECORDS, OTHER]}))
    assert judged(tmp_path / "a.csv", content) == plain
    assert len(plain) == 2


@pytest.mark.parametrize("column", ["vpcEndpointId", "userIdentity", "sourceIPAddress"])
def test_a_table_without_what_must_be_known_is_refused(tmp_path: Path, column: str):
    """Without its endpoint, a request through it would count as one over the internet."""
    path = tmp_path / "a.csv"
    path.write_text(athena_csv(READ, drop=column))
    result = CliRunner().invoke(app, ["replay", str(path), "--format", "jsonl"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"the table has no column {column.lower()}: select all columns" in result.stderr


def test_insights_without_the_message_is_refused():
    field = {"field": "eventName", "value": "GetSecretValue"}
    content = json.dumps({"results": [[field, {"field": "@ptr", "value": "x"}]]})
    assert read_all(content) == (
        [],
        ["a result of Logs Insights without @message: add it to `fields`"],
    )


def test_what_cannot_be_read_does_not_hide_what_can():
    content = json.dumps({"events": [{"message": one} for one in ("START", TEXTS[0], "{")]})
    assert read_all(content) == ([READ], ["a record must be a JSON object"] * 2)
    rows = athena_csv(READ) + '"1.08","x\n'
    records, broken = read_all(rows)
    assert len(records) >= 1
    assert records[0]["eventID"] == READ["eventID"]
    assert broken == []


def test_an_export_larger_than_a_record_may_be():
    """`aws cloudtrail lookup-events` joins all its pages to one document."""
    content = json.dumps({"Events": [{"CloudTrailEvent": TEXTS[0]}] * 30_000})
    assert len(content) > 16 << 20
    assert len(read_all(content)[0]) == 30_000


def test_the_folder_of_an_export_task_is_searched(tmp_path: Path):
    stream = tmp_path / "exportedlogs" / "task" / "stream"
    stream.mkdir(parents=True)
    (stream / "000000.gz").write_bytes(gzip.compress(WHOLE["an export task"].encode()))
    (tmp_path / "exportedlogs" / "aws-logs-write-test").write_text("Permission Check Successful")
    result = CliRunner().invoke(app, ["replay", str(tmp_path), "--format", "jsonl"])
    assert len(result.stdout.splitlines()) == 2
    assert result.exit_code == 1


REPLAY = [sys.executable, "-m", "guardctl", "replay"]


def test_process_substitution_and_fifos_are_read_among_many_files(tmp_path: Path):
    log = tmp_path / "log.json"
    log.write_text(TEXTS[0])
    command = " ".join([*REPLAY, f"<(cat {log}) {log} <(cat {log})", "--format jsonl"])
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (found.returncode, len(found.stdout.splitlines())) == (1, 3), found.stderr
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_text(TEXTS[1]))
    writer.start()
    result = CliRunner().invoke(app, ["replay", str(fifo), "--format", "jsonl"])
    writer.join()
    assert json.loads(result.stdout)["event_id"] == "by-a-role"


def test_a_reader_who_has_read_enough_is_no_failure(tmp_path: Path):
    log = tmp_path / "log.json"
    log.write_text(json.dumps({"Records": [READ] * 20_000}))
    for form in ("jsonl", "json"):
        command = f"set -o pipefail; {' '.join(REPLAY)} {log} --format {form} | head -1"
        found = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        assert "Traceback" not in found.stderr
        assert "BrokenPipe" not in found.stderr


def test_a_table_in_a_pipe_is_cut_nowhere_and_names_the_account(tmp_path: Path):
    log = tmp_path / "log.json"
    name = "a-very-long-name/" * 12
    log.write_text(json.dumps(read(requestParameters={"secretId": name})))
    found = subprocess.run([*REPLAY, log], capture_output=True, text=True, env=narrow())
    assert name in found.stdout
    assert f"{ACCOUNT} {REGION}" in found.stdout
    assert "…" not in found.stdout


def narrow() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "60"}
