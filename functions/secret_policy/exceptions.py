"""Who may read a secret from outside the perimeter: AWS's service-linked roles, and by review.

A reviewed list (`guard.approved.lists`) names networks, principals and tags of principals. AWS's
published data perimeter examples except such; a condition of a Deny that excepts nobody else holds
for everybody else, so it can be left out of the judgement. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from guard.policy.conditions import Condition
from guard.policy.matching import arn_covers
from guard.policy.patterns import has_wildcards

SERVICE_LINKED = "arn:*:iam::*:role/aws-service-role/*"
TAG = "aws:principaltag/"


@dataclass(frozen=True, slots=True)
class Exceptions:
    """CIDR blocks, patterns of ARNs, and tags as `key=value` or `key!=value`."""

    networks: frozenset[str] = frozenset()
    principals: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def only_approved(self, condition: Condition) -> bool:
        """Whether a condition of a Deny excepts nobody but those. Raises TooLarge."""
        if condition.quantifier:
            return False
        if condition.key.startswith(TAG):
            return self._tags_approved(condition)
        if not condition.negative:
            return False
        match condition.key:
            case "aws:sourceip":
                return all(self.has_network(one) for one in condition.values)
            case "aws:principalarn":
                plain = condition.strings and not any(map(has_wildcards, condition.values))
                return (condition.arns or plain) and all(map(self.has_principal, condition.values))
            case _:
                return False

    def _tags_approved(self, condition: Condition) -> bool:
        approved = {_folded(one) for one in self.tags}
        key = condition.key.removeprefix(TAG)
        match condition.operator:
            case "StringNotEquals":  # lets pass who has one of the values
                return all(f"{key}={value}" in approved for value in condition.values)
            case "StringEquals":  # lets pass who has none of them
                return any(f"{key}!={value}" in approved for value in condition.values)
            case _:
                return False

    def has_network(self, text: str) -> bool:
        """Whether an address or CIDR block lies in one of the networks."""
        try:
            one = ip_network(text)
        except ValueError:
            return False
        return any(_within(one, ip_network(other)) for other in self.networks)

    def has_principal(self, arn: str) -> bool:
        """Whether an ARN or pattern of ARNs is of nobody but approved ones. Raises TooLarge."""
        known = (SERVICE_LINKED, *self.principals)
        return arn in known or any(arn_covers(one, arn) for one in known)

    def conditions(self, linked: str) -> dict[str, dict[str, Any]]:
        """The conditions by which a Deny lets them pass; `linked` names service-linked roles."""
        found: dict[str, dict[str, Any]] = {
            "ArnNotLikeIfExists": {
                "aws:PrincipalArn": [linked, *sorted(self.principals)]
                if self.principals
                else linked
            }
        }
        if self.networks:
            found["NotIpAddressIfExists"] = {"aws:SourceIp": sorted(self.networks)}
        with_tag = [one.split("=", 1) for one in sorted(self.tags) if "!=" not in one]
        without = [one.split("!=", 1) for one in sorted(self.tags) if "!=" in one]
        if with_tag:
            found["StringNotEqualsIfExists"] = _by_key(with_tag)
        if without:
            found["StringEquals"] = _by_key(without)
        return found


NONE = Exceptions()


def _by_key(tags: Iterable[list[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in tags:
        found.setdefault(f"aws:PrincipalTag/{key}", []).append(value)
    return found


def _folded(tag: str) -> str:
    """A tag with its key as conditions have it: the case of a condition key does not matter."""
    sign = "!=" if "!=" in tag else "="
    key, value = tag.split(sign, 1)
    return f"{key.lower()}{sign}{value}"


def _within(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.subnet_of(other)
    return isinstance(other, IPv6Network) and one.subnet_of(other)
