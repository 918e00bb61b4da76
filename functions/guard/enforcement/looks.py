"""Looks at an endpoint's policy that are asked for at a certain time, through the policy queue.

SQS delays a message by 900 seconds at most (SendMessage, DelaySeconds), so a longer wait is a chain
of messages that look at nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from guard.endpoint.later import LONGEST_DELAY
from guard.events.reconcile import envelope
from guard.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

EARLY_SECONDS = 5  # clocks differ


def detail(
    endpoint_id: str, reason: str, not_before: int = 0, *, trial: bool = False
) -> dict[str, Any]:
    """The `detail` of a message that asks for a look. `trial`: it tries a new version."""
    asked = {"vpcEndpointId": endpoint_id, "reason": reason, "notBefore": not_before}
    return {**asked, "trial": True} if trial else asked


@dataclass(frozen=True, slots=True)
class PolicyLooks:
    """Sends to the policy queue. Needs sqs:SendMessage there; methods raise ClientError."""

    sqs: "SQSClient"
    queue_url: str
    settings: Settings

    def ask(
        self, endpoint_id: str, reason: str, when: datetime, now: datetime, *, trial: bool = False
    ) -> None:
        """Have the endpoint looked at then."""
        second = int(when.timestamp())
        asked = detail(endpoint_id, reason, second, trial=trial)
        self.send(envelope(self.settings, now, asked), second, now)

    def send(self, body: str, not_before: int, now: datetime) -> None:
        """Send a message, to be handed out as near to its time as SQS can."""
        delay = int(min(max(not_before - now.timestamp(), 0), LONGEST_DELAY))
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=body, DelaySeconds=delay)
