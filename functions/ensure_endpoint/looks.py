"""Looks that the guard asks itself for, through its own queue: later, again, in turn."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from ensure_endpoint.findings import About
from ensure_endpoint.later import Later
from ensure_endpoint.requests import Work
from guard.aws.errors import throttled
from guard.reconcile import pace
from guard.reconcile.batch import Batch, Message
from guard.reconcile.messages import request
from guard.reconcile.pace import NotNow, Pace
from guard.reconcile.requeue import MOST_HOPS, ChainTooLong, Requeue
from guard.settings import Settings
from guard.table.memory import Memory
from guard.table.state import StateError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

FOLLOW_UPS = 10
FOLLOW_UP_SECONDS = 60

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Looks:
    """Sends to the VPC queue; see `Requeue` for what that needs, and for `most_hops`."""

    sqs: "SQSClient"
    queue_url: str
    settings: Settings
    memory: Memory
    most_hops: int = MOST_HOPS

    @property
    def queue(self) -> Requeue:
        return Requeue(self.sqs, self.queue_url, self.most_hops)

    def ask(self, later: Later, work: Work, now: datetime) -> None:
        """Send a look to come, which follows from this work. Raises as `Requeue.send`.

        One that carries changes begun is not left to a sweep, which would not publish them.
        """
        body = request(self.settings, now, later.to_detail())
        send = self.queue.send if later.intents else self.queue.ask
        send(body, work.hops, later.delay(now.timestamp()))

    def again(self, work: Work, about: About, **known: Any) -> None:
        """Ask for another look at an unfinished change, in a minute, that knows this besides."""
        if work.attempt >= FOLLOW_UPS:
            logger.warning("not looked at again", extra={"vpc_id": work.vpc_id})
            return
        when = int(about.now.timestamp()) + FOLLOW_UP_SECONDS
        changes: dict[str, Any] = {"attempt": work.attempt + 1, "not_before": when, **known}
        self.ask(work.later("follow-up", about, **changes), work, about.now)

    def in_turn(self, work: Work, about: About, line: Pace, inbox: Batch, error: Exception) -> None:
        """Put off what was refused for pace, a write to its turn; anything else goes back."""
        if throttled(error) and not work.begun:
            # No write of an endpoint, so no turn. A look of the guard's own would not know when the
            # VPC was built on, nor what somebody could not delete: the messages do.
            for message in work.messages:
                self.put_off(message, inbox, error)
            return
        times = work.throttled + throttled(error)
        if (isinstance(error, NotNow) or throttled(error)) and times <= pace.MOST_TIMES:
            try:
                turn = line.turn()
                changes: dict[str, Any] = {"throttled": times, "not_before": turn}
                carried = (*work.intents, *work.begun)
                self.memory.note(work.vpc_id, about.now, slot_at=turn)
                reason = "EC2 has capacity again"
                later = work.later(reason, about, intents=carried, **changes)
                body = request(self.settings, about.now, later.to_detail())
                # Not left to a sweep: the turn in the line is taken.
                self.queue.send(body, work.hops, later.delay(about.now.timestamp()))
            except (ClientError, BotoCoreError, StateError, ChainTooLong) as second:
                error = second
            else:
                logger.info("put off", extra={"vpc_id": work.vpc_id, **changes})
                return
        inbox.fail(work.messages, repr(error))

    def put_off(self, message: Message, inbox: Batch, error: Exception) -> None:
        """Send a message again, later, that AWS refused for pace before anything was changed.

        Once, of however many VPCs it is: all of them are looked at then.
        """
        if message.id in inbox.replaced or message.id in inbox.failures:
            return
        if throttled(error) and message.backed_off < pace.MOST_TIMES:
            body, delay = pace.put_off(message)
            try:
                self.queue.send(body, message.hops, delay)
            except (ClientError, BotoCoreError, ChainTooLong) as second:
                error = second
            else:
                inbox.replaced.add(message.id)
                return
        inbox.fail([message], repr(error))
