"""Where an endpoint's network interfaces go, and with which IP versions. Pure.

One subnet for each AZ, as AWS allows no more; of each AZ that hosts subnets and that the service
supports, so that no client depends on another AZ. What cannot be had is reported as a gap.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from guard.endpoint.acls import walls
from guard.endpoint.state import IP_VERSIONS, PREFERRED_SUBNET_TAG, Endpoint, Subnet, Vpc

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Placement:
    """The subnets to use and the IpAddressType that suits them all.

    `gaps` say who is left out, and why.
    """

    ip_type: str
    subnet_ids: tuple[str, ...]
    gaps: tuple[str, ...] = ()


def place_new(vpc: Vpc, maximum_zones: int) -> Placement:
    """The best place for an endpoint that is still to be made; no subnets if there is none.

    Best is the type that leaves no client without an IP version in common, then the one that
    reaches most AZs, then the plainest: names that also stand for IPv6 addresses would send
    dual-stack clients a way that their own groups may not allow.
    """
    needed = needed_versions(vpc)

    def rank(one: Placement) -> tuple[int, int, int]:
        unmet = len(needed - IP_VERSIONS[one.ip_type])
        return (unmet, -len(one.subnet_ids), list(IP_VERSIONS).index(one.ip_type))

    options: list[Placement] = []
    for ip_type in offered_types(vpc):
        subnet_ids = choose_subnets(usable_subnets(vpc, ip_type), (), maximum_zones)
        if subnet_ids:
            options.append(Placement(ip_type, subnet_ids))
    if not options:
        return Placement("ipv4", ())
    best = min(options, key=rank)
    gaps = _gaps(vpc, best.ip_type, IP_VERSIONS[best.ip_type], best.subnet_ids, maximum_zones)
    return Placement(best.ip_type, best.subnet_ids, gaps)


def place_more(vpc: Vpc, endpoint: Endpoint, maximum_zones: int) -> Placement:
    """What an endpoint lacks: subnets to add, and the type to change to (empty: as it is).

    Its IP versions are only ever added to, and no subnet is taken from it: those who use it may
    depend on what there is.
    """
    needed = needed_versions(vpc)
    present = [subnet for subnet in vpc.subnets if subnet.id in endpoint.subnet_ids]
    ip_type, versions = "", endpoint.ip_versions
    both = all(subnet.suits("dualstack") for subnet in present)
    if needed - versions and both and "dualstack" in offered_types(vpc):
        candidates = usable_subnets(vpc, "dualstack")
        if present or candidates:
            ip_type, versions = "dualstack", IP_VERSIONS["dualstack"]
    then = ip_type or endpoint.ip_type
    taken = {subnet.zone_id for subnet in present}
    room = maximum_zones and max(maximum_zones - len(taken), 0)
    added: tuple[str, ...] = ()
    if not maximum_zones or room:
        added = choose_subnets(usable_subnets(vpc, then), taken, room)
    gaps = _gaps(vpc, then, versions, (*endpoint.subnet_ids, *added), maximum_zones)
    return Placement(ip_type, added, gaps)


def needed_versions(vpc: Vpc) -> frozenset[int]:
    """The IP versions that some client has alone; one in a dual-stack subnet takes either."""
    alone = (subnet.ip_versions for subnet in vpc.subnets if len(subnet.ip_versions) == 1)
    return frozenset[int]().union(*alone)


def offered_types(vpc: Vpc) -> tuple[str, ...]:
    """The types that the service can have, plainest first."""
    known = (IP_VERSIONS.get(one, frozenset[int]()) for one in vpc.service_ip_types)
    answers = frozenset[int]().union(*known)
    return tuple(type_ for type_, versions in IP_VERSIONS.items() if versions <= answers)


def usable_subnets(vpc: Vpc, ip_type: str = "ipv4") -> list[Subnet]:
    """Subnets that can hold a network interface of an endpoint of this type.

    Those whose network ACL keeps all others out count only where there is nothing better: whoever
    gets the address of such an interface waits for it in vain.
    """
    some = [subnet for subnet in vpc.subnets if not _obstacle(vpc, subnet, ip_type)]
    shut = _shut(vpc, ip_type)
    return [subnet for subnet in some if subnet.id not in shut] or some


def _shut(vpc: Vpc, ip_type: str) -> frozenset[str]:
    return walls(vpc, (one.id for one in vpc.subnets), IP_VERSIONS[ip_type]).shut_ids


def choose_subnets(
    candidates: Iterable[Subnet], taken_zones: Iterable[str], limit: int = 0
) -> tuple[str, ...]:
    """One subnet for each AZ that has none yet: a preferred one, else the one with most room.

    With a `limit` (0: none), those AZs whose subnet is best.
    """
    taken = set(taken_zones)
    chosen: dict[str, Subnet] = {}
    for subnet in sorted(candidates, key=_rank):
        if subnet.zone_id not in taken:
            chosen.setdefault(subnet.zone_id, subnet)
    zones = list(chosen)[:limit] if limit else list(chosen)
    return tuple(chosen[zone].id for zone in sorted(zones))


def why_nowhere(vpc: Vpc) -> str:
    """Why none of the VPC's subnets can hold the endpoint: one reason for each."""
    type_ = "ipv6" if all(s.ip_versions == IP_VERSIONS["ipv6"] for s in vpc.subnets) else "ipv4"
    if type_ not in offered_types(vpc):
        return "the subnets have IPv6 alone, and the service does not answer to it"
    reasons = [
        f"{subnet.id} ({subnet.zone_id}): {_obstacle(vpc, subnet, type_)}"
        for subnet in sorted(vpc.subnets, key=lambda one: (one.zone_id, one.id))
    ]
    more = f" and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return f"no subnet can hold the endpoint: {', '.join(reasons[:_SHOWN])}{more}"


def left_out(vpc: Vpc) -> tuple[str, ...]:
    """What no endpoint can have here, and nobody needs to repair: for the log and the audit."""
    outside = sorted(subnet.id for subnet in vpc.subnets if not subnet.in_region)
    without = sorted({s.zone_id for s in vpc.subnets if s.in_region and not _supported(vpc, s)})
    notes: list[str] = []
    if outside:
        notes.append(f"no endpoint reaches Outposts and Local Zones: {_listed(outside)}")
    if without:
        notes.append(f"the service is not in {_listed(without)}")
    return tuple(notes)


def _obstacle(vpc: Vpc, subnet: Subnet, ip_type: str) -> str:
    """Why a subnet cannot hold an interface of an endpoint of this type; empty if it can."""
    if not subnet.in_region:
        return "on an Outpost or in a Local Zone"
    if not _supported(vpc, subnet):
        return "the service does not support its AZ"
    if not subnet.suits(ip_type):
        return f"does not suit an endpoint of type {ip_type}"
    if 4 in IP_VERSIONS[ip_type] and subnet.free_addresses <= 0:
        return "no free IPv4 address"
    return f"AWS refused: {subnet.refused}" if subnet.refused else ""


def _supported(vpc: Vpc, subnet: Subnet) -> bool:
    return subnet.zone_id in vpc.service_zones or subnet.zone in vpc.service_zones


def _rank(subnet: Subnet) -> tuple[bool, int, str]:
    return (PREFERRED_SUBNET_TAG not in subnet.tags, -subnet.free_addresses, subnet.id)


def _gaps(
    vpc: Vpc,
    ip_type: str,
    versions: Collection[int],
    subnet_ids: Iterable[str],
    maximum_zones: int,
) -> tuple[str, ...]:
    """Who the endpoint leaves out although somebody could change that, and why."""
    ids = set(subnet_ids)
    taken = {subnet.zone_id for subnet in vpc.subnets if subnet.id in ids}
    gaps: list[str] = []
    if not maximum_zones or len(taken) < maximum_zones:
        gaps += _bare_zones(vpc, ip_type, taken)
    for version in sorted(needed_versions(vpc) - set(versions)):
        alone = sorted(s.id for s in vpc.subnets if s.ip_versions == frozenset({version}))
        gaps.append(f"clients in {_listed(alone)} have IPv{version} alone, the endpoint has it not")
    return tuple(gaps)


def _bare_zones(vpc: Vpc, ip_type: str, taken: Collection[str]) -> list[str]:
    obstacles: dict[str, set[str]] = {}
    for subnet in vpc.subnets:
        if subnet.zone_id not in taken and subnet.in_region and _supported(vpc, subnet):
            found = _obstacle(vpc, subnet, ip_type) or "its network ACL keeps the others out"
            obstacles.setdefault(subnet.zone_id, set()).add(f"{subnet.id}: {found}")
    return [
        f"no network interface in {zone} ({_listed(sorted(obstacles[zone]))})"
        for zone in sorted(obstacles)
    ]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
