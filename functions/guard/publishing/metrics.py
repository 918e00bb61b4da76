"""Figures for the dashboard that Powertools' one set of dimensions per run does not hold.

A line of JSON in the log is all that CloudWatch needs ("Specification: Embedded metric format",
CloudWatch user guide).
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from guard.findings.finding import Kind

NAMESPACE = "VPCEGuard"  # POWERTOOLS_METRICS_NAMESPACE of the template


def alerts(kinds: Iterable[Kind], now: datetime) -> None:
    """Count alerts by their kind: one line for each kind, none where there is no alert."""
    for kind, times in Counter(kinds).items():
        line = {
            "_aws": {
                "Timestamp": int(now.timestamp() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [["kind"]],
                        "Metrics": [{"Name": "Alerts", "Unit": "Count"}],
                    }
                ],
            },
            "kind": kind.value,
            "Alerts": times,
        }
        sys.stdout.write(json.dumps(line) + "\n")
