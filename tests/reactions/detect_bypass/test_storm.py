"""A storm of bypasses is a handful of alerts, loses nothing, and costs next to no calls."""

import json
from typing import Any

import pytest

from benchmarks.storm import ALERTS, CALLS_PER_RECORD, bypasses, counted, storm
from emulator import Cloud

FUNCTION = "DetectBypassFunction"


def equal_bypasses(cloud: Cloud, number: int, **fields: Any) -> dict[str, Any]:
    """One batch of different events that are the same occurrence."""
    (envelope,) = bypasses(cloud, 1)
    return {
        "Records": [
            {
                "messageId": str(n),
                "body": json.dumps(
                    {**envelope, "detail": {**envelope["detail"], "eventID": f"e-{n}", **fields}}
                ),
            }
            for n in range(number)
        ]
    }


def test_a_storm_keeps_to_the_bounds_of_the_benchmark(cloud):
    came = storm(cloud, 2_000, 100)
    assert came.duplicates > 0
    assert (came.lost, came.failed) == (0, 0)
    assert 0 < came.alerts <= ALERTS
    assert came.calls_per_record <= CALLS_PER_RECORD


def test_what_is_lost_would_be_seen(cloud):
    cloud.fault("dynamodb", "UpdateItem", "InternalServerError", times=4, function=FUNCTION)
    assert storm(cloud, 200, 100).lost > 0


@pytest.mark.parametrize(
    ("seen", "published", "most"),
    [
        pytest.param(0, [1_000], 5, id="published, with what the digest and daily report need"),
        pytest.param(1_000, [], 2, id="counted"),
    ],
)
def test_a_thousand_equal_bypasses_cost_a_handful_of_calls(cloud, seen, published, most):
    # Somebody else's: this copy of the function has read the account's lists of addresses since.
    cloud.invoke(FUNCTION, equal_bypasses(cloud, 1, sourceIPAddress="203.0.113.77"))
    if seen:
        cloud.invoke(FUNCTION, equal_bypasses(cloud, seen))
    before, findings = len(cloud.calls), len(cloud.findings)
    assert cloud.invoke(FUNCTION, equal_bypasses(cloud, 1_000)).result == {"batchItemFailures": []}
    made = [call.action for call in cloud.calls[before:]]
    assert 0 < len(made) <= most, made
    assert [one["count"] for one in cloud.findings[findings:]] == published
    assert counted(cloud) == 1 + seen + 1_000


def test_alike_judgements_are_one_line_of_the_log(cloud):
    records = equal_bypasses(cloud, 30)
    records["Records"] += equal_bypasses(cloud, 1, eventName="ListSecrets")["Records"]
    for number, one in enumerate(records["Records"]):
        one["messageId"] = str(number)
    records["Records"][-1]["body"] = records["Records"][-1]["body"].replace("e-0", "e-other")
    run = cloud.invoke(FUNCTION, records)
    lines = [one for one in run.logs if one.get("message") == "bypass"]
    assert [(one["event_name"], one["records"], len(one["event_ids"])) for one in lines] == [
        ("GetSecretValue", 30, 10),
        ("ListSecrets", 1, 1),
    ]
    assert lines[1]["event_ids"] == ["e-other"]


def test_several_batches_of_one_caller_are_published_at_ten_a_hundred_and_a_thousand(cloud):
    for n in range(1_050 // 35):
        records = equal_bypasses(cloud, 35, requestID=str(n))
        for one in records["Records"]:
            body = json.loads(one["body"])
            body["detail"]["eventID"] += f"-{n}"
            one["body"] = json.dumps(body)
        cloud.invoke(FUNCTION, records)
    assert [one["count"] for one in cloud.findings] == [35, 105, 1_015]
    assert counted(cloud) == 1_050
