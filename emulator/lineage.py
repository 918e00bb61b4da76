"""Lambda's recursive loop detection: how often a function came up in one chain of messages.

Lambda writes the lineage of an invocation into its trace header; an SDK forwards the header with
each call, and SQS, SNS and S3 hand it on with what they carry. A function that came up 16 times is
not invoked a 17th time in that chain, unless its `RecursiveLoop` is Allow. What DynamoDB,
EventBridge or a schedule starts is a new chain. See "Use Lambda recursive loop detection to prevent
infinite loops" (Lambda developer guide); botocore's part is `add_recursion_detection_header`.

AWS does not document how the lineages of a batch are joined: here each function has the highest
count of any message, which stops soonest.
"""

import hashlib
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

from moto.sqs.models import Message, SQSBackend

MOST_RUNS = 16
VARIABLE = "_X_AMZN_TRACE_ID"  # from which botocore takes the header
ATTRIBUTE = "AWSTraceHeader"  # of a message in SQS
ERROR = "RecursiveInvocationException"

_served: ContextVar[str] = ContextVar("the trace header of the request that is served", default="")


class Recursive(Exception):
    """Lambda drops the invocation: the function came up too often in this chain."""


@contextmanager
def serving(environ: Mapping[str, Any]) -> Iterator[None]:
    """While a request is served, what it sends carries its trace header."""
    token = _served.set(unquote(environ.get("HTTP_X_AMZN_TRACE_ID", "")))
    try:
        yield
    finally:
        _served.reset(token)


def served() -> tuple[str, ...]:
    """The trace header of the request that is served now, if it has one."""
    return (_served.get(),) if _served.get() else ()


def header_of(message: Message) -> str:
    """The trace header that an SQS message carries; empty for none."""
    return str(message.system_attributes.get(ATTRIBUTE, {}).get("StringValue", ""))


def enter(function_arn: str, headers: Iterable[str], *, allowed: bool) -> str:
    """The trace header of an invocation that messages with these headers cause.

    Raises Recursive for one that Lambda drops.
    """
    headers = [one for one in headers if one]
    runs: dict[str, int] = {}
    for header in headers:
        for name, count in runs_of(header).items():
            runs[name] = max(runs.get(name, 0), count)
    name = hashlib.sha256(function_arn.encode()).hexdigest()[:8]
    runs[name] = runs.get(name, 0) + 1
    if runs[name] > MOST_RUNS and not allowed:
        raise Recursive(f"{function_arn} was invoked {MOST_RUNS} times in this chain of requests")
    root = next((_fields(one)["Root"] for one in headers if "Root" in _fields(one)), _new_root())
    lineage = ",".join(f"{name}:{count}" for name, count in runs.items())
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=1;Lineage={lineage}"


def runs_of(header: str) -> dict[str, int]:
    """How often each function came up, by a trace header; what cannot be read counts as nothing."""
    pairs = (one.rpartition(":") for one in _fields(header).get("Lineage", "").split(","))
    return {name: int(count) for name, _, count in pairs if name and count.isdecimal()}


def install() -> None:
    """Have moto's SQS keep the trace header of whoever sends, SNS included."""
    original = SQSBackend.send_message

    def send_message(self: SQSBackend, *args: Any, **settings: Any) -> Message:
        message = original(self, *args, **settings)
        if served() and ATTRIBUTE not in message.system_attributes:
            value = {"DataType": "String", "StringValue": _served.get()}
            message.system_attributes[ATTRIBUTE] = value
        return message

    SQSBackend.send_message = send_message


def _fields(header: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in header.split(";") if "=" in part)


def _new_root() -> str:
    return f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
