"""Does this VPC's Secrets Manager endpoint work, and if not, what makes it work? Pure.

`decide` takes the observed state and what is wanted and returns a plan: a verdict, the reasons for
it, and the steps, each of which is one AWS call. Printing the steps is the dry run. An empty plan
means that there is nothing to do, so a second run after a successful one changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from guard.vpc import (
    LIVE,
    PREFERRED_SUBNET_TAG,
    Endpoint,
    Network,
    SecurityGroup,
    Subnet,
    Vpc,
    managed_by,
)

GROUP_NAME_PREFIX = "vpce-guard-secretsmanager-"


class Verdict(StrEnum):
    """What `decide` thinks of a VPC."""

    WORKS = "works"
    SETTLING = "settling"  # nothing left to do but wait: pending, or an old one still deleting
    BROKEN = "broken"  # the steps will mend it
    NOT_REPAIRABLE = "not-repairable"  # the reasons say what a person must do
    WAITING = "waiting"  # no subnet yet that could hold a network interface
    EXEMPT = "exempt"  # opted out, or another account's VPC


@dataclass(frozen=True, slots=True)
class EnableDnsAttribute:
    """ModifyVpcAttribute: private DNS needs both attributes, and one call sets one of them."""

    vpc_id: str
    attribute: str

    def __str__(self) -> str:
        return f"switch on {self.attribute} of {self.vpc_id}"


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """CreateSecurityGroup, tagged as ours."""

    vpc_id: str
    name: str

    def __str__(self) -> str:
        return f"create the security group {self.name}"


@dataclass(frozen=True, slots=True)
class AuthoriseHttps:
    """AuthorizeSecurityGroupIngress; no `group_id` means the group this plan creates."""

    group_id: str | None
    networks: tuple[str, ...]

    def __str__(self) -> str:
        return f"admit port 443 from {', '.join(self.networks)} to {self.group_id or 'it'}"


@dataclass(frozen=True, slots=True)
class CreateEndpoint:
    """CreateVpcEndpoint with private DNS and the approved policy from the start."""

    vpc_id: str
    service_name: str
    subnet_ids: tuple[str, ...]
    group_id: str | None
    policy: str
    known_endpoints: tuple[str, ...]
    """Ids of earlier endpoints: part of the idempotency token, or a new one would be taken for
    the retry of a call that made an endpoint which is long deleted."""

    def __str__(self) -> str:
        return f"create the endpoint for {self.service_name} in {', '.join(self.subnet_ids)}"


@dataclass(frozen=True, slots=True)
class ModifyEndpoint:
    """ModifyVpcEndpoint: all that one endpoint lacks in one call: EC2 throttles these hard."""

    endpoint_id: str
    add_subnet_ids: tuple[str, ...] = ()
    add_group: bool = False
    group_id: str | None = None
    enable_private_dns: bool = False

    def __str__(self) -> str:
        parts: list[str] = []
        if self.add_subnet_ids:
            parts.append(f"add {', '.join(self.add_subnet_ids)}")
        if self.add_group:
            parts.append(f"attach {self.group_id or 'the new security group'}")
        if self.enable_private_dns:
            parts.append("switch on private DNS")
        return f"{' and '.join(parts)} on {self.endpoint_id}"


type Step = EnableDnsAttribute | CreateGroup | AuthoriseHttps | CreateEndpoint | ModifyEndpoint


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a VPC should have: from the template's settings and the approved policy."""

    account_id: str
    stack_id: str
    service_name: str
    opt_out_tag: str
    policy: str
    policy_problem: str = ""
    """Why there is no approved policy to create an endpoint with; empty if there is one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The judgement on one VPC. `reasons` say why the verdict is what it is, in order of weight."""

    vpc_id: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    endpoint_id: str = ""

    @property
    def creates(self) -> bool:
        return any(isinstance(step, CreateEndpoint) for step in self.steps)


def decide(vpc: Vpc, wanted: Wanted) -> Plan:
    """The plan that makes the VPC's endpoint work, empty if it does."""
    if vpc.owner_id != wanted.account_id:
        owner = f"the VPC is shared by account {vpc.owner_id}, whose guard must serve it"
        return Plan(vpc.id, Verdict.EXEMPT, (owner,))
    if wanted.opt_out_tag in vpc.tags:
        return Plan(vpc.id, Verdict.EXEMPT, (f"the VPC carries the tag {wanted.opt_out_tag}",))
    endpoint = serving_endpoint(vpc.endpoints)
    if endpoint:
        return _repair(vpc, endpoint, wanted)
    deleting = [endpoint.id for endpoint in vpc.endpoints if endpoint.state == "deleting"]
    if deleting:
        # Its private DNS name is only free when it is gone; AWS refuses a new one until then.
        return Plan(vpc.id, Verdict.SETTLING, (f"{deleting[0]} is still being deleted",))
    return _create(vpc, wanted)


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


def usable_subnets(vpc: Vpc) -> list[Subnet]:
    """Subnets that can hold a network interface of the endpoint."""
    return [
        subnet
        for subnet in vpc.subnets
        if not subnet.on_outpost
        and not subnet.ipv6_only
        and subnet.free_addresses > 0
        and (subnet.zone_id in vpc.service_zones or subnet.zone in vpc.service_zones)
    ]


def choose_subnets(candidates: Iterable[Subnet], taken_zones: Iterable[str]) -> tuple[str, ...]:
    """One subnet for each AZ that has none yet: a preferred one, else the one with most room."""
    taken = set(taken_zones)
    chosen: dict[str, Subnet] = {}
    for subnet in sorted(candidates, key=_rank):
        if subnet.zone_id not in taken:
            chosen.setdefault(subnet.zone_id, subnet)
    return tuple(chosen[zone].id for zone in sorted(chosen))


def _rank(subnet: Subnet) -> tuple[bool, int, str]:
    return (PREFERRED_SUBNET_TAG not in subnet.tags, -subnet.free_addresses, subnet.id)


def _dns_steps(vpc: Vpc) -> list[Step]:
    # enableDnsSupport first: AWS refuses enableDnsHostnames while it is off.
    steps: list[Step] = []
    if not vpc.dns_support:
        steps.append(EnableDnsAttribute(vpc.id, "enableDnsSupport"))
    if not vpc.dns_hostnames:
        steps.append(EnableDnsAttribute(vpc.id, "enableDnsHostnames"))
    return steps


def _own_group(vpc: Vpc, wanted: Wanted) -> SecurityGroup | None:
    ours = [g for g in vpc.groups.values() if managed_by(g.tags, wanted.stack_id)]
    return min(ours, key=lambda group: group.id, default=None)


def _group_steps(vpc: Vpc, wanted: Wanted) -> tuple[list[Step], str | None]:
    """The steps that leave our own group admitting the whole VPC, and its id (None: to be made)."""
    group = _own_group(vpc, wanted)
    steps: list[Step] = [] if group else [CreateGroup(vpc.id, GROUP_NAME_PREFIX + vpc.id)]
    missing = uncovered(vpc.networks, group.admits_https_from if group else ())
    group_id = group.id if group else None
    if missing:
        steps.append(AuthoriseHttps(group_id, tuple(str(one) for one in missing)))
    return steps, group_id


def _create(vpc: Vpc, wanted: Wanted) -> Plan:
    subnet_ids = choose_subnets(usable_subnets(vpc), ())
    if not subnet_ids:
        return Plan(vpc.id, *_without_subnets(vpc))
    if wanted.policy_problem:
        # An endpoint without its policy would let everything through from its first second on.
        return Plan(vpc.id, Verdict.NOT_REPAIRABLE, (wanted.policy_problem,))
    group_steps, group_id = _group_steps(vpc, wanted)
    known = tuple(sorted(endpoint.id for endpoint in vpc.endpoints))
    create = CreateEndpoint(vpc.id, wanted.service_name, subnet_ids, group_id, wanted.policy, known)
    reasons = tuple(f"{e.id} is {e.state}{_because(e)}" for e in vpc.endpoints)
    return Plan(
        vpc.id,
        Verdict.BROKEN,
        ("the VPC has no working endpoint for Secrets Manager", *reasons),
        (*_dns_steps(vpc), *group_steps, create),
    )


def _without_subnets(vpc: Vpc) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and reasons where no subnet can hold a network interface of the endpoint."""
    if not vpc.subnets:
        return Verdict.WAITING, ("the VPC has no subnet yet",)
    zones = ", ".join(sorted({subnet.zone_id for subnet in vpc.subnets}))
    reason = (
        f"none of the {len(vpc.subnets)} subnets (AZs {zones}) can hold the endpoint: the service "
        "must support the AZ, and the subnet must have a free IPv4 address and be in the Region"
    )
    return Verdict.NOT_REPAIRABLE, (reason,)


def _because(endpoint: Endpoint) -> str:
    return f" ({endpoint.problem})" if endpoint.problem else ""


def _repair(vpc: Vpc, endpoint: Endpoint, wanted: Wanted) -> Plan:
    reasons: list[str] = []
    steps: list[Step] = _dns_steps(vpc)
    reasons += [
        f"{step.attribute} is off" for step in steps if isinstance(step, EnableDnsAttribute)
    ]
    if not endpoint.private_dns:
        reasons.append("private DNS is off")

    zones = {s.id: s.zone_id for s in vpc.subnets}
    taken = [zones[id_] for id_ in endpoint.subnet_ids if id_ in zones]
    add_subnets = choose_subnets(usable_subnets(vpc), taken)
    if add_subnets:
        bare = ", ".join(zones[id_] for id_ in add_subnets)
        reasons.append(f"no network interface in {bare}")

    group_steps, group_id, attach = _repair_groups(vpc, endpoint, wanted)
    if group_steps or attach:
        reasons.append("its security groups do not admit port 443 from the whole VPC")

    steps += group_steps
    if add_subnets or attach or not endpoint.private_dns:
        steps.append(
            ModifyEndpoint(
                endpoint.id,
                add_subnet_ids=add_subnets,
                add_group=attach,
                group_id=group_id,
                enable_private_dns=not endpoint.private_dns,
            )
        )
    if not steps and not taken:
        return Plan(vpc.id, *_without_subnets(vpc), endpoint_id=endpoint.id)
    if endpoint.state != "available":
        reasons.append(f"{endpoint.id} is {endpoint.state}{_because(endpoint)}")
    return Plan(
        vpc.id, _verdict(endpoint, steps), tuple(reasons), tuple(steps), endpoint_id=endpoint.id
    )


def _verdict(endpoint: Endpoint, steps: Sequence[Step]) -> Verdict:
    if steps:
        return Verdict.BROKEN
    if endpoint.state == "pendingacceptance":
        return (
            Verdict.NOT_REPAIRABLE
        )  # the service's owner must accept it; AWS's services never ask
    return Verdict.WORKS if endpoint.state == "available" else Verdict.SETTLING


def _repair_groups(
    vpc: Vpc, endpoint: Endpoint, wanted: Wanted
) -> tuple[list[Step], str | None, bool]:
    """Steps for the endpoint's groups: ours is mended or added; nobody else's is ever edited."""
    admitted = [
        network
        for id_ in endpoint.group_ids
        if id_ in vpc.groups
        for network in vpc.groups[id_].admits_https_from
    ]
    if not uncovered(vpc.networks, admitted):
        return [], None, False
    steps, group_id = _group_steps(vpc, wanted)
    return steps, group_id, group_id is None or group_id not in endpoint.group_ids
