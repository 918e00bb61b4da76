"""The ways by which a request comes to a secret, as far as its policy distinguishes them. Pure.

A VPC or endpoint that the policy does not name stands for all of them, so that none can be left out
of the judgement by being guessed. What a request has in each case: aws:SourceVpc, aws:SourceVpce,
aws:SourceIp and aws:VpcSourceIp in "AWS global condition context keys" in the IAM User Guide.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from guard.policy import Policy
from guard.policy.matching import TooLarge
from guard.policy.operators import Unnamed, Value
from guard.policy.patterns import has_variables, has_wildcards

MOST_WAYS = 400

_SOME_VPC = Unnamed("vpc-*")
_SOME_ENDPOINT = Unnamed("vpce-*")


@dataclass(frozen=True, slots=True)
class Way:
    """One way, in words. `named` are the VPC and endpoint in it that the policy names."""

    text: str
    named: Sequence[str]
    context: Mapping[str, Value]


def outside(policy: Policy, vpc_ids: frozenset[str], endpoint_ids: frozenset[str]) -> Iterator[Way]:
    """Ways from outside: the internet, a stranger's VPC, and whatever else the policy names.

    `vpc_ids` and `endpoint_ids` are inside. Raises TooLarge where there are too many.
    """
    nowhere: dict[str, Value] = {
        "aws:SourceVpc": None,
        "aws:SourceVpce": None,
        "aws:VpcSourceIp": None,
    }
    yield Way("a request over the internet", (), nowhere)
    vpcs = [_SOME_VPC, *sorted(_named(policy, "aws:sourcevpc") - vpc_ids)]
    endpoints = [_SOME_ENDPOINT, *sorted(_named(policy, "aws:sourcevpce") - endpoint_ids)]
    if len(vpcs) * len(endpoints) > MOST_WAYS:
        raise TooLarge
    for vpc, endpoint in product(vpcs, endpoints):
        named = [one for one in (vpc, endpoint) if not isinstance(one, Unnamed)]
        text = "a request through a VPC endpoint of somebody else"
        if named:
            text = f"a request from {' through '.join(named)} (not approved)"
        yield Way(text, named, _through(vpc, endpoint))


def inside(
    policy: Policy,
    vpc_ids: frozenset[str],
    endpoint_ids: frozenset[str],
    other_endpoint_ids: frozenset[str],
) -> Iterator[Mapping[str, Value]]:
    """What requests from inside have: through an endpoint of these VPCs, or one elsewhere.

    Raises TooLarge where there are too many ways.
    """
    vpcs = _distinguished(_named(policy, "aws:sourcevpc"), vpc_ids, _SOME_VPC)
    named = _named(policy, "aws:sourcevpce")
    endpoints = _distinguished(named, endpoint_ids, _SOME_ENDPOINT)
    others = _distinguished(named, other_endpoint_ids, _SOME_ENDPOINT)
    if len(vpcs) * len(endpoints) + len(others) > MOST_WAYS:
        raise TooLarge
    yield from (_through(*one) for one in product(vpcs, endpoints))
    yield from ({"aws:SourceVpce": one, "aws:SourceIp": None} for one in others)


def _through(vpc: str, endpoint: str) -> Mapping[str, Value]:
    return {"aws:SourceVpc": vpc, "aws:SourceVpce": endpoint, "aws:SourceIp": None}


def _distinguished(named: frozenset[str], ids: frozenset[str], some: Unnamed) -> Sequence[str]:
    """Those of the ids that the policy names, and one for all that it does not."""
    return [*sorted(ids & named), *([some] if ids - named else [])]


def _named(policy: Policy, key: str) -> frozenset[str]:
    """The ids that conditions on the key spell out, be it to let them in or to keep them out."""
    return frozenset(
        value
        for statement in policy.statements
        for condition in statement.conditions
        if condition.key == key and condition.strings
        for value in condition.values
        if not (condition.wildcards and has_wildcards(value)) and not has_variables(value)
    )
