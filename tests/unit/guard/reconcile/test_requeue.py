"""What AWS throttled before any change takes one way back: a copy for later, or the queue."""

import json
from dataclasses import replace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from guard.reconcile.batch import Batch, Message
from guard.reconcile.outbox import Entry
from guard.reconcile.requeue import Requeue, back_off
from tests.findings import A_BYPASS

MESSAGE = Message("1", {"detail": {}}, 1)
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "GetItem")


class Queue:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_message(self, **message: Any) -> None:
        self.sent.append(message)


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def requeue(queue) -> Requeue:
    return Requeue(cast(Any, queue), "url")


@pytest.mark.parametrize("throttled_first", [True, False])
def test_a_message_that_is_backed_off_and_fails_does_not_multiply(queue, requeue, throttled_first):
    """A message of several resources of which one is throttled and another fails."""
    batch = Batch([MESSAGE])
    for throttled in (throttled_first, not throttled_first):
        if throttled:
            requeue.back_off([MESSAGE], batch, THROTTLED)
        else:
            batch.fail([MESSAGE], "a timeout")
    assert len(queue.sent) + len(batch.response()["batchItemFailures"]) == 1


def test_a_message_is_backed_off_longer_each_time_and_keeps_its_key(queue, requeue):
    message, delays = MESSAGE, []
    for _ in range(8):
        requeue.back_off([message], Batch([message]), THROTTLED)
        delays.append(queue.sent[-1]["DelaySeconds"])
        message = replace(message, id="another", envelope=json.loads(queue.sent[-1]["MessageBody"]))
    assert delays == [20, 40, 80, 160, 320, 640, 900, 900] == [back_off(n) for n in range(1, 9)]
    assert message.backed_off == 8
    assert (message.key, message.redelivered) == ("1", True)


def test_a_message_reports_how_often_it_came():
    record = {
        "messageId": "m",
        "body": '{"detail": {}}',
        "attributes": {"ApproximateReceiveCount": "2"},
    }
    (message,) = Batch.open({"Records": [record]}).messages
    assert (message.receives, message.redelivered) == (2, True)


def test_the_steps_that_are_still_to_do_were_not_done():
    entry = Entry("item", "repair", replace(A_BYPASS, done=("one", "two", "three")))
    assert entry.done(["two", "four"]) == ("one", "three")
