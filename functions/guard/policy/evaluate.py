"""What an endpoint policy decides about a request: allow, deny, or unknown, never a guess.

The rules are those of IAM's policy evaluation, for this one policy
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html):
a Deny that applies wins, an Allow that applies lets pass, and nothing that applies is a deny. What
is not known of a request (CloudTrail tells some condition keys only) makes a statement *perhaps*
apply, and the decision unknown where that matters, with the names of what would have to be known.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from ipaddress import ip_address, ip_network

from guard.policy.conditions import Condition
from guard.policy.document import EVERYONE, Choice, Policy, Statement
from guard.policy.patterns import ARN_PARTS, arn_parts, covers, has_variables, meets, symbols


class Outcome(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Decision:
    """`statement` is the label of the one that decided, None where none applies (an implicit deny).

    `unknown` names what is not known and would decide: condition keys in lower case, `principal`,
    `resource`, or `NotPrincipal` where AWS does not document the answer.
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
    be absent. A key not in it is unknown, unless `complete` says that all others are absent.
    """

    action: str
    resource: str | None = "*"
    principals: frozenset[str] | None = None
    context: Mapping[str, str | tuple[str, ...] | None] = field(
        default_factory=dict[str, "str | tuple[str, ...] | None"]
    )
    complete: bool = False

    def values(self, key: str) -> tuple[str, ...] | None:
        """The values of a key; None if it is absent. Raises _Unknown."""
        found = {name.lower(): values for name, values in self.context.items()}
        if key not in found:
            if self.complete:
                return None
            raise _Unknown(key)
        values = found[key]
        return (values,) if isinstance(values, str) else values


class _Unknown(Exception):
    """Something that is not known of the request would have to be."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def principals_of(arn: str, *, role_path: str = "/") -> frozenset[str]:
    """All names of an IAM user, a role or a role's session, from its ARN.

    The ARN of a session leaves out the path of its role, so `role_path` has to tell it.
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


def evaluate(policy: Policy, request: Request) -> Decision:
    """What the policy decides about the request."""
    denies = _Applying(policy, "Deny", request)
    if denies.certain:
        return Decision(Outcome.DENY, denies.certain.label)
    allows = _Applying(policy, "Allow", request)
    if allows.certain and not denies.unknown:
        return Decision(Outcome.ALLOW, allows.certain.label)
    if allows.certain or allows.unknown:
        return Decision(Outcome.UNKNOWN, None, denies.unknown | allows.unknown_if_needed)
    return Decision(Outcome.DENY)


class _Applying:
    """The statements of one effect that apply to a request, or perhaps do."""

    def __init__(self, policy: Policy, effect: str, request: Request) -> None:
        self.certain: Statement | None = None
        self.unknown: frozenset[str] = frozenset()
        for statement in policy.statements:
            if statement.effect != effect:
                continue
            applies, unknown = _applies(statement, request)
            if applies:
                self.certain = self.certain or statement
            self.unknown |= unknown

    @property
    def unknown_if_needed(self) -> frozenset[str]:
        return frozenset() if self.certain else self.unknown


def _applies(statement: Statement, request: Request) -> tuple[bool, frozenset[str]]:
    """Whether the statement applies; or what is unknown, if nothing known rules it out."""
    unknown: set[str] = set()
    for test in _tests(statement, request):
        try:
            if not test():
                return False, frozenset()
        except _Unknown as error:
            unknown.add(error.name)
    return not unknown, frozenset(unknown)


def _tests(statement: Statement, request: Request) -> Iterator[Callable[[], bool]]:
    yield lambda: _action_matches(statement.actions, request.action)
    yield lambda: _principal_matches(statement.principals, request.principals)
    yield lambda: _resource_matches(statement.resources, request)
    for condition in statement.conditions:
        yield lambda condition=condition: _condition_holds(condition, request)


def _action_matches(choice: Choice, action: str) -> bool:
    matched = any(_glob(list(pattern), action.lower()) for pattern in choice.values)
    return matched != choice.negated


def _resource_matches(choice: Choice, request: Request) -> bool:
    if "*" in choice.values:
        return not choice.negated
    resource = request.resource
    if resource is None:
        raise _Unknown("resource")
    compare = _arn_perhaps_like if "?" in resource else _arn_like
    return _any_of(choice.values, resource, compare, request) != choice.negated


def _principal_matches(choice: Choice, principals: frozenset[str] | None) -> bool:
    if EVERYONE in choice.values:
        return not choice.negated
    if principals is None:
        raise _Unknown("principal")
    named = principals & choice.values
    if not choice.negated:
        return bool(named)
    if named and named != principals:
        # IAM's page on NotPrincipal asks for the session, the role and the account to be named
        # together, and says of anything less only that it "might" deny.
        raise _Unknown("NotPrincipal")
    return not named


# --- conditions ---


def _condition_holds(condition: Condition, request: Request) -> bool:
    values = request.values(condition.key)
    if condition.operator == "Null":
        return ("false" if values else "true") in condition.values
    if not values:
        if condition.if_exists or condition.quantifier == "ForAllValues":
            return True
        return condition.negative and condition.quantifier != "ForAnyValue"
    if not condition.quantifier and len(values) > 1:
        # AWS documents several values of a key with ForAllValues and ForAnyValue only.
        raise _Unknown(condition.key)
    passes = (_passes(condition, value, request) for value in values)
    return any(passes) if condition.quantifier == "ForAnyValue" else all(passes)


def _passes(condition: Condition, value: str, request: Request) -> bool:
    """Whether a value of the request matches one of the policy's values, or as asked none."""
    compare = _COMPARISONS[condition.operator.replace("Not", "")]
    return _any_of(condition.values, value, compare, request) != condition.negative


type _Comparison = Callable[[str, str, Request], bool]


def _any_of(wanted: Iterable[str], value: str, compare: _Comparison, request: Request) -> bool:
    """Whether a wanted value matches; unknown if perhaps one does and none does surely."""
    unknown: _Unknown | None = None
    for one in wanted:
        try:
            if compare(one, value, request):
                return True
        except _Unknown as error:
            unknown = error
        except _NoValue:
            continue
    if unknown:
        raise unknown
    return False


_LITERAL = "\0"  # marks a character that a variable brought: a star among them is no wildcard


class _NoValue(Exception):
    """A policy variable stands for a key that the request does not have: nothing matches then."""


def _filled(pattern: str, request: Request) -> list[str]:
    """The symbols of a pattern with its variables filled in, character by character."""
    found: list[str] = []
    for symbol in symbols(pattern):
        if len(symbol) == 1:
            found.append(symbol)
        else:
            found.extend(_LITERAL + character for character in _value_of(symbol[2:-1], request))
    return found


def _value_of(variable: str, request: Request) -> str:
    if variable in ("*", "?", "$"):
        return variable
    name, comma, default = variable.partition(",")
    values = request.values(name.strip())
    if values is None:
        if not comma:
            raise _NoValue
        return default.strip().removeprefix("'").removesuffix("'")
    if len(values) != 1:
        raise _NoValue  # a variable is for keys of one value
    return values[0]


def _glob(pattern: list[str], value: str) -> bool:
    """Whether symbols match a text. On a mismatch the last star takes one character more."""
    at = star = taken = 0
    seen_star = False
    here = 0
    while here < len(value):
        if at < len(pattern) and pattern[at] == "*":
            star, taken, seen_star = at, here, True
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", value[here], _LITERAL + value[here]):
            at, here = at + 1, here + 1
        elif seen_star:
            taken += 1
            at, here = star + 1, taken
        else:
            return False
    return all(symbol == "*" for symbol in pattern[at:])


def _like(wanted: str, value: str, request: Request) -> bool:
    return _glob(_filled(wanted, request), value)


def _arn_like(wanted: str, value: str, request: Request) -> bool:
    """Part by part between colons; a star at the end of a shorter pattern takes the rest."""
    parts = arn_parts(wanted)
    if len(parts) < ARN_PARTS and not parts[-1].endswith("*"):
        return False
    its = value.split(":", len(parts) - 1)
    return len(its) == len(parts) and all(
        _like(part, one, request) for part, one in zip(parts, its, strict=True)
    )


def _arn_perhaps_like(wanted: str, value: str, _: Request) -> bool:
    """As `_arn_like`, for a value that has characters which are not known."""
    parts = arn_parts(wanted)
    if len(parts) < ARN_PARTS and not parts[-1].endswith("*"):
        return False
    its = value.split(":", len(parts) - 1)
    pairs = list(zip(parts, its, strict=False))
    if len(its) != len(parts) or not all(meets(part, one) for part, one in pairs):
        return False
    if has_variables(wanted) or not all(covers(part, one) for part, one in pairs):
        raise _Unknown("resource")
    return True


def _equal(wanted: str, value: str, request: Request) -> bool:
    return "".join(_filled(wanted, request)).replace(_LITERAL, "") == value


def _equal_in_any_case(wanted: str, value: str, request: Request) -> bool:
    return "".join(_filled(wanted, request)).replace(_LITERAL, "").lower() == value.lower()


def _compared[T](read: Callable[[str], T | None], holds: Callable[[T, T], bool]) -> _Comparison:
    """A comparison of what two texts stand for: nothing matches what cannot be read."""

    def compare(wanted: str, value: str, _: Request) -> bool:
        right, left = read(wanted), read(value)
        return left is not None and right is not None and holds(left, right)

    return compare


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _instant(text: str) -> datetime | None:
    """ISO 8601, where no time zone means UTC, or seconds of the epoch."""
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        when = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _in_network(wanted: str, value: str, _: Request) -> bool:
    try:
        return ip_address(value) in ip_network(wanted)
    except ValueError:
        return False


_COMPARISONS: dict[str, _Comparison] = {
    "StringEquals": _equal,
    "StringEqualsIgnoreCase": _equal_in_any_case,
    "StringLike": _like,
    "ArnLike": _arn_like,
    "Bool": _equal_in_any_case,
    "BinaryEquals": _equal,
    "IpAddress": _in_network,
    "NumericEquals": _compared(_number, operator.eq),
    "NumericLessThan": _compared(_number, operator.lt),
    "NumericLessThanEquals": _compared(_number, operator.le),
    "NumericGreaterThan": _compared(_number, operator.gt),
    "NumericGreaterThanEquals": _compared(_number, operator.ge),
    "DateEquals": _compared(_instant, operator.eq),
    "DateLessThan": _compared(_instant, operator.lt),
    "DateLessThanEquals": _compared(_instant, operator.le),
    "DateGreaterThan": _compared(_instant, operator.gt),
    "DateGreaterThanEquals": _compared(_instant, operator.ge),
}
