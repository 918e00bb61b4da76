"""Notify Slack: post each finding and alarm to an incoming webhook, once, at Slack's pace.

Changes nothing in AWS but when a message comes back: what Slack puts off or fails to answer returns
to the notify queue for as long as Slack asked, or for longer each time, and in the end to the
dead-letter queue. Waiting is the queue's work; the function waits only the second between posts.

Triggered by the notify queue: the findings topic's messages, raw.

A message is posted again only where nobody can know that it was posted: Slack's answer was lost, or
the function was stopped just after it. From its second attempt on, a message says so.

IAM: ssm:GetParameter (the webhook's SecureString; with a customer-managed key kms:Decrypt too),
sqs:ChangeMessageVisibility.
"""

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from guard.aws import client, seldom_client
from guard.parameters import Parameters, ParameterUnreadable
from guard.redact import log_line, sealed
from guard.settings import required
from guard.slack import payload
from guard.webhook import (
    LONGEST_WAIT,
    SECONDS_BETWEEN_POSTS,
    TIMEOUT_SECONDS,
    BadWebhook,
    Fate,
    Verdict,
    checked,
    judge,
    post,
)

WEBHOOK_SECONDS = 300
POST_MILLISECONDS = (TIMEOUT_SECONDS + SECONDS_BETWEEN_POSTS + 2) * 1000
REMEMBERED = 1000

WEBHOOK_PARAMETER = required(os.environ, "WEBHOOK_PARAMETER")
NOTIFY_QUEUE_URL = required(os.environ, "NOTIFY_QUEUE_URL")

config = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=5
)
sqs = seldom_client("sqs", config=config)
ssm = Parameters(client("ssm", config=config))
logger = Logger(json_serializer=log_line)
metrics = Metrics()


class Context(Protocol):
    """The part of Lambda's context that is used here."""

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(slots=True)
class Past:
    """What this execution environment remembers between invocations."""

    last_post: float = 0.0
    paused_until: float = 0.0
    next_slot: float = 0.0  # when the message that was handed back last is due
    posted: dict[str, None] = field(default_factory=dict[str, None])  # message ids, oldest first

    def remember(self, message_id: str) -> None:
        self.posted[message_id] = None
        if len(self.posted) > REMEMBERED:
            del self.posted[next(iter(self.posted))]


past = Past()


@sealed
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Post the batch in order; what was not posted goes back to the queue.

    Raises ParameterUnreadable or BadWebhook before anything is posted: then all of it goes back.
    """
    records: Sequence[Mapping[str, Any]] = event["Records"]
    try:
        url = webhook_url()
    except (ParameterUnreadable, BadWebhook):
        metrics.add_metric("MessagesRetried", MetricUnit.Count, len(records))
        raise
    failed = deliver(records, url, context)
    metrics.add_metric("MessagesPosted", MetricUnit.Count, len(records) - len(failed))
    metrics.add_metric("MessagesRetried", MetricUnit.Count, len(failed))
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}


def deliver(records: Sequence[Mapping[str, Any]], url: str, context: Context) -> list[str]:
    """Post the records in order; returns the ids of those that must come back."""
    failed: list[str] = []
    for place, record in enumerate(records):
        if record["messageId"] in past.posted:
            continue  # SQS handed it out once more
        if (pause := math.ceil(past.paused_until - time.time())) > 0:
            return failed + hand_back(records[place:], pause)
        if context.get_remaining_time_in_millis() < POST_MILLISECONDS:
            return failed + hand_back(records[place:], 1)
        verdict = attempt(record, url)
        if verdict.fate is Fate.POSTED:
            past.remember(record["messageId"])
            continue
        if verdict.fate is Fate.NO_WEBHOOK and (new := changed_url(url)):
            return failed + deliver(records[place:], new, context)
        if verdict.fate is Fate.PAUSE:
            past.paused_until = time.time() + verdict.wait
        if verdict.fate in (Fate.PAUSE, Fate.NO_WEBHOOK):
            return failed + hand_back(records[place:], verdict.wait)
        if verdict.wait:
            put_off(record, verdict.wait)
        failed.append(record["messageId"])
    return failed


def attempt(record: Mapping[str, Any], url: str) -> Verdict:
    """Try one message once. Never raises: what was posted before it must not be posted again."""
    number = int(record["attributes"]["ApproximateReceiveCount"])
    log = {"message_id": record["messageId"], "attempt": number}
    try:
        message = payload(record["body"], number)
        keep_pace()
        answer = post(url, message)
    except Exception:  # the message fails alone, is logged, and ends as a dead letter
        logger.exception("a message could not be posted", extra=log)
        return Verdict(Fate.REFUSED)
    verdict = judge(answer, number)
    log |= {"status": answer.status, "slack_says": answer.words, "wait": verdict.wait}
    if verdict.fate is Fate.POSTED:
        logger.info("posted", extra=log)
    elif verdict.fate in (Fate.RETRY, Fate.PAUSE):
        logger.warning("put off", extra=log)
    else:
        logger.error("refused", extra=log)
    return verdict


def keep_pace() -> None:
    """Wait until a second has passed since the last post of this execution environment."""
    wait = past.last_post + SECONDS_BETWEEN_POSTS - time.time()
    if 0 < wait <= SECONDS_BETWEEN_POSTS:
        time.sleep(wait)
    past.last_post = time.time()


def hand_back(records: Sequence[Mapping[str, Any]], wait: int) -> list[str]:
    """Have the queue hand the records out again in their order; returns their ids.

    After `wait` seconds, a second apart, and behind those handed back before: did all come back at
    once while Slack makes us wait, each would use up its attempts without one post. With a `wait`
    of 0 they come back when the queue's visibility timeout is over.
    """
    back = [record for record in records if record["messageId"] not in past.posted]
    for record in back if wait else []:
        past.next_slot = max(past.next_slot + SECONDS_BETWEEN_POSTS, time.time() + wait)
        put_off(record, min(math.ceil(past.next_slot - time.time()), LONGEST_WAIT))
    return [record["messageId"] for record in back]


def put_off(record: Mapping[str, Any], seconds: int) -> None:
    """Have the queue hand one record out again after so many seconds."""
    try:
        sqs.change_message_visibility(
            QueueUrl=NOTIFY_QUEUE_URL,
            ReceiptHandle=record["receiptHandle"],
            VisibilityTimeout=seconds,
        )
    except (ClientError, BotoCoreError) as error:
        # It still comes back, only at the queue's own time.
        log = {"message_id": record["messageId"], "error": repr(error)}
        logger.warning("visibility not changed", extra=log)


def webhook_url(*, afresh: bool = False) -> str:
    """The webhook's URL, five minutes old at most. Raises ParameterUnreadable, BadWebhook."""
    return checked(ssm.get(WEBHOOK_PARAMETER, max_age=0 if afresh else WEBHOOK_SECONDS))


def changed_url(old: str) -> str | None:
    """The parameter's URL, read anew because Slack refuses the old one; None if it is the same."""
    try:
        new = webhook_url(afresh=True)
    except (ParameterUnreadable, BadWebhook) as error:
        logger.error("the webhook cannot be read", extra={"error": str(error)})
        return None
    return new if new != old else None
