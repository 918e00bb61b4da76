"""Endpoint policy documents: from text to one immutable form for everything that means the same.

The grammar is IAM's (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html)
with what an endpoint policy adds to it: each statement needs a Principal
(https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Literal

from guard.policy import patterns
from guard.policy.conditions import Condition, parse_conditions
from guard.policy.reading import (
    MAX_CHARACTERS,
    PolicyError,
    as_items,
    as_object,
    as_string,
    as_strings,
    below,
    read,
)

DEFAULT_VERSION = "2008-10-17"
VERSIONS = (DEFAULT_VERSION, "2012-10-17")
MAX_RULES = 4_096
EVERYONE = "AWS:*"

_PRINCIPAL_TYPES = ("AWS", "Service", "Federated", "CanonicalUser")
_STATEMENT_ELEMENTS = (
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
)
_ACCOUNT_ROOT = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root", re.ASCII)


@dataclass(frozen=True, slots=True)
class Choice:
    """An element that has an opposite: `Action` holds its values, `NotAction` all but them."""

    values: frozenset[str]
    negated: bool = False

    @property
    def parts(self) -> "tuple[Choice, ...]":
        """Choices of one value each that together are this one; all-but does not come apart."""
        if self.negated:
            return (self,)
        return tuple(Choice(frozenset([value])) for value in sorted(self.values))


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `label` is its Sid, or its number in the document; IAM decides by neither.

    `principals` are `type:id` (`AWS:*` is everyone, `AWS:123456789012` an account), `actions` are
    in lower case, values in the language of version 2012-10-17.
    """

    effect: Literal["Allow", "Deny"]
    principals: Choice
    actions: Choice
    resources: Choice
    conditions: frozenset[Condition]
    label: str = field(default="", compare=False)

    @property
    def size(self) -> int:
        """How many rules it is."""
        return len(self.principals.parts) * len(self.actions.parts) * len(self.resources.parts)

    def rules(self) -> "Iterator[Statement]":
        """The statements of one principal, action and resource each that together are this one."""
        for principals, actions, resources in product(
            self.principals.parts, self.actions.parts, self.resources.parts
        ):
            yield replace(self, principals=principals, actions=actions, resources=resources)


@dataclass(frozen=True, eq=False)
class Policy:
    """A policy document. Two are equal when IAM decides alike by them, however they are written.

    `statements` are in the document's order; `spelling` gives actions and condition keys as the
    document writes them, for people.
    """

    statements: tuple[Statement, ...]
    spelling: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @cached_property
    def meaning(self) -> frozenset[Statement]:
        """What equality compares: the rules, so that splitting and joining statements is nothing.

        A document of more than `MAX_RULES` rules is taken by its statements instead: then the same
        meaning in other statements counts as different, which costs one needless restore.
        """
        if not self.by_rules:
            return frozenset(self.statements)
        return frozenset(rule for statement in self.statements for rule in statement.rules())

    @cached_property
    def by_rules(self) -> bool:
        """Whether the document is small enough to be taken apart into rules."""
        return sum(statement.size for statement in set(self.statements)) <= MAX_RULES

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self.meaning == other.meaning

    def __hash__(self) -> int:
        return hash(self.meaning)


def means(text: str, policy: Policy) -> bool:
    """Whether the text of a document means the same as a policy; no where it cannot be read."""
    try:
        return parse(text) == policy
    except PolicyError:
        return False


def parse(text: str) -> Policy:
    """Read an endpoint policy document.

    Raises PolicyError, which names the place, for whatever is not one: not JSON, a key given
    twice, an unknown or missing element, a value of the wrong type, over 20,480 characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise PolicyError(
            "document",
            f"{len(text):,} characters; an endpoint policy has {MAX_CHARACTERS:,} at most",
        )
    return _policy(read(text))


def _policy(tree: object) -> Policy:
    document = as_object(tree, "")
    _refuse_unknown(document, ("Version", "Id", "Statement"), "")
    version = as_string(document.get("Version", DEFAULT_VERSION), "Version")
    if version not in VERSIONS:
        raise PolicyError("Version", f"{version!r} is not one of {' and '.join(VERSIONS)}")
    as_string(document.get("Id", ""), "Id")
    if "Statement" not in document:
        raise PolicyError("document", "there is no Statement")
    statements = as_items(document["Statement"], "Statement")
    if not statements:
        raise PolicyError("Statement", "this list is empty")
    text_form = (
        patterns.without_variables if version == DEFAULT_VERSION else patterns.with_variables
    )
    spelling: dict[str, str] = {}
    return Policy(
        tuple(
            _statement(as_object(item, place), place, number, text_form, spelling)
            for number, (item, place) in enumerate(statements, 1)
        ),
        spelling,
    )


def _statement(
    element: Mapping[str, object],
    place: str,
    number: int,
    text_form: Callable[[str], str],
    spelling: dict[str, str],
) -> Statement:
    _refuse_unknown(element, _STATEMENT_ELEMENTS, place)
    principal, principal_place, not_principal = _one_of(element, "Principal", place)
    action, action_place, not_action = _one_of(element, "Action", place)
    resource, resource_place, not_resource = _one_of(element, "Resource", place)
    actions = [_action(*item, spelling) for item in as_strings(action, action_place)]
    resources = [_resource(*item, text_form) for item in as_strings(resource, resource_place)]
    sid = as_string(element.get("Sid", ""), below(place, "Sid"))
    return Statement(
        effect=_effect(element, place),
        principals=Choice(frozenset(_principals(principal, principal_place)), not_principal),
        actions=Choice(frozenset(actions), not_action),
        resources=Choice(frozenset(resources), not_resource),
        conditions=parse_conditions(
            element.get("Condition", {}), below(place, "Condition"), text_form, spelling
        ),
        label=sid or f"statement {number}",
    )


def _refuse_unknown(element: Mapping[str, object], known: tuple[str, ...], place: str) -> None:
    for key in element:
        if key not in known:
            meant = [name for name in known if name.lower() == key.lower()]
            hint = f"; did you mean {meant[0]}?" if meant else ""
            raise PolicyError(below(place, key), f"a policy has no such element{hint}")


def _effect(element: Mapping[str, object], place: str) -> Literal["Allow", "Deny"]:
    if "Effect" not in element:
        raise PolicyError(place, "there is no Effect")
    match as_string(element["Effect"], below(place, "Effect")):
        case "Allow":
            return "Allow"
        case "Deny":
            return "Deny"
        case other:
            raise PolicyError(below(place, "Effect"), f"{other!r} is neither Allow nor Deny")


def _one_of(element: Mapping[str, object], name: str, place: str) -> tuple[object, str, bool]:
    """The value of `name` or of its opposite, its place, and whether it is the opposite."""
    given = [key for key in (name, f"Not{name}") if key in element]
    match given:
        case [key]:
            return element[key], below(place, key), key != name
        case []:
            raise PolicyError(place, f"there is no {name}")
        case _:
            raise PolicyError(place, f"{' and '.join(given)} exclude each other")


def _principals(value: object, place: str) -> Iterator[str]:
    if isinstance(value, str):
        if as_string(value, place) != "*":
            raise PolicyError(place, f'{value!r} is neither "*" nor an object such as {{"AWS": …}}')
        yield EVERYONE
        return
    types = as_object(value, place)
    if not types:
        raise PolicyError(place, "this names nobody")
    _refuse_unknown(types, _PRINCIPAL_TYPES, place)
    for type_, ids in types.items():
        for principal, _ in as_strings(ids, below(place, type_)):
            # AWS writes an account as its root user's ARN and back, and means all of the account.
            account = _ACCOUNT_ROOT.fullmatch(principal) if type_ == "AWS" else None
            yield f"{type_}:{account[1] if account else principal}"


def _action(written: str, place: str, spelling: dict[str, str]) -> str:
    if not written.isascii():
        raise PolicyError(place, f"{written!r} has characters that no action has")
    action = patterns.tidy(written.lower())
    if action in ("*", "*:*"):
        return "*"
    service, colon, name = action.partition(":")
    if not (service and colon and name):
        raise PolicyError(
            place,
            f'{written!r} is neither "*" nor an action such as sts:GetCallerIdentity',
        )
    spelling.setdefault(action, written)
    return action


def _resource(written: str, place: str, text_form: Callable[[str], str]) -> str:
    resource = patterns.tidy(text_form(written))
    if resource != "*" and not resource.startswith("arn:"):
        raise PolicyError(place, f'{written!r} is neither "*" nor an ARN')
    return resource
