"""Writes of endpoints at the rate that EC2 allows, so that none is lost.

EC2 gives CreateVpcEndpoint, ModifyVpcEndpoint and DeleteVpcEndpoints a bucket of 4 requests that
refills by 0.3 a second, per account and Region ("Request throttling for the Amazon EC2 API"). A
message that merely came back would be tried at the same moment as all the others, and be given up
after a few times. So each request that EC2 throttles takes a slot, kept in the state table for all
functions. Slots are as far apart as EC2 wants them, and the request is requeued for its slot.
"""

from dataclasses import dataclass, field
from datetime import datetime

from guard.reconcile.request import Key
from guard.table.slots import Slots

GAP_MS = 3_400  # 1 / 0.3 s, and a little for what others do
LIMIT = "endpoint-writes"


class RateLimited(Exception):
    """EC2 has throttled a write of this invocation: another one is not even tried."""


@dataclass(slots=True)
class RateLimiter:
    """One invocation's view of EC2's rate, for each account and Region."""

    slots: Slots
    now: datetime
    _exhausted: set[str] = field(default_factory=set[str])

    def check(self, key: Key) -> None:
        """Raises RateLimited if a write to an endpoint would only be throttled."""
        if key.place in self._exhausted:
            raise RateLimited

    def take_slot(self, key: Key) -> int:
        """When to try again: epoch seconds. Raises StateError, or boto3's ClientError."""
        self._exhausted.add(key.place)
        slot = self.slots.next(f"{LIMIT}/{key.place}", GAP_MS, self.now)
        return -(-slot // 1000)
