"""What IAM decides about one request, by every policy that has a say in it.

As "Policy evaluation logic" of the IAM user guide: a Deny in any of them wins; else a boundary must
allow as well as the role's own policies. A service that acts in its own name has no policies: that
of the resource must let it. A KMS key's policy must let everybody, be it by leaving it to IAM.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from guard.policy.document import Policy, parse
from guard.policy.evaluate import Decision, Outcome, Request, evaluate, principals_of

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a call asks of IAM: the action on one resource, with these condition keys.

    Every other key is absent.
    """

    action: str
    resource: str
    keys: Mapping[str, str | tuple[str, ...]] = field(
        default_factory=dict[str, "str | tuple[str, ...]"]
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """`by` is the deciding statement, as policy and Sid; empty where no statement allows it."""

    allowed: bool
    by: str = ""


@dataclass(frozen=True, slots=True)
class Policies:
    """The documents with a say in a request, by name. `boundary` is None where there is none."""

    identity: Mapping[str, Json] = field(default_factory=dict[str, Json])
    boundary: Json | None = None
    resource: Json | None = None

    @property
    def named(self) -> dict[str, Json]:
        """All of them."""
        own = {"boundary": self.boundary, "resource": self.resource}
        return {**self.identity, **{name: one for name, one in own.items() if one}}


def verdict(need: Need, principal: str, policies: Policies) -> Verdict:
    """What IAM decides. `principal` is a role's ARN, or a service such as events.amazonaws.com.

    Raises NotImplementedError for what is not decided by AWS's documents.
    """
    names = (
        principals_of(principal)
        if principal.startswith("arn:")
        else frozenset({f"Service:{principal}"})
    )
    request = _request(need, names)
    decided: dict[str, Decision] = {}
    for name, one in _documents(policies):
        denied = evaluate(_read(one, denies_alone=True), request)
        if denied.outcome == Outcome.DENY:
            return Verdict(False, f"{name}.{denied.statement}")
        decided[name] = evaluate(_read(one), request)
        if unknown := denied.unknown | decided[name].unknown:
            raise NotImplementedError(f"{need.action} by {name}: {', '.join(sorted(unknown))}")
    must = [name for name in ("boundary",) if policies.boundary is not None]
    if need.action.startswith("kms:") or not principal.startswith("arn:"):
        must.append("resource")
    if any(name not in decided or decided[name].outcome != Outcome.ALLOW for name in must):
        return Verdict(False)
    granting = ("resource",) if not principal.startswith("arn:") else policies.identity
    for name in granting:
        if decided[name].outcome == Outcome.ALLOW:
            return Verdict(True, f"{name}.{decided[name].statement}")
    return Verdict(False)


def _request(need: Need, names: frozenset[str] | None) -> Request:
    return Request(
        action=need.action,
        resource=need.resource,
        principals=names,
        context=need.keys,
        complete=True,
    )


def _documents(policies: Policies) -> Iterable[tuple[str, str]]:
    return [(name, json.dumps(one)) for name, one in policies.named.items()]


@lru_cache(maxsize=4096)
def _read(text: str, *, denies_alone: bool = False) -> Policy:
    """An identity's policy names no principal: it is whoever has it. `denies_alone` leaves the
    document's Denies, beside an Allow of all else.
    """
    document = json.loads(text)
    statements = [
        one if {"Principal", "NotPrincipal"} & set(one) else {**one, "Principal": "*"}
        for one in listed(document["Statement"])
        if not denies_alone or one["Effect"] == "Deny"
    ]
    if denies_alone:
        statements.append({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"})
    return parse(json.dumps({**document, "Statement": statements}))


@dataclass(frozen=True, slots=True)
class Grant:
    """One action of one Allow statement, in the policy of that name."""

    sid: str
    action: str
    resources: Sequence[str]
    conditions: Mapping[str, Mapping[str, Any]]
    policy: str = ""

    def meets(self, need: Need) -> bool:
        """Whether this grant allows what is needed, if nothing denies it."""
        if not fnmatchcase(need.action.lower(), self.action.lower()):
            return False
        statement: Json = {
            "Effect": "Allow",
            "Action": self.action,
            "Resource": list(self.resources),
            "Condition": dict(self.conditions),
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        request = _request(need, None)
        return evaluate(_read(document), request).outcome == Outcome.ALLOW


def grants_of(name: str, document: Json) -> list[Grant]:
    """Every grant of a policy document."""
    return [
        Grant(
            statement["Sid"],
            action,
            listed(statement["Resource"]),
            statement.get("Condition", {}),
            name,
        )
        for statement in listed(document["Statement"])
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    ]


def listed(value: Any) -> list[Any]:
    """IAM and CloudFormation take one thing or a list of them."""
    return value if isinstance(value, list) else [value]
