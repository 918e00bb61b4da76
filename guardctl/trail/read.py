"""Read CloudTrail records out of log files, whatever the layout, in constant memory.

A file may be gzipped, and hold `{"Records": [...]}` as CloudTrail writes it, a JSON array, JSON
lines, or objects one after another; an element may be a bare record or an EventBridge event.

Most records of a trail are not about Secrets Manager. Runs of such records are counted and not
parsed: a run is let go only if the service's name does not occur in it, it ends where a record
ends, its braces are in balance and each of its records has an event source. Anything else is
parsed.
"""

import codecs
import gzip
import io
import json
import re
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

NAME = "secretsmanager"

_CHUNK = 1 << 20  # bytes read at a time
_BLOCK = 1 << 16  # characters looked at in one go when records are skipped
_LONGEST = 16 << 20  # characters of one element; CloudTrail's own limit is 256 KB
_RECORDS = re.compile(r'\{\s*"Records"\s*:\s*\[')
_SPACE = re.compile(r"[ \t\r\n]*")
_SPACE_AND_COMMA = re.compile(r"[ \t\r\n,]*")
_NEXT_ELEMENT = re.compile(
    r"\n[ \t\r\n,]*(?=\{)"
    r'|[,\[]\s*(?=\{\s*"(?:eventVersion|eventName|eventID|awsRegion|version|detail-type)")'
)
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_decode = json.JSONDecoder().raw_decode


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
    window = _Window(_texts(stream))
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
        elif skipped := window.skim("}\n{"):
            yield Skipped(skipped)
        else:
            yield from _element(window)
    if window.failure:
        yield Broken(window.position(), window.failure)


def _array(window: "_Window") -> Generator[Element | Skipped | Broken, None, bool]:
    """The elements up to the array's closing bracket, and whether there was one."""
    separator = ""
    while window.skip(_SPACE_AND_COMMA):
        if window.text[window.at] == "]":
            window.at += 1
            return True
        if separator and (skipped := window.skim(separator)):
            yield Skipped(skipped)
            continue
        for element in _element(window):
            if not separator and isinstance(element, Element) and element.value:
                separator = f"}},{{{json.dumps(next(iter(element.value)))}"
            yield element
    if not window.failure:
        yield Broken(window.position(), "the file ends inside a list")
    return False


def _element(window: "_Window") -> Iterator[Element | Skipped | Broken]:
    """The next JSON value: an object, or several in a `Records` of its own."""
    position = window.position()
    try:
        value = window.decode()
    except _NotJson as error:
        if not window.failure:
            yield Broken(window.position(error.at), error.reason)
        window.to_next_element(error.at)
        return
    inner = cast(dict[str, Any], value).get("Records") if isinstance(value, dict) else None
    for one in cast(list[object], inner) if isinstance(inner, list) else [value]:
        if isinstance(one, dict):
            yield Element(cast(dict[str, Any], one), position)
        else:
            yield Broken(position, "a record must be a JSON object")


class _NotJson(ValueError):
    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class _Window:
    """The part of a text that is in memory: `text` from `at` on is still to be read."""

    def __init__(self, texts: Iterator[str]) -> None:
        self.texts = texts
        self.text = ""
        self.at = 0
        self.ended = False
        self.failure = ""
        self._other_encoding = False  # somewhere in the file, bytes were not UTF-8
        self._parse_up_to = 0  # a run that ends here was found unfit to be skipped
        self._line = 1
        self._line_begins = 0  # where the line of `_counted` begins, before 0 if it was forgotten
        self._counted = 0

    def more(self) -> bool:
        """Read on, and forget what was consumed; False at the end, or where reading fails."""
        if self.ended:
            return False
        self._forget()
        try:
            piece = next(self.texts)
            self.text += piece
            self._other_encoding |= not piece.isascii() and bool(_NOT_UTF8.search(piece))
        except StopIteration:
            self.ended = True
        except (OSError, EOFError, zlib.error) as error:
            self.ended = True
            self.failure = f"cannot be read on: {error}"
        return not self.ended

    def fill(self, characters: int) -> None:
        while len(self.text) - self.at < characters and self.more():
            pass

    def skip(self, blank: re.Pattern[str]) -> bool:
        """Pass over blanks; whether anything comes after them."""
        while True:
            if match := blank.match(self.text, self.at):
                self.at = match.end()
            if self.at < len(self.text):
                return True
            if not self.more():
                return False

    def skim(self, separator: str) -> int:
        """Pass over whole records that are not about Secrets Manager; how many."""
        if self.at < self._parse_up_to or self._other_encoding:
            return 0
        self.fill(_BLOCK)
        end = min(self.at + _BLOCK, len(self.text))
        name = self.text.find(NAME, self.at, end)
        cut = self.text.rfind(separator, self.at, end if name < 0 else name)
        if cut < 0:
            return 0
        run = self.text[self.at : cut + 1]
        count = run.count(separator) + 1
        if not _are_records(run, count, one_a_line="\n" in separator):
            self._parse_up_to = cut + 1
            return 0
        self.at = cut + 2
        return count

    def decode(self) -> object:
        """The JSON value that begins here. Raises _NotJson, and stays where it is."""
        while True:
            try:
                value, end = _decode(self.text, self.at)
            except json.JSONDecodeError as error:
                cut_off = error.msg.startswith("Unterminated") or error.pos > len(self.text) - 10
                too_long = len(self.text) - self.at > _LONGEST
                if cut_off and not too_long and self.more():
                    continue
                reason = "longer than any record" if too_long else error.msg
                raise _NotJson(reason, min(error.pos, len(self.text))) from error
            except RecursionError as error:
                raise _NotJson("nested too deeply", self.at) from error
            if self._other_encoding and _NOT_UTF8.search(self.text, self.at, end):
                raise _NotJson("not UTF-8", end)
            self.at = end
            return value

    def to_next_element(self, failed_at: int) -> None:
        """Pass over what cannot be read, to where an object may begin next."""
        start = max(failed_at - 1, self.at)
        while not (found := _NEXT_ELEMENT.search(self.text, start)):
            self.at = max(self.at, len(self.text) - 64)
            if not self.more():
                self.at = len(self.text)
                return
            start = self.at
        self.at = found.end()

    def position(self, at: int | None = None) -> str:
        """Line and column, as editors count them. Asked for in order, each line is counted once."""
        at = self.at if at is None else max(at, self._counted)
        self._line += self.text.count("\n", self._counted, at)
        if (newline := self.text.rfind("\n", self._counted, at)) >= 0:
            self._line_begins = newline + 1
        self._counted = at
        return f"{self._line}:{at - self._line_begins + 1}"

    def _forget(self) -> None:
        self.position(max(self.at, self._counted))
        gone = min(self.at, self._counted)
        self.text = self.text[gone:]
        self._parse_up_to -= gone
        self._line_begins -= gone
        self._counted -= gone
        self.at -= gone


def _are_records(run: str, count: int, *, one_a_line: bool) -> bool:
    """Whether a run of text is surely that many records, as far as can be told without parsing."""
    return (
        run.count("{") == run.count("}")
        and run.count('"eventSource"') == count
        and (not one_a_line or run.count("\n") == count - 1)
    )


def _texts(stream: BinaryIO) -> Iterator[str]:
    """The text of a file, gzipped or not, in pieces; bytes that are not UTF-8 as surrogates."""
    buffered = io.BufferedReader(cast(io.RawIOBase, stream), _CHUNK)
    decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
    packed = buffered.peek(2)[:2] == b"\x1f\x8b"
    source = gzip.GzipFile(fileobj=buffered) if packed else buffered
    try:
        while piece := source.read1(_CHUNK):
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)
    finally:
        buffered.detach()  # the file is its opener's to close
