"""The order of work within one batch: who is posted, who goes back, and when."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from guard.aws.parameters import ParameterUnreadable
from notify_slack import deliver as deliver_module
from notify_slack import webhook
from notify_slack.address import Address
from notify_slack.deliver import Delivery
from notify_slack.queue import NotifyQueue
from notify_slack.rate_limiter import RateLimiter
from notify_slack.webhook import Answer, Webhook, checked

URL = "https://hooks.slack.com/services/T/B/secret"
OK = Answer(200, "ok")


@dataclass
class World:
    """Slack, SQS and the clock: `answers` by message body, everything else is `ok`."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    posts: list[str] = field(default_factory=list)
    waits: dict[str, int] = field(default_factory=dict)
    seconds: float = 1_000_000.0
    milliseconds_a_post: int = 0
    line: float = 0.0
    table_refuses: bool = False
    left: int = 30_000
    sqs_refuses: bool = False
    url: str | None = URL  # None: SSM refuses

    def get(self, _name: str, max_age: float) -> str:
        assert max_age == 0
        if self.url is None:
            raise ParameterUnreadable("throttled")
        return self.url

    def next(self, _key: str, gap_ms: int, _now: object, *, expect_idle: bool) -> int:
        if self.table_refuses:
            raise ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")
        self.line = max(self.line, self.seconds) + gap_ms / 1000
        return round(self.line * 1000)

    def pause_until(self, _key: str, until: datetime) -> None:
        if self.table_refuses:
            raise ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")
        self.line = max(self.line, until.timestamp())

    def post(self, url: str, message: dict[str, Any]) -> Answer:
        assert url.startswith(URL)
        body = message["body"]
        self.posts.append(body)
        self.left -= self.milliseconds_a_post
        answers = self.answers.get(body, [])
        return answers.pop(0) if answers else OK

    def change_message_visibility(self, **params: Any) -> None:
        if self.sqs_refuses:
            raise ClientError({"Error": {"Code": "Throttled"}}, "ChangeMessageVisibility")
        self.waits[params["ReceiptHandle"]] = params["VisibilityTimeout"]

    def get_remaining_time_in_millis(self) -> int:
        return self.left

    def time(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= 3
        self.seconds += seconds


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(webhook, "post", world.post)
    monkeypatch.setattr(deliver_module, "payload", lambda body, attempt: {"body": body})
    monkeypatch.setattr(time, "time", world.time)
    monkeypatch.setattr(time, "sleep", world.sleep)
    return world


def copy_of(world: World) -> Delivery:
    """One execution environment of the function."""
    fake: Any = world
    limiter = RateLimiter(fake)
    queue = NotifyQueue(fake, "https://sqs.example/notify")
    return Delivery(Address(fake, "/webhook", checked), limiter, queue, Webhook(limiter).send)


@pytest.fixture
def delivery(world: World) -> Delivery:
    return copy_of(world)


def batch(bodies: str, attempt: int = 1) -> list[dict[str, Any]]:
    return [
        {
            "messageId": body,
            "receiptHandle": body,
            "body": body,
            "attributes": {"ApproximateReceiveCount": str(attempt)},
        }
        for body in bodies
    ]


def deliver(delivery: Delivery, world: World, records: Sequence[dict[str, Any]]) -> str:
    return "".join(delivery.deliver(records, URL, world))


def test_all_is_posted_in_order_a_second_apart(delivery, world):
    assert deliver(delivery, world, batch("abc")) == ""
    assert world.posts == ["a", "b", "c"]
    assert world.seconds == 1_000_002


def test_the_rate_holds_from_batch_to_batch(delivery, world):
    deliver(delivery, world, batch("a"))
    world.seconds += 0.25
    deliver(delivery, world, batch("b"))
    assert world.seconds == 1_000_001


def test_a_message_that_was_posted_is_not_posted_again(delivery, world):
    deliver(delivery, world, batch("ab"))
    assert deliver(delivery, world, batch("abc", attempt=2)) == ""
    assert world.posts == ["a", "b", "c"]


def test_memory_has_an_end(delivery, world, monkeypatch):
    monkeypatch.setattr(deliver_module, "REMEMBERED", 2)
    deliver(delivery, world, batch("abc"))
    deliver(delivery, world, batch("abc", attempt=2))
    assert world.posts == ["a", "b", "c", "a", "b", "c"]


def test_429_stops_the_batch_and_keeps_its_order(delivery, world):
    world.answers["b"] = [Answer(429, "rate_limited", {"Retry-After": "30"})]
    assert deliver(delivery, world, batch("abcd")) == "bcd"
    assert world.posts == ["a", "b"]
    assert world.waits == {"b": 30, "c": 31, "d": 32}


def test_while_paused_nothing_is_asked_and_all_wait(delivery, world):
    world.answers["a"] = [Answer(429, "", {"Retry-After": "30"})]
    deliver(delivery, world, batch("ab"))
    world.seconds += 10
    assert deliver(delivery, world, batch("cd")) == "cd"
    assert world.posts == ["a"]
    assert world.waits == {"a": 30, "b": 31, "c": 22, "d": 23}


def test_after_the_pause_it_goes_on(delivery, world):
    world.answers["a"] = [Answer(429, "", {"Retry-After": "30"})]
    deliver(delivery, world, batch("a"))
    world.seconds += 30
    assert deliver(delivery, world, batch("a", attempt=2)) == ""


@pytest.mark.parametrize("answer", [Answer(500), Answer(0, "TimeoutError")])
def test_a_failure_of_slack_concerns_one_message_that_waits_longer_each_time(
    delivery, world, answer
):
    world.answers["b"] = [answer, answer]
    assert deliver(delivery, world, batch("abc")) == "b"
    assert deliver(delivery, world, batch("b", attempt=4)) == "b"
    assert world.posts == ["a", "b", "c", "b"]
    assert world.waits == {"b": 40}


def test_a_refused_message_goes_back_alone_at_the_queues_own_time(delivery, world):
    world.answers["b"] = [Answer(400, "invalid_blocks")]
    assert deliver(delivery, world, batch("abc")) == "b"
    assert world.waits == {}


def test_a_message_that_cannot_be_laid_out_fails_alone(delivery, world, monkeypatch):
    def payload(body: str, attempt: int) -> dict[str, Any]:
        if body == "b":
            raise ArithmeticError
        return {"body": body}

    monkeypatch.setattr(deliver_module, "payload", payload)
    assert deliver(delivery, world, batch("abc")) == "b"
    assert world.posts == ["a", "c"]


def test_a_webhook_that_is_gone_stops_the_batch(delivery, world):
    world.answers["b"] = [Answer(404, "no_service")]
    assert deliver(delivery, world, batch("abc")) == "bc"
    assert world.posts == ["a", "b"]
    assert world.waits == {}


def test_a_new_webhook_is_tried_at_once(delivery, world):
    world.url = f"{URL}2"
    world.answers["b"] = [Answer(410, "channel_is_archived")]
    assert deliver(delivery, world, batch("abc")) == ""
    assert world.posts == ["a", "b", "b", "c"]


def test_a_new_webhook_that_cannot_be_read_does_not_undo_what_was_posted(delivery, world):
    world.url = None
    world.answers["b"] = [Answer(403, "invalid_token")]
    assert deliver(delivery, world, batch("abc")) == "bc"


def test_what_there_is_no_time_for_goes_back_before_it_is_tried(delivery, world):
    world.milliseconds_a_post = 9_000
    assert deliver(delivery, world, batch("abcde")) == "de"
    assert world.posts == ["a", "b", "c"]
    assert world.waits == {"d": 1, "e": 2}


def test_a_visibility_that_cannot_be_changed_does_not_undo_what_was_posted(delivery, world):
    world.sqs_refuses = True
    world.answers["b"] = [Answer(429, "", {"Retry-After": "9"})]
    assert deliver(delivery, world, batch("abc")) == "bc"


def test_two_copies_share_the_rate(delivery, world):
    other = copy_of(world)
    deliver(delivery, world, batch("a"))
    began = world.seconds
    for body in "bcde":
        deliver(other if body in "bd" else delivery, world, batch(body))
    assert world.posts == ["a", "b", "c", "d", "e"]
    assert world.seconds == began + 4


def test_a_slot_that_is_far_away_is_not_waited_for(delivery, world):
    world.line = world.seconds + 60
    assert deliver(delivery, world, batch("ab")) == "ab"
    assert world.posts == []
    assert world.waits == {"a": 60, "b": 61}


def test_a_pause_holds_for_the_other_copies(delivery, world):
    world.answers["a"] = [Answer(429, "", {"Retry-After": "30"})]
    deliver(delivery, world, batch("a"))
    assert deliver(copy_of(world), world, batch("b")) == "b"
    assert world.posts == ["a"]
    assert world.waits["b"] == 30


def test_without_the_table_it_keeps_its_own_rate(delivery, world):
    world.table_refuses = True
    world.answers["c"] = [Answer(429, "", {"Retry-After": "30"})]
    assert deliver(delivery, world, batch("abc")) == "c"
    assert world.posts == ["a", "b", "c"]
    assert world.seconds == 1_000_002
