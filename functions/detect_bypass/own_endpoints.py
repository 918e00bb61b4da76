"""Which endpoints for Secrets Manager are the account's own, and what policy each carries."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

CACHE_SECONDS = 60


@dataclass(slots=True)
class OwnEndpoints:
    """The account's endpoints for Secrets Manager, read again when they are old or one is unknown.

    An id once seen stays known, because EC2 never gives it to another endpoint, and records of
    calls through an endpoint arrive after it was deleted.
    """

    ec2: "EC2Client"
    services: Collection[str]
    known: set[str] = field(default_factory=set[str])
    policies: dict[str, str] = field(default_factory=dict[str, str])
    """The policy of each when last read."""
    strangers: set[str] = field(default_factory=set[str])
    read_at: float = float("-inf")

    def learn(self, ids: Collection[str], now: float, policies_of: Collection[str] = ()) -> None:
        """Have every id in `known` that is ours. Asks AWS only about ids it has no answer for.

        Of the endpoints in `policies_of` the policy must be known as well, and not be old.
        """
        old = now - self.read_at >= CACHE_SECONDS
        if old:
            self.strangers.clear()
        unread = set(policies_of) - self.strangers if old else set(policies_of) - {*self.policies}
        if set(ids) - self.known - self.strangers or unread - self.strangers:
            self._read(now)
            self.strangers |= set(ids) - self.known

    def _read(self, now: float) -> None:
        pages = self.ec2.get_paginator("describe_vpc_endpoints").paginate(
            Filters=[{"Name": "service-name", "Values": sorted(self.services)}]
        )
        for page in pages:
            for one in page["VpcEndpoints"]:
                id_ = one.get("VpcEndpointId", "")
                self.known.add(id_)
                self.policies[id_] = one.get("PolicyDocument", "")
        self.read_at = now
