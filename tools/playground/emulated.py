"""Runs ministack, in its own environment, with two things that CloudFormation does and it does not.

It refuses an alarm on a query, and it hands on as text a number that is a parameter. The file
imports nothing of this repository: ministack's environment has nothing of it.
"""

import sys
from typing import Any

from ministack import app  # pyright: ignore[reportMissingImports]
from ministack.services.cloudformation import (  # pyright: ignore[reportMissingImports]
    provisioners,
)

_record = provisioners._cw_metric_alarm_record  # noqa: SLF001 - it has no public way
_mapping = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]  # noqa: SLF001
_create = _mapping["create"]


def record(name: str, properties: dict[str, Any]) -> Any:
    """An alarm on a query is there, and never rings."""
    if "Metrics" in properties:
        known = {"Namespace": "none", "MetricName": "none"}
        properties = {key: value for key, value in properties.items() if key != "Metrics"} | known
    return _record(name, properties)


def create(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    """A mapping whose concurrency is a number."""
    scaling = {key: int(value) for key, value in properties.get("ScalingConfig", {}).items()}
    return _create(logical_id, properties | ({"ScalingConfig": scaling} if scaling else {}), stack)


provisioners._cw_metric_alarm_record = record  # noqa: SLF001
_mapping["create"] = create

if __name__ == "__main__":
    sys.exit(app.main())
