"""EventBridge's event patterns: read, validate, match; and which rule sees which event.

The operators and their words are those of "Comparison operators for use in event patterns" in the
EventBridge user guide (eb-create-pattern-operators); arrays behave as in "Array matching"
(eb-event-patterns-arrays): a pattern matches an array when any element matches, and the parts of a
nested pattern must be met by *one* element of an array of objects. Operators read leaves only,
so `exists: false` also matches a field that holds an object (github.com/aws/event-ruler).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

MAX_PATTERN_CHARACTERS = 2048
"""The default quota (eb-quota); it can be raised, but a template must not rely on that."""

NUMERIC_BOUND = 5_000_000_000

STATES = ("ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")

_MISSING = object()
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}

type Predicate = Callable[[Any], bool]


class InvalidPattern(ValueError):
    """The pattern would be refused by PutRule with InvalidEventPatternException."""


# --- one value against one filter -----------------------------------------------------------------


def _same(expected: Any) -> Predicate:
    # EventBridge compares JSON scalars literally: true is not 1, and 5 is not 5.0.
    return lambda value: type(value) is type(expected) and value == expected


def _text(test: Callable[[str], bool]) -> Predicate:
    return lambda value: isinstance(value, str) and test(value)


def _string(operand: Any, operator: str) -> str:
    if not isinstance(operand, str):
        raise InvalidPattern(f"{operator} match pattern must be a string")
    return operand


def _affix(operator: str, operand: Any) -> Predicate:
    """`prefix` and `suffix`, with or without regard to case."""
    if isinstance(operand, dict):
        if list(operand) != ["equals-ignore-case"]:
            raise InvalidPattern(f"Unsupported anything inside {operator}: {list(operand)}")
        expected = _string(operand["equals-ignore-case"], operator).casefold()
        return _text(lambda value: _has_affix(operator, value.casefold(), expected))
    exact = _string(operand, operator)
    return _text(lambda value: _has_affix(operator, value, exact))


def _has_affix(operator: str, value: str, affix: str) -> bool:
    return value.startswith(affix) if operator == "prefix" else value.endswith(affix)


def _ignore_case(operand: Any) -> Predicate:
    expected = _string(operand, "equals-ignore-case").casefold()
    return _text(lambda value: value.casefold() == expected)


def _wildcard(operand: Any) -> Predicate:
    expression = re.compile(_wildcard_regex(_string(operand, "wildcard")), re.DOTALL)
    return _text(lambda value: expression.fullmatch(value) is not None)


def _wildcard_regex(pattern: str) -> str:
    parts: list[str] = []
    position, star = 0, False
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
            if position == len(pattern) or pattern[position] not in "*\\":
                raise InvalidPattern("Invalid escape character in wildcard")
            parts.append(re.escape(pattern[position]))
            star = False
        elif character == "*":
            if star:
                raise InvalidPattern("Consecutive wildcard characters")
            parts.append(".*")
            star = True
        else:
            parts.append(re.escape(character))
            star = False
        position += 1
    return "".join(parts)


def _numeric(operand: Any) -> Predicate:
    if not isinstance(operand, list) or not operand or len(operand) not in (2, 4):
        raise InvalidPattern("numeric needs one or two pairs of operator and value")
    tests = [_comparison(*operand[index : index + 2]) for index in range(0, len(operand), 2)]
    if len(operand) == 4:
        low, lowest, high, highest = operand
        if low not in (">", ">=") or high not in ("<", "<=") or lowest >= highest:
            raise InvalidPattern(f"Bad numeric range: {operand}")
    return lambda value: _is_number(value) and all(test(value) for test in tests)


def _comparison(operator: Any, bound: Any) -> Predicate:
    if operator not in _COMPARE:
        raise InvalidPattern(f"Unrecognized numeric range operator: {operator}")
    if not _is_number(bound) or abs(bound) > NUMERIC_BOUND:
        raise InvalidPattern(f"Value of {operator} must be numeric, within 5 billion: {bound}")
    compare = _COMPARE[operator]
    return lambda value: compare(value, bound)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cidr(operand: Any) -> Predicate:
    try:
        network = ip_network(_string(operand, "cidr"), strict=False)
    except ValueError as error:
        raise InvalidPattern(f"Malformed CIDR: {operand}") from error

    def inside(value: str) -> bool:
        try:
            return ip_address(value) in network
        except ValueError:
            return False

    return _text(inside)


def _anything_but(operand: Any) -> Predicate:
    """True for a value that is there and equals none of the operand's."""
    if isinstance(operand, dict):
        if len(operand) != 1:
            raise InvalidPattern("anything-but takes one nested operator")
        ((operator, inner),) = operand.items()
        if operator not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            raise InvalidPattern(f"Unsupported anything-but operator: {operator}")
        options = inner if isinstance(inner, list) else [inner]
        make = [_filter({operator: option}) for option in options]
    else:
        options = operand if isinstance(operand, list) else [operand]
        if not all(isinstance(option, str) or _is_number(option) for option in options):
            raise InvalidPattern("Inside anything-but list must be strings or numbers")
        make = [_same(option) for option in options]
    if not make:
        raise InvalidPattern("Empty anything-but list")
    return lambda value: not any(matches(value) for matches in make)


_OPERATORS: dict[str, Callable[[Any], Predicate]] = {
    "prefix": lambda operand: _affix("prefix", operand),
    "suffix": lambda operand: _affix("suffix", operand),
    "equals-ignore-case": _ignore_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
    "anything-but": _anything_but,
}


def _filter(option: Any) -> Predicate:
    """One element of a leaf's list, except `exists`. Raises InvalidPattern."""
    if isinstance(option, list):
        raise InvalidPattern("Match value must be String, number, true, false, or null")
    if not isinstance(option, dict):
        return _same(option)
    if len(option) != 1:
        raise InvalidPattern("Only one key allowed in match expression")
    ((operator, operand),) = option.items()
    if operator not in _OPERATORS:
        raise InvalidPattern(f"Unrecognized match type {operator}")
    return _OPERATORS[operator](operand)


# --- a pattern against an event -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Leaf:
    """The list of options of one field."""

    options: tuple[Predicate, ...]
    exists: frozenset[bool]

    def matches(self, node: Any) -> bool:
        values = list(_leaves(node))
        if bool(values) in self.exists:
            return True
        return any(option(value) for value in values for option in self.options)


@dataclass(frozen=True, slots=True)
class _Fields:
    """An object: all fields, and of each `$or` one alternative, must match."""

    fields: tuple[tuple[str, "_Leaf | _Fields"], ...]
    alternatives: tuple[tuple["_Fields", ...], ...]

    def matches(self, node: Any) -> bool:
        if isinstance(node, list):
            elements = [element for element in node if isinstance(element, dict)]
            return any(map(self.matches, elements)) if elements else self.matches(_MISSING)
        fields = node if isinstance(node, dict) else {}
        return all(part.matches(fields.get(name, _MISSING)) for name, part in self.fields) and all(
            any(choice.matches(node) for choice in choices) for choices in self.alternatives
        )


def _leaves(node: Any) -> Iterator[Any]:
    """The scalar values at a place: one, those of an array, or none for an object or nothing."""
    if isinstance(node, list):
        for element in node:
            yield from _leaves(element)
    elif node is not _MISSING and not isinstance(node, dict):
        yield node


def _compile(pattern: Any) -> _Fields:
    if not isinstance(pattern, Mapping) or not pattern:
        raise InvalidPattern("Filter is not an object, or empty")
    fields: list[tuple[str, _Leaf | _Fields]] = []
    alternatives: list[tuple[_Fields, ...]] = []
    for name, part in pattern.items():
        if name == "$or":
            if not isinstance(part, Sequence) or isinstance(part, str) or len(part) < 2:
                raise InvalidPattern("$or must be an array of at least two objects")
            alternatives.append(tuple(_compile(choice) for choice in part))
        elif isinstance(part, Mapping):
            fields.append((name, _compile(part)))
        elif isinstance(part, list):
            fields.append((name, _compile_leaf(name, part)))
        else:
            raise InvalidPattern(f'"{name}" must be an object or an array')
    return _Fields(tuple(fields), tuple(alternatives))


def _compile_leaf(name: str, options: list[Any]) -> _Leaf:
    if not options:
        raise InvalidPattern(f'Empty arrays are not allowed: "{name}"')
    exists: set[bool] = set()
    predicates: list[Predicate] = []
    for option in options:
        if isinstance(option, dict) and list(option) == ["exists"]:
            if not isinstance(option["exists"], bool):
                raise InvalidPattern("exists match pattern must be either true or false.")
            exists.add(option["exists"])
        else:
            predicates.append(_filter(option))
    return _Leaf(tuple(predicates), frozenset(exists))


@lru_cache(maxsize=512)
def _compiled(text: str) -> _Fields:
    try:
        pattern = json.loads(text)
    except ValueError as error:
        raise InvalidPattern(f"Event pattern is not valid JSON: {error}") from error
    size = len(json.dumps(pattern, separators=(",", ":"), ensure_ascii=False))
    if size > MAX_PATTERN_CHARACTERS:
        raise InvalidPattern(f"Event pattern has {size} characters, over {MAX_PATTERN_CHARACTERS}")
    return _compile(pattern)


def validate(pattern: Mapping[str, Any] | str) -> None:
    """Raise InvalidPattern for what PutRule refuses, and for a pattern over the default quota."""
    _compiled(pattern if isinstance(pattern, str) else json.dumps(pattern))


def matches(pattern: Mapping[str, Any] | str, event: Mapping[str, Any]) -> bool:
    """Whether the event meets the pattern. Raises InvalidPattern."""
    return _compiled(pattern if isinstance(pattern, str) else json.dumps(pattern)).matches(event)


# --- rules ----------------------------------------------------------------------------------------


def state_admits(state: str, event: Mapping[str, Any]) -> bool:
    """Whether a rule in this state is shown the event at all.

    Of the events that come through CloudTrail, a plain `ENABLED` rule never sees read-only
    management events (eb-service-event-cloudtrail): those marked `readOnly`, and those named Get,
    List or Describe. Raises ValueError for a state that does not exist.
    """
    if state not in STATES:
        raise ValueError(f"no such rule state: {state}")
    if state == "DISABLED":
        return False
    if state == "ENABLED" and str(event.get("detail-type", "")).endswith(" via CloudTrail"):
        detail = event.get("detail", {})
        if detail.get("eventCategory", "Management") != "Management":
            return True
        read_name = str(detail.get("eventName", "")).startswith(("Get", "List", "Describe"))
        return not (detail.get("readOnly") in (True, "true") or read_name)
    return True
