"""What both runtimes share: how a function is called, and what came of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from emulator.deploy import FunctionSpec


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a function gave. `error` is None for a run that returned."""

    result: Any = None
    error: str | None = None
    error_type: str | None = None
    trace: str = ""
    output: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of a function in the emulated account. `seconds` are real, `when` is virtual."""

    function: str
    event: dict[str, Any]
    result: Any
    error: str | None
    error_type: str | None
    trace: str
    output: Sequence[str] = field(repr=False)
    when: datetime
    seconds: float

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The JSON lines that the function wrote: log entries and metrics."""
        return [line for line in map(_json_line, self.output) if line is not None]

    @property
    def metrics(self) -> dict[str, float]:
        """The EMF metrics of this run, summed by name."""
        found: dict[str, float] = {}
        for line in self.logs:
            for group in line.get("_aws", {}).get("CloudWatchMetrics", []):
                for metric in group["Metrics"]:
                    values = line[metric["Name"]]
                    total = sum(values if isinstance(values, list) else [values])
                    found[metric["Name"]] = found.get(metric["Name"], 0) + total
        return found


def _json_line(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


class Runtime(Protocol):
    """Runs functions, one call at a time."""

    def invoke(self, function: FunctionSpec, event: Mapping[str, Any]) -> Outcome: ...

    def reset(self) -> None:
        """Forget every warm function: the next call of each is a cold start."""
        ...

    def close(self) -> None: ...


def lambda_environment(
    function: FunctionSpec, region: str, credentials: Mapping[str, str]
) -> dict[str, str]:
    """The variables that Lambda defines, and the function's own ("Defined runtime environment
    variables").
    """
    return {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "emulated",
        "_HANDLER": function.handler,
        "TZ": ":UTC",
        **function.environment,
    }
