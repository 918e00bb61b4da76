"""Metrics of a reaction: Powertools keeps one set for each function, whoever adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from guard.reconcile.request import Request


def measure(values: Mapping[str, float]) -> None:
    """Add to the metrics. A name says its unit: `...Seconds`, `Dollars...`, else a count."""
    metrics = Metrics()
    for name, value in values.items():
        unit = MetricUnit.Seconds if name.endswith("Seconds") else MetricUnit.Count
        unit = MetricUnit.NoUnit if name.startswith("Dollars") else unit
        metrics.add_metric(name, unit, value)


def since_event(request: Request, now: datetime) -> dict[str, float]:
    """The metric RepairSeconds: since the first call that led here; none for a sweep's request."""
    times = [one.at for one in request.triggers if one.is_event]
    return {"RepairSeconds": max(0.0, now.timestamp() - min(times))} if times else {}
