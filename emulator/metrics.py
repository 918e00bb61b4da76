"""What the functions measured: the embedded metrics in the logs of their runs, as CloudWatch reads
them ("Specification: Embedded metric format", CloudWatch user guide).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from moto.core.utils import get_service_model

from emulator.text_rules import check


class MetricDropped(AssertionError):
    """A function wrote a metric that CloudWatch does not take: it would drop it without a word."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one run: its dimensions, and all values."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    values: tuple[float, ...]


def measured(lines: Iterable[str]) -> Iterator[Measured]:
    """Every metric in a log, whatever else is in it."""
    for line in lines:
        try:
            blob: Any = json.loads(line)
        except ValueError:
            continue
        if not isinstance(blob, dict) or "_aws" not in blob:
            continue
        for directive in blob["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = tuple((name, str(blob[name])) for name in names)
                for metric in directive["Metrics"]:
                    values = blob[metric["Name"]]
                    yield Measured(
                        directive["Namespace"],
                        metric["Name"],
                        dimensions,
                        metric.get("Unit", "None"),
                        tuple(values if isinstance(values, list) else [values]),
                    )


def require_accepted(lines: Iterable[str]) -> None:
    """Hold what a run wrote to CloudWatch's rules. Raises MetricDropped."""
    for line in lines:
        if '"_aws"' not in line:
            continue
        for namespace, metrics in groupby(measured([line]), lambda metric: metric.namespace):
            request = {"Namespace": namespace, "MetricData": [_datum(one) for one in metrics]}
            if refused := check("cloudwatch", _PUT.name, _PUT.input_shape, request, ours=True):
                raise MetricDropped(f"{refused.message} ({line})")


_PUT = get_service_model("cloudwatch").operation_model("PutMetricData")


def _datum(metric: Measured) -> dict[str, Any]:
    return {
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
        "Unit": metric.unit,
        "Values": list(metric.values),
    }
