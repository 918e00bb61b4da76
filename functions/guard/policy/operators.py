"""How a condition operator compares one value of a request with those of a policy.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_address, ip_network

from guard.policy import patterns
from guard.policy.conditions import number
from guard.policy.matching import Matcher

type Value = str | tuple[str, ...] | None


class Unnamed(str):
    """A value of which a pattern is known, and that it is none which the policy spells out.

    `Unnamed("vpc-*")` is any VPC that the policy does not name.
    """

    __slots__ = ()


class Unknown(Exception):
    """Something that is not known of the request would have to be."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Perhaps(Exception):
    """What is known of the value leaves open whether it matches."""


class _NoValue(Exception):
    """A policy variable stands for a key that the request does not have: nothing matches then."""


class Asked:
    """What a request has under the condition keys, and how many steps may be spent on it."""

    def __init__(self, context: Mapping[str, Value], matcher: Matcher, *, complete: bool) -> None:
        self._values = {patterns.lower(key): value for key, value in context.items()}
        self._complete = complete
        self.matcher = matcher

    def values(self, key: str) -> tuple[str, ...] | None:
        """The values of a key in lower case; None if it is absent. Raises Unknown."""
        if key not in self._values and not self._complete:
            raise Unknown(key)
        found = self._values.get(key)
        return (found,) if isinstance(found, str) else found

    def filled(self, pattern: str) -> list[str]:
        """The symbols of a pattern, with the values of its variables. Raises Unknown."""
        found: list[str] = []
        for symbol in self.matcher.symbols(pattern):
            if patterns.is_variable(symbol):
                found += patterns.literal(self._value_of(symbol[2:-1]))
            else:
                found.append(symbol)
        self.matcher.take(len(found))
        return found

    def _value_of(self, variable: str) -> str:
        name, comma, default = variable.partition(",")
        values = self.values(name.strip())
        if values is None:
            if not comma:
                raise _NoValue
            return default.strip().removeprefix("'").removesuffix("'")
        if len(values) != 1:
            raise _NoValue  # a variable is for keys of one value
        if isinstance(values[0], Unnamed):
            raise _Perhaps
        return values[0]


type Comparison = Callable[[str, str, Asked], bool]


def any_of(
    expected: Iterable[str], value: str, compare: Comparison, asked: Asked, name: str
) -> bool:
    """Whether a expected value matches that of the key `name`.

    Raises Unknown if perhaps one does and none does surely, and TooLarge.
    """
    unknown: Unknown | None = None
    for one in expected:
        asked.matcher.take(1)
        try:
            if compare(one, value, asked):
                return True
        except Unknown as error:
            unknown = error
        except _Perhaps:
            unknown = unknown or Unknown(name)
        except _NoValue:
            continue
    if unknown:
        raise unknown
    return False


def like(expected: str, value: str, asked: Asked) -> bool:
    """Whether the text is like a pattern."""
    if isinstance(value, Unnamed):
        return _like_any(expected, value, asked.matcher)
    if not value.startswith(patterns.start(expected)):
        return False
    return asked.matcher.matches(asked.filled(expected), patterns.literal(value))


def _like_any(expected: str, some: Unnamed, matcher: Matcher) -> bool:
    if patterns.has_variables(expected):
        raise _Perhaps
    if not patterns.has_wildcards(expected) or not matcher.meets(expected, some):
        return False
    if not matcher.covers(expected, some):
        raise _Perhaps
    return True


def arn_like(expected: str, value: str, asked: Asked) -> bool:
    """Whether an ARN is like a pattern of them, part by part."""
    if not value.startswith(patterns.start(expected)):
        return False
    return _parts_like(asked.filled(expected), patterns.literal(value), asked.matcher)


def resource_like(expected: str, value: str, asked: Asked) -> bool:
    """`arn_like` for a resource, in which a `?` is a character that is not known."""
    if "?" not in value:
        return arn_like(expected, value, asked)
    return _parts_like(asked.matcher.symbols(expected), tuple(value), asked.matcher, perhaps=True)


def _parts_like(
    pattern: Sequence[str], text: Sequence[str], matcher: Matcher, *, perhaps: bool = False
) -> bool:
    if matcher.matches(patterns.arn_pattern(pattern), text):
        return True
    pattern = ["*" if patterns.is_variable(symbol) else symbol for symbol in pattern]
    for reaching in (False, True):
        # AWS says that a * at the end of a part "can" take colons.
        if matcher.matches(patterns.arn_pattern(pattern, reaching=reaching), text, perhaps=perhaps):
            raise _Perhaps
    return False


def _equal(expected: str, value: str, asked: Asked) -> bool:
    if "$" not in expected:
        return expected == value and not isinstance(value, Unnamed)
    return _filled_text(expected, value, asked) == value


def _equal_in_any_case(expected: str, value: str, asked: Asked) -> bool:
    text = _filled_text(expected, value, asked)
    if isinstance(value, Unnamed):
        return False
    if patterns.lower(text) == patterns.lower(value):
        return True
    if not (text + value).isascii() and text.casefold() == value.casefold():
        raise _Perhaps  # AWS does not document the case of other letters
    return False


def _filled_text(expected: str, value: str, asked: Asked) -> str:
    if isinstance(value, Unnamed) and patterns.has_variables(expected):
        raise _Perhaps
    return "".join(symbol[-1] for symbol in asked.filled(expected))


def _compared[T](read: Callable[[str], T | None], holds: Callable[[T, T], bool]) -> Comparison:
    """A comparison of what two texts stand for: nothing matches what cannot be read."""

    def compare(expected: str, value: str, _: Asked) -> bool:
        right, left = read(expected), read(value)
        return left is not None and right is not None and holds(left, right)

    return compare


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(number(text))
    except ValueError:
        return None


def _instant(text: str) -> datetime | None:
    """ISO 8601, where no time zone means UTC, or seconds of the epoch."""
    try:
        if text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        when = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _in_network(expected: str, value: str, asked: Asked) -> bool:
    asked.matcher.take(16)
    try:
        return ip_address(value) in ip_network(expected)
    except ValueError:
        return False


COMPARISONS: Mapping[str, Comparison] = {
    "StringEquals": _equal,
    "StringEqualsIgnoreCase": _equal_in_any_case,
    "StringLike": like,
    "ArnLike": arn_like,
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
"""By operator, without a Not."""
