"""Does this VPC's Secrets Manager endpoint work, and if not, what makes it work? Pure.

`decide` takes the observed state and what is desired and returns a plan: a verdict, the reasons for
it, and the steps, each of which is one AWS call. Printing the steps is the dry run. An empty plan
means that there is nothing to do, so a second run after a successful one changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from guard.endpoint.acls import Walls, walls
from guard.endpoint.groups import group_steps, repair_groups
from guard.endpoint.names import obstacles, points_at, trusted, unseen_of, untrusted
from guard.endpoint.placement import left_out, place_more, place_new, why_nowhere
from guard.endpoint.plan import (
    AuthoriseHttps,
    CreateEndpoint,
    Desired,
    EnableDnsAttribute,
    ModifyEndpoint,
    Plan,
    RevokeIngress,
    Step,
    Verdict,
)
from guard.endpoint.state import IP_VERSIONS, LIVE, Endpoint, HostedZone, Vpc
from guard.endpoint.unseen import unseen


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
    zone = None if endpoint and endpoint.private_dns else _counted(vpc, desired)
    if zone:
        # The name is the zone's: AWS refuses private DNS beside it.
        if not trusted(zone, desired):
            reason = untrusted(zone, desired)
            return Plan(vpc.id, Verdict.NOT_REPAIRABLE, (reason,), endpoint_id=_id(endpoint))
        by_zone = bool(endpoint and endpoint.id in zone.endpoint_ids)
        if not by_zone:
            return _covered(vpc, zone)
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


def _counted(vpc: Vpc, desired: Desired) -> HostedZone | None:
    """What has the name elsewhere. What is the VPC's own comes before a Profile's."""
    zone = vpc.zone
    return zone if zone and (not zone.profile_id or trusted(zone, desired)) else None


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
    if vpc.zone and not (endpoint and endpoint.private_dns):
        notes.append(unseen_of(vpc.zone))
    return (*notes, *left_out(vpc))


def _covered(vpc: Vpc, zone: HostedZone) -> Plan:
    """The plan for a VPC that a hub serves: without its DNS attributes nobody sees the zone."""
    reason, kept = points_at(zone), obstacles(vpc, zone)
    steps = tuple(_dns_steps(vpc))
    off = [f"{step.attribute} is off" for step in steps]
    if steps:
        return Plan(vpc.id, Verdict.BROKEN, (*off, *kept, reason), steps)
    if kept:
        return Plan(vpc.id, Verdict.NOT_REPAIRABLE, (*kept, reason))
    if waits := [hub.endpoint.id for hub in zone.hubs if hub.endpoint.state == "pending"]:
        return Plan(vpc.id, Verdict.SETTLING, (f"{', '.join(waits)} is pending", reason))
    return Plan(vpc.id, Verdict.COVERED, (reason,))


def serving_endpoint(endpoints: Iterable[Endpoint]) -> Endpoint | None:
    """The endpoint that serves the VPC, or is nearest to it: private DNS first, then the oldest.

    One that an AWS service made for itself, without private DNS, never will.
    """
    live = [
        e
        for e in endpoints
        if e.type == "interface" and e.state in LIVE and (e.private_dns or not e.requester_managed)
    ]
    return min(live, key=lambda e: (not e.private_dns, e.created, e.id), default=None)


def _dns_steps(vpc: Vpc) -> list[EnableDnsAttribute]:
    # enableDnsSupport first: AWS refuses enableDnsHostnames while it is off.
    steps: list[EnableDnsAttribute] = []
    if not vpc.dns_support:
        steps.append(EnableDnsAttribute(vpc.id, "enableDnsSupport"))
    if not vpc.dns_hostnames:
        steps.append(EnableDnsAttribute(vpc.id, "enableDnsHostnames"))
    return steps


def _create(vpc: Vpc, desired: Desired) -> Plan:
    place = place_new(vpc, desired.maximum_zones)
    if not place.subnet_ids:
        return Plan(vpc.id, *_without_subnets(vpc))
    if desired.policy_problem:
        # An endpoint without its policy would let everything through from its first second on.
        return Plan(vpc.id, Verdict.NOT_REPAIRABLE, (desired.policy_problem,))
    steps, group_id = group_steps(vpc, desired)
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
        (*_dns_steps(vpc), *steps, create),
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
    dns = _dns_steps(vpc)
    steps: list[Step] = [*dns]
    reasons = [f"{step.attribute} is off" for step in dns]
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

    versions = IP_VERSIONS.get(place.ip_type, endpoint.ip_versions)
    for_groups, group_id, attach, narrowed = repair_groups(vpc, endpoint, desired, versions)
    reasons += _group_reasons(for_groups, attach=attach)
    gaps = (*place.gaps, *narrowed)

    steps += for_groups
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
    if endpoint.requester_managed and len(steps) > len(dns):
        steps = [*dns]
        gaps += (f"{endpoint.id} belongs to the AWS service that made it: nobody else changes it",)
    if not endpoint.subnet_ids and not place.subnet_ids:
        # Nothing else matters before it has an interface, and it can have none.
        return Plan(vpc.id, *_without_subnets(vpc), endpoint_id=endpoint.id)
    if endpoint.state != "available":
        reasons.append(f"{endpoint.id} is {endpoint.state}{_because(endpoint)}")
    elif endpoint.subnet_ids and not endpoint.interface_ids:
        reasons.append(f"{endpoint.id} shows no network interface")
    kept_out = walls(vpc, endpoint.subnet_ids, endpoint.ip_versions)
    gaps = (*gaps, *kept_out.partial, *unseen(vpc))
    verdict = _verdict(endpoint, steps, kept_out, gaps)
    reasons += kept_out.shut
    return Plan(vpc.id, verdict, (*reasons, *gaps), tuple(steps), endpoint_id=endpoint.id)


def _group_reasons(steps: Iterable[Step], *, attach: bool) -> Iterable[str]:
    if attach or any(isinstance(step, AuthoriseHttps) for step in steps):
        yield "its security groups do not admit port 443 from the whole VPC"
    for step in steps:
        if isinstance(step, RevokeIngress):
            yield f"our security group {step.group_id} admits more than port 443 from the VPC"


def _verdict(
    endpoint: Endpoint, steps: Sequence[Step], kept_out: Walls, gaps: Sequence[str]
) -> Verdict:
    if steps:
        return Verdict.BROKEN
    if endpoint.state != "available" or not endpoint.interface_ids:
        return Verdict.SETTLING
    if kept_out.shut:
        return Verdict.NOT_REPAIRABLE
    return Verdict.DEGRADED if gaps else Verdict.WORKS
