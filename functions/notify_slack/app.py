"""Notify Slack: show each finding and alarm there, once, at Slack's pace.

By an incoming webhook each is a message. By a bot token a follow-up brings the message of its alert
up to date, and a change that comes again goes into its thread.

Changes nothing in AWS but when a message comes back: what Slack puts off or fails to answer returns
to the notify queue for as long as Slack asked, or for longer each time, and in the end to the
dead-letter queue. Waiting is the queue's work; the function waits only for its turn between posts,
which all its copies take from one line in the state table.

Triggered by the notify queue: the findings topic's messages, raw.

A message is posted again only where nobody can know that it was posted: Slack's answer was lost, or
the function was stopped just after it. From its second attempt on, a message says so.

IAM: ssm:GetParameter (the SecureString of the webhook or the token; with a customer-managed key
kms:Decrypt too), sqs:ChangeMessageVisibility, dynamodb:UpdateItem, dynamodb:GetItem.
"""

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.clients import client, seldom_client
from guard.aws.parameters import Parameters, ParameterUnreadable
from guard.findings.finding import SCHEMA
from guard.redact import log_line, sealed
from guard.table.state import State, StateError
from guard.variables import required
from notify_slack.payload import payload
from notify_slack.webhook import (
    LONGEST_WAIT,
    SECONDS_BETWEEN_POSTS,
    TIMEOUT_SECONDS,
    WORDS,
    Answer,
    BadWebhook,
    Fate,
    Verdict,
    api_of,
    checked,
    checked_token,
    is_token,
    judge,
    post,
)

if TYPE_CHECKING:
    from notify_slack.bot import Threads

WEBHOOK_SECONDS = 300
LONGEST_TURN = 3.0  # seconds to wait for a turn; what would wait longer goes back to the queue
POST_MILLISECONDS = (TIMEOUT_SECONDS + LONGEST_TURN + 2) * 1000
REMEMBERED = 1000
LINE = "slack"

# The SecureString holds a bot's token, which needs a channel to post to, or a webhook's URL.
WEBHOOK_PARAMETER = required(os.environ, "WEBHOOK_PARAMETER")
CHANNEL = os.environ.get("SLACK_CHANNEL", "")
SLACK_API = required(os.environ, "SLACK_API", api_of(required(os.environ, "PARTITION")))
NOTIFY_QUEUE_URL = required(os.environ, "NOTIFY_QUEUE_URL")

config = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=5
)
sqs = seldom_client("sqs", config=config)
dynamodb = seldom_client("dynamodb", config=config)
state = State(dynamodb, required(os.environ, "TABLE_NAME"))
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
    turn: float = 0.0  # when the next post may be made, taken from the line and not used yet
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
        if (wait := must_wait(context)) > 0:
            return failed + hand_back(records[place:], wait)
        verdict = attempt(record, url)
        if verdict.fate is Fate.POSTED:
            past.remember(record["messageId"])
            continue
        if verdict.fate is Fate.NO_WEBHOOK and (new := changed_url(url)):
            return failed + deliver(records[place:], new, context)
        if verdict.fate is Fate.PAUSE:
            past.paused_until = time.time() + verdict.wait
            stop_line(past.paused_until)
        if verdict.fate in (Fate.PAUSE, Fate.NO_WEBHOOK):
            return failed + hand_back(records[place:], verdict.wait)
        if verdict.wait:
            put_off(record, verdict.wait)
        failed.append(record["messageId"])
    return failed


def must_wait(context: Context) -> int:
    """After how many seconds to try again what cannot be posted now; 0 if it can."""
    if (pause := math.ceil(past.paused_until - time.time())) > 0:
        return pause
    if context.get_remaining_time_in_millis() < POST_MILLISECONDS:
        return 1
    return math.ceil(far) if (far := take_turn()) > LONGEST_TURN else 0


def attempt(record: Mapping[str, Any], url: str) -> Verdict:
    """Try one message once. Never raises: what was posted before it must not be posted again."""
    number = int(record["attributes"]["ApproximateReceiveCount"])
    log = {"message_id": record["messageId"], "attempt": number}
    try:
        message = payload(record["body"], number)
        verdict, answer = (show if is_token(url) else send)(record["body"], message, url, number)
    except Exception:  # the message fails alone, is logged, and ends as a dead letter
        logger.exception("a message could not be posted", extra=log)
        return Verdict(Fate.REFUSED)
    said = answer.words[:WORDS]
    log |= {"status": answer.status, "slack_says": said, "wait": verdict.wait}
    if verdict.fate is Fate.POSTED:
        logger.info("posted", extra=log)
    elif verdict.fate in (Fate.RETRY, Fate.PAUSE):
        logger.warning("put off", extra=log)
    else:
        logger.error("refused", extra=log)
    return verdict


def send(_body: str, message: Mapping[str, Any], url: str, number: int) -> tuple[Verdict, Answer]:
    """By the webhook: a message for each."""
    keep_pace()
    answer = post(url, message)
    return judge(answer, number), answer


@cache
def threads() -> "Threads":
    """The bot's messages so far. A webhook has no use for it, and is what most stacks have."""
    from notify_slack.bot import Threads

    return Threads(dynamodb, state.table, CHANNEL)


def show(body: str, message: Mapping[str, Any], token: str, number: int) -> tuple[Verdict, Answer]:
    """By the bot: a new message, an old one brought up to date, or one in its thread."""
    from notify_slack import bot

    now = datetime.now(UTC)
    finding = finding_in(body)
    posted = threads().find(finding["fingerprint"], now) if finding else None
    step = bot.step(finding, posted, now)
    if step is None:
        return Verdict(Fate.POSTED), Answer(0, "shown already")
    keep_pace()
    about = {**message, "channel": CHANNEL, **step.more}
    answer = post(f"{SLACK_API}{step.method}", about, token)
    try:
        verdict = bot.judge(answer, number)
    except bot.Forgotten:  # somebody deleted it: the next try posts anew
        threads().forget(cast(dict[str, Any], finding)["fingerprint"])
        return Verdict(Fate.RETRY, 1), answer
    if verdict.fate is Fate.POSTED and finding:
        in_thread = posted is not None and "thread_ts" in step.more
        note_thread(finding, posted.ts if posted and in_thread else bot.ts_of(answer), now)
    return verdict, answer


def note_thread(finding: Mapping[str, Any], ts: str, now: datetime) -> None:
    """Remember where the finding is shown. Never raises: it is, so it must not be shown again."""
    try:
        threads().note(finding, ts, now)
    except (ClientError, BotoCoreError) as error:
        logger.warning("a follow-up will be a new message", extra={"error": repr(error)})


def finding_in(body: str) -> dict[str, Any] | None:
    """The finding that a message of the queue holds; None for an alarm or anything else."""
    try:
        found: object = json.loads(body)
    except ValueError:
        return None
    finding = cast(dict[str, Any], found) if isinstance(found, dict) else {}
    return finding if finding.get("schema") == SCHEMA else None


def take_turn() -> float:
    """Take this environment's turn in the line of all; returns how many seconds it is away.

    A turn that was taken and not used stays good: see `keep_pace`.
    """
    if past.turn < time.time() - SECONDS_BETWEEN_POSTS:
        try:
            gap = int(SECONDS_BETWEEN_POSTS * 1000)
            idle = past.last_post < time.time() - SECONDS_BETWEEN_POSTS
            next_free = state.next_slot(LINE, gap, datetime.now(UTC), idle=idle) / 1000
            past.turn = next_free - SECONDS_BETWEEN_POSTS
        except (ClientError, BotoCoreError, StateError) as error:
            # Slack itself still says when it is too fast.
            logger.warning("no turn from the table", extra={"error": repr(error)})
            past.turn = time.time()
    return past.turn - time.time()


def stop_line(until: float) -> None:
    """Slack makes us wait: have every copy of this function wait as long."""
    try:
        state.close_line(LINE, datetime.fromtimestamp(until, UTC))
    except (ClientError, BotoCoreError) as error:
        logger.warning("the others do not know of the pause", extra={"error": repr(error)})


def keep_pace() -> None:
    """Wait for the turn, and for a second to have passed since this environment's last post."""
    wait = max(past.last_post + SECONDS_BETWEEN_POSTS, past.turn) - time.time()
    if 0 < wait <= LONGEST_TURN:
        time.sleep(wait)
    past.last_post = time.time()
    past.turn = 0.0


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
    """The webhook's URL or the bot's token, whichever the parameter holds.

    Five minutes old at most. Raises ParameterUnreadable, BadWebhook.
    """
    value = ssm.get(WEBHOOK_PARAMETER, max_age=0 if afresh else WEBHOOK_SECONDS)
    return checked_token(value, CHANNEL) if is_token(value) else checked(value)


def changed_url(old: str) -> str | None:
    """The parameter's URL, read anew because Slack refuses the old one; None if it is the same."""
    try:
        new = webhook_url(afresh=True)
    except (ParameterUnreadable, BadWebhook) as error:
        logger.error("the webhook cannot be read", extra={"error": str(error)})
        return None
    return new if new != old else None
