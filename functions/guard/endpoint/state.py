"""The endpoint state of one VPC, as one immutable value: what AWS says, and nothing judged yet.

Names and meanings follow DescribeVpcs, DescribeVpcAttribute, DescribeSubnets,
DescribeVpcEndpoints, DescribeSecurityGroups, DescribeNetworkAcls, DescribeDhcpOptions and
DescribeVpcEndpointServices (EC2 API reference), and ListHostedZonesByVPC and ListResourceRecordSets
(Route 53 API reference).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network

from guard.partitions import ANY_DOMAIN

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

# A DNS entry of an endpoint, of one AZ or of all: the endpoint, and the service and its Region.
DNS_ENTRY = re.compile(
    rf"(vpce-[0-9a-z]+)-[0-9a-z]+(?:-[a-z0-9-]+)?\.([a-z0-9.-]+)\.vpce\.{ANY_DOMAIN}", re.ASCII
)


# Which IP versions the network interfaces of an endpoint have, by its IpAddressType.
IP_VERSIONS: Mapping[str, frozenset[int]] = {
    "ipv4": frozenset({4}),
    "dualstack": frozenset({4, 6}),
    "ipv6": frozenset({6}),
}

# An AZ is called by its Region and one letter; Local and Wavelength Zones have a place in between.
_AVAILABILITY_ZONE = re.compile(r"[a-z]+(-[a-z]+)+-\d+[a-z]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet; `zone_id` is the AZ's name across accounts (use1-az1), `zone` the account's own.

    `free_addresses` counts IPv4 only, as AWS does: it is 0 in a subnet that has IPv6 alone.
    """

    id: str
    zone: str
    zone_id: str
    free_addresses: int
    tags: Tags = field(default_factory=dict[str, str])
    on_outpost: bool = False
    networks: tuple[Network, ...] = ()
    refused: str = ""
    """AWS's words, where it has just refused to put a network interface there."""

    @property
    def in_region(self) -> bool:
        """False on an Outpost and in a Local or Wavelength Zone: no endpoint reaches there."""
        return not self.on_outpost and bool(_AVAILABILITY_ZONE.fullmatch(self.zone))

    @property
    def ip_versions(self) -> frozenset[int]:
        return frozenset(one.version for one in self.networks)

    def suits(self, ip_type: str) -> bool:
        """Whether an endpoint of this IpAddressType may have an interface here.

        AWS wants each subnet to have what the type has, and for `ipv6` nothing else
        (CreateVpcEndpoint, IpAddressType).
        """
        needed = IP_VERSIONS.get(ip_type, frozenset())
        return self.ip_versions == needed if ip_type == "ipv6" else needed <= self.ip_versions


@dataclass(frozen=True, slots=True)
class Access:
    """What the rules of one direction let through to port 443 over TCP: networks, or groups.

    A prefix list stands for networks that cost a call to look up, so it is only noted.
    """

    networks: frozenset[Network] = frozenset()
    groups: frozenset[str] = frozenset()
    prefix_lists: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One thing that a security group lets in.

    `protocol` is -1 for all traffic, and the ports too then. `source` is a CIDR, or the id of a
    security group (of the account `owner`) or of a prefix list.
    """

    protocol: str
    from_port: int
    to_port: int
    source: str
    owner: str = ""

    @property
    def network(self) -> Network | None:
        """The source, if it is a CIDR."""
        return ip_network(self.source) if "/" in self.source else None

    def __str__(self) -> str:
        ports = "-".join(str(port) for port in dict.fromkeys((self.from_port, self.to_port)))
        what = "all traffic" if self.protocol == "-1" else f"{self.protocol} {ports}"
        return f"{what} from {self.source}"


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group, reduced to what it lets in and out on port 443 over TCP.

    Rules that name a prefix list or another group admit no *network*, so they do not count for a
    VPC: an address that merely happens to be in that group proves nothing for the others. Egress
    does not count for an endpoint: groups are stateful, and an endpoint only answers.
    """

    id: str
    name: str
    tags: Tags
    admits_https_from: frozenset[Network]
    ingress: Access = Access()
    egress: Access = Access()
    rules: frozenset[Rule] = frozenset()
    """All that it lets in, port 443 or not."""


@dataclass(frozen=True, slots=True)
class AclRule:
    """What a rule of a network ACL says of TCP from or to a network, on ports `low` to `high`."""

    allow: bool
    network: Network
    low: int = 0
    high: int = 65_535


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """The rules that say something of TCP, in the order in which AWS tries them."""

    id: str
    ingress: tuple[AclRule, ...]
    egress: tuple[AclRule, ...]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint of the guarded service. `state` is lower case: AWS is not of one mind there.

    `ip_type` is its IpAddressType, `dns_type` the DnsRecordIpType: the addresses its private name
    stands for.
    """

    id: str
    type: str
    state: str
    subnet_ids: frozenset[str]
    group_ids: frozenset[str]
    private_dns: bool
    created: datetime
    tags: Tags = field(default_factory=dict[str, str])
    problem: str = ""
    interface_ids: frozenset[str] = frozenset()
    ip_type: str = "ipv4"
    dns_type: str = "ipv4"
    requester_managed: bool = False
    """An AWS service made it for its own use, and nobody else may change it."""

    @property
    def ip_versions(self) -> frozenset[int]:
        """The IP versions by which a client finds and reaches it."""
        found = IP_VERSIONS.get(self.dns_type, IP_VERSIONS["dualstack"])
        return IP_VERSIONS.get(self.ip_type, IP_VERSIONS["ipv4"]) & found


@dataclass(frozen=True, slots=True)
class Route:
    """A route of a subnet: to a network (None: to a prefix list's), by a target (empty: none)."""

    network: Network | None
    target: str


type Routes = Mapping[str, tuple[Route, ...]]
"""The routes of each subnet."""


@dataclass(frozen=True, slots=True)
class Hub:
    """An endpoint in another VPC of this account that serves the VPC."""

    endpoint: Endpoint
    vpc_id: str
    subnets: tuple[Subnet, ...]
    admits: frozenset[Network]
    acls: Mapping[str, NetworkAcl]
    routes: Routes


@dataclass(frozen=True, slots=True)
class HostedZone:
    """What serves the service's name in the VPC from elsewhere.

    A private hosted zone of that name, or a Route 53 Profile that brings such a zone or an
    endpoint's own name (`shared_endpoint`). `targets` are where the name's records point; `entries`
    the DNS names of endpoints of this account that are named and live. Both are empty for what
    cannot be read.
    """

    id: str
    owner_id: str
    targets: tuple[str, ...] = ()
    entries: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    profile_id: str = ""
    shared_endpoint: str = ""
    hubs: tuple[Hub, ...] = ()

    @property
    def endpoint_ids(self) -> frozenset[str]:
        """The endpoints that the records name, and the one that the Profile brings."""
        found = (DNS_ENTRY.fullmatch(plain(target)) for target in self.targets)
        return frozenset({one[1] for one in found if one} | {self.shared_endpoint} - {""})


@dataclass(frozen=True, slots=True)
class AttachedPolicy:
    """The policy that an endpoint carries, as AWS writes it back; `requester_managed` as there."""

    endpoint_id: str
    vpc_id: str
    text: str
    tags: Tags
    created: datetime
    requester_managed: bool = False


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
    service_ip_types: frozenset[str] = frozenset({"ipv4"})
    """The IP versions the service answers to: ipv4, ipv6."""
    fips_endpoints: tuple[Endpoint, ...] = ()
    """Endpoints for the service's FIPS name. They never serve the plain one."""
    zone: HostedZone | None = None
    """Only read where no endpoint has private DNS."""
    zone_unread: str = ""
    """Why Route 53 was asked in vain; empty if it was not, or answered."""
    is_default: bool = False
    acls: Mapping[str, NetworkAcl] = field(default_factory=dict[str, NetworkAcl])
    """The network ACL of each subnet."""
    resolvers: tuple[str, ...] = ()
    """DNS servers that the DHCP options name beside AWS's own."""
    dhcp_options_id: str = ""
    routes: Routes = field(default_factory=dict[str, tuple[Route, ...]])
    """Only read where a hub of this account serves the VPC."""


def plain(name: str) -> str:
    """A DNS name as names are compared: in small letters, without the dot at its end."""
    return name.lower().rstrip(".")


def fips_name(service_name: str) -> str:
    """The FIPS twin of an endpoint service, with endpoints and a private name of its own."""
    return f"{service_name}-fips"


def managed_by(tags: Tags, stack_id: str) -> bool:
    """True if the tags say that this stack made the resource."""
    return tags.get(MANAGED_TAG) == "true" and tags.get(STACK_TAG) == stack_id


def network(cidr: str) -> Network:
    """A CIDR as a network; AWS stores host bits cleared, so a set bit is an error worth raising."""
    return ip_network(cidr)
