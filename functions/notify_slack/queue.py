"""Returns messages to the notify queue, each to be handed out again when it may be posted."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from notify_slack.rate_limiter import SECONDS_BETWEEN_POSTS
from notify_slack.webhook import LONGEST_WAIT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

type Record = Mapping[str, Any]

logger = Logger(child=True)


@dataclass(slots=True)
class NotifyQueue:
    """Needs sqs:ChangeMessageVisibility. No method raises what SQS says: a message whose visibility
    cannot be changed comes back all the same, when the queue's visibility timeout is over.
    """

    sqs: SQSClient
    url: str
    _next: float = 0.0
    """When the message that was returned last is due, in epoch seconds."""

    def return_in_order(self, records: Sequence[Record], wait: int) -> list[str]:
        """Have the records handed out again in their order; returns their ids.

        After `wait` seconds, a second apart, and behind those returned before: did all come back at
        once while Slack makes us wait, each would use up its attempts without one post. With a
        `wait` of 0 they come back when the queue's visibility timeout is over.
        """
        for record in records if wait else []:
            self._next = max(self._next + SECONDS_BETWEEN_POSTS, time.time() + wait)
            self.return_after(record, min(math.ceil(self._next - time.time()), LONGEST_WAIT))
        return [record["messageId"] for record in records]

    def return_after(self, record: Record, seconds: int) -> None:
        """Have one record handed out again after so many seconds."""
        try:
            self.sqs.change_message_visibility(
                QueueUrl=self.url,
                ReceiptHandle=record["receiptHandle"],
                VisibilityTimeout=seconds,
            )
        except (ClientError, BotoCoreError) as error:
            log = {"message_id": record["messageId"], "error": repr(error)}
            logger.warning("visibility not changed", extra=log)
