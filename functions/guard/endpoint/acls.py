"""Whether network ACLs let packets through between the subnets of a VPC. Pure.

Rules are tried in the order of their numbers and the first that fits decides; what none fits is
denied. They are stateless: answers need a rule of their own, to the client's ephemeral port. Within
a subnet they say nothing ("Control subnet traffic with network access control lists", VPC User
Guide).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import cast

from guard.endpoint.state import HTTPS, AclRule, Network, NetworkAcl, Subnet, Vpc

# The ports from which Linux calls; Windows and Lambda have more. An ACL that denies them all leaves
# nobody, one that denies some of them leaves calls to chance.
EPHEMERAL = (32_768, 60_999)
_MOST_PIECES = 2_000  # of one question: beyond, it counts as answered in part
_SHOWN = 3

type _Piece = tuple[Network, int, int, int]


@dataclass(frozen=True, slots=True)
class Walls:
    """What network ACLs keep from an endpoint.

    `shut` says which of its interfaces nobody gets through to from another subnet, `partial` which
    subnets do not get through to some. `shut_ids` are the subnets whose own ACL does the former.
    """

    shut: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    shut_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wall:
    """What keeps one subnet from another: all of it, or (not `closed`) a part.

    `at_target`: the ACL of the interface's subnet is enough to do so. A subnet whose own ACL keeps
    its clients in may be isolated on purpose.
    """

    closed: bool
    words: str
    at_target: bool = False


def walls(vpc: Vpc, subnet_ids: Iterable[str], versions: frozenset[int]) -> Walls:
    """What keeps the VPC's subnets from interfaces in these, which have these IP versions."""
    ids = frozenset(subnet_ids)
    if _open(vpc):
        return Walls()
    shut: dict[str, str] = {}
    partial: list[str] = []
    pairs: list[tuple[Subnet, Wall | None]] = []
    for target in sorted((one for one in vpc.subnets if one.id in ids), key=lambda one: one.id):
        others = [
            (one, between(vpc.acls, one, target, versions))
            for one in vpc.subnets
            if one.id != target.id and one.ip_versions & versions & target.ip_versions
        ]
        pairs += others
        kept = [(one, wall) for one, wall in others if wall]
        if kept and all(wall and wall.closed and wall.at_target for _, wall in others):
            words = f"the interface in {target.id}: {kept[0][1].words}"
            shut[target.id] = f"network ACLs let no other subnet through to {words}"
        elif kept:
            partial.append(_partly(target, kept))
    closed = {one.id for one, wall in pairs if wall and wall.closed}
    if not shut and len(closed) > 1 and all(wall and wall.closed for _, wall in pairs):
        # Not one isolated subnet: nobody gets from any subnet to an interface in another.
        return Walls(tuple(partial))
    return Walls(tuple(shut.values()), tuple(partial), frozenset(shut))


def _partly(target: Subnet, kept: Sequence[tuple[Subnet, Wall]]) -> str:
    part = "" if any(wall.closed for _, wall in kept) else "part of "
    names = _listed(sorted(one.id for one, _ in kept))
    return f"network ACLs keep {part}{names} from the interface in {target.id}: {kept[0][1].words}"


def between(
    acls: Mapping[str, NetworkAcl], client: Subnet, target: Subnet, versions: frozenset[int]
) -> Wall | None:
    """What keeps clients of one subnet from HTTPS in the other; None if nothing does.

    It is closed where no IP version that both have gets through. A subnet whose ACL is not known
    counts as open.
    """
    if client.id == target.id:
        return None
    by_version = [
        _worst(wall for wall in _steps(acls, client, target, mine, theirs) if wall)
        for mine in client.networks
        for theirs in target.networks
        if mine.version == theirs.version and mine.version in versions
    ]
    worst = _worst(wall for wall in by_version if wall)
    if worst is None or all(wall and wall.closed for wall in by_version):
        return worst
    return Wall(False, worst.words)


def _worst(some: Iterable[Wall]) -> Wall | None:
    return max(some, key=lambda wall: (wall.closed, wall.at_target), default=None)


def _steps(
    acls: Mapping[str, NetworkAcl], client: Subnet, target: Subnet, mine: Network, theirs: Network
) -> Iterator[Wall | None]:
    here, there = acls.get(client.id), acls.get(target.id)
    if here:
        out = f"{here.id} of {client.id} lets no"
        yield _wall(here.egress, theirs, (HTTPS, HTTPS), f"{out} request out to {theirs}")
        yield _wall(here.ingress, theirs, EPHEMERAL, f"{out} answer in from {theirs}")
    if there:
        into = f"{there.id} of {target.id} lets no"
        yield _wall(there.ingress, mine, (HTTPS, HTTPS), f"{into} request in from {mine}", own=True)
        yield _wall(there.egress, mine, EPHEMERAL, f"{into} answer out to {mine}", own=True)


def _wall(
    rules: tuple[AclRule, ...],
    network: Network,
    ports: tuple[int, int],
    words: str,
    *,
    own: bool = False,
) -> Wall | None:
    passes = outcomes(rules, network, *ports)
    if False not in passes:
        return None
    if True in passes:
        return Wall(False, words.replace(" lets no ", " does not let every ", 1))
    return Wall(True, words, own)


def _open(vpc: Vpc) -> bool:
    """Whether every ACL first of all allows everything, as AWS makes the default one: quick."""
    versions = frozenset[int]().union(*(one.ip_versions for one in vpc.subnets))
    return all(
        _allows_all(rules, version)
        for acl in {one.id: one for one in vpc.acls.values()}.values()
        for rules in (acl.ingress, acl.egress)
        for version in versions
    )


def _allows_all(rules: Iterable[AclRule], version: int) -> bool:
    first = next((one for one in rules if one.network.version == version), None)
    if not first or not first.allow:
        return False
    return first.network.prefixlen == 0 and (first.low, first.high) == (0, 65_535)


@lru_cache(4096)
def outcomes(rules: tuple[AclRule, ...], network: Network, low: int, high: int) -> frozenset[bool]:
    """What becomes of packets of this network on these ports: allowed, denied, or some of both."""
    found: set[bool] = set()
    pieces: list[_Piece] = [(network, low, high, 0)]
    seen = 0
    while pieces and len(found) < 2:
        seen += 1
        if seen > _MOST_PIECES:
            return frozenset({True, False})
        outcome, more = _first_rule(rules, *pieces.pop())
        if outcome is not None:
            found.add(outcome)
        pieces += more
    return frozenset(found)


def _first_rule(
    rules: Sequence[AclRule], network: Network, low: int, high: int, start: int
) -> tuple[bool | None, list[_Piece]]:
    """What the first rule that fits says, or the pieces by which it fits in part."""
    for index in range(start, len(rules)):
        rule = rules[index]
        if rule.network.version != network.version or not rule.network.overlaps(network):
            continue
        if rule.high < low or high < rule.low:
            continue
        within = _within(network, rule.network)
        if within and rule.low <= low and high <= rule.high:
            return rule.allow, []
        networks = [network] if within else [rule.network, *_rest(network, rule.network)]
        bounds = [(low, rule.low - 1), (max(low, rule.low), min(high, rule.high))]
        bounds.append((rule.high + 1, high))
        ports = [(one, other) for one, other in bounds if one <= other]
        return None, [(one, *two, index) for one in networks for two in ports]
    return False, []


def _within(one: Network, other: Network) -> bool:
    if isinstance(one, IPv4Network):
        return one.subnet_of(cast(IPv4Network, other))
    return one.subnet_of(cast(IPv6Network, other))


def _rest(one: Network, part: Network) -> Iterable[Network]:
    if isinstance(one, IPv4Network):
        return one.address_exclude(cast(IPv4Network, part))
    return one.address_exclude(cast(IPv6Network, part))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
