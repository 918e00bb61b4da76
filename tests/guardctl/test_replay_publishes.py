"""What `guardctl replay` says would be published is what the deployed functions publish."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from emulator import Cloud
from guardctl.__main__ import app
from guardctl.replay.spool import Spool, Spooled
from tests.records import (
    ALICE,
    FOREIGN_ENDPOINT,
    OTHER_ACCOUNT,
    READ,
    REGION,
    ROOT,
    changed,
    role,
)

ACCOUNT = READ["recipientAccountId"]
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
OPEN_POLICY = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
)


def secret(number: int) -> dict[str, Any]:
    return {"requestParameters": {"secretId": f"prod/{number}"}}


def user(number: int) -> dict[str, Any]:
    arn = f"arn:aws:iam::{ACCOUNT}:user/u{number}"
    return {"userIdentity": {**ALICE, "arn": arn, "userName": f"u{number}"}}


def host(number: int) -> dict[str, Any]:
    """One of a fleet: the same role, an address and a session of its own."""
    return {
        "userIdentity": role("fleet", session=f"i-{number:017x}"),
        "sourceIPAddress": f"203.0.113.{number + 1}",
    }


SMALL = st.integers(0, 3)
MANY = st.integers(0, 30)
CONSOLE = {"sessionCredentialFromConsole": "true", "userIdentity": role("sso", session="jo")}
KINDS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    SMALL.map(secret),
    MANY.map(user),
    MANY.map(host),
    st.builds(lambda who, what: {**user(who), **secret(what)}, SMALL, MANY),
    SMALL.map(lambda n: {**user(n), "eventName": "ListSecrets", "requestParameters": None}),
    SMALL.map(lambda n: {**user(n), "errorCode": "AccessDenied"}),
    st.just({"userIdentity": ROOT}),
    st.sampled_from(["198.51.100.7", "198.51.100.8"]).map(
        lambda address: {**CONSOLE, "userAgent": BROWSER, "sourceIPAddress": address}
    ),
    st.just({**CONSOLE, "sourceIPAddress": "203.0.113.99"}),
    SMALL.map(
        lambda n: {
            **user(n),
            "vpcEndpointId": FOREIGN_ENDPOINT,
            "vpcEndpointAccountId": OTHER_ACCOUNT,
        }
    ),
    st.just({"eventName": "CreateSecret", "requestParameters": {"name": "own"}}),
    st.sampled_from([None, OPEN_POLICY]).map(
        lambda policy: {
            "eventName": "PutResourcePolicy",
            "requestParameters": {"secretId": "prod/0", "resourcePolicy": policy},
        }
    ),
    st.just(
        {
            "eventName": "ReplicateSecretToRegions",
            "requestParameters": {"secretId": "x", "addReplicaRegions": [{"region": "eu-west-2"}]},
        }
    ),
    st.just({"userIdentity": None, "sourceIPAddress": None}),
    st.sampled_from([None, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]).map(
        lambda time: {"eventTime": time}
    ),
    st.just({"userIdentity": {"type": "AWSService", "invokedBy": "rds.amazonaws.com"}}),
    st.just({"addendum": {"originalEventID": "event-0", "updatedFields": "userAgent"}}),
    st.just({"eventID": "event-0"}),
    st.just({"sharedEventID": "shared"}),
)
GAPS = st.sampled_from([0, 0, 0, 1, 12, 400, 1_300, 3_700, 7_300, 90_000])
STREAMS = st.lists(st.tuples(GAPS, KINDS, st.integers(1, 3)), min_size=1, max_size=40)


def stream(parts: Any, start: datetime) -> list[dict[str, Any]]:
    """Records in the order of their time: each part comes so many times."""
    records: list[dict[str, Any]] = []
    when = start
    for gap, fields, times in parts:
        when += timedelta(seconds=gap)
        for _ in range(times):
            time = when.strftime("%Y-%m-%dT%H:%M:%SZ")
            event_id = f"event-{len(records)}"
            records.append(changed(READ, **{"eventTime": time, "eventID": event_id, **fields}))
    return records


def of_this_stack(records: list[dict[str, Any]], cloud: Cloud) -> list[dict[str, Any]]:
    text = json.dumps(records).replace(ACCOUNT, cloud.account).replace(REGION, cloud.region)
    return json.loads(text)


def batches(records: list[dict[str, Any]]) -> Iterator[tuple[datetime, list[dict[str, Any]]]]:
    """As the detection queue would bring them, and when."""
    with Spool() as spool:
        for one in records:
            time = one["eventTime"]
            when = datetime.fromisoformat(time).timestamp() if time else None
            spool.add(Spooled(when, json.dumps(one).encode()))
        for batch in spool.batches():
            yield batch.now, list(batch.details)


def comparable(finding: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in finding.items() if name != "links"}


def live(cloud: Cloud, records: list[dict[str, Any]]) -> tuple[list[Any], list[Any], list[Any]]:
    """What the deployed functions publish: alerts, deferred findings and digests.

    The clock stands still while a function runs, as it does in replay.
    """
    clock = cloud.clock._traveller
    assert clock is not None
    hour: datetime | None = None
    try:
        for now, details in batches(records):
            hour = hour or next_hour(now)
            while hour <= now:
                clock.move_to(hour, tick=False)
                cloud.invoke("DigestFunction", {})
                hour += timedelta(hours=1)
            clock.move_to(now, tick=False)
            bodies = [{"detail-type": "AWS API Call via CloudTrail", "detail": d} for d in details]
            run = cloud.invoke(
                "DetectBypassFunction",
                {
                    "Records": [
                        {"messageId": str(n), "body": json.dumps(body)}
                        for n, body in enumerate(bodies)
                    ]
                },
            )
            assert run.error is None
            assert run.result == {"batchItemFailures": []}
        for _ in range(3):
            assert hour is not None
            clock.move_to(hour, tick=False)
            cloud.invoke("DigestFunction", {})
            hour += timedelta(hours=1)
    finally:
        clock.move_to(cloud.clock.now(), tick=True)
    reported = [one for one in cloud.findings if one["kind"] != "daily-report"]
    deferred = [one for one in cloud.collected if one["kind"] != "daily-report"]
    alerts = [one for one in reported if one not in deferred and one["kind"] != "digest"]
    digests = [one for one in reported if one["kind"] == "digest"]
    return alerts, deferred, digests


def next_hour(when: datetime) -> datetime:
    return when.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def replayed(records: list[dict[str, Any]], folder: Path, *options: str) -> dict[str, Any]:
    log = folder / "log.json"
    log.write_text(json.dumps({"Records": records}))
    arguments = ["replay", str(log), "--format", "json", *options]
    return json.loads(CliRunner().invoke(app, arguments).stdout)


@settings(
    max_examples=4,
    phases=[Phase.explicit, Phase.generate],  # a smaller stream would take minutes to find
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(parts=STREAMS)
def test_replay_publishes_what_the_deployed_functions_do(
    deployment: Cloud, tmp_path: Path, parts: Any
):
    deployment.reset()
    start = next_hour(deployment.clock.now()) + timedelta(hours=1, minutes=7)
    records = of_this_stack(stream(parts, start), deployment)
    alerts, deferred, digests = live(deployment, records)
    body = replayed(records, tmp_path, "--account", deployment.account)
    assert [comparable(one) for one in body["alerts"]] == [comparable(one) for one in alerts]
    assert [comparable(one) for one in body["digests"]] == [comparable(one) for one in digests]
    assert body["summary"]["deferred"] == len(deferred)
    published = {one["fingerprint"] for one in (*alerts, *deferred)}
    assert {one["fingerprint"] for one in body["findings"] if one["alerts"] or one["deferred"]} == (
        published
    )


# The same by numbers, without a deployment


@pytest.fixture
def replay_of(tmp_path: Path):
    def replay(records: list[dict[str, Any]]) -> dict[str, Any]:
        return replayed(records, tmp_path)

    return replay


START = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)


def test_equal_bypasses_two_hours_apart_are_an_alert_each(replay_of):
    body = replay_of(stream([(7_200, secret(0), 1)] * 24, START))
    (finding,) = body["findings"]
    assert (finding["occurrences"], finding["alerts"]) == (24, 24)
    assert len({one["id"] for one in body["alerts"]}) == 24


def test_a_burst_of_callers_is_a_few_alerts(replay_of):
    body = replay_of(stream([(0, user(n), 1) for n in range(3_000)], START))
    assert body["summary"]["occurrences"] == 3_000
    assert len(body["alerts"]) <= 20
    assert "Many callers" in body["alerts"][-1]["title"]


def test_follow_ups_come_at_ten_and_a_hundred_and_the_digest_sums_up_the_rest(replay_of):
    body = replay_of(stream([(20, secret(0), 1)] * 150, START))
    assert [one["count"] for one in body["alerts"]] == [1, 10, 100]
    (digest,) = body["digests"]
    (over,) = digest["evidence"]["over"]["findings"]
    assert over["count"] == 150


def test_what_is_low_waits_for_the_digest(replay_of):
    lists = {"eventName": "ListSecrets", "requestParameters": None}
    body = replay_of(stream([(0, lists, 1), (5_000, {**user(1), **lists}, 1)], START))
    assert body["alerts"] == []
    assert [one["deferred"] for one in body["findings"]] == [1, 1]
    assert len(body["digests"]) == 2
    assert body["summary"]["digests"] == 2


@pytest.mark.parametrize("time", [None, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_time_that_cannot_be_takes_that_of_its_neighbour(replay_of, time: Any, place: int):
    records = stream([(0, user(0), 1), (0, user(1), 1)], START)
    records[place] = changed(records[place], eventTime=time)
    body = replay_of(records)
    assert len(body["findings"]) == len(body["alerts"]) + len(
        body["digests"][0]["evidence"]["collected"]["findings"] if body["digests"] else []
    )
    assert body["summary"]["occurrences"] == 2


@pytest.mark.parametrize("strange", [None, -62135596800.0, 0.0, 253402300799.0])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_batches_have_the_times_that_can_be(strange: float | None, place: int):
    times: list[float | None] = [START.timestamp()] * 2
    times.insert(place, strange)
    with Spool() as spool:
        for one in times:
            spool.add(Spooled(one, b"{}"))
        assert [(batch.now, len(batch.details)) for batch in spool.batches()] == [(START, 3)]


def test_years_of_silence_cost_nothing(replay_of):
    records = stream([(0, user(0), 1), (10**10, user(0), 1), (10**10, user(0), 1)], START)
    assert len(replay_of(records)["alerts"]) == 3


def test_files_in_any_order_say_the_same(tmp_path: Path):
    records = stream([(20, secret(0), 1)] * 30, START)
    in_order = replayed(records, tmp_path)
    mixed = replayed(records[1::2] + records[::2], tmp_path)
    for name in ("findings", "alerts", "digests"):
        assert mixed[name] == in_order[name]


def test_what_came_of_an_addendum_is_published_and_not_what_it_amends(replay_of):
    amended = {"originalEventID": "event-0", "updatedFields": "errorCode"}
    records = stream([(0, {"errorCode": "AccessDenied"}, 1), (0, {"addendum": amended}, 1)], START)
    (finding,) = replay_of(records)["findings"]
    assert (finding["occurrences"], finding["severity"]) == (1, "high")


# Several stacks, and the guard's own requests

HEARTBEAT_ROLE = f"arn:aws:iam::{ACCOUNT}:role/guard-HeartbeatRole-0a"
GUARD_ROLE = f"arn:aws:iam::{ACCOUNT}:role/guard-SecretPolicyRole-0a"


def heartbeat(**fields: Any) -> dict[str, Any]:
    return {
        "eventName": "DescribeSecret",
        "errorCode": "ResourceNotFoundException",
        "userIdentity": role("guard-HeartbeatRole-0a", session="heartbeat"),
        "requestParameters": {"secretId": "vpce-guard-heartbeat/0a-0b/1780306200000"},
        **fields,
    }


def test_each_account_and_region_has_a_stack_of_its_own(tmp_path: Path):
    places = [("eu-west-1", ACCOUNT), ("eu-west-1", OTHER_ACCOUNT), ("us-east-1", ACCOUNT)]
    of_each = {
        place: [
            {**one, "awsRegion": place[0], "recipientAccountId": place[1]}
            for one in stream([(30, user(n), 1) for n in range(8 + 20 * number)], START)
        ]
        for number, place in enumerate(places)
    }
    (tmp_path / "all").mkdir()
    together = replayed([one for some in of_each.values() for one in some], tmp_path / "all")
    for number, (place, records) in enumerate(of_each.items()):
        (tmp_path / str(number)).mkdir()
        alone = replayed(records, tmp_path / str(number))
        for name in ("alerts", "digests"):
            here = [one for one in together[name] if (one["region"], one["account"]) == place]
            assert here == alone[name]


def test_ten_callers_in_each_of_two_accounts_are_no_storm(replay_of):
    records = stream([(0, user(n), 1) for n in range(18)], START)
    for number, one in enumerate(records):
        one["recipientAccountId"] = (ACCOUNT, OTHER_ACCOUNT)[number % 2]
    assert len(replay_of(records)["alerts"]) == 18


def test_what_names_no_account_belongs_to_a_stack_of_its_region(replay_of):
    records = stream([(0, user(0), 1)] * 3, START)
    records[1] = {"eventSource": "secretsmanager.amazonaws.com", "awsRegion": REGION}
    body = replay_of(records)
    assert body["summary"]["findings"] == 2
    assert [one["account"] for one in body["digests"]] == [ACCOUNT]


def test_the_guards_own_requests_and_heartbeats_are_no_alerts(tmp_path: Path):
    describes = {
        "eventName": "DescribeSecret",
        "userIdentity": role("guard-SecretPolicyRole-0a", session="guard"),
    }
    records = stream([(0, heartbeat(), 3), (0, describes, 3)], START)
    options = ["--heartbeat-role", HEARTBEAT_ROLE, "--guard-role", GUARD_ROLE]
    assert replayed(records, tmp_path, *options)["findings"] == []
    assert len(replayed(records, tmp_path)["findings"]) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"requestParameters": {"secretId": "prod/db"}},
        {"eventName": "GetSecretValue"},
        {"errorCode": None},
        {"userIdentity": role("app")},
    ],
)
def test_what_only_resembles_a_heartbeat_is_judged(tmp_path: Path, fields: dict[str, Any]):
    records = stream([(0, heartbeat(**fields), 1)], START)
    assert len(replayed(records, tmp_path, "--heartbeat-role", HEARTBEAT_ROLE)["findings"]) == 1


def test_our_organization_is_an_option(tmp_path: Path):
    allow = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    text = json.dumps({"Statement": [{**allow, "Condition": condition}]})
    change = {
        "eventName": "PutResourcePolicy",
        "vpcEndpointId": "vpce-0aaaaaaaaaaaaaaa1",
        "requestParameters": {"secretId": "prod/0", "resourcePolicy": text},
    }
    records = stream([(0, change, 1)], START)
    severities = [
        {one["severity"] for one in replayed(records, tmp_path, *options)["findings"]}
        for options in (
            ("--approved-endpoint", "vpce-0aaaaaaaaaaaaaaa1", "--organization", "o-a1b2c3d4e5"),
            ("--approved-endpoint", "vpce-0aaaaaaaaaaaaaaa1", "--organization", "o-zzzzzzzzzz"),
        )
    ]
    assert severities == [{"low"}, {"high"}]
