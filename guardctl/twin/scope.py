"""What a proposal rests on: what is inside, who is named, and for which kind of policy. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any, Self

from guard.cloudtrail.policy_request import NO_SECRET
from guard.policy.matching import arn_covers
from secret_policy.exceptions import SERVICE_LINKED


class Kind(StrEnum):
    """Where a policy is attached."""

    SECRET = "secret"
    RCP = "rcp"
    SCP = "scp"
    ENDPOINT = "endpoint"


READS = {
    Kind.SECRET: ("GetSecretValue",),
    # BatchGetSecretValue is asked for each secret of it, as GetSecretValue.
    Kind.RCP: ("GetSecretValue",),
    # What has no secret as its resource is out of a resource control policy's reach.
    Kind.SCP: ("BatchGetSecretValue",),
}
"""The reads of values that a policy of each kind can deny."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """`vpcs` are inside, by Region; `vpc_of` names the VPC of endpoints. `other_vpcs` are approved
    ones of others, in whatever Region.

    `networks`, `principals` (patterns of ARNs) and `tags` (`key=value`, `key!=value`) may read from
    outside. `stops` and `forwarded` are patterns of callers: those that must be stopped, and those
    for whom a service asks with their own rights. Requests from `own_addresses` are of workloads.
    `only_tagged` is the key of a tag that a secret must have for the policy to say anything of it.
    """

    kind: Kind
    partition: str = "aws"
    vpcs: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    vpc_of: Mapping[str, str] = field(default_factory=dict[str, str])
    other_vpcs: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    approved_accounts: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    principals: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    stops: frozenset[str] = frozenset()
    forwarded: frozenset[str] = frozenset()
    own_addresses: frozenset[str] = frozenset()
    only_tagged: str = ""

    @property
    def known_accounts(self) -> frozenset[str]:
        """Ours, and those that are approved."""
        return self.accounts | self.approved_accounts

    @property
    def unseen_vpcs(self) -> frozenset[str]:
        """Approved VPCs whose endpoints are not known: an unknown endpoint may be one of them."""
        return self.other_vpcs - set(self.vpc_of.values())

    def reads(self, event_name: str) -> bool:
        """Whether a policy of this kind has a say in such a request, were it from outside."""
        return self.kind is Kind.ENDPOINT or _is_one_of(READS[self.kind], event_name)

    def names(self, arn: str) -> bool:
        """Whether a principal may read from anywhere."""
        known = (SERVICE_LINKED, *self.principals)
        return any(arn_covers(one, arn) for one in known)

    def has_address(self, address: str) -> bool:
        """Whether it lies in one of the networks from which it may be read."""
        return _lies_in(address, self.networks)

    def is_own_address(self, address: str) -> bool:
        return _lies_in(address, self.own_addresses)

    def is_stopped(self, *names: str) -> bool:
        return _is_like(self.stops, names)

    def is_forwarded(self, *names: str) -> bool:
        return _is_like(self.forwarded, names)

    def to_json(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Raises TypeError or ValueError for what `to_json` never gave."""
        known = {one.name for one in fields(cls)}
        if unknown := set(body) - known:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        values = {
            name: frozenset(value) if isinstance(value, list) else value
            for name, value in body.items()
        }
        vpcs = {region: frozenset(ids) for region, ids in body["vpcs"].items()}
        return cls(**{**values, "kind": Kind(body["kind"]), "vpcs": vpcs})


def has_no_secret(event_name: str) -> bool:
    """Whether a request of this name has no secret as its resource."""
    return _is_one_of(NO_SECRET, event_name)


def _is_one_of(names: tuple[str, ...], name: str) -> bool:
    """Whether it is one of these actions, in whatever case: IAM has none."""
    return name.lower() in map(str.lower, names)


def _lies_in(address: str, networks: frozenset[str]) -> bool:
    try:
        one = ip_address(address)
    except ValueError:
        return False
    return any(one in ip_network(network) for network in networks)


def _is_like(patterns: frozenset[str], names: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, one) for one in patterns for name in names if name)


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in sorted(value.items())}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return value
