"""The batch of SQS messages a reaction was handed, and which of them must come back.

A message that cannot be read or whose work failed is named in the partial batch response, so SQS
hands it out again and, in the end, to the dead-letter queue. Nothing is dropped in silence.

See "Implementing partial batch responses" in the AWS Lambda developer guide.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from guard import alone
from guard.cloudtrail.record import UnreadableRecord, from_envelope

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

INSTEAD_OF = "vpce-guard-instead-of"
HOPS = "vpce-guard-hops"  # how many messages the guard has sent itself before this one, in a chain
BACKED_OFF = "vpce-guard-put-off"  # how often a copy replaced it because AWS throttled a call
NOT_BEFORE = "vpce-guard-not-before"  # when a copy is due, in versions before this one
DEEPEST = 60
"""Levels of a message: what logs and publishes it goes down each of them, and Python's own bound
is far from there."""
LARGEST = 2**53 - 1  # that floats, which times are, hold exactly
REPLAY = (
    "replay-name"  # in events that EventBridge plays again, and in those that find_missed sends
)


@dataclass(frozen=True, slots=True)
class Message:
    """One SQS message: its id, the EventBridge envelope in its body, and how often it came.

    `receives` is more than 1 for a message whose work was not finished: the function failed, was
    killed, or sent it back. `sent_at` is in epoch seconds.
    """

    id: str
    envelope: Mapping[str, Any]
    receives: int = 1
    receipt: str = ""
    sent_at: float = 0

    @property
    def key(self) -> str:
        """The same for a message and for a copy that replaces it (`requeue`)."""
        return str(self.envelope.get(INSTEAD_OF) or self.id)

    @property
    def redelivered(self) -> bool:
        """Whether an earlier attempt at this message may have changed AWS."""
        return self.receives > 1 or INSTEAD_OF in self.envelope

    @property
    def hops(self) -> int:
        return self.envelope.get(HOPS, 0)

    @property
    def backed_off(self) -> int:
        return self.envelope.get(BACKED_OFF, 0)

    @property
    def not_before(self) -> int:
        return self.envelope.get(NOT_BEFORE, 0)

    @property
    def replayed(self) -> bool:
        """Whether it comes from an archive or from find_missed, not as the event happened."""
        return REPLAY in self.envelope

    @property
    def detail(self) -> Mapping[str, Any]:
        return self.envelope["detail"]


def is_count(value: object) -> bool:
    """Whether a message may carry this as a number of times, or as epoch seconds."""
    return type(value) is int and 0 <= value <= LARGEST


class UnreadableMessage(ValueError):
    """A message body that is no EventBridge envelope: not JSON, or without a `detail` object."""


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _deeper_than(value: object, most: int) -> bool:
    """Whether a JSON value is nested deeper than so many levels: no record of AWS's is."""
    level = [value]
    for _ in range(most + 1):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def _read(record: Mapping[str, Any]) -> Message:
    try:
        envelope: object = json.loads(record["body"], parse_constant=_no_number)
    except (ValueError, RecursionError) as error:  # nested too deep, or a number too long
        raise UnreadableMessage(f"the body is not JSON that can be read: {error}") from error
    if _deeper_than(envelope, DEEPEST):
        raise UnreadableMessage(f"the body is nested more than {DEEPEST} levels deep")
    if not isinstance(envelope, dict):
        raise UnreadableMessage("the body is not a JSON object")
    envelope = cast(dict[str, Any], envelope)
    if not isinstance(envelope.get("detail"), dict):
        raise UnreadableMessage(
            "the body is not an EventBridge envelope: it has no `detail` object"
        )
    for name in (HOPS, BACKED_OFF, NOT_BEFORE):
        if not is_count(envelope.get(name, 0)):
            raise UnreadableMessage(f"{name} is not a whole number from 0 to {LARGEST}")
    if not isinstance(envelope.get(INSTEAD_OF, ""), str):
        raise UnreadableMessage(f"{INSTEAD_OF} is no text")
    attributes = cast(Mapping[str, str], record.get("attributes", {}))
    return Message(
        record["messageId"],
        envelope,
        int(attributes.get("ApproximateReceiveCount", "1")),
        str(record.get("receiptHandle", "")),
        int(attributes.get("SentTimestamp", "0")) / 1000,
    )


@dataclass(slots=True)
class Batch:
    """The readable messages of an invocation, and which of them go back to the queue.

    `failures` has the reason for each of those, by message id. `replaced` are the ids of messages
    that a copy replaces, and `waiting` of those that are not due, which the queue keeps.
    """

    messages: list[Message]
    failures: dict[str, str] = field(default_factory=dict[str, str])
    replaced: set[str] = field(default_factory=set[str])
    waiting: set[str] = field(default_factory=set[str])

    @classmethod
    def open(cls, event: Mapping[str, Any]) -> "Batch":
        """Read Lambda's SQS event; a body that cannot be read is a failure from the start."""
        failures: dict[str, str] = {}
        messages = alone.each(
            event["Records"],
            _read,
            lambda record, error: failures.update({record["messageId"]: str(error)}),
        )
        return cls(messages, failures)

    def fail(self, messages: Iterable[Message], why: str) -> None:
        """These messages' work was not done: they go back to the queue.

        Not one that a copy replaces: the copy reconciles all that the message names.
        """
        for message in messages:
            if message.id not in self.replaced:
                self.failures[message.id] = why

    def log_failures(self, logger: "Logger") -> None:
        """One error line per message that goes back: dead letters are understood by it."""
        for id_, why in self.failures.items():
            logger.error("message goes back to the queue", extra={"message_id": id_, "why": why})

    def response(self) -> dict[str, list[dict[str, str]]]:
        """Lambda's partial batch response."""
        back = self.failures.keys() | self.waiting
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in sorted(back)]}


def since_event(messages: Iterable[Message], now: datetime) -> float | None:
    """Seconds since the first call that these messages are about; None where a sweep or the guard
    itself asked, so that no call is known.
    """
    times: list[datetime] = []
    for message in messages:
        try:
            times.append(from_envelope(message.envelope).event_time)
        except UnreadableRecord:
            continue
    return max(0.0, (now - min(times)).total_seconds()) if times else None
