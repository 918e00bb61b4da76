"""Posts the messages of a batch in their order, and returns what was not posted to the queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from aws_lambda_powertools import Logger

from notify_slack.payload import payload
from notify_slack.rate_limiter import LONGEST_WAIT
from notify_slack.webhook import TIMEOUT_SECONDS, WORDS, Answer, Fate, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from notify_slack.address import Address
    from notify_slack.queue import NotifyQueue
    from notify_slack.rate_limiter import RateLimiter

POST_MILLISECONDS = (TIMEOUT_SECONDS + LONGEST_WAIT + 2) * 1000
REMEMBERED = 1000

type Record = Mapping[str, Any]
type Send = Callable[[str, Mapping[str, Any], str, int], tuple[Verdict, Answer]]

logger = Logger(child=True)


class Context(Protocol):
    """The part of Lambda's context that is used here."""

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(slots=True)
class Delivery:
    """`send` takes a message's body, its form for Slack, the address and the number of the attempt.

    `_posted` are the ids of what this execution environment posted, oldest first.
    """

    address: Address
    limiter: RateLimiter
    queue: NotifyQueue
    send: Send
    _posted: dict[str, None] = field(default_factory=dict[str, None])

    def deliver(self, records: Sequence[Record], url: str, context: Context) -> list[str]:
        """Post the records in order; returns the ids of those that must come back."""
        failed: list[str] = []
        for place, record in enumerate(records):
            if record["messageId"] in self._posted:
                continue  # SQS handed it out once more
            if (wait := self._seconds_to_wait(context)) > 0:
                return failed + self._return(records[place:], wait)
            verdict = self._attempt(record, url)
            if verdict.fate is Fate.POSTED:
                self._remember(record["messageId"])
                continue
            if verdict.fate is Fate.NO_WEBHOOK and (new := self.address.changed(url)):
                return failed + self.deliver(records[place:], new, context)
            if verdict.fate is Fate.PAUSE:
                self.limiter.pause(verdict.wait)
            if verdict.fate in (Fate.PAUSE, Fate.NO_WEBHOOK):
                return failed + self._return(records[place:], verdict.wait)
            if verdict.wait:
                self.queue.return_after(record, verdict.wait)
            failed.append(record["messageId"])
        return failed

    def _seconds_to_wait(self, context: Context) -> int:
        """After how many seconds to try again what cannot be posted now; 0 if it can."""
        no_time = context.get_remaining_time_in_millis() < POST_MILLISECONDS
        return self.limiter.pause_left() or (1 if no_time else self.limiter.seconds_to_wait())

    def _return(self, records: Sequence[Record], wait: int) -> list[str]:
        back = [record for record in records if record["messageId"] not in self._posted]
        return self.queue.return_in_order(back, wait)

    def _remember(self, message_id: str) -> None:
        self._posted[message_id] = None
        if len(self._posted) > REMEMBERED:
            del self._posted[next(iter(self._posted))]

    def _attempt(self, record: Record, url: str) -> Verdict:
        """Try one message once. Never raises: what was posted before it must not be posted again.

        What cannot be posted at all fails alone, is logged, and ends as a dead letter.
        """
        number = int(record["attributes"]["ApproximateReceiveCount"])
        log = {"message_id": record["messageId"], "attempt": number}
        try:
            message = payload(record["body"], number)
            verdict, answer = self.send(record["body"], message, url, number)
        except Exception:
            logger.exception("a message could not be posted", extra=log)
            return Verdict(Fate.REFUSED)
        words = answer.words[:WORDS]
        log |= {"status": answer.status, "slack_says": words, "wait": verdict.wait}
        if verdict.fate is Fate.POSTED:
            logger.info("posted", extra=log)
        elif verdict.fate in (Fate.RETRY, Fate.PAUSE):
            logger.warning("returned to the queue", extra=log)
        else:
            logger.error("refused", extra=log)
        return verdict
