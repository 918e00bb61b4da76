"""Who serves the service's name in a VPC from elsewhere, and whether packets get there. Pure.

A zone counts only if every record of the name is exactly a DNS entry of an approved endpoint: one
of this account that lives, or one that is listed. A name that merely holds an endpoint's id may
lead anywhere.
"""

from collections.abc import Iterator

from guard.endpoint.acls import between
from guard.endpoint.groups import uncovered
from guard.endpoint.plan import Desired
from guard.endpoint.state import DNS_ENTRY, HostedZone, Hub, Network, Route, Vpc, plain

_SHOWN = 3


def trusted(zone: HostedZone, desired: Desired) -> bool:
    """Whether it points at nothing but approved endpoints, or own ones that live."""
    if zone.shared_endpoint:
        approved = zone.shared_endpoint in desired.approved_endpoints
        return approved or zone.shared_endpoint in zone.entries or _approved(zone, desired)
    if zone.owner_id != desired.account_id:
        return _approved(zone, desired)
    return bool(zone.targets) and not any(_strangers(zone, desired))


def _approved(zone: HostedZone, desired: Desired) -> bool:
    other = zone.owner_id != desired.account_id
    return other and zone.owner_id in desired.approved_accounts


def _strangers(zone: HostedZone, desired: Desired) -> Iterator[str]:
    """The targets that are no DNS entry of an approved endpoint."""
    *_, region, service = desired.service_name.split(".")
    known = {name for names in zone.entries.values() for name in names}
    for target in zone.targets:
        entry = DNS_ENTRY.fullmatch(plain(target))
        ours = plain(target) in known
        listed = entry and entry[1] in desired.approved_endpoints
        if not ours and not (listed and entry and entry[2] == f"{service}.{region}"):
            yield target


def described(zone: HostedZone) -> str:
    """It, in words."""
    if zone.shared_endpoint:
        return f"the Route 53 Profile {zone.profile_id}"
    by = f" of the Route 53 Profile {zone.profile_id}" if zone.profile_id else ""
    return f"the private hosted zone {zone.id}{by}"


def untrusted(zone: HostedZone, desired: Desired) -> str:
    """Why a zone that has the name does not count."""
    if not zone.targets:
        target = "cannot be read from here" if zone.owner_id else "points nowhere"
        target = f"of account {zone.owner_id} {target}"
    else:
        names = ", ".join(_strangers(zone, desired))
        target = f"points at {names}, not at a DNS entry of an approved endpoint"
    return f"the name of the service is taken in this VPC by {described(zone)}, which {target}"


def points_at(zone: HostedZone) -> str:
    """What serves the VPC, in words."""
    to = ", ".join(sorted(zone.endpoint_ids)) or f"what account {zone.owner_id} approved"
    return f"{described(zone)} points at {to}"


def unseen_of(zone: HostedZone) -> str:
    """What of the way to the hub cannot be seen from here, in words; empty if it all can."""
    hidden = sorted(zone.endpoint_ids - {hub.endpoint.id for hub in zone.hubs})
    if hidden:
        names = ", ".join(hidden)
        return f"the state, security groups and routes of {names} cannot be seen from here"
    if not zone.hubs:
        return f"what {described(zone)} points at cannot be seen from here"
    return "what is between this VPC and the hub, such as a transit gateway, is not read"


def obstacles(vpc: Vpc, zone: HostedZone) -> tuple[str, ...]:
    """What keeps the VPC's packets from the hub's endpoint, as far as it can be read."""
    return tuple(dict.fromkeys(one for hub in zone.hubs for one in _obstacles(vpc, hub)))


def _obstacles(vpc: Vpc, hub: Hub) -> Iterator[str]:
    id_ = hub.endpoint.id
    if hub.endpoint.state not in ("available", "pending", "partial"):
        yield f"{id_} is {hub.endpoint.state}"
    if missing := uncovered(vpc.networks, hub.admits):
        names = ", ".join(map(str, missing))
        yield f"the security groups of {id_} do not admit port 443 from {names}"
    if vpc.id == hub.vpc_id:
        return
    for client in vpc.subnets:
        for target in hub.subnets:
            yield from _way(vpc.routes.get(client.id), client.id, target.networks, id_)
            yield from _way(hub.routes.get(target.id), target.id, client.networks, vpc.id)
            acls = {**vpc.acls, **hub.acls}
            if (wall := between(acls, client, target, hub.endpoint.ip_versions)) and wall.closed:
                yield f"network ACLs keep {client.id} from {id_}: {wall.words}"


def _way(
    routes: tuple[Route, ...] | None, subnet_id: str, to: tuple[Network, ...], what: str
) -> Iterator[str]:
    """Nothing where a route leads there, or where a prefix list may; routes that are not known."""
    if routes is None or any(one.network is None for one in routes):
        return
    if not any(_leads(routes, one) for one in to):
        yield f"{subnet_id} has no route to {what} ({', '.join(map(str, to))})"


def _leads(routes: tuple[Route, ...], to: Network) -> bool:
    """Whether the most specific route for the network leads to another VPC, or may."""
    found = [
        one
        for one in routes
        if one.network and one.network.version == to.version and not uncovered([to], [one.network])
    ]
    best = max(found, key=lambda one: one.network.prefixlen if one.network else 0, default=None)
    return bool(best and best.target and not best.target.startswith(("igw-", "nat-", "eigw-")))
