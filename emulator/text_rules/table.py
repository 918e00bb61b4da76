"""The table of rules, read from this folder.

A file is named after a service of botocore and holds `code`, the error code with which the service
refuses what its model does not allow, and `rows`. `also` names operations for which the model says
all. A row has

- `operations`, and the `parameters` it is for: `Tags[].Key` is a member of a list's elements,
  `Attributes{key}` and `Attributes{}` are the keys and the values of a map. `shapes` names shapes
  of botocore's model instead, wherever they occur in these operations (`"*"`: in all of them);
- `allowed`, a regular expression for the whole text, `min` and `max` in characters, `max_bytes` in
  bytes of UTF-8, `json: true` for a JSON document;
- of a list or map: `min_items`, `max_items`, `unique` (a member that distinguishes the elements),
  `total_bytes` (of the members in `counted`, over all elements; without `counted` of all texts);
- `code` and `message`, how AWS refuses: `{value}` and `{parameter}` are filled in;
- `source`, where AWS says so. `assumed: true` where AWS documents the rule and not the answer.

`not_sent` instead of a rule names parameters that this project never sends; `*` stands for any end.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from emulator.templates import parse as parse_template

HERE = Path(__file__).parent

READS = (
    *("BatchGet", "Describe", "Filter", "Get", "Head", "List", "Lookup", "Query", "Receive"),
    *("Scan", "Simulate", "Test", "Validate"),
)
"""How the names of operations begin that change nothing."""

ALLOWED_KEYS = frozenset(
    {
        *("operations", "parameters", "shapes", "allowed", "min", "max", "max_bytes", "json"),
        *("min_items", "max_items", "unique", "total_bytes", "counted", "code", "message"),
        *("source", "assumed", "not_sent"),
    }
)


class NoRule(AssertionError):
    """A text that the project writes, and the table says nothing of: add a row, with its source."""


def is_write(action: str) -> bool:
    """Whether an operation changes something, by its name."""
    return not action.startswith(READS)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule for one text, list or map. Unset bounds do not bind."""

    code: str
    message: str
    source: str
    allowed: re.Pattern[str] | None = None
    one_of: frozenset[str] | None = None
    min: int = 0
    max: int | None = None
    max_bytes: int | None = None
    json: bool = False
    min_items: int = 0
    max_items: int | None = None
    unique: str | None = None
    total_bytes: int | None = None
    counted: tuple[str, ...] = ()

    def holds(self, value: Any) -> bool:
        """Whether AWS takes the value: a text, or a list or map of them."""
        if isinstance(value, str):
            return self._holds_for_text(value)
        if isinstance(value, bytes | bytearray):
            return self.max_bytes is None or len(value) <= self.max_bytes
        return self._holds_for_items(value)

    def _holds_for_text(self, text: str) -> bool:
        return (
            len(text) >= self.min
            and (self.max is None or len(text) <= self.max)
            and (self.max_bytes is None or _bytes(text) <= self.max_bytes)
            and (self.allowed is None or self.allowed.fullmatch(text) is not None)
            and (self.one_of is None or text in self.one_of)
            and not (self.json and not _is_json(text))
        )

    def _holds_for_items(self, items: Any) -> bool:
        names = [item.get(self.unique) for item in items] if self.unique else ()
        return (
            len(items) >= self.min_items
            and (self.max_items is None or len(items) <= self.max_items)
            and len(set(names)) == len(names)
            and (self.total_bytes is None or sum(self._weights(items)) <= self.total_bytes)
        )

    def _weights(self, items: Any) -> Iterator[int]:
        for item in items.items() if isinstance(items, dict) else items:
            if self.counted:
                yield from (_weight(item.get(name, "")) for name in self.counted)
            else:
                yield _weight(item)


@dataclass(frozen=True, slots=True)
class Table:
    """The rules of one service."""

    service: str
    code: str
    rows: tuple[Mapping[str, Any], ...] = ()
    also: frozenset[str] = frozenset()
    _found: dict[tuple[str, str, str], tuple[Rule, ...]] = field(
        default_factory=dict[tuple[str, str, str], tuple[Rule, ...]]
    )
    _unsent: dict[tuple[str, str], bool] = field(default_factory=dict[tuple[str, str], bool])

    @property
    def operations(self) -> frozenset[str]:
        """The operations that the file speaks of."""
        return self.also | {name for row in self.rows for name in row["operations"]} - {"*"}

    def rules(self, action: str, path: str, shape: Any) -> tuple[Rule, ...]:
        """What holds for a parameter: the rows first, then botocore's model. Empty for nothing."""
        key = (action, path, shape.name)
        if key not in self._found:
            rows = (_rule(row, self.code) for row in self._rows(action, path, shape.name))
            self._found[key] = (*rows, *self._of_the_model(shape))
        return self._found[key]

    def never_sent(self, action: str, path: str) -> bool:
        """Whether the table says that the project does not send the parameter."""
        key = (action, path)
        if key not in self._unsent:
            patterns = (one for row in self._of(action) for one in row.get("not_sent", ()))
            self._unsent[key] = any(fnmatchcase(path, one.replace("[", "[[]")) for one in patterns)
        return self._unsent[key]

    def _of(self, action: str) -> Iterator[Mapping[str, Any]]:
        return (row for row in self.rows if {action, "*"} & set(row["operations"]))

    def _rows(self, action: str, path: str, shape: str) -> Iterator[Mapping[str, Any]]:
        for row in self._of(action):
            if path in row.get("parameters", ()) or shape in row.get("shapes", ()):
                yield row

    def _of_the_model(self, shape: Any) -> Iterator[Rule]:
        stated = {name: shape.metadata[name] for name in _MODEL if name in shape.metadata}
        if not stated:
            return
        items = shape.type_name in ("list", "map")
        limits = {
            name + ("_items" if items else ""): int(stated[name])
            for name in ("min", "max")
            if name in stated
        }
        pattern = stated.get("pattern")
        yield Rule(
            code=self.code,
            message=(
                "1 validation error detected: Value at '{parameter}' failed to satisfy constraint: "
                f"{stated}"
            ),
            source=f"botocore's model: {self.service} {shape.name}",
            allowed=_compiled(pattern) if pattern else None,
            one_of=frozenset(stated["enum"]) if stated.get("enum") else None,
            **limits,
        )


_MODEL = ("min", "max", "pattern", "enum")


@cache
def table(service: str) -> Table:
    """The rules of a service, by botocore's name for it; without a file those of the model alone.

    Raises ValueError for a row that is none.
    """
    path = HERE / f"{service}.yaml"
    if not path.exists():
        return Table(service, "ValidationException")
    read = parse_template(path.read_text())
    rows = tuple(read.get("rows", ()))
    for row in rows:
        if unknown := set(row) - ALLOWED_KEYS:
            raise ValueError(f"{path.name}: unknown {', '.join(sorted(unknown))} in {row}")
        if "source" not in row:
            raise ValueError(f"{path.name}: a row without a source: {row}")
    return Table(service, read["code"], rows, frozenset(read.get("also", ())))


def tables() -> Iterable[Table]:
    """Every table of the folder."""
    return [table(path.stem) for path in sorted(HERE.glob("*.yaml"))]


_BOUNDS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("min", "max", "max_bytes", "min_items", "max_items", "total_bytes"), int),
    "allowed": lambda text: _compiled(text),
    "json": bool,
    "unique": str,
    "counted": tuple,
}


def _rule(row: Mapping[str, Any], code: str) -> Rule:
    bounds = {name: read(row[name]) for name, read in _BOUNDS.items() if name in row}
    message = row.get("message", "Value ({value}) for parameter {parameter} is invalid.")
    return Rule(code=row.get("code", code), message=message, source=row["source"], **bounds)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """AWS's patterns are Java's: some classes of characters are written otherwise here."""
    for theirs, ours in _CLASSES.items():
        pattern = pattern.replace(theirs, ours)
    return re.compile(pattern, re.DOTALL)


# Letters, numbers, separators, and all that lies beyond 16 bits, within brackets.
_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\d",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010ffff",
    r"\p{Z}": r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def _weight(value: Any) -> int:
    """The bytes of every text in a value, names of members of a map included."""
    if isinstance(value, str):
        return _bytes(value)
    if isinstance(value, bytes | bytearray):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_weight, value.values())) + sum(map(_weight, value))
    if isinstance(value, list | tuple):
        return sum(map(_weight, value))
    return 0
