"""What the functions measured: the embedded metrics in the logs of their runs, as CloudWatch reads
them ("Specification: Embedded metric format", CloudWatch user guide).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


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
