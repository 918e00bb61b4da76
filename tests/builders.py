"""Values for tests: whole by default, each argument one deviation from a VPC that is well."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from guard.decide import Wanted
from guard.vpc import (
    MANAGED_TAG,
    STACK_TAG,
    Endpoint,
    SecurityGroup,
    Subnet,
    Vpc,
    network,
)

ACCOUNT = "111122223333"
STACK = "arn:aws:cloudformation:us-east-1:111122223333:stack/vpce-guard/1f2e3d4c"
SERVICE = "com.amazonaws.us-east-1.secretsmanager"
OURS = {MANAGED_TAG: "true", STACK_TAG: STACK}
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ZONES = ("use1-az1", "use1-az2", "use1-az4")

WANTED = Wanted(
    account_id=ACCOUNT,
    stack_id=STACK,
    service_name=SERVICE,
    opt_out_tag="vpce-guard:ignore",
    policy='{"Statement":[]}',
)


def subnet(
    id_: str = "subnet-1",
    zone_id: str = "use1-az1",
    free: int = 250,
    tags: Mapping[str, str] | None = None,
    *,
    on_outpost: bool = False,
    ipv6_only: bool = False,
) -> Subnet:
    zone = "us-east-1" + chr(ord("a") + int(zone_id[-1]) - 1)
    return Subnet(id_, zone, zone_id, free, tags or {}, on_outpost, ipv6_only)


def group(
    id_: str = "sg-ours",
    admits: Iterable[str] = ("10.0.0.0/16",),
    tags: Mapping[str, str] | None = None,
) -> SecurityGroup:
    return SecurityGroup(
        id_, id_, OURS if tags is None else tags, frozenset(network(one) for one in admits)
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
) -> Endpoint:
    return Endpoint(
        id_,
        type_,
        state,
        frozenset(subnet_ids),
        frozenset(group_ids),
        private_dns,
        created,
        {},
        problem,
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
) -> Vpc:
    """A VPC with one subnet and one endpoint that works, unless told otherwise."""
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
    )
