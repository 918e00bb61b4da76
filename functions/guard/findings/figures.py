"""Figures for the dashboard that Powertools' one set of dimensions per run does not hold.

A line of JSON in the log is all that CloudWatch needs ("Specification: Embedded metric format",
CloudWatch user guide).
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from guard.events.inbox import Message
from guard.events.record import UnreadableRecord, from_envelope
from guard.finding import Kind

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


def since_event(messages: Iterable[Message], now: datetime) -> float | None:
    """Seconds since the first call that these messages tell of; None where a sweep or a later look
    asked, so that no call is known.
    """
    times: list[datetime] = []
    for message in messages:
        try:
            times.append(from_envelope(message.envelope).event_time)
        except UnreadableRecord:
            continue
    return max(0.0, (now - min(times)).total_seconds()) if times else None
