"""Looks at an endpoint's policy that are asked for at a certain time, through the policy queue."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from guard.reconcile.messages import request
from guard.reconcile.requeue import MOST_HOPS, Requeue
from guard.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# A look that lies farther off is left to a sweep to ask for, once it has come so near: waiting for
# a day would be a chain of 27 messages. Sweeps are six hours apart.
REACH = timedelta(hours=7)


def detail(
    endpoint_id: str, reason: str, not_before: int = 0, *, trial: bool = False
) -> dict[str, Any]:
    """The `detail` of a message that asks for a look. `trial`: it tries a new version."""
    asked = {"vpcEndpointId": endpoint_id, "reason": reason, "notBefore": not_before}
    return {**asked, "trial": True} if trial else asked


@dataclass(frozen=True, slots=True)
class PolicyLooks:
    """Sends to the policy queue; see `Requeue` for what that needs and raises, and `most_hops`."""

    sqs: "SQSClient"
    queue_url: str
    settings: Settings
    most_hops: int = MOST_HOPS

    @property
    def queue(self) -> Requeue:
        return Requeue(self.sqs, self.queue_url, self.most_hops)

    def ask(
        self,
        endpoint_id: str,
        reason: str,
        when: datetime,
        now: datetime,
        *,
        hops: int,
        trial: bool = False,
    ) -> None:
        """Have the endpoint looked at then, because of a message with so many hops."""
        asked = detail(endpoint_id, reason, int(when.timestamp()), trial=trial)
        body = request(self.settings, now, asked)
        self.queue.ask(body, hops, (when - now).total_seconds())
