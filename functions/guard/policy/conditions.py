"""The Condition element of a statement, in one form for everything IAM reads alike.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from ipaddress import ip_network

from guard.policy import patterns
from guard.policy.matching import Matcher
from guard.policy.reading import Number, PolicyError, as_items, as_object, below, kind

_OPERATORS = {
    operator.lower(): operator
    for operator in (
        *("StringEquals", "StringNotEquals", "StringLike", "StringNotLike"),
        *("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        *("NumericEquals", "NumericNotEquals"),
        *("NumericLessThan", "NumericLessThanEquals"),
        *("NumericGreaterThan", "NumericGreaterThanEquals"),
        *("DateEquals", "DateNotEquals"),
        *("DateLessThan", "DateLessThanEquals"),
        *("DateGreaterThan", "DateGreaterThanEquals"),
        *("Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "Null"),
        *("ArnLike", "ArnNotLike"),
    )
} | {
    # "These behave identically", says the page of ArnEquals and ArnLike, and of their opposites.
    "arnequals": "ArnLike",
    "arnnotequals": "ArnNotLike",
}
_QUANTIFIERS = {"": "", "foranyvalue": "ForAnyValue", "forallvalues": "ForAllValues"}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_EPOCH = re.compile(r"\d{1,11}", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)",
    re.ASCII,
)
# A prefix length in figures: Python reads a netmask there too, which AWS does not document.
_CIDR = re.compile(r"[0-9a-fA-F:.]+(/(0|[1-9]\d{0,2}))?", re.ASCII)
_EXACT = Context(prec=20_480)


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of one operator: the request must pass it for the statement to apply.

    `operator` is spelled as IAM spells it, `key` in lower case, `values` in one form for each
    meaning. Several values are alternatives of a positive operator, and all refused by a negative.
    """

    quantifier: str
    operator: str
    if_exists: bool
    key: str
    values: frozenset[str]

    @property
    def negative(self) -> bool:
        return "Not" in self.operator

    @property
    def wildcards(self) -> bool:
        """Whether `*` and `?` in the values are wildcards."""
        return self.operator.endswith("Like")

    @property
    def arns(self) -> bool:
        """Whether the values are ARNs, part by part."""
        return self.operator.startswith("Arn")

    @property
    def strings(self) -> bool:
        """Whether the values are texts, and not numbers, dates, networks or answers."""
        return self.operator.startswith("String")

    def implied_by(self, other: "Condition", matcher: Matcher) -> bool:
        """Whether every request that passes `other` passes this one too: yes is certain.

        Raises TooLarge.
        """
        if not self.asks_as(other) or (other.if_exists and not self.if_exists):
            return False
        wide, narrow = (self, other) if not self.negative else (other, self)
        if not self.wildcards:
            return narrow.values <= wide.values
        takes = matcher.arn_covers if self.arns else matcher.covers
        return all(any(takes(mine, its) for mine in wide.values) for its in narrow.values)

    def asks_as(self, other: "Condition") -> bool:
        """Whether both ask the same of the same key, whatever the values."""
        mine, its = ((one.quantifier, one.operator, one.key) for one in (self, other))
        return mine == its


def parse_conditions(
    block: object, place: str, text_form: Callable[[str], str], spelling: dict[str, str]
) -> frozenset[Condition]:
    """The conditions of a statement; none for an empty block.

    `text_form` gives a value as the policy's language version reads it; `spelling` is given how
    the document writes each key. Raises PolicyError.
    """
    found: dict[tuple[str, str, bool, str], Condition] = {}
    for operator, keys in as_object(block, place).items():
        at = below(place, operator)
        quantifier, name, if_exists = _operator(operator, at)
        for key, values in as_object(keys, at).items():
            where = below(at, key)
            # The operator as written, so that ArnEquals and ArnLike of one key are both kept.
            identity = (quantifier, operator.lower(), if_exists, key.lower())
            if not key:
                raise PolicyError(where, "a condition key is empty")
            if not key.isascii():
                raise PolicyError(where, "a condition key has ASCII characters only")
            if identity in found:
                raise PolicyError(where, "this key is given twice, in different case")
            spelling.setdefault(key.lower(), key)
            found[identity] = Condition(
                quantifier,
                name,
                if_exists,
                key.lower(),
                frozenset(_values(name, values, where, text_form)),
            )
    return frozenset(found.values())


def _operator(written: str, place: str) -> tuple[str, str, bool]:
    if not written.isascii():  # or Python would take the Kelvin sign for a k
        raise PolicyError(place, f"IAM has no condition operator {written}")
    prefix, colon, rest = written.rpartition(":")
    quantifier = _QUANTIFIERS.get(prefix.lower())
    name = rest.lower()
    if_exists = name.endswith("ifexists")
    operator = _OPERATORS.get(name.removesuffix("ifexists"))
    if quantifier is None or (colon and not prefix) or operator is None:
        raise PolicyError(place, f"IAM has no condition operator {written}")
    if operator == "Null" and if_exists:
        raise PolicyError(place, "Null asks whether a key exists, so it cannot end in IfExists")
    return quantifier, operator, if_exists


def _values(
    operator: str, values: object, place: str, text_form: Callable[[str], str]
) -> Iterator[str]:
    normal = _normaliser(operator)
    for value, where in as_items(values, place):
        match value:
            case bool():
                text = "true" if value else "false"
            case str():
                text = str(value) if isinstance(value, Number) else text_form(value)
            case _:
                raise PolicyError(where, f"expected text, a number or a boolean: {kind(value)}")
        try:
            yield normal(text)
        except (ValueError, OverflowError) as error:
            raise PolicyError(where, str(error)) from None


def _normaliser(operator: str) -> Callable[[str], str]:
    if operator.startswith("Numeric"):
        return number
    if operator.startswith("Date"):
        return _instant
    if operator.endswith("IpAddress"):
        return _network
    if operator.endswith("IgnoreCase") or operator in ("Bool", "Null"):
        return patterns.lower  # "True" is true, as guard.policy.evaluate compares it
    if operator.endswith("Like"):
        return patterns.tidy
    return str


def number(text: str) -> str:
    """One text for each number: 5, 5.0 and 0.5e1 are `5`. Raises ValueError for anything else."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number")
    found = _EXACT.normalize(Decimal(text))
    return format(found, "f") if found else "0"


def _instant(text: str) -> str:
    """One text for each point in time given in full; anything else stays as written."""
    if _EPOCH.fullmatch(text):
        when = datetime.fromtimestamp(int(text), UTC)
    elif _INSTANT.fullmatch(text):
        when = datetime.fromisoformat(text).astimezone(UTC)
    else:
        return text
    return when.isoformat().replace("+00:00", "Z")


def _network(text: str) -> str:
    """One text for each network: an address alone is the network of that one address."""
    try:
        if _CIDR.fullmatch(text):
            return str(ip_network(text, strict=False))
    except ValueError:
        pass
    raise ValueError(f"{text!r} is not an IP address or a CIDR block")
