"""The queue that invokes a function, to which it sends requests for later.

Such messages are a chain, and a chain needs brakes. Lambda stops a function that comes up 16 times
in one ("Use Lambda recursive loop detection to prevent infinite loops", Lambda developer guide).
The template allows it more where Lambda takes that setting; the brake is then the number of hops
that each message carries. A wait is no hop: SQS keeps the message.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.errors import throttled
from guard.aws.queues import send_all
from guard.reconcile.batch import BACKED_OFF, HOPS, INSTEAD_OF
from guard.reconcile.messages import to_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_sqs import SQSClient

    from guard.reconcile.batch import Batch, Message
    from guard.reconcile.request import Request

MOST_HOPS = 200  # days of waiting, and far more than any change takes
MOST_THROTTLES = 30  # not even the longest line at EC2 takes so many: something else is wrong then
FIRST_BACK_OFF = 20  # seconds, which double up to LONGEST_DELAY
LONGEST_DELAY = 900  # seconds; SQS delays a new message by no more
# A message that is kept back longer would set off the alarm on the age of the oldest one. Only one
# that must not be sent on is kept for as long as SQS allows.
LONGEST_STAY, LAST_STAY = 3_300, 42_000
MOST_RECEIVES = 3  # of the 5 that the queue gives a message; the others are for failures
EARLY_SECONDS = 5  # clocks differ

logger = Logger(child=True)


class ChainTooLong(RuntimeError):
    """A chain of messages has reached its bound: something must be wrong, and it goes no further.

    The message that caused it is to fail, so that it ends as a dead letter and an alarm.
    """


def back_off(throttles: int) -> int:
    """Seconds to wait after so many throttled attempts: 20, doubling, at most 900."""
    return min(FIRST_BACK_OFF * 2 ** (throttles - 1), LONGEST_DELAY)


@dataclass(frozen=True, slots=True)
class Requeue:
    """Needs sqs:SendMessage, and sqs:ChangeMessageVisibility for `wait`.

    Sending raises ChainTooLong, and ClientError or BotoCoreError as SQS does. `most_hops` is
    MOST_HOPS, or less where Lambda's own brake holds.
    """

    sqs: SQSClient
    url: str
    most_hops: int = MOST_HOPS

    def allows(self, hops: int) -> bool:
        """Whether a message may follow from one with so many hops."""
        return hops < self.most_hops

    def send(self, envelope: Mapping[str, Any], hops: int, delay: float = 0) -> None:
        """Send a message that follows from one with so many hops, to be seen after `delay` seconds.

        Of a longer delay SQS takes the first 15 minutes; `wait` does the rest.
        """
        if not self.allows(hops):
            raise ChainTooLong(f"a chain of {hops} messages: this one is not sent on")
        self.sqs.send_message(
            QueueUrl=self.url,
            MessageBody=json.dumps({**envelope, HOPS: hops + 1}),
            DelaySeconds=math.ceil(min(max(delay, 0), LONGEST_DELAY)),
        )

    def ask(self, envelope: Mapping[str, Any], hops: int, delay: float = 0) -> None:
        """Send a request that the sweep would make, too: under Lambda's own brake it may be left to
        the next sweep.
        """
        if self.most_hops < MOST_HOPS and not self.allows(hops):
            logger.warning("left to the next sweep", extra={"hops": hops, "request": envelope})
        else:
            self.send(envelope, hops, delay)

    def requeue(self, request: Request, now: datetime, *, must: bool = False) -> None:
        """Send the request, to be seen when it is due.

        `must`: it may not be left to a sweep. One with outbox entries never is, as a sweep would
        not publish them.
        """
        send = self.send if must or request.entries else self.ask
        send(to_message(request, now), request.hops, request.not_before - now.timestamp())

    def fan_out(
        self, requests: Iterable[Request], now: datetime, *, hops: int = -1, delay: float = 0
    ) -> None:
        """Send many requests, ten in a call, to be seen after `delay` seconds.

        `hops` are those of the message from which they follow; none for a schedule. At the end of a
        chain they are left to the next sweep. Raises NotSent, ClientError or BotoCoreError.
        """
        if not self.allows(hops):
            logger.warning("left to the next sweep", extra={"hops": hops})
            return
        chain = {HOPS: hops + 1} if hops >= 0 else {}
        bodies = (json.dumps({**to_message(one, now), **chain}) for one in requests)
        send_all(self.sqs, self.url, bodies, math.ceil(min(max(delay, 0), LONGEST_DELAY)))

    def wait(self, message: Message, due: float, now: datetime, batch: Batch) -> None:
        """Have a message that came early handed out again when it is due, or nearer to it."""
        last = not self.allows(message.hops)
        stay = LAST_STAY if last else LONGEST_STAY
        left = min(due, message.sent_at + stay) - now.timestamp()
        try:
            if last or (message.receives < MOST_RECEIVES and left > EARLY_SECONDS):
                self.sqs.change_message_visibility(
                    QueueUrl=self.url,
                    ReceiptHandle=message.receipt,
                    VisibilityTimeout=math.ceil(max(left, 0)),
                )
                batch.waiting.add(message.id)
            else:
                copy = {**message.envelope, INSTEAD_OF: message.key}
                self.send(copy, message.hops, due - now.timestamp())
        except (ClientError, BotoCoreError) as error:
            batch.fail([message], repr(error))

    def back_off(self, messages: Sequence[Message], batch: Batch, error: Exception) -> None:
        """Replace messages by copies for later, because AWS throttled a call before any change.

        A message of several resources is replaced once, and its copy reconciles all of them. What
        cannot be replaced goes back to the queue.
        """
        for message in messages:
            if message.id in batch.replaced or message.id in batch.failures:
                continue
            times = message.backed_off + 1
            if not throttled(error) or times > MOST_THROTTLES:
                batch.fail([message], repr(error))
                continue
            copy = {**message.envelope, BACKED_OFF: times, INSTEAD_OF: message.key}
            try:
                self.send(copy, message.hops, back_off(times))
            except (ClientError, BotoCoreError, ChainTooLong) as second:
                batch.fail([message], repr(second))
            else:
                batch.replaced.add(message.id)
