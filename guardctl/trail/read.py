"""Read CloudTrail records out of log files, whatever the layout, in constant memory.

A file may be gzipped, and hold `{"Records": [...]}` as CloudTrail writes it, a JSON array, JSON
lines, or objects one after another; an element may be a bare record or an EventBridge event.

Most records of a trail are not about Secrets Manager. Runs of such records are counted and not
parsed (see `skim`); anything else is parsed.
"""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from guardctl.trail.window import NotJson, Window, texts_of

_RECORDS = re.compile(r'\{\s*"Records"\s*:\s*\[')
_SPACE = re.compile(r"[ \t\r\n]*")
_SPACE_AND_COMMA = re.compile(r"[ \t\r\n,]*")


@dataclass(frozen=True, slots=True)
class Element:
    """One JSON object of a file, and where it begins."""

    value: dict[str, Any]
    position: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """So many records that are not about Secrets Manager."""

    count: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A place that could not be read, and why."""

    position: str
    reason: str


def read(stream: BinaryIO) -> Iterator[Element | Skipped | Broken]:
    """Every element of a file, in order; what cannot be read is said and passed over."""
    window = Window(texts_of(stream))
    if not window.skip(_SPACE) and not window.failure:
        yield Broken("1:1", "the file is empty")
    while window.skip(_SPACE):
        window.fill(64)
        if records := _RECORDS.match(window.text, window.at):
            window.at = records.end()
            closed = yield from _array(window)
            if window.skip(_SPACE) and window.text[window.at] == "}":
                window.at += 1
            elif closed and not window.failure:
                yield Broken(window.position(), "Expecting '}' after the records")
        elif window.text[window.at] == "[":
            window.at += 1
            yield from _array(window)
        elif skipped := window.skim():
            yield Skipped(skipped)
        else:
            yield from _element(window)
    if window.failure:
        yield Broken(window.position(), window.failure)


def _array(window: Window) -> Generator[Element | Skipped | Broken, None, bool]:
    """The elements up to the array's closing bracket, and whether there was one."""
    window.separator = ""
    while window.skip(_SPACE_AND_COMMA):
        if window.text[window.at] == "]":
            window.at += 1
            window.separator = ""
            return True
        if skipped := window.skim():
            yield Skipped(skipped)
        else:
            yield from _element(window)
    if not window.failure:
        yield Broken(window.position(), "the file ends inside a list")
    return False


def _element(window: Window) -> Iterator[Element | Skipped | Broken]:
    """The next JSON value: a record, or an object with several in a `Records` of its own."""
    position = window.position()
    try:
        value = window.decode()
    except NotJson as error:
        if not window.failure:
            yield Broken(window.position(error.at), error.reason)
        window.to_next_element(error.at)
        return
    for one in _inner(value):
        if isinstance(one, dict):
            yield Element(cast(dict[str, Any], one), position)
        else:
            yield Broken(position, "a record must be a JSON object")


def _inner(value: object) -> list[object]:
    if isinstance(value, dict) and "eventSource" not in value:
        inner = cast(dict[str, Any], value).get("Records")
        if isinstance(inner, list):
            return cast(list[object], inner)
    return [value]
