"""What it costs to judge requests: measured on the embedded cloud, priced by `prices.json`.

Two batches of bypasses go through detect_bypass as it is deployed there, one of a single record and
one of as many as the template lets a batch hold. What each took (calls, bytes of log, time) gives
the cost of a batch and that of a record in it.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

from emulator import Cloud
from emulator.deploy import FunctionSpec, QueueMapping
from emulator.metrics import measured
from emulator.runtime import Outcome
from emulator.runtime_inprocess import InProcess

EVENTS = Path(__file__).parents[1] / "events"
SAMPLE = EVENTS / "bypass.get-secret-value-by-name-over-internet.json"
FUNCTION = "DetectBypassFunction"
CALLERS = 10  # distinct callers and secrets among the records of a full batch
FULL_CPU = 1769  # MB at which a function has one whole processor ("Configure memory", Lambda)
SCHEDULES = {"HeartbeatRule": 1.0, "DigestRule": 1.0, "ScheduleRule": 1 / 6}  # runs an hour
RECORDS_A_RECEIVE = 10  # the most messages that one ReceiveMessage or DeleteMessageBatch takes


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch took. `seconds` of processor, with the embedded cloud's to answer."""

    records: int
    calls: Counter[str]
    log_bytes: int
    seconds: float
    memory: int

    def usd(self, prices: dict[str, float]) -> float:
        """Everything but the messages themselves."""
        seconds = self.seconds * max(1.0, FULL_CPU / self.memory)
        writes = self.calls["dynamodb:UpdateItem"] + self.calls["dynamodb:PutItem"]
        publishes = self.calls["sns:PublishBatch"] + self.calls["sns:Publish"]
        return (
            prices["lambda_million_requests"] / 1e6
            + seconds * self.memory / 1024 * prices["lambda_gb_second"]
            + writes * prices["dynamodb_million_writes"] / 1e6
            + self.calls["dynamodb:GetItem"] * prices["dynamodb_million_reads"] / 1e6
            + publishes * RECORDS_A_RECEIVE * prices["sns_million_publishes"] / 1e6
            + self.log_bytes / 1e9 * prices["logs_gb"]
            + prices["xray_million_traces"] * XRAY_SHARE / 1e6
        )


XRAY_SHARE = 0.05  # of requests beyond the first of each second (X-Ray's default sampling rule)


def measure() -> tuple[Batch, Batch, QueueMapping]:
    """A batch of one, a full batch, and the template's settings of the queue."""
    with Cloud.start(parameters={"Mode": "observe", "SlackWebhookParameter": ""}) as cloud:
        cloud.settle()
        (mapping,) = (
            one
            for one in cloud.deployment.mappings
            if cloud.deployment.logical(one.function) == FUNCTION
        )
        records = bypasses()
        run(cloud, records, 1)  # the first run is a cold start, and of another price
        one = run(cloud, records, 1)
        full = run(cloud, records, mapping.batch_size)
    return one, full, mapping


def when_idle() -> tuple[dict[tuple[str, str], float], float]:
    """The metrics sent when nothing happens, by name and function: in what share of all hours. And
    how many calls of SQS the scheduled functions make in an hour, beside the polls.
    """
    shares: dict[tuple[str, str], float] = {}
    asked = 0.0
    with Cloud.start(parameters={"SlackWebhookParameter": ""}) as cloud:
        cloud.settle()
        for rule, share in SCHEDULES.items():
            runs, calls = len(cloud.invocations), len(cloud.calls)
            cloud.fire_schedule(rule)
            cloud.settle()
            of_functions = (one for one in cloud.calls[calls:] if one.function)
            asked += share * sum(one.service == "sqs" for one in of_functions)
            for invoked in cloud.invocations[runs:]:
                for one in measured(invoked.output):
                    key = (one.name, dict(one.dimensions).get("service", ""))
                    shares[key] = max(share, shares.get(key, 0.0))
    return shares, asked


def run(
    cloud: Cloud, records: Iterator[dict[str, Any]], count: int, function: str = FUNCTION
) -> Batch:
    """Send so many records at once, and let the account come to rest: what one function took."""
    calls, runs = len(cloud.calls), len(cloud.invocations)
    seconds = 0.0
    invoke = InProcess.invoke

    def timed(self: InProcess, spec: FunctionSpec, event: Mapping[str, Any]) -> Outcome:
        nonlocal seconds
        began = time.process_time()
        outcome = invoke(self, spec, event)
        seconds += (time.process_time() - began) * (spec.logical_id == function)
        return outcome

    with patch.object(InProcess, "invoke", timed):
        cloud.inject(*islice(records, count))
        cloud.settle()
    made = [one for one in cloud.invocations[runs:] if one.function == function]
    return Batch(
        records=count,
        calls=Counter(
            f"{one.service}:{one.action}" for one in cloud.calls[calls:] if one.function == function
        ),
        log_bytes=sum(len(line) + 26 for run in made for line in run.output),
        seconds=seconds,
        memory=cloud.deployment.functions[function].memory,
    )


def bypasses() -> Iterator[dict[str, Any]]:
    """Requests over the public way without end, of some callers, one after the other."""
    number = 0
    while True:
        envelope = json.loads(SAMPLE.read_text())
        caller = number % CALLERS
        envelope["id"] = f"{number:08d}-0000-4000-8000-000000000000"
        envelope["detail"]["eventID"] = f"{number:08d}-0000-4000-8000-000000000001"
        envelope["detail"]["sourceIPAddress"] = f"198.51.100.{caller}"
        envelope["detail"]["requestParameters"] = {"secretId": f"prod/orders-{caller}"}
        number += 1
        yield envelope


def per_million(one: Batch, full: Batch, in_a_batch: float, prices: dict[str, float]) -> float:
    """US dollars for a million records that come so many to a batch."""
    first, all_ = one.usd(prices), full.usd(prices)
    each = (all_ - first) / (full.records - one.records)
    batch = first - each
    requests = 1 + 2 / min(in_a_batch, RECORDS_A_RECEIVE)  # sent; received and deleted in tens
    message = requests * prices["sqs_million_requests"] / 1e6
    return 1e6 * (message + each + batch / in_a_batch)


def records_a_batch(rate: float, mapping: QueueMapping) -> float:
    """How many records come together: what the window collects, at least one, at most a batch."""
    return min(max(1.0, rate * mapping.window), float(mapping.batch_size))
