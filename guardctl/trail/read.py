"""Read CloudTrail records out of log files, whatever the layout, in constant memory.

A file may be gzipped, and hold `{"Records": [...]}` as CloudTrail writes it, a JSON array, JSON
lines, or objects one after another; an element may be a bare record, an EventBridge event, or what
`guardctl.trail.exports` takes a record out of. A table of comma-separated values is read row by
row, and of a log's line the time before the record is left out.

A file of the usual form that fits into memory is read by `guardctl.trail.whole`, which parses the
Secrets Manager records alone; anything else is parsed here, piece by piece.
"""

import csv
import re
from collections.abc import Generator, Iterator, Sequence
from io import BytesIO, RawIOBase
from typing import Any, BinaryIO, cast

from guardctl.trail.elements import Broken, Element, Skipped
from guardctl.trail.exports import LISTS, NEEDED, TEXTS, NoRecord, Unwrap, checked_header
from guardctl.trail.whole import LARGEST, read_array, read_whole
from guardctl.trail.window import LONGEST, NOT_UTF8, NotJson, Window, texts_of

# An object with a list of records, after other members that are short.
_RECORDS = re.compile(
    r'\{\s*(?:"\w+"\s*:\s*(?:"[^"\\]{0,200}"|[\w.]+)\s*,\s*){0,4}(?:"ResultSet"\s*:\s*\{\s*)?'
    rf'"(?:{"|".join(LISTS)})"\s*:\s*\['
)
# What CloudWatch Logs writes before a log event: the time, and `aws logs tail` the stream.
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?[ \t]+(?:[^\s{]+[ \t]+)?(?=\{)")
_HEADER = re.compile(r'(?:"?[@\w. ]+"?,)*"?[@\w. ]+"?\r?(?:\n|$)')
_COLUMNS = frozenset({*NEEDED, *(name.lower() for name in TEXTS)})
_CHUNK = 1 << 20  # bytes
_SPACE = re.compile(r"[ \t\r\n]*")
_SPACE_AND_COMMA = re.compile(r"[ \t\r\n,]*")


def read(stream: BinaryIO, size: int = 0) -> Iterator[Element | Skipped | Broken]:
    """Every element of a file, in order; what cannot be read is said and passed over.

    `size` is the file's, in bytes as it is stored; 0 where it is not known, as of a pipe, which is
    read as it comes.
    """
    if not 0 < size <= LARGEST:
        yield from _piece_by_piece(stream)
        return
    pieces: list[bytes] = []
    try:
        pieces.extend(iter(lambda: stream.read(_CHUNK), b""))
    except OSError as error:
        yield from _piece_by_piece(cast(BinaryIO, _BrokenOff(pieces, error)))
        return
    packed = b"".join(pieces)
    whole = read_whole(packed)
    yield from _piece_by_piece(BytesIO(packed)) if whole is None else whole


class _BrokenOff(RawIOBase):
    """A stream that gave these pieces and then failed: they are read all the same."""

    def __init__(self, pieces: Sequence[bytes], error: OSError) -> None:
        self.rest = BytesIO(b"".join(pieces))
        self.error = error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if size := self.rest.readinto(buffer):
            return size
        raise self.error


def _piece_by_piece(stream: BinaryIO) -> Iterator[Element | Skipped | Broken]:
    window, unwrap = Window(texts_of(stream)), Unwrap()
    if not window.skip(_SPACE) and not window.failure:
        yield Broken("1:1", "the file is empty")
    window.fill(4096)
    if _is_table(window):
        yield from _table(window, unwrap)
    while window.skip(_SPACE):
        window.fill(1024)
        if stamp := _STAMP.match(window.text, window.at):
            window.at = stamp.end()
        if records := _RECORDS.match(window.text, window.at):
            window.at = records.end()
            closed = yield from _array(window, unwrap)
            if closed and not window.failure and not _rest_of_object(window):
                yield Broken(window.position(), "Expecting '}' after the records")
        elif window.text[window.at] == "[":
            window.at += 1
            yield from _array(window, unwrap)
        else:
            yield from _element(window, unwrap)
    if window.failure:
        yield Broken(window.position(), window.failure)


def _array(window: Window, unwrap: Unwrap) -> Generator[Element | Skipped | Broken, None, bool]:
    """The elements up to the array's closing bracket, and whether there was one."""
    while window.skip(_SPACE_AND_COMMA):
        if window.text[window.at] == "]":
            window.at += 1
            return True
        run = window.run()
        found = read_array(f"[{run}]".encode(), window.position()) if run else None
        if found is None:
            yield from _element(window, unwrap)
        else:
            yield from found
            window.at += len(run)
    if not window.failure:
        yield Broken(window.position(), "the file ends inside a list")
    return False


def _element(window: Window, unwrap: Unwrap) -> Iterator[Element | Skipped | Broken]:
    """The next JSON value: a record, or an object with several in a `Records` of its own."""
    position = window.position()
    try:
        value = window.decode()
    except NotJson as error:
        if not window.failure:
            yield Broken(window.position(error.at), error.reason)
        window.to_next_element(error.at)
        return
    yield from _unwrapped(unwrap.records(value), position)


def _unwrapped(records: Iterator[object], position: str) -> Iterator[Element | Broken]:
    try:
        for one in records:
            if isinstance(one, dict):
                yield Element(cast(dict[str, Any], one), lambda: position)
            else:
                yield Broken(position, "a record must be a JSON object")
    except NoRecord as error:
        yield Broken(position, str(error))


def _rest_of_object(window: Window) -> bool:
    """Pass over what stands behind the records in their object; whether it ends well."""
    while window.skip(_SPACE) and window.text[window.at] == ",":
        window.at += 1
        try:
            window.skip(_SPACE)
            window.decode()
            if not window.skip(_SPACE) or window.text[window.at] != ":":
                return False
            window.at += 1
            window.skip(_SPACE)
            window.decode()
        except NotJson:
            return False
    if not window.skip(_SPACE) or window.text[window.at] != "}":
        return False
    window.at += 1
    # The rows of Athena are in an object in the object.
    rest = window.skip(_SPACE) and window.text[window.at] in ",}"
    return _rest_of_object(window) if rest else True


def _is_table(window: Window) -> bool:
    """Whether the text begins with a row of column names, of which one is known."""
    header = _HEADER.match(window.text, window.at)
    names = header[0].lower().replace('"', "").strip().split(",") if header else []
    return any(name.strip() in _COLUMNS for name in names)


def _table(window: Window, unwrap: Unwrap) -> Iterator[Element | Broken]:
    """The record of each row below the header."""
    csv.field_size_limit(LONGEST)
    rows = csv.reader(window.lines())
    try:
        unwrap.header = checked_header(next(rows))
    except NoRecord as error:
        yield Broken("1:1", str(error))
        window.drop()
        return
    while True:
        position = window.position()
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Broken(position, f"no row of a table: {error}")
            continue
        if any(NOT_UTF8.search(cell) for cell in row):
            yield Broken(position, "not UTF-8")
        elif row:
            yield from _unwrapped(unwrap.table_row(row), position)
