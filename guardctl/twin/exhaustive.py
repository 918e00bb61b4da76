"""The exhaustive proof: every request that a policy can distinguish, decided as it must be. Pure.

A policy asks finitely many things. Of each condition key all values are tried that the policy or
the scope spells out, one that neither does, and its absence. Values that every condition of the
policy and the scope itself take alike are one (so 150 VPCs of a Region are), and every combination
of what is left goes through the project's own evaluator. Addresses change at the ends of networks
alone, so the ends and their neighbours stand for all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from itertools import product
from math import prod
from typing import Any

from guard.cloudtrail.policy_request import NO_SECRET
from guard.policy import Choice, Policy, Statement
from guard.policy.conditions import Condition
from guard.policy.document import EVERYONE
from guard.policy.evaluate import Outcome, Request, evaluate
from guard.policy.operators import Value
from guard.policy.patterns import variables
from guardctl.preflight.source import ALL_MAY
from guardctl.twin.meaning import ACTION, ADDRESS, SERVICE, VIA_SERVICE, Meaning

MOST_CONTEXTS = 1_000_000
_WRONG = 10  # that are described; all are counted
_RESOURCE, _CALLER = "resource", "principal"
_SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"
_ROLE = "arn:aws:iam::111122223333:role/app"
_UNLISTED = {
    "aws:requestedregion": "xx-unlisted-1",
    "aws:sourcevpc": "vpc-0unlisted",
    "aws:principalarn": "arn:aws:iam::000000000000:role/unlisted",
}
_ACTIONS = (
    *(f"secretsmanager:{one}" for one in ("GetSecretValue", "PutSecretValue", *NO_SECRET)),
    "s3:GetObject",
)


class TooMany(ValueError):
    """There are more contexts than are tried, or the policy asks what cannot be listed."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A request that is not decided as it must be."""

    context: Mapping[str, str | None]
    expected: Outcome
    found: Outcome

    def to_json(self) -> dict[str, Any]:
        return {"expected": self.expected, "decided": self.found, "request": dict(self.context)}


@dataclass(frozen=True, slots=True)
class Exhausted:
    """How many contexts were tried, how many were decided wrongly, and some of those."""

    contexts: int
    count: int
    wrong: Sequence[Wrong]


def prove(policy: Policy, meaning: Meaning) -> Exhausted:
    """Try every context. Raises TooMany."""
    tried, count, wrong = 0, 0, list[Wrong]()
    for one in tries(policy, meaning):
        tried += 1
        if one:
            count += 1
            wrong += [one] if len(wrong) < _WRONG else []
    return Exhausted(tried, count, wrong)


def tries(policy: Policy, meaning: Meaning) -> Iterator[Wrong | None]:
    """For each context None, or what is wrong in it. Raises TooMany."""
    for request, facets, words in contexts(policy, meaning):
        expected, found = meaning.expected(facets), evaluate(policy, request).outcome
        yield None if found is expected else Wrong(words, expected, found)


def contexts(
    policy: Policy, meaning: Meaning
) -> Iterator[tuple[Request, Mapping[str, object], Mapping[str, str | None]]]:
    """Each request that the policy or the scope can distinguish, with its facets, and as it is put
    in words. Raises TooMany.
    """
    if any(variables(one) for one in _values(policy)):
        raise TooMany("it has policy variables, whose values cannot be listed")
    values = {key: _plainest_first(key, policy, meaning) for key in _keys(policy, meaning)}
    if (number := prod(map(len, values.values()))) > MOST_CONTEXTS:
        raise TooMany(f"it distinguishes {number:,} contexts; at most {MOST_CONTEXTS:,} are tried")
    distinguished = [key for key, classes in values.items() if len(classes) > 1]
    for some in product(*values.values()):
        chosen = dict(zip(values, some, strict=True))
        facets = {key: meaning.facet(key, value) for key, value in chosen.items()}
        yield _request(chosen), facets, {key: chosen[key] for key in distinguished}


def _keys(policy: Policy, meaning: Meaning) -> list[str]:
    asked = {one.key for statement in policy.statements for one in statement.conditions}
    return [ACTION, _RESOURCE, _CALLER, *sorted(asked | set(meaning.keys))]


def _values(policy: Policy) -> Iterator[str]:
    for one in policy.statements:
        yield from one.resources.values
        for condition in one.conditions:
            yield from condition.values


def _request(chosen: Mapping[str, str | None]) -> Request:
    context: dict[str, Value] = {
        key: value for key, value in chosen.items() if key not in (ACTION, _RESOURCE, _CALLER)
    }
    return Request(
        action=chosen[ACTION] or "",
        resource=chosen[_RESOURCE],
        principals=frozenset({chosen[_CALLER] or ""}),
        context=context,
        complete=True,
    )


def _plainest_first(key: str, policy: Policy, meaning: Meaning) -> list[str | None]:
    """Its values, those first that a read past every endpoint has: there a fault shows."""
    values = _classes(key, policy, meaning)
    return sorted(values, key=lambda value: not meaning.is_plain(key, value))


def _classes(key: str, policy: Policy, meaning: Meaning) -> Iterator[str | None]:
    """One value for each way in which the policy and the scope can take the key's values."""
    tests = list(dict.fromkeys(_tests(key, policy)))
    seen: set[tuple[object, ...]] = set()
    for value in dict.fromkeys(_tried(key, policy, meaning)):
        request = _request({ACTION: "", _RESOURCE: _SECRET, _CALLER: EVERYONE, key: value})
        answers = (evaluate(Policy((ALL_MAY, test)), request).outcome for test in tests)
        signature = (meaning.facet(key, value), *answers)
        if signature not in seen:
            seen.add(signature)
            yield value


def _tests(key: str, policy: Policy) -> Iterator[Statement]:
    """What the policy asks of one key, each question as a statement that asks nothing else."""
    anything = Choice(frozenset(["*"]))
    nothing = Statement("Deny", Choice(frozenset([EVERYONE])), anything, anything, frozenset())
    for one in policy.statements:
        match key:
            case "action":
                yield replace(nothing, actions=one.actions)
            case "resource":
                yield replace(nothing, resources=one.resources)
            case "principal":
                yield replace(nothing, principals=one.principals)
            case _:
                for condition in one.conditions:
                    if condition.key == key:
                        yield replace(nothing, conditions=frozenset({condition}))


def _tried(key: str, policy: Policy, meaning: Meaning) -> Iterator[str | None]:
    """The values to try for a key: those that are spelled out anywhere, others, and none."""
    match key:
        case "action":
            yield from (*_ACTIONS, *_samples(one.actions.values for one in policy.statements))
        case "resource":
            yield from (_SECRET, *_samples(one.resources.values for one in policy.statements))
        case "principal":
            yield f"AWS:{_ROLE}"
            for one in policy.statements:
                yield from one.principals.values - {EVERYONE}
        case _:
            conditions = [
                condition
                for one in policy.statements
                for condition in one.conditions
                if condition.key == key
            ]
            spelled = [meaning.keys.get(key, frozenset()), *(one.values for one in conditions)]
            yield from _of_key(key, spelled, conditions)
            yield None


def _of_key(
    key: str, spelled: Iterable[frozenset[str]], conditions: Iterable[Condition]
) -> Iterator[str]:
    if key == ADDRESS or any("IpAddress" in one.operator for one in conditions):
        yield from _ends(one for some in spelled for one in some)
        return
    if key in (SERVICE, VIA_SERVICE):  # AWS sends no other value
        yield from ("true", "false")
        return
    yield from _samples(spelled)
    yield _UNLISTED.get(key, "unlisted")


_EXPANSIONS: Sequence[Callable[[str], str]] = (
    lambda one: one.replace("*", "").replace("?", "x"),
    lambda one: one.replace("*", "x").replace("?", "x"),
    lambda one: one.replace("*", "x/y").replace("?", "y"),
)


def _samples(spelled: Iterable[frozenset[str]]) -> Iterator[str]:
    """Texts that the patterns stand for, and the same but for what follows."""
    for some in spelled:
        for one in sorted(some):
            yield from (expand(one) for expand in _EXPANSIONS)


def _ends(networks: Iterable[str]) -> Iterator[str]:
    """The first and the last address of each network, and their neighbours outside."""
    yield "203.0.113.1"
    for one in sorted(networks):
        try:
            network = ip_network(one)
        except ValueError:
            continue
        first, last = int(network[0]), int(network[-1])
        most = 2**network.max_prefixlen - 1
        version = type(network[0])
        yield from (
            str(version(at)) for at in (first - 1, first, last, last + 1) if 0 <= at <= most
        )
