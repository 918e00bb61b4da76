"""Logs in S3 are listed by account, Region and day, and read as files are."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from emulator import Cloud
from guardctl.__main__ import app
from guardctl.trail import s3
from tests.records import ACCOUNT, OTHER_ACCOUNT, READ, changed

BUCKET = "audited-logs"
TIMES = st.timedeltas(timedelta(0), timedelta(days=1000)).map(
    lambda later: datetime(2025, 1, 1, tzinfo=UTC) + later
)
ORGANISATION = "AWSLogs/o-a1b2c3d4e5"


@pytest.fixture
def bucket(cloud: Cloud) -> Iterator[Any]:
    """A trail's bucket in the embedded cloud."""
    s3.client.cache_clear()
    client = cloud.session("trail").client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=one["Key"])
    client.delete_bucket(Bucket=BUCKET)
    s3.client.cache_clear()


def put(bucket: Any, day: str, event_id: str, *, account: str = ACCOUNT, top: str = "AWSLogs"):
    """A log that CloudTrail delivered on a day, with one call of that day in it."""
    key = f"{top}/{account}/CloudTrail/eu-west-1/{day}/{account}_CloudTrail_{event_id}.json.gz"
    when = f"{day.replace('/', '-')}T12:00:00Z"
    record = changed(READ, eventID=event_id, eventTime=when)
    content = gzip.compress(json.dumps({"Records": [record]}).encode())
    bucket.put_object(Bucket=BUCKET, Key=key, Body=content)
    return key


def replay(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["replay", *arguments, "--format", "jsonl"])


def ids(result: Result) -> list[str]:
    return [json.loads(line)["event_id"] for line in result.stdout.splitlines()]


def test_a_prefix(bucket):
    put(bucket, "2026/06/01", "a")
    put(bucket, "2026/06/02", "b")
    put(bucket, "2026/06/01", "c", account=OTHER_ACCOUNT)
    digest = "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/06/01/x.json.gz"
    bucket.put_object(Bucket=BUCKET, Key=digest, Body=b"no log")
    assert ids(replay(f"s3://{BUCKET}")) == ["a", "b", "c"]
    assert ids(replay(f"s3://{BUCKET}/AWSLogs/{OTHER_ACCOUNT}/")) == ["c"]


@pytest.mark.parametrize("top", ["AWSLogs", ORGANISATION, f"some/prefix/{ORGANISATION}"])
def test_only_the_days_asked_for_are_listed(bucket, monkeypatch, top):
    for day in ("2025/12/31", "2026/05/31", "2026/06/01", "2026/06/02", "2026/06/03", "2027/01/01"):
        put(bucket, day, day, top=top)
        put(bucket, day, f"other {day}", account=OTHER_ACCOUNT, top=top)
    listed: list[str] = []
    walked = s3._walked
    monkeypatch.setattr(
        s3,
        "_walked",
        lambda bucket, prefix, *time: (listed.append(prefix), walked(bucket, prefix, *time))[1],
    )
    result = replay(f"s3://{BUCKET}", "--since", "2026-06-01", "--until", "2026-06-02")
    assert ids(result) == ["2026/06/01", "other 2026/06/01"]
    days = {prefix[-11:-1] for prefix in listed if prefix.count("/20") and prefix[-12] == "/"}
    assert days == {"2026/06/01", "2026/06/02", "2026/06/03"}  # with a day of late delivery
    assert "1 of Secrets Manager" not in result.stderr
    assert "2 of Secrets Manager" in result.stderr


def test_a_call_delivered_after_midnight_is_found(bucket):
    key = put(bucket, "2026/06/02", "late")
    record = changed(READ, eventID="late", eventTime="2026-06-01T23:59:50Z")
    content = gzip.compress(json.dumps({"Records": [record]}).encode())
    bucket.put_object(Bucket=BUCKET, Key=key, Body=content)
    result = replay(f"s3://{BUCKET}", "--until", "2026-06-02")
    assert ids(result) == ["late"]


def test_a_bucket_that_is_not_there(bucket):
    result = replay("s3://nobodys-logs/AWSLogs", f"s3://{BUCKET}/nothing")
    assert result.exit_code == 2
    assert "s3://nobodys-logs/AWSLogs: An error occurred (NoSuchBucket)" in result.stderr
    assert f"s3://{BUCKET}/nothing: no .json" in result.stderr


def test_an_object_that_breaks_off(bucket, monkeypatch):
    put(bucket, "2026/06/01", "a")
    put(bucket, "2026/06/02", "b")

    class Breaking:
        def read(self, size: int) -> bytes:
            raise ReadTimeoutError(endpoint_url="https://s3")

        def close(self) -> None:
            pass

    client = s3.client()
    original = client.get_object

    def get_object(*, Bucket: str, Key: str) -> Any:  # noqa: N803 - boto3's names
        return (
            {"Body": Breaking()} if Key.endswith("a.json.gz") else original(Bucket=Bucket, Key=Key)
        )

    monkeypatch.setattr(client, "get_object", get_object)
    result = replay(f"s3://{BUCKET}")
    assert (ids(result), result.exit_code) == (["b"], 2)
    assert "a.json.gz:1:1: cannot be read on: Read timeout" in result.stderr


def test_an_object_that_is_gone(bucket):
    put(bucket, "2026/06/01", "a")
    (found,) = s3.objects(f"s3://{BUCKET}", None, None)
    bucket.delete_object(Bucket=BUCKET, Key=found.key)
    with pytest.raises(OSError, match="NoSuchKey"):
        found.open()


@given(
    TIMES,
    TIMES,
    st.timedeltas(timedelta(0), timedelta(hours=23)),
)
def test_no_folder_that_may_hold_a_call_of_the_time_is_left_out(when, other, late):
    since, until = min(when, other), max(when, other)
    delivered = when + late
    folder = "AWSLogs/1/CloudTrail/eu-west-1/"
    for part in (f"{delivered:%Y}", f"{delivered:%m}", f"{delivered:%d}"):
        folder += f"{part}/"
        if since <= when < until:
            assert s3.in_time(folder, since, until)
