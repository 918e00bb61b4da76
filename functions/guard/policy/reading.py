"""The text of a policy document as plain JSON values, with the place of whatever is wrong in it.

Python's `json` is too kind for this: it keeps the last of two equal keys, reads `NaN`, and forgets
how a number was written. A guard that compares policies must not read half of one.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NoReturn, cast

MAX_CHARACTERS = 20_480
"""The most characters of an endpoint policy, white space included.

https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
"""


class PolicyError(ValueError):
    """A document that is not an endpoint policy.

    `place` says where: `line 3, column 7` for text that is not JSON, the path of the element
    (`Statement[0].Condition.StringEquals`) for everything else, `document` for the whole.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(place, problem)
        self.place = place
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


class Number(str):
    """A JSON number, as it was written."""

    __slots__ = ()


class _Object(dict[str, object]):
    """A JSON object that remembers a key it was given twice."""

    repeated: str | None = None


def read(text: str) -> object:
    """The JSON value in `text`: objects as dict, numbers as `Number`, no key twice anywhere.

    Raises PolicyError for text that is not JSON, repeats a key, or holds half of a character.
    The size is not checked.
    """
    try:
        tree = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise PolicyError(place, f"this is not JSON: {error.msg}") from None
    except RecursionError:
        raise PolicyError("document", "objects or lists are nested too deeply") from None
    _refuse_what_json_lets_pass(tree)
    return tree


def _object(pairs: Iterable[tuple[str, object]]) -> _Object:
    found = _Object()
    for key, value in pairs:
        if key in found:
            found.repeated = key
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise PolicyError("document", f"{name} is not JSON")


def _refuse_what_json_lets_pass(tree: object) -> None:
    pending = [(tree, "")]
    while pending:
        value, place = pending.pop()
        if isinstance(value, _Object):
            if value.repeated is not None:
                raise PolicyError(below(place, value.repeated), "this key is given twice")
            pending.extend((key, place) for key in value)
            pending.extend((item, below(place, key)) for key, item in value.items())
        elif isinstance(value, list):
            items = cast("list[object]", value)
            pending.extend((item, f"{place}[{number}]") for number, item in enumerate(items))
        elif isinstance(value, str) and any(
            "\ud800" <= character <= "\udfff" for character in value
        ):
            raise PolicyError(place or "document", "an escape stands for half of a character")


def below(place: str, key: str) -> str:
    """The place of `key` in the object at `place`."""
    key = key or '""'
    return f"{place}.{key}" if place else key


def as_object(value: object, place: str) -> Mapping[str, object]:
    """`value` if it is a JSON object. Raises PolicyError."""
    if not isinstance(value, dict):
        raise PolicyError(place or "document", f"expected an object, found {kind(value)}")
    return cast("dict[str, object]", value)


def as_string(value: object, place: str) -> str:
    """`value` if it is a JSON string. Raises PolicyError."""
    if not isinstance(value, str) or isinstance(value, Number):
        raise PolicyError(place, f"expected a string, found {kind(value)}")
    return value


def as_items(value: object, place: str) -> list[tuple[object, str]]:
    """The items of a list with their places; anything else is the one item, as IAM reads it."""
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [(item, f"{place}[{number}]") for number, item in enumerate(items)]
    return [(value, place)]


def as_strings(value: object, place: str) -> list[tuple[str, str]]:
    """A string, or a list of at least one, with their places. Raises PolicyError."""
    found = [(as_string(item, where), where) for item, where in as_items(value, place)]
    if not found:
        raise PolicyError(place, "this list is empty")
    for text, where in found:
        if not text:
            raise PolicyError(where, "this string is empty")
    return found


def kind(value: object) -> str:
    """What JSON calls it, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case Number():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
