"""The state table and the findings topic in memory, for `guardctl replay`.

The deployed functions' own code runs on both, so what it decides is the same. The table understands
the part of DynamoDB's expressions that the guard uses: "Update expressions" and "Condition and
filter expressions" in the developer guide.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, cast

from guard.findings.finding import Finding
from guard.publishing.message import published_form
from guard.publishing.topic import Topic
from guard.settings import Publishing
from guard.table.items import Item, Items, Values

type Term = Callable[[Item, Values, Mapping[str, str]], Any]
type Action = tuple[str, str, Term]  # SET, ADD, DELETE or REMOVE; the attribute; the value

_TOKEN = re.compile(r"[:#]?\w+|<=|>=|<>|[=<>(),+-]")
_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_INDEXED = "summary"  # the table's one index has the items with this attribute


@dataclass(frozen=True, slots=True)
class MemoryItems(Items):
    """The table. Its items are those of `Items`: texts, whole numbers and sets of texts."""

    _items: dict[str, Item] = field(default_factory=dict[str, Item])
    _index: set[str] = field(default_factory=set[str])

    @classmethod
    def empty(cls) -> "MemoryItems":
        return cls(cast(Any, None), "memory", "")

    def get(self, key: str, now: datetime) -> Item:
        item = self._items.get(key, {})
        return dict(item) if item.get("expires_at", now.timestamp() + 1) > now.timestamp() else {}

    def read(self, keys: Iterable[str]) -> dict[str, Item]:
        return {key: {"pk": key, **self._items[key]} for key in keys if key in self._items}

    def query(self, index: str, when: str, values: Values) -> list[Item]:  # noqa: ARG002 - one index
        holds = _condition(when)
        found = ((key, self._items[key]) for key in sorted(self._index))
        return [{"pk": key, **item} for key, item in found if holds(item, values, {})]

    def update(
        self,
        key: str,
        expression: str,
        values: Values,
        *,
        when: str = "",
        names: Mapping[str, str] | None = None,
        quiet: bool = False,  # noqa: ARG002 - an answer costs nothing here
    ) -> tuple[Item, bool]:
        known, named = self._items.get(key), names or {}
        if when and not _condition(when)(_with_key(key, known), values, named):
            return dict(known or {}), False
        item = dict(known or {})
        for action, attribute, term in _update(expression):
            _apply(item, action, named.get(attribute, attribute), term(known or {}, values, named))
        self._items[key] = item
        (self._index.add if _INDEXED in item else self._index.discard)(key)
        return dict(item), True

    def delete(self, key: str, when: str, values: Values) -> bool:
        if not _condition(when)(_with_key(key, self._items.get(key)), values, {}):
            return False
        self._items.pop(key, None)
        self._index.discard(key)
        return True

    def expire(self, now: datetime) -> None:
        """Delete the items whose time to live is over."""
        epoch = now.timestamp()
        for key in [k for k, item in self._items.items() if item.get("expires_at", epoch) < epoch]:
            del self._items[key]
            self._index.discard(key)


@dataclass(frozen=True, slots=True)
class MemoryTopic(Topic):
    """The topic. It accepts everything: `messages` are the published findings' JSON, in order."""

    messages: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    @classmethod
    def empty(cls, publishing: Publishing) -> "MemoryTopic":
        return cls(cast(Any, None), "memory", publishing)

    def publish_all(
        self, findings: Sequence[Finding], form: Callable[[int], Mapping[str, Any]] | None = None
    ) -> Iterator[tuple[list[int], Mapping[int, str]]]:
        for place, finding in enumerate(findings):
            self.messages.append(form(place) if form else published_form(finding, self.publishing))
            yield [place], {}


def _with_key(key: str, item: Item | None) -> Item:
    return {} if item is None else {"pk": key, **item}


def _apply(item: Item, action: str, attribute: str, value: Any) -> None:
    match action:
        case "SET":
            item[attribute] = frozenset(value) if _is_set(value) else value
        case "ADD" if _is_set(value):
            item[attribute] = item.get(attribute, frozenset()) | frozenset(value)
        case "ADD":
            item[attribute] = item.get(attribute, 0) + value
        case "DELETE":
            item[attribute] = item.get(attribute, frozenset()) - frozenset(value)
            if not item[attribute]:
                del item[attribute]
        case _:
            item.pop(attribute, None)


def _is_set(value: Any) -> bool:
    return not isinstance(value, str | int)


@cache
def _condition(text: str) -> Term:
    return _Parser(text).either()


@cache
def _update(text: str) -> tuple[Action, ...]:
    return tuple(_Parser(text).actions())


class _Parser:
    """Reads an expression from left to right; each method reads what it is named after."""

    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)

    def _accept(self, *words: str) -> str:
        """The next token, taken, if it is one of these; else empty."""
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in words else ""

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise ValueError(f"{word!r} is expected before {self.tokens[:3]}")

    def either(self) -> Term:
        terms = [self.all()]
        while self._accept("OR"):
            terms.append(self.all())
        return terms[0] if len(terms) == 1 else lambda *given: any(term(*given) for term in terms)

    def all(self) -> Term:
        terms = [self.single()]
        while self._accept("AND"):
            terms.append(self.single())
        return terms[0] if len(terms) == 1 else lambda *given: all(term(*given) for term in terms)

    def single(self) -> Term:
        if self._accept("NOT"):
            inner = self.single()
            return lambda *given: not inner(*given)
        if self._accept("("):
            inner = self.either()
            self._expect(")")
            return inner
        if function := self._accept("attribute_exists", "attribute_not_exists"):
            (attribute,) = self.arguments()
            expected = function == "attribute_exists"
            return lambda *given: (attribute(*given) is not None) is expected
        if self._accept("contains"):
            texts, one = self.arguments()
            return lambda *given: one(*given) in (texts(*given) or ())
        return self.comparison()

    def comparison(self) -> Term:
        left, compared = self.operand(), _COMPARED[self.tokens.pop(0)]
        right = self.operand()

        def holds(*given: Any) -> bool:
            one, other = left(*given), right(*given)
            return one is not None and other is not None and compared(one, other)

        return holds

    def arguments(self) -> list[Term]:
        self._expect("(")
        terms = [self.operand()]
        while self._accept(","):
            terms.append(self.operand())
        self._expect(")")
        return terms

    def operand(self) -> Term:
        if self._accept("size"):
            (attribute,) = self.arguments()
            return lambda *given: None if attribute(*given) is None else len(attribute(*given))
        if self._accept("if_not_exists"):
            attribute, otherwise = self.arguments()
            return lambda *given: (
                otherwise(*given) if attribute(*given) is None else attribute(*given)
            )
        word = self.tokens.pop(0)
        if word.startswith(":"):
            return lambda _item, values, _names: values[word]
        return lambda item, _values, names: item.get(names.get(word, word))

    def sum(self) -> Term:
        term = self.operand()
        while sign := self._accept("+", "-"):
            term = _summed(term, self.operand(), 1 if sign == "+" else -1)
        return term

    def actions(self) -> Iterable[Action]:
        while action := self._accept("SET", "ADD", "DELETE", "REMOVE"):
            yield self.action(action)
            while self._accept(","):
                yield self.action(action)
        if self.tokens:
            raise ValueError(f"an action is expected before {self.tokens[:3]}")

    def action(self, action: str) -> Action:
        attribute = self.tokens.pop(0)
        if action == "REMOVE":
            return action, attribute, lambda *_: None
        if action == "SET":
            self._expect("=")
        return action, attribute, self.sum()


def _summed(left: Term, right: Term, sign: int) -> Term:
    return lambda *given: left(*given) + sign * right(*given)
