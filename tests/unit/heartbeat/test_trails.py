"""Which event selectors let a read of a secret through to EventBridge."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from emulator import trails as played
from heartbeat.trails import LATELY, Trails, judged, pause

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
ARN = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/all"
MANAGEMENT = {"Field": "eventCategory", "Equals": ["Management"]}


def fields(*more: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"FieldSelectors": [MANAGEMENT, *more]}]


@pytest.mark.parametrize(
    ("basic", "advanced"),
    [
        ([{"ReadWriteType": "All", "IncludeManagementEvents": True}], None),
        ([{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}], None),
        ([{}], None),  # what is left out has AWS's default
        ([{"ReadWriteType": "WriteOnly"}, {"ReadWriteType": "ReadOnly"}], None),
        ([{"ExcludeManagementEventSources": ["kms.amazonaws.com"]}], None),
        (None, fields()),
        (None, fields({"Field": "readOnly", "Equals": ["true"]})),
        (None, fields({"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]})),
        (None, fields({"Field": "readOnly", "Equals": ["false"]}) + fields()),
    ],
)
def test_reads_are_logged(basic: Any, advanced: Any):
    assert judged(ARN, basic, advanced).reads is True


@pytest.mark.parametrize(
    ("basic", "advanced"),
    [
        (None, None),
        ([], []),
        ([{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}], None),
        ([{"ReadWriteType": "All", "IncludeManagementEvents": False}], None),
        (None, fields({"Field": "readOnly", "Equals": ["false"]})),
        (None, fields({"Field": "readOnly", "NotEquals": ["true"]})),
        (None, fields({"Field": "eventSource", "Equals": ["ec2.amazonaws.com"]})),
        (None, fields({"Field": "eventSource", "NotStartsWith": ["secretsmanager"]})),
        (None, [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]),
        (None, [{"FieldSelectors": [{"Field": "readOnly", "Equals": ["true"]}]}]),
        (None, fields({"Field": "resources.type", "Equals": ["AWS::S3::Object"]})),
    ],
)
def test_reads_are_not_logged(basic: Any, advanced: Any):
    seen = judged(ARN, basic, advanced)
    assert seen.reads is False
    assert seen.hindrance


SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "ReadWriteType": st.sampled_from(["All", "ReadOnly", "WriteOnly"]),
        "IncludeManagementEvents": st.booleans(),
    },
)
FIELDS = st.sampled_from(
    [
        {"Field": "readOnly", "Equals": ["true"]},
        {"Field": "readOnly", "Equals": ["false"]},
        {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]},
        {"Field": "eventSource", "NotEquals": ["secretsmanager.amazonaws.com"]},
    ]
)


@given(
    st.lists(SELECTORS, min_size=1, max_size=3),
    st.lists(st.lists(FIELDS, max_size=3), max_size=2),
)
def test_the_judgement_is_that_of_the_embedded_cloud(
    basic: list[dict[str, Any]], advanced: list[list[dict[str, Any]]]
):
    """Two readings of AWS's rules, written apart: the guard's, and the one that delivers events."""
    read = {
        "readOnly": True,
        "eventSource": "secretsmanager.amazonaws.com",
        "eventCategory": "Management",
    }
    chosen = [{"FieldSelectors": [MANAGEMENT, *some]} for some in advanced]
    passes = any(played._by_type(one, read) for one in basic) or any(
        all(played._by_field(field, read) for field in one["FieldSelectors"]) for one in chosen
    )
    assert judged(ARN, basic, chosen).reads is passes


class Failing:
    """CloudTrail in every Region: lists trails of these home Regions, and fails at all else."""

    def __init__(self, error: Exception, homes: list[str]) -> None:
        self.error, self.homes, self.asked = error, homes, 0

    def describe_trails(self, *, includeShadowTrails: bool) -> dict[str, Any]:  # noqa: N803
        return {"trailList": [{"TrailARN": home, "HomeRegion": home} for home in self.homes]}

    def get_trail_status(self, *, Name: str) -> dict[str, Any]:  # noqa: N803
        self.asked += 1
        raise self.error

    def get_event_selectors(self, *, TrailName: str) -> dict[str, Any]:  # noqa: N803
        raise AssertionError("its state is not known")


def test_a_region_that_is_silent_is_asked_once_however_many_trails_there_are():
    """Each time costs the heartbeat half a minute of its two."""
    here = Failing(ReadTimeoutError(endpoint_url="cloudtrail"), ["a", "b", "c", "d", "e", "f"])
    seen = Trails(here, lambda region: here, "eu-west-1").observe(NOW)
    assert here.asked == 1
    assert [(one.reads, one.passing) for one in seen] == [(None, True)] * 6


@pytest.mark.parametrize(
    ("code", "status", "passing"),
    [
        ("ThrottlingException", 400, True),
        ("SlowDown", 400, True),
        ("NobodyHasListedThis", 500, True),
        ("NobodyHasListedThis", 400, False),
        ("AccessDeniedException", 400, False),
        ("UnrecognizedClientException", 400, False),
    ],
)
def test_what_passes_is_what_passes_everywhere_else(code: str, status: int, passing: bool):
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    here = Failing(ClientError(answer, "GetTrailStatus"), ["eu-west-1"])
    (seen,) = Trails(here, lambda region: here, "eu-west-1").observe(NOW)
    assert (seen.reads, seen.passing) == (None, passing)


def status(stopped: float | None, started: float | None) -> dict[str, Any]:
    """Of a trail that logs: hours ago."""
    times = {"StopLoggingTime": stopped, "StartLoggingTime": started}
    return {
        "IsLogging": True,
        **{key: NOW - timedelta(hours=one) for key, one in times.items() if one is not None},
    }


@pytest.mark.parametrize(
    ("stopped", "started"),
    [(3, 2), (3, 3), (24 * 20, 1), (5, None), (6 * 24, 5 * 24)],
)
def test_a_pause_that_is_over_is_known(stopped: float, started: float | None):
    assert pause(status(stopped, started), NOW)[0] == NOW - timedelta(hours=stopped)


@pytest.mark.parametrize(
    ("stopped", "started"),
    [(None, 2), (None, None), (2, 3), (24 * 20, LATELY.days * 24 + 1)],
    ids=["never stopped", "says nothing", "stopped before it was started last", "long ago"],
)
def test_what_is_no_pause_of_late(stopped: float | None, started: float | None):
    assert pause(status(stopped, started), NOW) == (None, None)
