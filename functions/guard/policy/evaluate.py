"""What an endpoint policy decides about a request: allow, deny, or unknown, never a guess.

The rules are those of IAM's policy evaluation, for this one policy
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html):
a Deny that applies wins, an Allow that applies lets pass, and nothing that applies is a deny. What
is not known of a request (CloudTrail has some condition keys only) makes a statement *perhaps*
apply, and the decision unknown where that matters, with the names of what would have to be known.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from guard.policy.conditions import Condition
from guard.policy.document import EVERYONE, Choice, Policy, Statement
from guard.policy.matching import Matcher, TooLarge
from guard.policy.operators import (
    COMPARISONS,
    Asked,
    Unknown,
    Unnamed,
    Value,
    any_of,
    like,
    resource_like,
)
from guard.policy.patterns import lower

__all__ = ["TOO_LARGE", "Decision", "Outcome", "Request", "Unnamed", "evaluate", "principals_of"]

TOO_LARGE = "too large"
"""What is named as unknown where the answer takes more steps than it may."""


class Outcome(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Decision:
    """`statement` is the label of the one that decided, None where none applies (an implicit deny).

    `unknown` names what is not known and would decide: condition keys in lower case, `principal`,
    `resource`, `NotPrincipal` where AWS does not document the answer, or TOO_LARGE.
    """

    outcome: Outcome
    statement: str | None = None
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as a policy sees it.

    `principals` are all names of who asks, in the form of `Statement.principals`: an assumed role
    is its session, its role and its account (see `principals_of`); empty for anonymous, None where
    it is not known. `resource` is an ARN or `*`, None where it is not known; a `?` in it is a
    character that is not known, as of a secret that the caller named without AWS's suffix.
    `context` has the condition keys in any case: their values, or None for a key that is known to
    be absent; an Unnamed is known by a pattern alone. A key not in it is unknown, unless
    `complete` says that all others are absent.
    """

    action: str
    resource: str | None = "*"
    principals: frozenset[str] | None = None
    context: Mapping[str, Value] = field(default_factory=dict[str, Value])
    complete: bool = False


def principals_of(arn: str, *, role_path: str = "/") -> frozenset[str]:
    """All names of an IAM user, a role or a role's session, from its ARN.

    The ARN of a session leaves out the path of its role, so `role_path` has to name it.
    """
    partition, _, _, account, rest = arn.split(":", 5)[1:]
    names = {f"AWS:{account}"}
    kind, _, name = rest.partition("/")
    if rest != "root":
        names.add(f"AWS:{arn}")
    if kind == "assumed-role":
        role = name.partition("/")[0]
        names.add(f"AWS:arn:{partition}:iam::{account}:role{role_path}{role}")
    return frozenset(names)


def evaluate(policy: Policy, request: Request, matcher: Matcher | None = None) -> Decision:
    """What the policy decides about the request.

    `matcher` bounds what several evaluations cost together; one by itself has its own.
    """
    matcher = matcher or Matcher()
    try:
        asked = Asked(request.context, matcher, complete=request.complete)
        return _decide(policy, request, asked)
    except TooLarge:
        return Decision(Outcome.UNKNOWN, None, frozenset({TOO_LARGE}))


def _decide(policy: Policy, request: Request, asked: Asked) -> Decision:
    denies = _Applying(policy, "Deny", request, asked)
    if denies.certain:
        return Decision(Outcome.DENY, denies.certain.label)
    allows = _Applying(policy, "Allow", request, asked)
    if allows.certain and not denies.unknown:
        return Decision(Outcome.ALLOW, allows.certain.label)
    if allows.certain or allows.unknown:
        return Decision(Outcome.UNKNOWN, None, denies.unknown | allows.unknown_if_needed)
    return Decision(Outcome.DENY)


class _Applying:
    """The statements of one effect that apply to a request, or perhaps do."""

    def __init__(self, policy: Policy, effect: str, request: Request, asked: Asked) -> None:
        self.certain: Statement | None = None
        self.unknown: frozenset[str] = frozenset()
        for statement in policy.statements:
            if statement.effect != effect:
                continue
            applies, unknown = _applies(statement, request, asked)
            if applies:
                self.certain = self.certain or statement
            self.unknown |= unknown

    @property
    def unknown_if_needed(self) -> frozenset[str]:
        return frozenset() if self.certain else self.unknown


def _applies(statement: Statement, request: Request, asked: Asked) -> tuple[bool, frozenset[str]]:
    """Whether the statement applies; or what is unknown, if nothing known rules it out."""
    unknown: set[str] = set()
    for test in _tests(statement, request, asked):
        try:
            if not test():
                return False, frozenset()
        except Unknown as error:
            unknown.add(error.name)
    return not unknown, frozenset(unknown)


def _tests(statement: Statement, request: Request, asked: Asked) -> Iterator[Callable[[], bool]]:
    yield lambda: _action_matches(statement.actions, request.action, asked)
    yield lambda: _principal_matches(statement.principals, request.principals)
    yield lambda: _resource_matches(statement.resources, request.resource, asked)
    for condition in statement.conditions:
        yield lambda condition=condition: _condition_holds(condition, asked)


def _action_matches(choice: Choice, action: str, asked: Asked) -> bool:
    return any_of(choice.values, lower(action), like, asked, "action") != choice.negated


def _resource_matches(choice: Choice, resource: str | None, asked: Asked) -> bool:
    if "*" in choice.values:
        return not choice.negated
    if resource is None:
        raise Unknown("resource")
    return any_of(choice.values, resource, resource_like, asked, "resource") != choice.negated


def _principal_matches(choice: Choice, principals: frozenset[str] | None) -> bool:
    if EVERYONE in choice.values:
        return not choice.negated
    if principals is None:
        raise Unknown("principal")
    named = principals & choice.values
    if not choice.negated:
        return bool(named)
    if named and named != principals:
        # IAM's page on NotPrincipal asks for the session, the role and the account to be named
        # together, and says of anything less only that it "might" deny.
        raise Unknown("NotPrincipal")
    return not named


def _condition_holds(condition: Condition, asked: Asked) -> bool:
    values = asked.values(condition.key)
    if condition.operator == "Null":
        if condition.quantifier:
            raise Unknown(condition.key)  # a set operator before Null is not documented
        return ("false" if values else "true") in condition.values
    if not values:
        return _holds_when_absent(condition)
    if not condition.quantifier and len(values) > 1:
        # AWS documents several values of a key with ForAllValues and ForAnyValue only.
        raise Unknown(condition.key)
    compare = COMPARISONS[condition.operator.replace("Not", "")]
    decides = condition.quantifier == "ForAnyValue"  # one such answer is the answer
    unknown: Unknown | None = None
    for value in values:
        try:
            found = any_of(condition.values, value, compare, asked, condition.key)
            if (found != condition.negative) == decides:
                return decides
        except Unknown as error:
            unknown = error
    if unknown:
        raise unknown
    return not decides


def _holds_when_absent(condition: Condition) -> bool:
    """What holds without a value: see "Set operators for multivalued context keys".

    "If the key does not exist, the condition returns false", that page says of ForAnyValue, and
    leaves IfExists no exception:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    """
    match condition.quantifier:
        case "ForAnyValue":
            return False
        case "ForAllValues":
            return True
        case _:
            return condition.if_exists or condition.negative
