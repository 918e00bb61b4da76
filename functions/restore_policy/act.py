"""Carry out the changes of restore_policy.

ModifyVpcEndpoint in the Amazon EC2 API reference. Needs ec2:ModifyVpcEndpoint and
ec2:DescribeVpcEndpoints; dynamodb:UpdateItem for what is only noted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from guard.approved.pauses import Pauses
from guard.approved.rollouts import Rollouts
from guard.aws.errors import out_of_date
from guard.aws.errors import refused as is_refusal
from guard.endpoint.observe import Observer
from guard.policy import means
from guard.reconcile.result import NotVerified, Outcome
from restore_policy.changes import BeginPause, PolicyChange, Reject, Restore, TakeBack, Write

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

LAST_ATTEMPT = 3  # at an endpoint that AWS lists, and does not know when it is written to


@dataclass(frozen=True, slots=True)
class Actor:
    """Raises ClientError or BotoCoreError where it is not known that something was changed."""

    ec2: "EC2Client"
    observer: Observer
    pauses: Pauses
    rollouts: Rollouts

    def carry_out(self, change: PolicyChange) -> Outcome:
        """Carry out one change. The outcome has the error by which AWS refused it for good."""
        match change:
            case Restore():
                return self._written(change, lambda: self._verify(change))
            case TakeBack(undone=True):
                return _done(change)
            case TakeBack():
                return self._written(change, lambda: None)
            case Reject():
                self.rollouts.reject(change.rollout, change.desired.name, change.why)
                return _done(change)
            case BeginPause(pause=pause):
                about = change.about
                endpoint_id = about.attached.endpoint_id
                until, reason = pause.until, pause.reason
                self.pauses.begin(endpoint_id, until, reason, about.now, pause.policy)
                return _done(change)
            case _:
                raise TypeError(f"no change of restore_policy: {change.kind}")

    def _written(self, change: Write, verify: Callable[[], None]) -> Outcome:
        try:
            self.ec2.modify_vpc_endpoint(
                VpcEndpointId=change.about.attached.endpoint_id, PolicyDocument=change.text
            )
        except ClientError as error:
            if not _for_good(error, change):
                raise
            return Outcome(refused=error)
        try:
            verify()
        except (NotVerified, ClientError, BotoCoreError) as error:
            return Outcome(done=tuple(change.announcement.done), failed=error)
        return _done(change)

    def _verify(self, change: Restore) -> None:
        endpoint_id = change.about.attached.endpoint_id
        shown = self.observer.attached_policies([endpoint_id]).get(endpoint_id)
        if shown and not means(shown.text, change.target.policy.policy):
            raise NotVerified(f"{endpoint_id} does not show the policy that was written to it")


def _done(change: PolicyChange) -> Outcome:
    return Outcome(done=tuple(change.announcement.done))


def _for_good(error: ClientError, change: Write) -> bool:
    """Whether AWS refuses the write, and not only a state that may be over at the next attempt."""
    return is_refusal(error) and (change.attempts >= LAST_ATTEMPT or not out_of_date(error))
