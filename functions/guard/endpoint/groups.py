"""The security groups of an endpoint: whom they let in, and what our own one has to. Pure.

Our own group admits port 443 from the whole VPC and nothing else. Nobody else's is ever changed;
ours is put beside it where it keeps the VPC out, unless somebody chose whom it admits.
"""

from collections.abc import Iterable
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from guard.endpoint.plan import AuthoriseHttps, CreateGroup, Desired, RevokeIngress, Step
from guard.endpoint.state import HTTPS, Endpoint, Network, Rule, SecurityGroup, Vpc, managed_by

DEFAULT = "default"  # the group that every VPC has, whose members admit each other


def group_name(vpc_id: str, stack_id: str) -> str:
    """The name of a stack's own group in a VPC.

    Names are unique in a VPC, and the group of an earlier or second stack is not this one's to use.
    """
    return f"vpce-guard-{vpc_id}-{sha256(stack_id.encode()).hexdigest()[:8]}"


def own_groups(vpc: Vpc, stack_id: str) -> list[SecurityGroup]:
    """The groups in the VPC that this stack made.

    Whoever may tag could write the tags; but a group keeps its name for ever (CreateSecurityGroup).
    """
    name = group_name(vpc.id, stack_id)
    ours = (g for g in vpc.groups.values() if managed_by(g.tags, stack_id) and g.name == name)
    return sorted(ours, key=lambda group: group.id)


def uncovered(networks: Iterable[Network], admitted: Iterable[Network]) -> tuple[Network, ...]:
    """The networks that are not wholly inside the union of the admitted ones, in sorted order."""
    admitted = list(admitted)
    v4 = list(collapse_addresses(n for n in admitted if isinstance(n, IPv4Network)))
    v6 = list(collapse_addresses(n for n in admitted if isinstance(n, IPv6Network)))

    def covered(one: Network) -> bool:
        if isinstance(one, IPv4Network):
            return any(one.subnet_of(other) for other in v4)
        return any(one.subnet_of(other) for other in v6)

    missing = [one for one in networks if not covered(one)]
    return tuple(sorted(missing, key=lambda n: (n.version, int(n.network_address), n.prefixlen)))


def group_steps(vpc: Vpc, desired: Desired) -> tuple[list[Step], str | None]:
    """The steps that leave our own group admitting the whole VPC and nothing else.

    And its id; None: it is to be made. It admits what it must before it loses anything.
    """
    group = next(iter(own_groups(vpc, desired.stack_id)), None)
    if group is None:
        name = group_name(vpc.id, desired.stack_id)
        everybody = tuple(str(one) for one in uncovered(vpc.networks, ()))
        return [CreateGroup(vpc.id, name), AuthoriseHttps(None, everybody)], None
    steps: list[Step] = []
    beyond = tuple(sorted(one for one in group.rules if not _desired(one, vpc)))
    kept = [one.network for one in group.rules if one not in beyond and one.network]
    if missing := uncovered(vpc.networks, kept):
        steps.append(AuthoriseHttps(group.id, tuple(str(one) for one in missing)))
    if beyond:
        steps.append(RevokeIngress(group.id, beyond))
    return steps, group.id


def _desired(rule: Rule, vpc: Vpc) -> bool:
    """Whether the rule admits port 443 from addresses of the VPC, and nothing else."""
    if (rule.protocol, rule.from_port, rule.to_port) != ("tcp", HTTPS, HTTPS):
        return False
    return rule.network is not None and not uncovered([rule.network], vpc.networks)


def repair_groups(
    vpc: Vpc, endpoint: Endpoint, desired: Desired, versions: Iterable[int]
) -> tuple[list[Step], str | None, bool, tuple[str, ...]]:
    """Steps for the endpoint's groups, the id of ours to add, whether to add it, and who stays out.

    `versions` are the IP versions that the endpoint has: no group helps where it has none.
    """
    steps, group_id = group_steps(vpc, desired)
    if group_id in endpoint.group_ids:
        return steps, None, False, ()
    groups = [vpc.groups[id_] for id_ in sorted(endpoint.group_ids) if id_ in vpc.groups]
    reached = [one for one in vpc.networks if one.version in set(versions)]
    admitted = [network for group in groups for network in group.admits_https_from]
    missing = uncovered(reached, admitted)
    if not missing:
        return [], None, False, ()
    if not managed_by(endpoint.tags, desired.stack_id) and _chosen(groups, reached, missing):
        ids = ", ".join(group.id for group in groups)
        gap = f"its security groups {ids} admit port 443 from a part of the VPC that somebody chose"
        return [], None, False, (gap,)
    return steps, group_id, True, ()


def _chosen(
    groups: Iterable[SecurityGroup], reached: Iterable[Network], missing: Iterable[Network]
) -> bool:
    """Whether somebody chose whom the groups admit: some groups, prefix lists or parts of ranges.

    Groups that admit whole ranges of the VPC are only behind, where it was given another one.
    """
    for group in groups:
        own = {group.id} if group.name == DEFAULT else set[str]()
        if group.ingress.prefix_lists or group.ingress.groups - own:
            return True
    some = any(group.admits_https_from for group in groups)
    return some and set(missing) == set(reached)
