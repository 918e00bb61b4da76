"""What the strict layer plays that AWS leaves to the place and the day.

AWS does not promise how long an endpoint stays `pending`, which zones a service reaches, or when a
caller is throttled. These are the settings of one such place and day.
"""

from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Options:
    """Read at every call, so a test may change one at any moment; seconds are virtual ones."""

    #: How long an endpoint is `pending` after it was created or modified.
    pending_seconds: float = 90
    #: How long it is `deleting`, and still holds its interfaces and its private DNS name.
    deleting_seconds: float = 60
    #: How long it is listed as `deleted` before it vanishes.
    deleted_seconds: float = 60
    #: Interface endpoints per VPC (an adjustable quota of AWS).
    endpoints_per_vpc: int = 50
    #: Functions that may run at once in the account (Lambda's quota; 10 in a new account).
    concurrent_executions: int = 1000
    #: Rules of one event bus (EventBridge's quota).
    rules_per_bus: int = 300
    #: Availability zones, by id, that the Secrets Manager endpoint service does not reach.
    unsupported_zone_ids: set[str] = field(default_factory=lambda: {"use1-az3"})
    #: Endpoints that EC2 deletes for nobody; DeleteVpcEndpoints says so in `Unsuccessful`.
    kept_endpoints: set[str] = field(default_factory=set[str])
    #: Subnets in which EC2 finds no address for an interface, whatever DescribeSubnets counts.
    crowded_subnets: set[str] = field(default_factory=set[str])
    #: Whether its refusal names the subnet.
    names_crowded_subnet: bool = True
    #: Tag keys without which a service control policy lets nobody create endpoints and groups.
    demanded_tags: set[str] = field(default_factory=set[str])
    #: Whether Create-, Modify- and DeleteVpcEndpoint(s) draw on AWS's request buckets.
    throttle: bool = False
    #: The size of such a bucket, and what flows back per second.
    throttle_bucket: float = 4
    throttle_refill: float = 0.3

    def assume(self, other: "Options") -> None:
        """Takes over the values of another."""
        for option in fields(self):
            setattr(self, option.name, getattr(other, option.name))


options = Options()
