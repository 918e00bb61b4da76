"""Many messages onto one queue: in tens, and what SQS did not take is no success."""

from typing import Any

import pytest

from guard.aws.queues import NotSent, send_all

QUEUE = "https://sqs.us-east-1.amazonaws.com/111122223333/queue"


class Queue:
    """Takes every message but those in `refused`."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.batches: list[list[tuple[str, int]]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - SQS's names
        assert QueueUrl == QUEUE
        assert len({one["Id"] for one in Entries}) == len(Entries)
        self.batches.append([(one["MessageBody"], one["DelaySeconds"]) for one in Entries])
        failed = [one["Id"] for one in Entries if one["MessageBody"] in self.refused]
        return {"Failed": [{"Id": one, "Message": "too many"} for one in failed]} if failed else {}


@pytest.mark.parametrize(("number", "sizes"), [(0, []), (10, [10]), (21, [10, 10, 1])])
def test_all_are_sent_in_tens(number, sizes):
    bodies, queue = [f"message {n}" for n in range(number)], Queue()
    send_all(queue, QUEUE, bodies, delay=7)  # pyright: ignore[reportArgumentType]
    assert [len(one) for one in queue.batches] == sizes
    assert [one for some in queue.batches for one in some] == [(body, 7) for body in bodies]


def test_what_was_not_taken_is_said():
    with pytest.raises(NotSent, match="2 of 3 messages: too many"):
        send_all(Queue("b", "c"), QUEUE, ["a", "b", "c"])  # pyright: ignore[reportArgumentType]
