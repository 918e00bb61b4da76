"""What CloudWatch does with metrics: AWS's own of EventBridge, and which alarms they set off.

moto keeps metric data, but answers every Metrics Insights query with all of it, and no alarm of its
changes state. Metrics Insights: "Query components and syntax in CloudWatch Metrics Insights";
EventBridge's metrics and dimensions: "Monitoring Amazon EventBridge" (eb-monitoring).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

EVENTS = "AWS/Events"

_QUERY = re.compile(
    r"SELECT (?P<function>SUM|MAX|MIN|COUNT)\((?P<metric>\w+)\)"
    r' FROM SCHEMA\("(?P<namespace>[\w/]+)"(?P<keys>(?:, \w+)*)\)'
    r"(?: WHERE (?P<where>.+))?"
)
_CONDITION = re.compile(r"(\w+) (=|!=) '([^']*)'")
_AGGREGATES = {"SUM": sum, "SAMPLECOUNT": len, "COUNT": len, "MAXIMUM": max, "MINIMUM": min}
_AGGREGATES |= {"MAX": max, "MIN": min}
_COMPARE = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


class InvalidQuery(ValueError):
    """Metrics Insights has no such operator or clause, or this module does not know it."""


@dataclass(frozen=True, slots=True)
class Datum:
    """One value of one metric."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    value: float
    when: datetime


def count_event(account: str, region: str, rule: str, name: str, when: datetime) -> None:
    """Add one to a metric of EventBridge, for a rule of the default event bus.

    There the rule's name is the only dimension, and nothing is sent that is zero.
    """
    count(account, region, EVENTS, name, {"RuleName": rule}, when)


def count(
    account: str,
    region: str,
    namespace: str,
    name: str,
    dimensions: Mapping[str, str],
    when: datetime,
) -> None:
    """Add one to a metric."""
    cloudwatch_backends[account][region].put_metric_data(
        namespace,
        [
            {
                "MetricName": name,
                "Value": 1.0,
                "Timestamp": when.replace(microsecond=0),
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            }
        ],
    )


def measured(account: str, region: str) -> list[Datum]:
    """All that was put into CloudWatch."""
    return [
        Datum(
            one.namespace,
            one.name,
            {dimension.name: dimension.value for dimension in one.dimensions},
            float(one.value),
            _in_utc(one.timestamp),
        )
        for one in cloudwatch_backends[account][region].metric_data
    ]


def is_breaching(alarm: Mapping[str, Any], data: Sequence[Datum], now: datetime) -> bool:
    """Whether an alarm would be in the state ALARM now by the data of its last period.

    One that nothing was measured for is not: what missing data means is not judged here. Raises
    InvalidQuery.
    """
    source = alarm["Metrics"][0] if "Metrics" in alarm else alarm
    since = now - timedelta(seconds=int(source["Period"]))
    aggregate, expected = _expected(source)
    values = [one.value for one in data if since <= one.when <= now and expected(one)]
    compare = _COMPARE[alarm["ComparisonOperator"]]
    return bool(values) and compare(aggregate(values), float(alarm["Threshold"]))


def _expected(source: Mapping[str, Any]) -> tuple[Any, Any]:
    """How the values of a period become one, and which data they are taken from."""
    if "Expression" in source:
        return _queried(source["Expression"])
    dimensions = {one["Name"]: one["Value"] for one in source.get("Dimensions", [])}
    metric = (source["Namespace"], source["MetricName"])
    return _AGGREGATES[
        source["Statistic"].upper()
    ], lambda one: (one.namespace, one.name) == metric and one.dimensions == dimensions


def _queried(expression: str) -> tuple[Any, Any]:
    found = _QUERY.fullmatch(expression)
    if found is None:
        raise InvalidQuery(f"not a query of Metrics Insights that is known here: {expression}")
    keys = set(found["keys"].replace(",", " ").split())
    metric = (found["namespace"], found["metric"])
    tests = [_condition(text) for text in (found["where"] or "").split(" AND ") if text]

    def expected(one: Datum) -> bool:
        return (
            (one.namespace, one.name) == metric
            and set(one.dimensions) == keys
            and all((one.dimensions.get(key) == value) is same for key, same, value in tests)
        )

    return _AGGREGATES[found["function"]], expected


def _condition(text: str) -> tuple[str, bool, str]:
    found = _CONDITION.fullmatch(text.strip())
    if found is None:
        raise InvalidQuery(f"Metrics Insights knows =, != and AND, but not: {text}")
    return found[1], found[2] == "=", found[3]


def _in_utc(when: datetime) -> datetime:
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
