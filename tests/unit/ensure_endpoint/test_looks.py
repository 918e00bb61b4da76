"""A message of several VPCs of which one is throttled and another fails takes one way back."""

from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from ensure_endpoint.looks import Looks
from guard.reconcile.batch import Batch, Message
from tests.builders import SETTINGS

MESSAGE = Message("1", {"detail": {}}, 1)
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "GetItem")


class Queue:
    def __init__(self) -> None:
        self.sent: list[str] = []

    def send_message(self, **message: Any) -> None:
        self.sent.append(message["MessageBody"])


@pytest.mark.parametrize("throttled_first", [True, False])
def test_a_message_that_is_put_off_and_fails_does_not_multiply(throttled_first: bool):
    queue, inbox = Queue(), Batch([MESSAGE])
    looks = Looks(cast(Any, queue), "url", SETTINGS, cast(Any, None))
    for throttled in (throttled_first, not throttled_first):
        if throttled:
            looks.put_off(MESSAGE, inbox, THROTTLED)
        else:
            inbox.fail([MESSAGE], "a timeout")
    assert len(queue.sent) + len(inbox.response()["batchItemFailures"]) == 1
