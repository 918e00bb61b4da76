"""Work that AWS refused for pace is put off, so that it is done at AWS's rate and none is lost.

EC2 gives CreateVpcEndpoint, ModifyVpcEndpoint and DeleteVpcEndpoints a bucket of 4 requests that
refills by 0.3 a second, per account and Region ("Request throttling for the Amazon EC2 API"). A
message that merely came back would be tried at the same moment as all the others, and be given up
after a few times. So each VPC takes a turn in one line, kept in the state table, whose turns are as
far apart as EC2 wants them, and is looked at again when its turn comes.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from guard.endpoint.decide import CreateEndpoint, ModifyEndpoint, Plan
from guard.reconcile.batch import BACKED_OFF, INSTEAD_OF, Message
from guard.table.state import State

GAP_MS = 3_400  # 1 / 0.3 s, and a little for what others do
LINE = "endpoint-writes"

# Not even in the worst line does a VPC meet EC2's limit so often: something else is wrong then, and
# the message takes the way to the dead-letter queue and its alarm.
MOST_TIMES = 30
FIRST_DELAY, LONGEST_DELAY = 20, 900


class NotNow(Exception):
    """EC2 has refused a write of this invocation for pace: this one is not even tried."""


@dataclass(slots=True)
class Pace:
    """One invocation's view of EC2's pace."""

    state: State
    now: datetime
    exhausted: bool = field(default=False)

    def check(self, plan: Plan) -> None:
        """Raises NotNow if the plan would only be refused."""
        if writes_endpoint(plan):
            self.check_write()

    def check_write(self) -> None:
        """Raises NotNow if a write to an endpoint would only be refused."""
        if self.exhausted:
            raise NotNow

    def turn(self) -> int:
        """When to try again: epoch seconds. Raises StateError, or boto3's ClientError."""
        self.exhausted = True
        return -(-self.state.next_slot(LINE, GAP_MS, self.now) // 1000)


def writes_endpoint(plan: Plan) -> bool:
    return any(isinstance(step, CreateEndpoint | ModifyEndpoint) for step in plan.steps)


def put_off(message: Message) -> tuple[dict[str, Any], int]:
    """The body to send in place of a message that AWS refused for pace, and the delay to give it.

    The delay doubles from time to time, up to the longest that SQS knows.
    """
    times = message.backed_off + 1
    delay = min(FIRST_DELAY * 2 ** (times - 1), LONGEST_DELAY)
    return {**message.envelope, BACKED_OFF: times, INSTEAD_OF: message.key}, delay
