"""Many messages onto one queue, and none of them lost: SendMessageBatch may take only a part.

See SendMessageBatch in the SQS API reference: a call that succeeds lists what was not taken.
"""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs import SQSClient

AT_ONCE = 10  # messages of one SendMessageBatch; ours have far less than a tenth of its 1 MiB


class NotSent(RuntimeError):
    """SQS took only a part of a batch: all of it is to be sent again."""


def send_all(sqs: SQSClient, queue_url: str, bodies: Iterable[str], delay: int = 0) -> None:
    """Put message bodies on a queue, to be seen in `delay` seconds (at most 900).

    Needs sqs:SendMessage. Raises NotSent, or ClientError.
    """
    for some in batched(bodies, AT_ONCE, strict=False):
        entries: Any = [
            {"Id": str(number), "MessageBody": body, "DelaySeconds": delay}
            for number, body in enumerate(some)
        ]
        failed = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])
        if failed:
            raise NotSent(f"{len(failed)} of {len(entries)} messages: {failed[0].get('Message')}")
