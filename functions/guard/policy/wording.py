"""Policies in words that people on call understand."""

from collections.abc import Callable, Iterable, Mapping

from guard.policy.conditions import Condition
from guard.policy.document import EVERYONE, Choice, Statement

_COMPARISONS = {
    "StringEquals": "is {}",
    "StringNotEquals": "is not {}",
    "StringEqualsIgnoreCase": "is {} in any case",
    "StringNotEqualsIgnoreCase": "is not {} in any case",
    "StringLike": "is like {}",
    "StringNotLike": "is not like {}",
    "NumericEquals": "is {}",
    "NumericNotEquals": "is not {}",
    "NumericLessThan": "is less than {}",
    "NumericLessThanEquals": "is at most {}",
    "NumericGreaterThan": "is greater than {}",
    "NumericGreaterThanEquals": "is at least {}",
    "DateEquals": "is {}",
    "DateNotEquals": "is not {}",
    "DateLessThan": "is before {}",
    "DateLessThanEquals": "is {} or before",
    "DateGreaterThan": "is after {}",
    "DateGreaterThanEquals": "is {} or after",
    "Bool": "is {}",
    "BinaryEquals": "is {}",
    "IpAddress": "is in {}",
    "NotIpAddress": "is not in {}",
    "ArnLike": "is like {}",
    "ArnNotLike": "is not like {}",
}
_MOST = 8
"""How many values a sentence names; more are counted."""


def listed(items: Iterable[str], joint: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; long lists end in a count."""
    found = sorted(items)
    if len(found) > _MOST:
        found = [*found[: _MOST - 1], f"{len(found) - _MOST + 1} more"]
    if len(found) < 2:
        return found[0] if found else "nothing"
    return f"{', '.join(found[:-1])} {joint} {found[-1]}"


def who(choice: Choice) -> str:
    """`everyone`, `account 123456789012`, `everyone but the AWS service lambda.amazonaws.com`."""
    if choice.negated:
        return f"everyone but {listed(map(_principal, choice.values))}"
    return listed(map(_principal, choice.values))


def _principal(principal: str) -> str:
    type_, _, identity = principal.partition(":")
    if principal == EVERYONE:
        return "everyone"
    if type_ == "AWS" and identity.isdigit():
        return f"account {identity}"
    names = {"AWS": "", "Service": "the AWS service ", "Federated": "identities of "}
    return f"{names.get(type_, 'the canonical user ')}{identity}"


def what(choice: Choice, spelling: Mapping[str, str]) -> str:
    """`every action`, `secretsmanager:GetSecretValue`, `every action but ...`."""
    if choice.negated:
        return f"every action but {_named(choice, _every_action, spelling)}"
    return _named(choice, _every_action, spelling)


def on_which(choice: Choice) -> str:
    """`every secret`, an ARN, `every secret but <ARN>`: secrets are what the endpoint is for."""
    if choice.negated:
        return f"every secret but {_named(choice, _every_secret, {})}"
    return _named(choice, _every_secret, {})


def _every_action(action: str) -> str:
    return "every action" if action == "*" else action


def _every_secret(resource: str) -> str:
    return "every secret" if resource == "*" else resource


def _named(choice: Choice, name: Callable[[str], str], spelling: Mapping[str, str]) -> str:
    return listed(name(spelling.get(value, value)) for value in choice.values)


def requirement(condition: Condition, spelling: Mapping[str, str]) -> str:
    """`aws:PrincipalAccount is 123456789012`, `every value of aws:TagKeys is a or b, if there`."""
    key = spelling.get(condition.key, condition.key)
    values = listed(condition.values, "or")
    if condition.operator == "Null":
        absent = {"true": "is absent", "false": "is present"}
        return f"{key} {absent.get(values, f'is absent: {values}')}"
    prefix = {"": "", "ForAnyValue": "any value of ", "ForAllValues": "every value of "}
    text = f"{prefix[condition.quantifier]}{key} {_COMPARISONS[condition.operator].format(values)}"
    return f"{text}, or it is absent" if condition.if_exists else text


def requirements(conditions: Iterable[Condition], spelling: Mapping[str, str]) -> str:
    """All conditions of a statement, or the empty text."""
    return " and ".join(sorted(requirement(condition, spelling) for condition in conditions))


def sentence(statement: Statement, spelling: Mapping[str, str]) -> str:
    """`secretsmanager:* for everyone on every secret, if aws:PrincipalAccount is 123456789012`."""
    where = requirements(statement.conditions, spelling)
    return (
        f"{what(statement.actions, spelling)} for {who(statement.principals)}"
        f" on {on_which(statement.resources)}" + (f", if {where}" if where else "")
    )
