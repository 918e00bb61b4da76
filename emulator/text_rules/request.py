"""A request held to the table, before moto sees it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .table import NoRule, Rule, is_write, table

_SHOWN = 120  # characters of a refused text in the error's message


@dataclass(frozen=True, slots=True)
class Refused:
    """How AWS refuses the request: code and message, and the rule, for whoever debugs a test."""

    code: str
    message: str
    rule: Rule | None = None


def check(
    service: str, action: str, shape: Any, params: dict[str, Any], *, ours: bool
) -> Refused | None:
    """The refusal of the first text that AWS would not take; None where it takes all.

    `shape` is the input's, of botocore's model. `ours`: the project makes the request, so a write
    may hold no text that has no rule. Raises NoRule for one that has none.

    AWS answers PublishBatch and SendMessageBatch for each entry; here one bad entry refuses all of
    them, which a test cannot overlook.
    """
    rules_of = table(service)
    if not is_write(action) or not (ours or action in rules_of.operations):
        return None
    for path, its_shape, value in texts(shape, params, ""):
        rules = rules_of.rules(action, path, its_shape)
        for rule in rules:
            if not rule.holds(value):
                return _refusal(rule, path, value)
        if isinstance(value, str):
            if ours and rules_of.never_sent(action, path):
                raise NoRule(f"{service} {action} {path}: the table says that it is never sent")
            if ours and not rules:
                raise NoRule(f"{service} {action} {path}: no row for {value[:_SHOWN]!r}")
            if not (value.isascii() or _is_unicode(value)):
                return Refused("SerializationException", f"{path} is not valid UTF-8")
    return None


def texts(shape: Any, value: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Each text, list and map of a request, with its path and the shape that it has.

    What the model does not know has no shape and is left out: botocore does not send it.
    """
    match shape.type_name if shape is not None else "":
        case "structure" if isinstance(value, dict):
            for name, member in value.items():
                if name in shape.members:
                    inner = f"{path}.{name}" if path else name
                    yield from texts(shape.members[name], member, inner)
        case "list" if isinstance(value, list):
            yield path, shape, value
            for member in value:
                yield from texts(shape.member, member, f"{path}[]")
        case "map" if isinstance(value, dict):
            yield path, shape, value
            for key, member in value.items():
                yield f"{path}{{key}}", shape.key, key
                yield from texts(shape.value, member, f"{path}{{}}")
        case "string" | "blob" if isinstance(value, str | bytes | bytearray):
            yield path, shape, value
        case _:
            pass


def _refusal(rule: Rule, path: str, value: Any) -> Refused:
    shown = str(value)[:_SHOWN].encode("ascii", "backslashreplace").decode()
    message = rule.message.replace("{value}", shown).replace("{parameter}", path)
    return Refused(rule.code, message, rule)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
