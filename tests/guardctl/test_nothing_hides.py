"""What an insider does first hides nothing of what he does then, as `guardctl replay` shows."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.guardctl.test_replay_publishes import OPEN_POLICY, host, replayed, stream, user
from tests.records import (
    ACCOUNT,
    ALICE,
    OTHER_ACCOUNT,
    OWN_ENDPOINT,
    ROOT,
    SECRET,
    role,
)

START = datetime(2026, 6, 1, 9, 0, 7, tzinfo=UTC)
HOUR = 3_700
CROWN = {"requestParameters": {"secretId": SECRET}}
OTHERS = SECRET.replace(ACCOUNT, OTHER_ACCOUNT).removesuffix("-AbCdEf")

IN_LAMBDA = {
    "userIdentity": role("f", inScopeOf={"issuerType": "AWS::Lambda::Function", "sourceArn": "x"})
}

type Part = tuple[int, dict[str, Any], int]  # seconds since the one before, fields, how often


def own(number: int, **fields: Any) -> dict[str, Any]:
    return {"requestParameters": {"secretId": f"dev/{number}"}, **fields}


def named(secret: str, **fields: Any) -> dict[str, Any]:
    return {"requestParameters": {"secretId": secret}, **fields}


@pytest.fixture
def replay(tmp_path: Path):
    def of(parts: list[Part], *options: str) -> dict[str, Any]:
        return replayed(stream(parts, START), tmp_path, *options)

    return of


BEFORE: dict[str, tuple[list[Part], dict[str, Any]]] = {
    "a tag, before a deletion": (
        [(0, own(1, eventName="TagResource"), 1)],
        {**CROWN, "eventName": "DeleteSecret"},
    ),
    "a tag of the same secret, before its deletion": (
        [(0, {**CROWN, "eventName": "TagResource"}, 1)],
        {**CROWN, "eventName": "DeleteSecret"},
    ),
    "reads as ever, before a new value": (
        [(0, CROWN, 1), (60, CROWN, 3)],
        {**CROWN, "eventName": "PutSecretValue"},
    ),
    "another stage of another secret": (
        [(0, own(1, eventName="UpdateSecretVersionStage"), 1)],
        {**CROWN, "eventName": "UpdateSecretVersionStage"},
    ),
    "a secret of one's own that is called as its ARN ends": (
        [(0, named("prod/db-AbCdEf"), 1)],
        CROWN,
    ),
    "the same, and the ARN has no suffix": (
        [(0, named("prod/db"), 1)],
        CROWN,
    ),
    "a secret of that name in another account": (
        [(0, named(OTHERS), 1)],
        named("prod/db"),
    ),
    "twenty secrets that it reads every hour": (
        [(HOUR * (n == 0), own(m), 1) for n in range(2) for m in range(25)],
        CROWN,
    ),
    "a batch of twenty": (
        [
            (
                0,
                {
                    "eventName": "BatchGetSecretValue",
                    "requestParameters": {"secretIdList": [f"dev/{n}" for n in range(20)]},
                },
                1,
            )
        ],
        CROWN,
    ),
    "twenty first reads, spread over days": (
        [(90_000, own(n), 1) for n in range(25)],
        CROWN,
    ),
    "twelve other actions on its own": (
        [
            (5, own(1, eventName=f"{verb}Resource{n}"), 1)
            for verb in ("Tag", "Move")
            for n in range(6)
        ],
        {**CROWN, "eventName": "DeleteSecret"},
    ),
}


OMITTED = {"omitted": True, "originalSize": 300_000, "reason": "requestParameters too large"}
FILTERED = {"filters": [{"key": "name", "values": ["prod/"]}]}


@pytest.mark.parametrize(
    "unnamed",
    [
        {"requestParameters": OMITTED},
        {"requestParameters": None},
        {"eventName": "BatchGetSecretValue", "requestParameters": FILTERED},
    ],
)
def test_a_read_whose_record_names_no_secret_is_published_once(replay: Any, unnamed: Any):
    named_ones: list[Part] = [(0, CROWN, 1), (40, CROWN, 2)]
    assert len(replay(named_ones)["alerts"]) == 1
    assert len(replay([*named_ones, (40, unnamed, 1)])["alerts"]) == 2
    assert len(replay([*named_ones, (40, unnamed, 1), (40, unnamed, 1)])["alerts"]) == 2
    refused = {**unnamed, "errorCode": "AccessDenied"}
    blocked = replay([*named_ones, (40, {**CROWN, "errorCode": "AccessDenied"}, 1)])["alerts"]
    assert len(replay([*named_ones, (40, refused, 1)])["alerts"]) == len(blocked) == 2


@pytest.mark.parametrize(("before", "grave"), BEFORE.values(), ids=BEFORE)
def test_what_comes_later_is_published_at_once_and_named(replay: Any, before: Any, grave: Any):
    known = len(replay(before)["alerts"])
    body = replay([*before, (40, grave, 1)])
    assert len(body["alerts"]) == known + 1
    last = body["alerts"][-1]
    assert last["evidence"]["secrets"][0] == grave["requestParameters"]["secretId"]
    assert grave.get("eventName", "GetSecretValue") in last["title"]
    again = replay([*before, (40, grave, 1), (40, grave, 1)])
    assert len(again["alerts"]) in (known + 1, known + 2)  # a milestone, at most


def test_among_many_secrets_of_one_moment_each_is_named(replay: Any):
    body = replay([*((0, own(n), 1) for n in range(60)), (0, CROWN, 1)])
    (alert,) = body["alerts"][:1]
    assert alert["count"] == 61
    assert SECRET in alert["evidence"]["secrets"]


def test_what_a_message_had_no_room_for_is_still_new(replay: Any):
    many = [(0, own(n), 1) for n in range(99)]
    batch = {
        "eventName": "BatchGetSecretValue",
        "requestParameters": {"secretIdList": [f"dev/b{n}" for n in range(19)] + [SECRET]},
    }
    body = replay([*many, (0, batch, 1), (40, CROWN, 1)])
    first, last = body["alerts"]
    assert SECRET not in first["evidence"]["secrets"]
    assert first["evidence"]["not_listed"]["secrets"] == 19
    assert SECRET in last["evidence"]["secrets"]


def test_first_uses_have_a_bound_in_each_window_and_the_digest_names_the_rest(replay: Any):
    body = replay([(11, own(n), 1) for n in range(60)])
    assert len(body["alerts"]) == 20
    (digest,) = body["digests"]
    (over,) = digest["evidence"]["over"]["findings"]
    assert len(over["evidence"]["secrets"]) == 60
    assert over["evidence"]["more_events"] == 40
    assert "and 55 more" in over["title"]


# In a storm


def crowd(number: int = 13) -> list[Part]:
    return [(0, {"userIdentity": role(f"ci-{n}"), **own(1)}, 1) for n in range(number)]


def by_root(address: int = 1) -> dict[str, Any]:
    return {"userIdentity": ROOT, "sourceIPAddress": f"203.0.113.{address}", **CROWN}


AMONG: dict[str, list[dict[str, Any]]] = {
    "root": [by_root()],
    "root, from many addresses": [by_root(n) for n in range(1, 12)],
    "a session that root handed out": [
        {
            "userIdentity": {
                **role("x"),
                "type": "FederatedUser",
                "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/x",
                "sessionContext": {"sessionIssuer": {"type": "Root", "arn": ROOT["arn"]}},
            },
            **CROWN,
        }
    ],
    "a long-lived key": [{"userIdentity": ALICE, **CROWN}],
    "a role that reads what the others do not": [{"userIdentity": role("nobody"), **CROWN}],
    "one of the crowd, from another address": [
        {"userIdentity": role("ci-0"), "sourceIPAddress": "203.0.113.77", **CROWN}
    ],
}


@pytest.mark.parametrize("position", [0, 7, 13])
@pytest.mark.parametrize("grave", AMONG.values(), ids=AMONG)
def test_a_crowd_in_the_same_moment_hides_nothing(replay: Any, grave: Any, position: int):
    parts: list[Part] = crowd()
    parts[position:position] = [(0, one, 1) for one in grave]
    alerts = [one for one in replay(parts)["alerts"] if SECRET in one["evidence"]["secrets"]]
    assert alerts
    for one in alerts:
        assert "many callers" not in one["identity"]
        assert one["evidence"]["secrets"] == [SECRET]
        assert one["severity"] == "high"


@pytest.mark.parametrize("grave", AMONG.values(), ids=AMONG)
def test_a_crowd_that_is_under_way_hides_nothing(replay: Any, grave: Any):
    body = replay([*crowd(), (60, own(1, userIdentity=role("ci-99")), 1), (60, grave[0], 1)])
    last = body["alerts"][-1]
    assert "many callers" not in last["identity"]
    assert last["evidence"]["secrets"] == [SECRET]


def test_a_fleet_in_the_same_moment_hides_no_other_secret_of_its_role(replay: Any):
    fleet: list[Part] = [(0, {**host(n), **own(1)}, 1) for n in range(12)]
    body = replay([*fleet, (0, {**host(40), **CROWN}, 1)])
    (alert,) = (one for one in body["alerts"] if SECRET in one["evidence"]["secrets"])
    assert "many addresses" not in alert["identity"]


def test_a_crowd_in_which_everybody_reads_something_else_is_one_alert_that_names_all(replay: Any):
    body = replay([(0, {**user(n), **own(n)}, 1) for n in range(50)])
    (alert,) = body["alerts"][:1]
    assert len(alert["evidence"]["secrets"]) == 50


def test_a_crowd_of_root_is_of_root_alone(replay: Any):
    body = replay([*crowd(), *((0, by_root(n), 1) for n in range(1, 12))])
    of_root = [one for one in body["alerts"] if one["identity"][0].endswith(":root")]
    assert sum(one["count"] for one in of_root) == 11


# In the digest


def over_of(body: dict[str, Any]) -> dict[str, Any]:
    (digest,) = body["digests"]
    (over,) = digest["evidence"]["over"]["findings"]
    return over


def test_milder_repeats_do_not_make_the_sum_milder(replay: Any):
    step = {"requestParameters": {"secretId": SECRET, "versionStage": "AWSPENDING"}}
    body = replay([(0, {**IN_LAMBDA, **CROWN}, 1), *[(20, {**IN_LAMBDA, **step}, 1)] * 12])
    assert [one["severity"] for one in body["alerts"]] == ["high", "medium"]
    assert over_of(body)["severity"] == "high"


LONG = "p" * 200


def test_names_that_begin_alike_are_named_each(replay: Any):
    some = [named(f"{LONG}/{n}") for n in range(3)]
    body = replay([(20, one, 1) for one in some for _ in range(5)])
    assert len(over_of(body)["evidence"]["secrets"]) == 3


def test_the_digest_counts_what_it_has_no_room_to_name(replay: Any):
    browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    person = {
        "userIdentity": role("sso", "jo"),
        "userAgent": browser,
        "sessionCredentialFromConsole": "true",
    }
    body = replay([(0, {**person, **named(f"{LONG}/{n}")}, 1) for n in range(60)])
    assert body["alerts"] == []
    (digest,) = body["digests"]
    (one,) = digest["evidence"]["collected"]["findings"]
    secrets, more = one["evidence"]["secrets"], one["evidence"]["not_listed"]["secrets"]
    assert len(secrets) >= 5
    assert len(secrets) + more == 60
    assert one["evidence"]["principal"]


# What a record says of itself


def judged(replay: Any, fields: dict[str, Any], *options: str) -> dict[str, Any]:
    (finding,) = replay([(0, fields, 1)], *options)["findings"]
    return finding


@pytest.mark.parametrize(
    ("stages", "severity"),
    [
        (["AWSPENDING"], "medium"),
        (["AWSCURRENT", "AWSPENDING"], "high"),
        (["AWSPENDING", "AWSCURRENT"], "high"),
        (None, "high"),
    ],
)
def test_a_new_current_value_is_no_step_of_a_rotation(replay: Any, stages: Any, severity: str):
    request = {"secretId": SECRET, "versionStages": stages}
    put = {"eventName": "PutSecretValue", "requestParameters": request}
    assert judged(replay, {**IN_LAMBDA, **put})["severity"] == severity


@pytest.mark.parametrize(
    ("agent", "severity"),
    [("aws-cli/2.31.0", "medium"), ("Boto3/1.40", "medium"), ("AWS Internal", None), (None, None)],
)
def test_awss_own_network_with_a_tool_is_no_service(replay: Any, agent: Any, severity: Any):
    fields = {"userIdentity": role(), "sourceIPAddress": "AWS Internal", "userAgent": agent}
    found = replay([(0, fields, 1)])["findings"]
    assert [one["severity"] for one in found] == [severity] * bool(severity)


def allow(accounts: list[str], *actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": accounts}, "Action": actions, "Resource": "*"}


APPROVED = ("--approved-endpoint", OWN_ENDPOINT)
MANY = [f"{n:012d}" for n in range(1, 61)]
READ, DESCRIBE = "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"


@pytest.mark.parametrize(
    ("statements", "severity"),
    [
        ([allow(MANY, DESCRIBE), allow(["9" * 12], READ)], "high"),
        ([allow(MANY, DESCRIBE), allow(["9" * 12], "*")], "high"),
        ([allow([*MANY, "9" * 12], READ), {**allow(MANY, READ), "Effect": "Deny"}], "high"),
        ([allow(MANY, DESCRIBE)], "low"),
        ([allow(MANY[:40], READ), {**allow(MANY[:40], READ), "Effect": "Deny"}], "low"),
    ],
)
def test_a_stranger_is_hidden_by_no_crowd_of_others(replay: Any, statements: Any, severity: str):
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    fields = {
        "eventName": "PutResourcePolicy",
        "vpcEndpointId": OWN_ENDPOINT,
        "requestParameters": {"secretId": SECRET, "resourcePolicy": policy},
    }
    assert (
        judged(replay, fields, "--approved-endpoint", "vpce-0aaaaaaaaaaaaaaa1")["severity"]
        == severity
    )


def test_a_policy_that_opens_follows_a_hundred_that_do_not(replay: Any):
    def put(policy: Any) -> dict[str, Any]:
        return {
            "eventName": "PutResourcePolicy",
            "vpcEndpointId": OWN_ENDPOINT,
            "requestParameters": {"secretId": SECRET, "resourcePolicy": policy},
        }

    harmless = json.dumps({"Statement": [allow(["1" * 12], DESCRIBE)]})
    parts = [(15, put(harmless), 100), (15, put(OPEN_POLICY), 1)]
    alerts = replay(parts, *APPROVED)["alerts"]
    assert [one["severity"] for one in alerts] == ["high"]


@pytest.mark.parametrize("regions", [{"region": "eu-west-2"}, [{"region": "eu-west-2"}]])
def test_a_copy_is_one_however_the_record_lists_it(replay: Any, regions: Any):
    request = {"secretId": SECRET, "addReplicaRegions": regions}
    fields = {"eventName": "ReplicateSecretToRegions", "requestParameters": request}
    kinds = {one["kind"] for one in replay([(0, fields, 1)])["findings"]}
    assert kinds == {"bypass", "secret-replicated"}


def test_a_part_that_an_addendum_brings_takes_nothing_away(replay: Any):
    addendum = {
        "originalEventID": "event-0",
        "reason": "UPDATED_DATA",
        "updatedFields": "userIdentity.inScopeOf, errorMessage",
    }
    partial = {"addendum": addendum, "userIdentity": {"inScopeOf": {"issuerType": "x"}}}
    (finding,) = replay([(0, by_root(), 1), (0, partial, 1)])["findings"]
    assert (finding["severity"], finding["occurrences"]) == ("high", 1)
    assert finding["principals"] == [ROOT["arn"]]
