"""Metrics Insights as AWS documents it: what a query finds, and what it is not."""

from datetime import UTC, datetime, timedelta

import pytest

from emulator.insights import Datum, InvalidQuery, is_breaching

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
FAILED = """SELECT SUM(FailedInvocations) FROM SCHEMA("AWS/Events", RuleName)"""


def failed(rule="ours", *, name="FailedInvocations", value=1.0, ago=60, **more):
    dimensions = {"RuleName": rule, **more}
    return Datum("AWS/Events", name, dimensions, value, NOW - timedelta(seconds=ago))


def alarm(expression, threshold=0):
    return {
        "Metrics": [{"Id": "q", "Expression": expression, "Period": 300}],
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": threshold,
    }


@pytest.mark.parametrize(
    ("where", "data", "rings"),
    [
        ("", [failed("anybody")], True),
        (" WHERE RuleName = 'ours'", [failed()], True),
        (" WHERE RuleName = 'ours'", [failed("ours-too")], False),
        (" WHERE RuleName = 'ours'", [failed(EventBusName="other")], False),
        (" WHERE RuleName = 'ours'", [failed(name="Invocations")], False),
        (" WHERE RuleName = 'ours'", [failed(ago=301)], False),
        (" WHERE RuleName = 'ours'", [failed(value=0.0)], False),
        (" WHERE RuleName = 'ours'", [], False),
        (" WHERE RuleName != 'ours'", [failed()], False),
        (" WHERE RuleName != 'ours' AND RuleName != 'his'", [failed("hers")], True),
    ],
)
def test_what_a_query_finds(where, data, rings):
    assert is_breaching(alarm(FAILED + where), data, NOW) == rings


def test_values_of_a_period_are_added_up():
    data = [failed(), failed(ago=120), failed("other")]
    assert is_breaching(alarm(FAILED + " WHERE RuleName = 'ours'", threshold=1), data, NOW)
    assert not is_breaching(alarm(FAILED + " WHERE RuleName = 'ours'", threshold=2), data, NOW)


@pytest.mark.parametrize(
    "where",
    [
        " WHERE RuleName = 'a' OR RuleName = 'b'",
        " WHERE RuleName IN ('a', 'b')",
        " WHERE RuleName LIKE 'a%'",
        ' WHERE RuleName = "a"',
        " GROUP BY RuleName",
    ],
)
def test_an_operator_that_aws_does_not_document_is_refused(where):
    with pytest.raises(InvalidQuery):
        is_breaching(alarm(FAILED + where), [failed("a")], NOW)


def test_an_alarm_on_one_metric_wants_all_its_dimensions():
    one = {
        "Namespace": "AWS/Events",
        "MetricName": "FailedInvocations",
        "Dimensions": [{"Name": "RuleName", "Value": "ours"}],
        "Statistic": "Sum",
        "Period": 60,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": 1,
    }
    assert is_breaching(one, [failed()], NOW)
    assert not is_breaching(one, [failed("other")], NOW)
    assert not is_breaching(one, [failed(EventBusName="other")], NOW)
