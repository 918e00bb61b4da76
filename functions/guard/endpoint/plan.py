"""What is desired of a VPC's endpoint, the verdict on it, and the steps of a repair. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from guard.endpoint.state import Rule


class Verdict(StrEnum):
    """What `decide` thinks of a VPC."""

    WORKS = "works"
    DEGRADED = "degraded"  # works, but not in every AZ or for every client; the reasons say who
    COVERED = "covered"  # an approved endpoint elsewhere serves it, by a private hosted zone
    SETTLING = "settling"  # nothing left to do but wait: pending, or an old one still deleting
    BROKEN = "broken"  # the steps will repair it
    NOT_REPAIRABLE = "not-repairable"  # the reasons say what a person must do
    WAITING = "waiting"  # no subnet yet that could hold a network interface
    EXEMPT = "exempt"  # opted out, or another account's VPC


@dataclass(frozen=True, slots=True)
class EnableDnsAttribute:
    """ModifyVpcAttribute: private DNS needs both attributes, and one call sets one of them."""

    permission: ClassVar[str] = "ec2:ModifyVpcAttribute"
    vpc_id: str
    attribute: str

    def __str__(self) -> str:
        return f"switch on {self.attribute} of {self.vpc_id}"


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """CreateSecurityGroup, tagged as ours."""

    permission: ClassVar[str] = "ec2:CreateSecurityGroup"
    vpc_id: str
    name: str

    def __str__(self) -> str:
        # Without the name: it depends on the stack, which an audit from outside may not know.
        return f"create a security group for the endpoint in {self.vpc_id}"


@dataclass(frozen=True, slots=True)
class AuthoriseHttps:
    """AuthorizeSecurityGroupIngress; no `group_id` means the group this plan creates."""

    permission: ClassVar[str] = "ec2:AuthorizeSecurityGroupIngress"
    group_id: str | None
    networks: tuple[str, ...]

    def __str__(self) -> str:
        return f"admit port 443 from {', '.join(self.networks)} to {self.group_id or 'it'}"


@dataclass(frozen=True, slots=True)
class RevokeIngress:
    """RevokeSecurityGroupIngress: what our own group admits and should not."""

    permission: ClassVar[str] = "ec2:RevokeSecurityGroupIngress"
    group_id: str
    rules: tuple[Rule, ...]

    def __str__(self) -> str:
        return f"no longer admit {', '.join(map(str, self.rules))} to {self.group_id}"


@dataclass(frozen=True, slots=True)
class CreateEndpoint:
    """CreateVpcEndpoint with private DNS and the approved policy from the start."""

    permission: ClassVar[str] = "ec2:CreateVpcEndpoint"
    vpc_id: str
    service_name: str
    subnet_ids: tuple[str, ...]
    group_id: str | None
    policy: str
    known_endpoints: tuple[str, ...]
    """Ids of earlier endpoints: part of the idempotency token, or a new one would be taken for
    the retry of a call that made an endpoint which is long deleted."""
    ip_type: str = "ipv4"

    def __str__(self) -> str:
        kind = "" if self.ip_type == "ipv4" else f"{self.ip_type} "
        return f"create the {kind}endpoint for {self.service_name} in {', '.join(self.subnet_ids)}"


@dataclass(frozen=True, slots=True)
class ModifyEndpoint:
    """ModifyVpcEndpoint: all that one endpoint lacks in one call: EC2 throttles these hard."""

    permission: ClassVar[str] = "ec2:ModifyVpcEndpoint"
    endpoint_id: str
    add_subnet_ids: tuple[str, ...] = ()
    add_group: bool = False
    group_id: str | None = None
    enable_private_dns: bool = False
    ip_type: str = ""
    """The IpAddressType to change to, with DNS records to match; empty: as it is."""

    def __str__(self) -> str:
        parts: list[str] = []
        if self.add_subnet_ids:
            parts.append(f"add {', '.join(self.add_subnet_ids)}")
        if self.add_group:
            parts.append(f"attach {self.group_id or 'the new security group'}")
        if self.enable_private_dns:
            parts.append("switch on private DNS")
        if self.ip_type:
            parts.append(f"switch to {self.ip_type}")
        return f"{' and '.join(parts)} on {self.endpoint_id}"


type Step = (
    EnableDnsAttribute
    | CreateGroup
    | AuthoriseHttps
    | RevokeIngress
    | CreateEndpoint
    | ModifyEndpoint
)


@dataclass(frozen=True, slots=True)
class Desired:
    """What a VPC should have: from the template's settings and the approved policy."""

    account_id: str
    stack_id: str
    service_name: str
    opt_out_tag: str
    policy: str
    policy_problem: str = ""
    """Why there is no approved policy to create an endpoint with; empty if there is one."""
    policy_ignored: str = ""
    """What a tag chose, and why another policy counts instead; empty if that is not so."""
    maximum_zones: int = 0
    """The most AZs an endpoint gets interfaces in; 0: all."""
    approved_endpoints: frozenset[str] = frozenset()
    """Endpoints that a hub's hosted zone may point at, besides those of this account."""
    approved_accounts: frozenset[str] = frozenset()
    """Accounts whose hosted zones are trusted without being read, as only they can read them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The judgement on one VPC. `reasons` say why the verdict is what it is, in order of weight.

    `notes` say what is there besides and needs nothing.
    """

    vpc_id: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    endpoint_id: str = ""
    notes: tuple[str, ...] = ()

    @property
    def creates(self) -> bool:
        return any(isinstance(step, CreateEndpoint) for step in self.steps)
