"""Values for tests: whole by default, each argument one deviation from a VPC that is well."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from guard.endpoint.groups import group_name
from guard.endpoint.plan import Desired
from guard.endpoint.state import (
    MANAGED_TAG,
    STACK_TAG,
    Access,
    Endpoint,
    HostedZone,
    Rule,
    SecurityGroup,
    Subnet,
    Vpc,
    network,
)
from guard.settings import Settings

ACCOUNT = "111122223333"
STACK = "arn:aws:cloudformation:us-east-1:111122223333:stack/vpce-guard/1f2e3d4c"
SERVICE = "com.amazonaws.us-east-1.secretsmanager"
OURS = {MANAGED_TAG: "true", STACK_TAG: STACK}
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ZONES = ("use1-az1", "use1-az2", "use1-az4")

DESIRED = Desired(
    account_id=ACCOUNT,
    stack_id=STACK,
    service_name=SERVICE,
    opt_out_tag="vpce-guard:ignore",
    policy='{"Statement":[]}',
)

SETTINGS = Settings(
    account_id=ACCOUNT,
    region="us-east-1",
    partition="aws",
    stack_id=STACK,
    topic_arn="arn:aws:sns:us-east-1:111122223333:findings",
    table_name="state",
    mode_parameter="mode",
    opt_out_tag="vpce-guard:ignore",
)


def subnet(
    id_: str = "subnet-1",
    zone_id: str = "use1-az1",
    free: int = 250,
    tags: Mapping[str, str] | None = None,
    *,
    on_outpost: bool = False,
    ipv6_only: bool = False,
    dual_stack: bool = False,
    zone: str = "",
) -> Subnet:
    """A subnet of IPv4 alone unless stated otherwise; its networks follow from its id's digits."""
    number = int("".join(filter(str.isdigit, id_)) or 0) % 256
    v4, v6 = network(f"10.0.{number}.0/24"), network(f"2001:db8:0:{number:x}::/64")
    networks = (v6,) if ipv6_only else (v4, v6) if dual_stack else (v4,)
    zone = zone or "us-east-1" + chr(ord("a") + int(zone_id[-1]) - 1)
    free = 0 if ipv6_only else free
    return Subnet(id_, zone, zone_id, free, tags or {}, on_outpost, networks)


def group(
    id_: str = "sg-ours",
    admits: Iterable[str] = ("10.0.0.0/16",),
    tags: Mapping[str, str] | None = None,
    reaches: Iterable[str] = ("0.0.0.0/0", "::/0"),
    *,
    admits_groups: Iterable[str] = (),
    reaches_groups: Iterable[str] = (),
    prefix_lists: bool = False,
) -> SecurityGroup:
    """One of ours that lets HTTPS in from the VPC and anything out, unless stated otherwise."""
    admitted = frozenset(network(one) for one in admits)
    out = frozenset(network(one) for one in reaches)
    sources = (*map(str, admitted), *admits_groups)
    return SecurityGroup(
        id_,
        group_name("vpc-1", STACK) if tags is None else id_,
        OURS if tags is None else tags,
        admitted,
        Access(admitted, frozenset(admits_groups), prefix_lists),
        Access(out, frozenset(reaches_groups), prefix_lists),
        frozenset(Rule("tcp", 443, 443, one) for one in sources),
    )


def endpoint(
    id_: str = "vpce-1",
    state: str = "available",
    subnet_ids: Iterable[str] = ("subnet-1",),
    group_ids: Iterable[str] = ("sg-ours",),
    *,
    type_: str = "interface",
    private_dns: bool = True,
    created: datetime = NOON,
    problem: str = "",
    tags: Mapping[str, str] | None = None,
    interfaces: bool = True,
    ip_type: str = "ipv4",
    dns_type: str = "",
    requester_managed: bool = False,
) -> Endpoint:
    ids = frozenset(subnet_ids)
    return Endpoint(
        id_,
        type_,
        state,
        ids,
        frozenset(group_ids),
        private_dns,
        created,
        tags or {},
        problem,
        frozenset(f"eni-{one}" for one in ids if interfaces),
        ip_type,
        dns_type or ip_type,
        requester_managed,
    )


def zone(
    *endpoint_ids: str,
    owner_id: str = ACCOUNT,
    live: Iterable[str] = (),
    targets: Iterable[str] | None = None,
) -> HostedZone:
    """A private hosted zone of the service's name that points at these endpoints."""
    names = [f"{one}-abcd1234.secretsmanager.us-east-1.vpce.amazonaws.com" for one in endpoint_ids]
    entries = {id_: frozenset({name}) for id_, name in zip(endpoint_ids, names, strict=True)}
    return HostedZone(
        "Z0HUB",
        owner_id,
        tuple(names if targets is None else targets),
        {id_: entries[id_] for id_ in live},
    )


def vpc(
    *,
    owner_id: str = ACCOUNT,
    tags: Mapping[str, str] | None = None,
    networks: Iterable[str] = ("10.0.0.0/16",),
    dns_support: bool = True,
    dns_hostnames: bool = True,
    subnets: Iterable[Subnet] | None = None,
    endpoints: Iterable[Endpoint] | None = None,
    groups: Iterable[SecurityGroup] | None = None,
    service_zones: Iterable[str] = ZONES,
    service_ip_types: Iterable[str] = ("ipv4", "ipv6"),
    fips_endpoints: Iterable[Endpoint] = (),
    zone: HostedZone | None = None,
    zone_unread: str = "",
) -> Vpc:
    """A VPC with one subnet and one endpoint that works, unless stated otherwise."""
    return Vpc(
        id="vpc-1",
        owner_id=owner_id,
        tags=tags or {},
        networks=frozenset(network(one) for one in networks),
        dns_support=dns_support,
        dns_hostnames=dns_hostnames,
        subnets=tuple([subnet()] if subnets is None else subnets),
        endpoints=tuple([endpoint()] if endpoints is None else endpoints),
        groups={one.id: one for one in ([group()] if groups is None else groups)},
        service_zones=frozenset(service_zones),
        service_ip_types=frozenset(service_ip_types),
        fips_endpoints=tuple(fips_endpoints),
        zone=zone,
        zone_unread=zone_unread,
    )
