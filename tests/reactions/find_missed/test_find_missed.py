"""What EventBridge never brought is found in the trail's log files, published, and judged."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from emulator import Cloud
from emulator.trails import BUCKET
from find_missed.findings import should_have_come
from find_missed.trail import LARGEST, TrailBucket, Unreadable
from guard.cloudtrail.record import FROM_CLOUDTRAIL, parse
from guard.table.arrivals import SLOT, Arrivals, slot_of, slots
from guard.table.items import Items
from tests.reactions.account import Account
from tests.reactions.heartbeat.test_heartbeat import came_through
from tools.rights.needs import grants, needs

FUNCTION = "FindMissedFunction"
FOLDER = "org/AWSLogs/o-abc1234567"
EVENTS = Path(__file__).parents[3] / "events"
DETECTION = {"SecretPolicyRule", "BypassRule", "ForeignEndpointRule", "EndpointDeniedRule"}


@pytest.fixture(scope="module")
def watched() -> Iterator[Cloud]:
    """A deployment that knows the trail's bucket."""
    parameters = {"Mode": "remediate", "TrailBucket": BUCKET, "TrailFolder": FOLDER}
    with Cloud.start(parameters=parameters) as cloud:
        yield cloud


@pytest.fixture
def cloud(watched: Cloud) -> Cloud:
    """The job ran yesterday for the first time, so it knows from when on arrivals are kept."""
    watched.reset()
    secrets = watched.session("alice").client("secretsmanager")
    secrets.create_secret(Name="prod/db", SecretString="hunter2")
    watched.lose_events()
    run(watched)
    watched.clock.skip(seconds=3600)
    return watched


def run(cloud: Cloud) -> dict[str, int]:
    done = cloud.invoke(FUNCTION, {"detail-type": "Scheduled Event"})
    assert done.error is None, done.error
    return done.result


def read(cloud: Cloud, who: str) -> dict[str, Any]:
    """A read over the internet; its record."""
    cloud.session(who).client("secretsmanager").get_secret_value(SecretId="prod/db")
    return cloud.records[-1]


def deliver(cloud: Cloud, *records: dict[str, Any], packed: bytes | None = None) -> str:
    """A log file with these records, as CloudTrail would name it; its key."""
    return Account(cloud).log_file(*records, folder=FOLDER, packed=packed)


def network_denial(cloud: Cloud) -> dict[str, Any]:
    """The record of a request that an endpoint's policy refused, which EventBridge lost."""
    record = read(cloud, "mallory")
    cloud.lose_events()
    return {
        **record,
        "eventType": "AwsVpceEvent",
        "eventCategory": "NetworkActivity",
        "errorCode": "VpceAccessDenied",
        "vpcEndpointId": "vpce-0a1b2c3d4e5f60718",
        "vpcEndpointAccountId": cloud.account,
    }


def published(cloud: Cloud, kind: str) -> list[dict[str, Any]]:
    return [finding for finding in cloud.findings if finding["kind"] == kind]


def test_what_came_is_not_missed(cloud):
    came = read(cloud, "alice")
    cloud.settle()
    deliver(cloud, came)
    cloud.clock.skip(seconds=4 * 3600)
    assert run(cloud) == {"compared": 1, "missed": 0}
    assert published(cloud, "events-missed") == []


def test_what_never_came_is_published_and_judged(cloud):
    came = read(cloud, "alice")
    cloud.settle()
    lost = read(cloud, "mallory")
    cloud.lose_events()
    deliver(cloud, came, lost)
    cloud.clock.skip(seconds=4 * 3600)
    assert run(cloud) == {"compared": 2, "missed": 1}
    cloud.settle()
    (finding,) = published(cloud, "events-missed")
    assert finding["severity"] == "medium"
    assert finding["evidence"]["events"] == [lost["eventID"]]
    assert "1 of them go onto the detection queue" in finding["done"][0]
    resources = [one["resource"].rpartition("/")[2] for one in published(cloud, "bypass")]
    assert resources == ["alice", "mallory"]
    # Judged by now, it counts as having come.
    assert run(cloud) == {"compared": 2, "missed": 0}


def test_what_was_published_to_nobody_is_not_judged_before_it_is_published(cloud):
    """Else the next try finds that all has come, and nobody hears that EventBridge loses events."""
    lost = read(cloud, "mallory")
    cloud.lose_events()
    deliver(cloud, lost)
    cloud.clock.skip(seconds=4 * 3600)
    cloud.fault("sns", "PublishBatch", "InternalError", times=4, function=FUNCTION)
    cloud.fire_schedule("FindMissedRule")
    cloud.settle()
    assert len(published(cloud, "events-missed")) == len(published(cloud, "bypass")) == 1


def test_a_day_that_starts_later_than_the_one_before_leaves_no_hour_out(cloud):
    """The schedule comes a day after it came last, or some seconds later: in the next hour."""
    cloud.clock.skip(seconds=2 * 3600 + 1795 - cloud.clock.now().timestamp() % 3600)
    lost = read(cloud, "mallory")
    cloud.lose_events()
    deliver(cloud, lost)
    cloud.clock.skip(seconds=2.5 * 3600)
    assert run(cloud) == {"compared": 0, "missed": 0}  # five seconds before a whole hour
    cloud.clock.skip(seconds=86_400 + 10)
    assert run(cloud) == {"compared": 1, "missed": 1}


def send_heartbeat(cloud: Cloud) -> dict[str, Any]:
    """A heartbeat goes out; its record."""
    cloud.invoke("HeartbeatFunction", {"detail-type": "Scheduled Event"})
    return cloud.records[-1]


def test_heartbeats_that_came_are_not_missed(cloud):
    record = send_heartbeat(cloud)
    cloud.settle()
    assert came_through(cloud)
    deliver(cloud, record)
    cloud.clock.skip(seconds=4 * 3600)
    assert run(cloud) == {"compared": 1, "missed": 0}
    assert published(cloud, "events-missed") == []


def test_a_heartbeat_that_never_came_is_published_and_measured_as_little_as_before(cloud):
    """HeartbeatAlarm rang for its silence. That find_missed has found it says nothing of the way,
    and hours as the time of a heartbeat would ring the alarm for a way that is whole by now.
    """
    record = send_heartbeat(cloud)
    cloud.lose_events()
    deliver(cloud, record)
    cloud.clock.skip(seconds=4 * 3600)
    assert run(cloud) == {"compared": 1, "missed": 1}
    cloud.settle()
    assert published(cloud, "events-missed")[0]["evidence"]["actions"] == ["DescribeSecret"]
    assert came_through(cloud) == []
    assert published(cloud, "bypass") == []
    # Dealt with by now, it counts as having come.
    assert run(cloud) == {"compared": 1, "missed": 0}


def test_an_event_that_could_not_be_dealt_with_is_missing(cloud):
    record = read(cloud, "alice")
    faulty = "DetectBypassFunction"
    cloud.fault("sns", "PublishBatch", "InternalError", times=99, function=faulty)
    cloud.settle()
    cloud._faults.clear()
    assert cloud.dead_letters("DetectionQueue")
    deliver(cloud, record)
    cloud.clock.skip(seconds=4 * 3600)
    assert run(cloud)["missed"] == 1


def test_what_no_rule_would_bring_is_not_compared(cloud):
    record = read(cloud, "alice")
    cloud.settle()
    ours = {"vpcEndpointId": "vpce-0a", "vpcEndpointAccountId": cloud.account}
    others = [
        {**record, "eventID": "1", "eventSource": "kms.amazonaws.com"},
        {**record, "eventID": "2", "eventType": "AwsServiceEvent"},
        {**record, "eventID": "3", **ours},
        {**record, "eventID": "4", "eventTime": 5},
        {**record, "eventID": "5", "eventTime": "2020-01-01T00:00:00Z"},
    ]
    deliver(cloud, record, *others)
    cloud.clock.skip(seconds=4 * 3600)
    assert run(cloud) == {"compared": 1, "missed": 0}


@pytest.mark.parametrize(
    "packed",
    [
        b"no gzip",
        gzip.compress(b"[]"),
        gzip.compress(b"x")[:9],
        gzip.compress(bytes(300_000_000), 9),
        gzip.compress(b'"secretsmanager.amazonaws.com"' + b"[" * 200_000),
        gzip.compress(b'["secretsmanager.amazonaws.com"' + b",[]" * 10_000_000 + b"]"),
    ],
    # a packed text holds the time it was packed at
    ids=["not gzip", "no records", "cut", "a bomb", "too deep", "too many values"],
)
def test_a_log_file_that_cannot_be_read_is_published(cloud, packed):
    record = read(cloud, "alice")
    cloud.settle()
    deliver(cloud, record)
    if packed[:2] == b"\x1f\x8b" and 20 < len(packed) < 40:
        packed = gzip.compress(b'["secretsmanager.amazonaws.com"]')
    cloud.clock.skip(seconds=61)
    key = deliver(cloud, packed=packed)
    cloud.clock.skip(seconds=4 * 3600)
    assert run(cloud)["compared"] == 1
    (finding,) = published(cloud, "events-missed")
    assert (finding["severity"], finding["evidence"]["unreadable_files"]) == ("low", [key])


def test_a_refusal_by_an_endpoint_that_never_came_is_found(cloud):
    """Network activity events are in a folder of their own."""
    lost = network_denial(cloud)
    deliver(cloud, lost)
    cloud.clock.skip(seconds=4 * 3600)
    assert run(cloud)["missed"] == 1
    cloud.settle()
    assert len(published(cloud, "endpoint-denied")) == 1


def test_a_log_file_is_read_in_bounded_memory():
    """A 300 KB file that unpacks to 300 MB: what is held of it is what may be read."""
    bomb = gzip.compress(bytes(300_000_000), 9)
    assert len(bomb) < 400_000
    s3 = SimpleNamespace(get_object=lambda **_: {"Body": io.BytesIO(bomb)})
    bucket = TrailBucket(cast(Any, s3), "b", "f", "111122223333", "eu-west-1")
    tracemalloc.start()
    assert isinstance(bucket.records("k"), Unreadable)
    assert tracemalloc.get_traced_memory()[1] < 4 * LARGEST
    tracemalloc.stop()


def test_a_folder_without_log_files_is_published_once_a_day(cloud):
    cloud.clock.skip(seconds=4 * 3600)
    assert run(cloud) == run(cloud) == {"compared": 0, "missed": 0}
    (finding,) = published(cloud, "events-missed")
    assert finding["severity"] == "medium"
    assert f"under {FOLDER} in {BUCKET}" in finding["cause"]
    assert any("TrailFolder" in one for one in finding["todo"])


@pytest.mark.parametrize(
    ("call", "code", "action"),
    [
        ("ListObjectsV2", "AccessDenied", "s3:ListBucket"),
        ("ListObjectsV2", "NoSuchBucket", "s3:ListBucket"),
        ("GetObject", "AccessDenied", "s3:GetObject"),
        ("GetObject", "KMS.DisabledException", "s3:GetObject"),
    ],
)
def test_a_read_that_is_refused_for_good_is_published_and_no_dead_letter(cloud, call, code, action):
    record = read(cloud, "alice")
    cloud.lose_events()
    deliver(cloud, record)
    cloud.clock.skip(seconds=4 * 3600)
    cloud.fault("s3", call, code, times=99)
    cloud.fire_schedule("FindMissedRule")
    cloud.settle()
    assert cloud.dead_letters("RuleDeadLetterQueue") == []
    (finding,) = published(cloud, "endpoint-not-repairable")
    assert finding["title"] == "The guard may not read what it guards"
    assert f"AWS refused {action}: {code}" in finding["cause"]


@pytest.mark.parametrize("call", ["ListObjectsV2", ""])
def test_what_cannot_be_read_is_published_again_the_next_day(cloud, call):
    """Some seconds before a day is over, as schedules are."""
    cloud.clock.skip(seconds=4 * 3600)
    if call:
        cloud.fault("s3", call, "AccessDenied", times=99)
    for _ in range(2):
        run(cloud)
        cloud.clock.skip(seconds=86_395)
    kind = "endpoint-not-repairable" if call else "events-missed"
    first, second = published(cloud, kind)
    assert first["title"] == second["title"]
    assert not any("dead-letter" in one or "sweep" in one for one in first["todo"])


def test_one_log_file_that_is_refused_hides_no_event_of_another(cloud):
    lost = read(cloud, "mallory")
    cloud.lose_events()
    deliver(cloud, read(cloud, "alice"))
    cloud.lose_events()
    deliver(cloud, lost)
    cloud.clock.skip(seconds=4 * 3600)
    cloud.fault("s3", "GetObject", "AccessDenied", times=1)
    assert run(cloud)["missed"] == 1
    assert len(published(cloud, "endpoint-not-repairable")) == 1


def test_after_ten_refused_log_files_no_more_is_asked_for(cloud):
    for _ in range(15):
        deliver(cloud, read(cloud, "alice"))
        cloud.lose_events()
    cloud.clock.skip(seconds=4 * 3600)
    cloud.fault("s3", "GetObject", "AccessDenied", times=99)
    before = len(cloud.calls)
    run(cloud)
    assert sum(one.action == "GetObject" for one in cloud.calls[before:]) == 10
    (finding,) = published(cloud, "events-missed")
    assert any(one.startswith("5 log files were left") for one in finding["todo"])


def test_a_throttled_read_is_tried_again(cloud):
    lost = read(cloud, "mallory")
    cloud.lose_events()
    deliver(cloud, lost)
    cloud.clock.skip(seconds=4 * 3600)
    cloud.fault("s3", "ListObjectsV2", "SlowDown", times=4)
    cloud.fire_schedule("FindMissedRule")
    cloud.settle()
    assert published(cloud, "endpoint-not-repairable") == []
    assert published(cloud, "events-missed")[0]["evidence"]["missed"] == 1


def test_too_many_arrivals_to_keep_are_not_called_missing(cloud):
    """DynamoDB refuses what makes an item larger than 400 KB; the slot is then marked as full."""
    record = read(cloud, "alice")
    cloud.lose_events()
    cloud.fault("dynamodb", "UpdateItem", "ValidationException")
    table = cloud.session("detection").client("dynamodb")
    Arrivals(Items(table, cloud.resource("StateTable"), "")).keep(
        [parse(record)], cloud.clock.now()
    )
    deliver(cloud, record)
    cloud.clock.skip(seconds=4 * 3600)
    assert run(cloud) == {"compared": 0, "missed": 0}
    (finding,) = published(cloud, "events-missed")
    assert finding["evidence"]["not_compared"] == [slot_of(parse(record).event_time)]


def test_before_the_job_was_on_nothing_is_missing(watched):
    watched.reset()
    watched.session("a").client("secretsmanager").create_secret(Name="prod/db", SecretString="x")
    record = read(watched, "alice")
    watched.lose_events()
    deliver(watched, record)
    watched.clock.skip(seconds=4 * 3600)
    assert run(watched) == {"compared": 0, "missed": 0}
    assert published(watched, "events-missed") == []


def test_one_write_keeps_a_batch(cloud):
    record = read(cloud, "alice")
    cloud.lose_events()
    envelope = {
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.secretsmanager",
        "detail": record,
    }
    bodies = [{**envelope, "detail": {**record, "eventID": str(n)}} for n in range(100)]
    records = [{"messageId": str(n), "body": json.dumps(one)} for n, one in enumerate(bodies)]
    before = len(cloud.calls)
    cloud.invoke("DetectBypassFunction", {"Records": records})
    kept = [
        call
        for call in cloud.calls[before:]
        if call.action == "UpdateItem" and "arrived#" in json.dumps(call.params, default=str)
    ]
    assert len(kept) == 1


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_what_should_come_is_what_the_deployed_rules_match(watched, path):
    event = json.loads(path.read_text())
    detail = event["detail"]
    ours = watched.account
    text = json.dumps(event).replace(event["account"], ours)
    matched = DETECTION & set(watched.matching_rules(json.loads(text)))
    if not event["detail-type"].endswith(FROM_CLOUDTRAIL):
        assert not matched
        return
    if detail["eventSource"] != "secretsmanager.amazonaws.com":
        assert not matched
        return
    record = parse(json.loads(text)["detail"])
    assert should_have_come(record, {ours}, watches_foreign=True) == bool(matched)
    others = matched - {"ForeignEndpointRule"}
    assert should_have_come(record, {ours}, watches_foreign=False) == bool(others)


def test_the_jobs_calls_are_granted_and_its_grants_are_used(cloud):
    lost = read(cloud, "mallory")
    cloud.lose_events()
    deliver(cloud, lost)
    cloud.clock.skip(seconds=4 * 3600)
    run(cloud)
    allowed = grants(cloud.deployment.resources["FindMissedRole"][1])
    needed = [n for call in cloud.calls if call.function == FUNCTION for n in needs(call, cloud)]
    assert [need for need in needed if not any(one.meets(need) for one in allowed)] == []
    # A trail's files may be encrypted with a key of its owner's: not so here.
    own = {one.action for one in allowed if one.sid not in ("Log", "Trace", "DecryptLogFiles")}
    assert own == {need.action for need in needed}
    own_files = [
        f"arn:aws:s3:::{BUCKET}/{FOLDER}/{cloud.account}/{kind}/{cloud.region}/*"
        for kind in ("CloudTrail", "CloudTrail-NetworkActivity")
    ]
    assert [one.resources for one in allowed if one.action == "s3:GetObject"] == [own_files]


def test_slots_are_ten_minutes_each():
    start = datetime.fromisoformat("2026-11-25T13:00:00+00:00")
    named = slots(start, start + timedelta(hours=1))
    assert len(named) == 6
    assert {slot_of(start + n * SLOT + timedelta(seconds=599)) for n in range(6)} == set(named)
