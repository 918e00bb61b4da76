"""A queue of the run's own that is subscribed to the stack's findings topic.

The topic's policy only denies publishing, so whoever has sns:Subscribe in the account may
subscribe; the queue's policy lets this one topic send ("Subscribing an Amazon SQS queue to an
Amazon SNS topic", SNS developer guide). Findings of low severity come with the digest, within an
hour: those are not waited for.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from guardctl.acceptance.polling import Seen
from guardctl.acceptance.stage import Stage


@dataclass(slots=True)
class FindingQueue:
    """What was published since the queue was subscribed."""

    sqs: Any
    url: str
    findings: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """The findings of this kind that came. Raises ClientError."""
        self.findings += self._receive()
        return [one for one in self.findings if one.get("kind") == kind]

    def finding(self, kind: str, *parts: str, severity: str = "") -> Seen:
        """Whether a finding of this kind came that holds all these texts. Raises ClientError."""
        of_kind = self.of_kind(kind)
        for one in of_kind:
            text = json.dumps(one)
            if all(part in text for part in parts) and severity in ("", one.get("severity")):
                return Seen(holds=True, words=f"{one['severity']}: {one['title']}")
        return Seen(holds=False, words=self._words(kind, of_kind, parts, severity))

    def _words(
        self, kind: str, of_kind: list[dict[str, Any]], parts: tuple[str, ...], severity: str
    ) -> str:
        asked = " and ".join([*parts, *([f"severity {severity}"] if severity else [])])
        came = of_kind or self.findings
        titles = "; ".join(f"{one['kind']} ({one['severity']}): {one['title']}" for one in came)
        return f"no {kind} with {asked}; published so far: {titles[:1000] or 'nothing'}"

    def _receive(self) -> Iterator[dict[str, Any]]:
        """Take what waits. Not a finding, as a subscriber's first message: left out."""
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            messages = answer.get("Messages", [])
            if not messages:
                return
            for one in messages:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=one["ReceiptHandle"])
                yield from _finding(one["Body"])


def subscribe(stage: Stage) -> FindingQueue:
    """Make the queue and subscribe it. Raises ClientError."""
    sqs, topic = stage.client("sqs"), stage.stack.output("FindingsTopicArn")
    arn = f"arn:{stage.partition}:sqs:{stage.stack.region}:{stage.stack.account}:{stage.name}"
    url = sqs.create_queue(
        QueueName=stage.name,
        Attributes={"Policy": json.dumps(_policy(arn, topic)), "MessageRetentionPeriod": "86400"},
        tags=stage.tag_map,
    )["QueueUrl"]
    stage.client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true"},
        ReturnSubscriptionArn=True,
    )
    stage.props["queue_arn"] = arn
    return FindingQueue(sqs, url)


def _policy(queue: str, topic: str) -> Mapping[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
        ],
    }


def _finding(body: str) -> Iterator[dict[str, Any]]:
    try:
        found = json.loads(body)
    except ValueError:
        return
    if isinstance(found, dict) and "kind" in found:
        yield found
