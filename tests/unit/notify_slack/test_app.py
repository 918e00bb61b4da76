"""The order of work within one batch: who is posted, who goes back, and when."""

import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from notify_slack.webhook import Answer

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

    def next_slot(self, _key: str, gap_ms: int, _now: object, *, idle: bool) -> int:
        if self.table_refuses:
            raise ClientError({"Error": {"Code": "Throttled"}}, "UpdateItem")
        self.line = max(self.line, self.seconds) + gap_ms / 1000
        return round(self.line * 1000)

    def close_line(self, _key: str, until: datetime) -> None:
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
def notify(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name, value in {
        "WEBHOOK_PARAMETER": "/webhook",
        "NOTIFY_QUEUE_URL": "https://sqs.example/notify",
        "TABLE_NAME": "state",
        "PARTITION": "aws",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "POWERTOOLS_SERVICE_NAME": "notify_slack_unit",
        "POWERTOOLS_METRICS_NAMESPACE": "VPCEGuard",
    }.items():
        monkeypatch.setenv(name, value)
    module = importlib.import_module("notify_slack.app")
    monkeypatch.setattr(module, "past", module.Past())
    return module


@pytest.fixture
def world(notify: ModuleType, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(notify, "post", world.post)
    monkeypatch.setattr(notify, "sqs", world)
    monkeypatch.setattr(notify, "state", world)
    monkeypatch.setattr(notify, "payload", lambda body, attempt: {"body": body})
    monkeypatch.setattr(time, "time", world.time)
    monkeypatch.setattr(time, "sleep", world.sleep)
    return world


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


def deliver(notify: ModuleType, world: World, records: Sequence[dict[str, Any]]) -> str:
    return "".join(notify.deliver(records, URL, world))


def test_all_is_posted_in_order_a_second_apart(notify, world):
    assert deliver(notify, world, batch("abc")) == ""
    assert world.posts == ["a", "b", "c"]
    assert world.seconds == 1_000_002


def test_the_pace_holds_from_batch_to_batch(notify, world):
    deliver(notify, world, batch("a"))
    world.seconds += 0.25
    deliver(notify, world, batch("b"))
    assert world.seconds == 1_000_001


def test_a_message_that_was_posted_is_not_posted_again(notify, world):
    deliver(notify, world, batch("ab"))
    assert deliver(notify, world, batch("abc", attempt=2)) == ""
    assert world.posts == ["a", "b", "c"]


def test_memory_has_an_end(notify, world, monkeypatch):
    monkeypatch.setattr(notify, "REMEMBERED", 2)
    deliver(notify, world, batch("abc"))
    assert list(notify.past.posted) == ["b", "c"]


def test_429_stops_the_batch_and_keeps_its_order(notify, world):
    world.answers["b"] = [Answer(429, "rate_limited", {"Retry-After": "30"})]
    assert deliver(notify, world, batch("abcd")) == "bcd"
    assert world.posts == ["a", "b"]
    assert world.waits == {"b": 30, "c": 31, "d": 32}


def test_while_paused_nothing_is_asked_and_all_line_up_behind(notify, world):
    world.answers["a"] = [Answer(429, "", {"Retry-After": "30"})]
    deliver(notify, world, batch("ab"))
    world.seconds += 10
    assert deliver(notify, world, batch("cd")) == "cd"
    assert world.posts == ["a"]
    assert world.waits == {"a": 30, "b": 31, "c": 22, "d": 23}


def test_after_the_pause_it_goes_on(notify, world):
    world.answers["a"] = [Answer(429, "", {"Retry-After": "30"})]
    deliver(notify, world, batch("a"))
    world.seconds += 30
    assert deliver(notify, world, batch("a", attempt=2)) == ""


@pytest.mark.parametrize("answer", [Answer(500), Answer(0, "TimeoutError")])
def test_a_failure_of_slack_concerns_one_message_and_waits_longer_each_time(notify, world, answer):
    world.answers["b"] = [answer, answer]
    assert deliver(notify, world, batch("abc")) == "b"
    assert deliver(notify, world, batch("b", attempt=4)) == "b"
    assert world.posts == ["a", "b", "c", "b"]
    assert world.waits == {"b": 40}


def test_a_refused_message_goes_back_alone_at_the_queues_own_time(notify, world):
    world.answers["b"] = [Answer(400, "invalid_blocks")]
    assert deliver(notify, world, batch("abc")) == "b"
    assert world.waits == {}


def test_a_message_that_cannot_be_laid_out_fails_alone(notify, world, monkeypatch):
    def payload(body: str, attempt: int) -> dict[str, Any]:
        if body == "b":
            raise ArithmeticError
        return {"body": body}

    monkeypatch.setattr(notify, "payload", payload)
    assert deliver(notify, world, batch("abc")) == "b"
    assert world.posts == ["a", "c"]


def test_a_webhook_that_is_gone_stops_the_batch(notify, world, monkeypatch):
    monkeypatch.setattr(notify, "webhook_url", lambda afresh: URL)
    world.answers["b"] = [Answer(404, "no_service")]
    assert deliver(notify, world, batch("abc")) == "bc"
    assert world.posts == ["a", "b"]
    assert world.waits == {}


def test_a_new_webhook_is_tried_at_once(notify, world, monkeypatch):
    monkeypatch.setattr(notify, "webhook_url", lambda afresh: f"{URL}2")
    world.answers["b"] = [Answer(410, "channel_is_archived")]
    assert deliver(notify, world, batch("abc")) == ""
    assert world.posts == ["a", "b", "b", "c"]


def test_a_new_webhook_that_cannot_be_read_does_not_undo_what_was_posted(
    notify, world, monkeypatch
):
    def unreadable(afresh: bool) -> str:
        raise notify.ParameterUnreadable("throttled")

    monkeypatch.setattr(notify, "webhook_url", unreadable)
    world.answers["b"] = [Answer(403, "invalid_token")]
    assert deliver(notify, world, batch("abc")) == "bc"


def test_what_there_is_no_time_for_goes_back_before_it_is_tried(notify, world):
    world.milliseconds_a_post = 9_000
    assert deliver(notify, world, batch("abcde")) == "de"
    assert world.posts == ["a", "b", "c"]
    assert world.waits == {"d": 1, "e": 2}


def test_a_visibility_that_cannot_be_changed_does_not_undo_what_was_posted(notify, world):
    world.sqs_refuses = True
    world.answers["b"] = [Answer(429, "", {"Retry-After": "9"})]
    assert deliver(notify, world, batch("abc")) == "bc"


def test_an_unreadable_webhook_at_the_start_returns_the_whole_batch(notify, world, monkeypatch):
    class Broken:
        def get(self, *_: Any, **__: Any) -> str:
            raise notify.ParameterUnreadable("AccessDenied")

    class Context(World):
        function_name = function_version = memory_limit_in_mb = aws_request_id = "x"
        invoked_function_arn = "arn"

    monkeypatch.setattr(notify, "ssm", Broken())
    with pytest.raises(notify.ParameterUnreadable):
        notify.handler({"Records": batch("a")}, Context())
    assert world.posts == []


def test_two_copies_take_turns_in_one_line(notify, world, monkeypatch):
    theirs = notify.Past()
    deliver(notify, world, batch("a"))
    began = world.seconds
    mine = notify.past
    for body in "bcde":
        monkeypatch.setattr(notify, "past", theirs if body in "bd" else mine)
        deliver(notify, world, batch(body))
    assert world.posts == ["a", "b", "c", "d", "e"]
    assert world.seconds == began + 4


def test_a_turn_that_is_far_away_is_not_waited_for(notify, world):
    world.line = world.seconds + 60
    assert deliver(notify, world, batch("ab")) == "ab"
    assert world.posts == []
    assert world.waits == {"a": 60, "b": 61}


def test_a_pause_is_told_to_the_other_copies(notify, world, monkeypatch):
    world.answers["a"] = [Answer(429, "", {"Retry-After": "30"})]
    deliver(notify, world, batch("a"))
    monkeypatch.setattr(notify, "past", notify.Past())
    assert deliver(notify, world, batch("b")) == "b"
    assert world.posts == ["a"]
    assert world.waits["b"] == 30


def test_without_the_table_it_keeps_its_own_pace(notify, world):
    world.table_refuses = True
    world.answers["c"] = [Answer(429, "", {"Retry-After": "30"})]
    assert deliver(notify, world, batch("abc")) == "c"
    assert world.posts == ["a", "b", "c"]
    assert world.seconds == 1_000_002
