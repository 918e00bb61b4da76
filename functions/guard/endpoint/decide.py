"""Does this VPC's Secrets Manager endpoint work, and if not, what makes it work? Pure.

`decide` takes the observed state and what is desired and returns a plan: a verdict, the reasons for
it, and the steps, each of which is one AWS call. Printing the steps is the dry run. An empty plan
means that there is nothing to do, so a second run after a successful one changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from guard.endpoint.placement import left_out, place_more, place_new, why_nowhere
from guard.endpoint.plan import (
    AuthoriseHttps,
    CreateEndpoint,
    CreateGroup,
    Desired,
    EnableDnsAttribute,
    ModifyEndpoint,
    Plan,
    Step,
    Verdict,
)
from guard.endpoint.state import LIVE, Endpoint, HostedZone, Network, SecurityGroup, Vpc, managed_by


def decide(vpc: Vpc, desired: Desired) -> Plan:
    """The plan that makes the VPC's endpoint work, empty if it does."""
    if vpc.owner_id != desired.account_id:
        owner = f"the VPC is shared by account {vpc.owner_id}, whose guard must serve it"
        return Plan(vpc.id, Verdict.EXEMPT, (owner,))
    if desired.opt_out_tag in vpc.tags:
        return Plan(vpc.id, Verdict.EXEMPT, (f"the VPC carries the tag {desired.opt_out_tag}",))
    endpoint = serving_endpoint(vpc.endpoints)
    if endpoint and desired.opt_out_tag in endpoint.tags:
        reason = f"{endpoint.id} carries the tag {desired.opt_out_tag}"
        return Plan(vpc.id, Verdict.EXEMPT, (reason,), endpoint_id=endpoint.id)
    plan = _judge(vpc, endpoint, desired)
    return replace(plan, notes=_notes(vpc, endpoint))


def _judge(vpc: Vpc, endpoint: Endpoint | None, desired: Desired) -> Plan:
    by_zone = False
    if vpc.zone and not (endpoint and endpoint.private_dns):
        # The name is the zone's: AWS refuses private DNS beside it.
        if not _trusted(vpc.zone, desired):
            reason = _untrusted(vpc.zone)
            return Plan(vpc.id, Verdict.NOT_REPAIRABLE, (reason,), endpoint_id=_id(endpoint))
        by_zone = bool(endpoint and endpoint.id in vpc.zone.endpoint_ids)
        if not by_zone:
            return _covered(vpc, vpc.zone)
    deleting = [e for e in vpc.endpoints if e.state == "deleting"]
    if endpoint and not endpoint.private_dns and not by_zone:
        # Until it is gone, the one being deleted keeps the name, if it has it.
        deleting = [e for e in deleting if e.private_dns]
    if deleting and not (endpoint and (endpoint.private_dns or by_zone)):
        # Its private DNS name is only free when it is gone; AWS refuses a new one until then.
        reason = f"{deleting[0].id} is still being deleted"
        return Plan(vpc.id, Verdict.SETTLING, (reason,), endpoint_id=_id(endpoint))
    if endpoint is None:
        return _create(vpc, desired)
    if endpoint.state == "pending":
        # AWS is at work on it, and whoever made it may not be done yet either.
        reason = f"{endpoint.id} is pending"
        return Plan(vpc.id, Verdict.SETTLING, (reason,), endpoint_id=endpoint.id)
    if endpoint.state == "pendingacceptance":
        reason = f"{endpoint.id} waits for the owner of the service to accept it"
        return Plan(vpc.id, Verdict.NOT_REPAIRABLE, (reason,), endpoint_id=endpoint.id)
    return _repair(vpc, endpoint, desired, by_zone=by_zone)


def _id(endpoint: Endpoint | None) -> str:
    return endpoint.id if endpoint else ""


def _notes(vpc: Vpc, endpoint: Endpoint | None) -> tuple[str, ...]:
    """What is there besides the serving endpoint, noted so that nobody takes it for one."""
    notes = [
        f"{one.id} has the FIPS name alone and does not serve the plain one"
        for one in vpc.fips_endpoints
        if one.state in LIVE
    ]
    notes += [
        f"{one.id} is there too, without private DNS: nobody comes to it by name"
        for one in vpc.endpoints
        if endpoint and one.id != endpoint.id and one.state in LIVE and not one.private_dns
    ]
    if vpc.zone_unread:
        notes.append(f"whether a hub serves the VPC is not known: {vpc.zone_unread}")
    return (*notes, *left_out(vpc))


def _trusted(zone: HostedZone, desired: Desired) -> bool:
    """Whether a hosted zone points at nothing but approved endpoints, or own ones that live."""
    if zone.owner_id != desired.account_id:
        return zone.owner_id in desired.approved_accounts
    known = desired.approved_endpoints | zone.live
    return bool(zone.targets) and all(
        any(id_ in target for id_ in zone.endpoint_ids & known) for target in zone.targets
    )


def _untrusted(zone: HostedZone) -> str:
    if not zone.targets:
        target = "cannot be read from here" if zone.owner_id else "points nowhere"
        target = f"of account {zone.owner_id} {target}"
    else:
        target = f"points at {', '.join(zone.targets)}, not at an approved endpoint"
    return (
        f"the name of the service is taken in this VPC by the private hosted zone {zone.id},"
        f" which {target}"
    )


def _covered(vpc: Vpc, zone: HostedZone) -> Plan:
    """The plan for a VPC that a hub serves: without its DNS attributes nobody sees the zone."""
    to = ", ".join(sorted(zone.endpoint_ids)) or f"what account {zone.owner_id} approved"
    reason = f"the private hosted zone {zone.id} points at {to}"
    steps = tuple(_dns_steps(vpc))
    if not steps:
        return Plan(vpc.id, Verdict.COVERED, (reason,))
    off = [f"{step.attribute} is off" for step in steps]
    return Plan(vpc.id, Verdict.BROKEN, (*off, reason), steps)


def serving_endpoint(endpoints: Iterable[Endpoint]) -> Endpoint | None:
    """The endpoint that serves the VPC, or is nearest to it: private DNS first, then the oldest."""
    live = [e for e in endpoints if e.type == "interface" and e.state in LIVE]
    return min(live, key=lambda e: (not e.private_dns, e.created, e.id), default=None)


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


def _dns_steps(vpc: Vpc) -> list[EnableDnsAttribute]:
    # enableDnsSupport first: AWS refuses enableDnsHostnames while it is off.
    steps: list[EnableDnsAttribute] = []
    if not vpc.dns_support:
        steps.append(EnableDnsAttribute(vpc.id, "enableDnsSupport"))
    if not vpc.dns_hostnames:
        steps.append(EnableDnsAttribute(vpc.id, "enableDnsHostnames"))
    return steps


def group_name(vpc_id: str, stack_id: str) -> str:
    """The name of a stack's own group in a VPC.

    Names are unique in a VPC, and the group of an earlier or second stack is not this one's to use.
    """
    return f"vpce-guard-{vpc_id}-{sha256(stack_id.encode()).hexdigest()[:8]}"


def _own_group(vpc: Vpc, desired: Desired) -> SecurityGroup | None:
    ours = [g for g in vpc.groups.values() if managed_by(g.tags, desired.stack_id)]
    return min(ours, key=lambda group: group.id, default=None)


def _group_steps(vpc: Vpc, desired: Desired) -> tuple[list[Step], str | None]:
    """The steps that leave our own group admitting the whole VPC, and its id (None: to be made)."""
    group = _own_group(vpc, desired)
    steps: list[Step] = [] if group else [CreateGroup(vpc.id, group_name(vpc.id, desired.stack_id))]
    missing = uncovered(vpc.networks, group.admits_https_from if group else ())
    group_id = group.id if group else None
    if missing:
        steps.append(AuthoriseHttps(group_id, tuple(str(one) for one in missing)))
    return steps, group_id


def _create(vpc: Vpc, desired: Desired) -> Plan:
    place = place_new(vpc, desired.maximum_zones)
    if not place.subnet_ids:
        return Plan(vpc.id, *_without_subnets(vpc))
    if desired.policy_problem:
        # An endpoint without its policy would let everything through from its first second on.
        return Plan(vpc.id, Verdict.NOT_REPAIRABLE, (desired.policy_problem,))
    group_steps, group_id = _group_steps(vpc, desired)
    create = CreateEndpoint(
        vpc.id,
        desired.service_name,
        place.subnet_ids,
        group_id,
        desired.policy,
        known_endpoints=tuple(sorted(endpoint.id for endpoint in vpc.endpoints)),
        ip_type=place.ip_type,
    )
    reasons = tuple(f"{e.id} is {e.state}{_because(e)}" for e in vpc.endpoints)
    return Plan(
        vpc.id,
        Verdict.BROKEN,
        ("the VPC has no working endpoint for Secrets Manager", *reasons, *place.gaps),
        (*_dns_steps(vpc), *group_steps, create),
    )


def _without_subnets(vpc: Vpc) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and reasons where no subnet can hold a network interface of the endpoint."""
    if not vpc.subnets:
        return Verdict.WAITING, ("the VPC has no subnet yet",)
    return Verdict.NOT_REPAIRABLE, (why_nowhere(vpc),)


def _because(endpoint: Endpoint) -> str:
    return f" ({endpoint.problem})" if endpoint.problem else ""


def _repair(vpc: Vpc, endpoint: Endpoint, desired: Desired, *, by_zone: bool) -> Plan:
    """The plan for an endpoint that is there. `by_zone`: a hosted zone replaces private DNS."""
    steps: list[Step] = [*_dns_steps(vpc)]
    reasons = [f"{step.attribute} is off" for step in _dns_steps(vpc)]
    enable = not endpoint.private_dns and not by_zone
    if enable:
        reasons.append("private DNS is off")

    place = place_more(vpc, endpoint, desired.maximum_zones)
    zones = {s.id: s.zone_id for s in vpc.subnets}
    if place.subnet_ids:
        bare = ", ".join(zones[id_] for id_ in place.subnet_ids)
        reasons.append(f"no network interface in {bare}")
    if place.ip_type:
        reasons.append(f"some subnets have no IP version in common with {endpoint.id}")

    group_steps, group_id, attach = _repair_groups(vpc, endpoint, desired)
    if group_steps or attach:
        reasons.append("its security groups do not admit port 443 from the whole VPC")

    steps += group_steps
    if place.subnet_ids or place.ip_type or attach or enable:
        steps.append(
            ModifyEndpoint(
                endpoint.id,
                add_subnet_ids=place.subnet_ids,
                add_group=attach,
                group_id=group_id,
                enable_private_dns=enable,
                ip_type=place.ip_type,
            )
        )
    if not endpoint.subnet_ids and not place.subnet_ids:
        # Nothing else matters before it has an interface, and it can have none.
        return Plan(vpc.id, *_without_subnets(vpc), endpoint_id=endpoint.id)
    if endpoint.state != "available":
        reasons.append(f"{endpoint.id} is {endpoint.state}{_because(endpoint)}")
    elif endpoint.subnet_ids and not endpoint.interface_ids:
        reasons.append(f"{endpoint.id} shows no network interface")
    verdict = _verdict(endpoint, steps, place.gaps)
    return Plan(vpc.id, verdict, (*reasons, *place.gaps), tuple(steps), endpoint_id=endpoint.id)


def _verdict(endpoint: Endpoint, steps: Sequence[Step], gaps: Sequence[str]) -> Verdict:
    if steps:
        return Verdict.BROKEN
    if endpoint.state != "available" or not endpoint.interface_ids:
        return Verdict.SETTLING
    return Verdict.DEGRADED if gaps else Verdict.WORKS


def _repair_groups(
    vpc: Vpc, endpoint: Endpoint, desired: Desired
) -> tuple[list[Step], str | None, bool]:
    """Steps for the endpoint's groups: ours is repaired or added; nobody else's is ever edited."""
    admitted = [
        network
        for id_ in endpoint.group_ids
        if id_ in vpc.groups
        for network in vpc.groups[id_].admits_https_from
    ]
    if not uncovered(vpc.networks, admitted):
        return [], None, False
    steps, group_id = _group_steps(vpc, desired)
    return steps, group_id, group_id is None or group_id not in endpoint.group_ids
