"""The queue that invokes a function, to which it sends what it has to do later.

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

from guard.reconcile.batch import HOPS, INSTEAD_OF

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mypy_boto3_sqs import SQSClient

    from guard.reconcile.batch import Inbox, Message

MOST_HOPS = 200  # days of waiting, and far more than any work takes
LONGEST_DELAY = 900  # seconds; SQS delays a new message by no more
# A message that is kept back longer would set off the alarm on the age of the oldest one. Only one
# that must not be sent on is kept for as long as SQS allows.
LONGEST_STAY, LAST_STAY = 3_300, 42_000
MOST_RECEIVES = 3  # of the 5 that the queue gives a message; the others are for failures
EARLY_SECONDS = 5  # clocks differ

logger = Logger(child=True)


class ChainTooLong(RuntimeError):
    """The guard has sent a message on so often that something must be wrong: it goes no further."""


@dataclass(frozen=True, slots=True)
class OwnQueue:
    """Needs sqs:SendMessage and sqs:ChangeMessageVisibility.

    `most_hops` is MOST_HOPS, or less where Lambda's own brake holds.
    """

    sqs: SQSClient
    url: str
    most_hops: int = MOST_HOPS

    def goes_on(self, hops: int) -> bool:
        """Whether a message may follow from one with so many hops."""
        return hops < self.most_hops

    def send(self, envelope: Mapping[str, Any], hops: int, delay: float = 0) -> None:
        """Send a message that follows from one with so many hops, to be seen after `delay` seconds.

        Raises ChainTooLong: what caused it is to fail, so that it ends as a dead letter and an
        alarm. Raises ClientError or BotoCoreError as SQS does.
        """
        if not self.goes_on(hops):
            raise ChainTooLong(f"a chain of {hops} messages: this one is not sent on")
        self.sqs.send_message(
            QueueUrl=self.url,
            MessageBody=json.dumps({**envelope, HOPS: hops + 1}),
            DelaySeconds=math.ceil(min(max(delay, 0), LONGEST_DELAY)),
        )

    def ask(self, envelope: Mapping[str, Any], hops: int, delay: float = 0) -> None:
        """Send a request that the sweep would make, too: under Lambda's own brake it may be left to
        the next sweep. Raises as `send`.
        """
        if self.most_hops < MOST_HOPS and not self.goes_on(hops):
            logger.warning("left to the next sweep", extra={"hops": hops, "request": envelope})
        else:
            self.send(envelope, hops, delay)

    def wait(self, message: Message, due: float, now: datetime, inbox: Inbox) -> None:
        """Have a message that came early handed out again when it is due, or nearer to it."""
        last = not self.goes_on(message.hops)
        stay = LAST_STAY if last else LONGEST_STAY
        left = min(due, message.sent_at + stay) - now.timestamp()
        try:
            if last or (message.receives < MOST_RECEIVES and left > EARLY_SECONDS):
                self.sqs.change_message_visibility(
                    QueueUrl=self.url,
                    ReceiptHandle=message.receipt,
                    VisibilityTimeout=math.ceil(max(left, 0)),
                )
                inbox.waiting.add(message.id)
            else:
                copy = {**message.envelope, INSTEAD_OF: message.key}
                self.send(copy, message.hops, due - now.timestamp())
        except (ClientError, BotoCoreError) as error:
            inbox.fail([message], repr(error))
