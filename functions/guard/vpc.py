"""The endpoint state of one VPC, as one immutable value: what AWS says, and nothing judged yet.

Names and meanings follow DescribeVpcs, DescribeVpcAttribute, DescribeSubnets,
DescribeVpcEndpoints, DescribeSecurityGroups and DescribeVpcEndpointServices (EC2 API reference).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network

type Network = IPv4Network | IPv6Network

HTTPS = 443
MANAGED_TAG = "vpce-guard:managed"
STACK_TAG = "vpce-guard:stack"
REASON_TAG = "vpce-guard:reason"
PREFERRED_SUBNET_TAG = "vpce-guard:preferred"

# An endpoint in one of these states serves requests, or will without our help. Lower case: AWS
# writes "available" and "Available", "pendingAcceptance" and "PendingAcceptance".
LIVE = frozenset({"available", "pending", "partial", "pendingacceptance"})

type Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet; `zone_id` is the AZ's name across accounts (use1-az1), `zone` the account's own."""

    id: str
    zone: str
    zone_id: str
    free_addresses: int
    tags: Tags = field(default_factory=dict[str, str])
    on_outpost: bool = False
    ipv6_only: bool = False


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group, reduced to the networks it admits to port 443 over TCP.

    Rules that name a prefix list or another group admit no *network*, so they do not count: an
    address of the VPC that merely happens to be in that group proves nothing for the others.
    """

    id: str
    name: str
    tags: Tags
    admits_https_from: frozenset[Network]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint of the guarded service. `state` is lower case: AWS is not of one mind there."""

    id: str
    type: str
    state: str
    subnet_ids: frozenset[str]
    group_ids: frozenset[str]
    private_dns: bool
    created: datetime
    tags: Tags = field(default_factory=dict[str, str])
    problem: str = ""


@dataclass(frozen=True, slots=True)
class AttachedPolicy:
    """The policy that an endpoint carries, as AWS writes it back."""

    endpoint_id: str
    vpc_id: str
    text: str
    tags: Tags


@dataclass(frozen=True, slots=True)
class Vpc:
    """One VPC with everything that decides whether its Secrets Manager endpoint works."""

    id: str
    owner_id: str
    tags: Tags
    networks: frozenset[Network]
    dns_support: bool
    dns_hostnames: bool
    subnets: tuple[Subnet, ...]
    endpoints: tuple[Endpoint, ...]
    groups: Mapping[str, SecurityGroup]
    service_zones: frozenset[str]
    """The AZs the service supports, by id where AWS gave ids, else by name."""


def managed_by(tags: Tags, stack_id: str) -> bool:
    """True if the tags say that this stack made the resource."""
    return tags.get(MANAGED_TAG) == "true" and tags.get(STACK_TAG) == stack_id


def network(cidr: str) -> Network:
    """A CIDR as a network; AWS stores host bits cleared, so a set bit is an error worth raising."""
    return ip_network(cidr)
