"""The dead-letter queues of a deployed stack: read, and emptied into where they came from.

Nothing is lost, whenever this process dies: a message is deleted only after SQS or Lambda has
taken it again. At worst it is then there twice, which the guard's functions are made for. SQS's own
StartMessageMoveTask is not used: it knows only messages that a queue gave up, not those of
EventBridge and Lambda, and it moves all or nothing without a word on any.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from guardctl.stack import Stack
from heartbeat.letters import Letter, read

BATCH = 10  # the most that ReceiveMessage gives
READ_SECONDS = 120  # that a message which is read is hidden, if this process dies
ENDING = "DeadLetterQueue"


@dataclass(frozen=True)
class DeadLetters:
    """One dead-letter queue. Methods raise boto3's ClientError."""

    stack: Stack
    logical_id: str

    @property
    def url(self) -> str:
        return self.stack.resource(self.logical_id)

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]

    @property
    def origin(self) -> str:
        """The URL of the queue whose messages these are; "" for the rules', which have several."""
        return self.stack.resources.get(self.logical_id.removesuffix(ENDING) + "Queue", "")

    @cached_property
    def sqs(self) -> Any:
        return self.stack.client("sqs")

    def depth(self) -> int:
        """How many wait. SQS says about how many, and not at once."""
        name = "ApproximateNumberOfMessages"
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def receive(self, limit: int) -> Iterator[Letter]:
        """Take messages, each once, until there are no more or `limit` of them. They stay in the
        queue, hidden for a while.
        """
        seen: set[str] = set()
        while len(seen) < limit:
            answer = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=min(BATCH, limit - len(seen)),
                VisibilityTimeout=READ_SECONDS,
                WaitTimeSeconds=1,  # or SQS asks only some of its servers
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            new = [one for one in answer.get("Messages", []) if one["MessageId"] not in seen]
            if not new:
                return
            seen.update(one["MessageId"] for one in new)
            yield from map(read, new)

    def let_go(self, letters: list[Letter]) -> None:
        """Show them again at once: they were only read."""
        for letter in letters:
            self.sqs.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=letter.receipt, VisibilityTimeout=0
            )

    def put_back(self, letter: Letter) -> str:
        """Give it again to whom it belongs, then delete it. Returns why not, "" if it was done."""
        try:
            if problem := self._give(letter):
                return problem
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=letter.receipt)
        except (ClientError, BotoCoreError) as error:
            return str(error)
        return ""

    def _give(self, letter: Letter) -> str:
        if not letter.target:
            if not self.origin:
                return "neither EventBridge nor Lambda says where it belongs"
            self.sqs.send_message(QueueUrl=self.origin, MessageBody=letter.payload)
            return ""
        # Whoever may send to the queue could write any target: only the stack's own are given any.
        kind, name = letter.target.split(":")[2], letter.target.rsplit(":", 1)[-1]
        own = {one.rsplit("/", 1)[-1]: one for one in self.stack.resources.values()}
        if name not in own:
            return f"{letter.target} is no part of this stack"
        if kind == "sqs":
            self.sqs.send_message(QueueUrl=own[name], MessageBody=letter.payload)
        elif kind == "lambda":
            self.stack.client("lambda").invoke(
                FunctionName=name, InvocationType="Event", Payload=letter.payload.encode()
            )
        else:
            return f"{letter.target} is neither a queue nor a function"
        return ""


def of_stack(stack: Stack) -> list[DeadLetters]:
    """Every dead-letter queue of the stack, by the names of its resources."""
    return [DeadLetters(stack, one) for one in sorted(stack.resources) if one.endswith(ENDING)]


def named(queues: list[DeadLetters], name: str) -> DeadLetters | None:
    """The queue that somebody means: its name, URL or logical id, or that without its ending."""
    expected = name.rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower()
    for queue in queues:
        short = queue.logical_id.removesuffix(ENDING).lower()
        origin = queue.origin.rsplit("/", 1)[-1].lower()
        if expected in {
            queue.name.lower(),
            queue.logical_id.lower(),
            short,
            f"{short}queue",
            origin,
        }:
            return queue
    return None


@dataclass(frozen=True)
class Log:
    """What a function wrote of the messages that it sent back."""

    stack: Stack

    def reason(self, queue: DeadLetters, letter: Letter) -> str:
        """The last reason in the function's log; "" where there is none, or it cannot be read.

        Each message that goes back leaves one line with its id (`guard.reconcile.batch`).
        """
        group = self.stack.resources.get(FUNCTIONS.get(queue.logical_id, "") + "LogGroup", "")
        if not group:
            return ""
        try:
            pages = (
                self.stack.client("logs")
                .get_paginator("filter_log_events")
                .paginate(
                    logGroupName=group,
                    filterPattern=f'"{letter.id}"',
                    startTime=int(letter.sent.timestamp() * 1000),
                )
            )
            lines = [event["message"] for page in pages for event in page["events"]]
        except (ClientError, BotoCoreError):
            return ""
        return _last_reason(lines)


# Whose log explains a queue's messages.
FUNCTIONS = {
    "VpcDeadLetterQueue": "EnsureEndpointFunction",
    "PolicyDeadLetterQueue": "RestorePolicyFunction",
    "SecretPolicyDeadLetterQueue": "SecretPolicyFunction",
    "DetectionDeadLetterQueue": "DetectBypassFunction",
    "NotifyDeadLetterQueue": "NotifySlackFunction",
}


def _last_reason(lines: list[str]) -> str:
    for line in reversed(lines):
        try:
            entry: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("why"):
            return " ".join(str(entry["why"]).split())[:300]
    return ""
