"""Read CloudTrail records out of log files, whatever the layout, in constant memory.

A file may be gzipped, and hold `{"Records": [...]}` as CloudTrail writes it, a JSON array, JSON
lines, or objects one after another; an element may be a bare record or an EventBridge event.

A file of the usual form that fits into memory is read by `guardctl.trail.whole`, which parses the
Secrets Manager records alone; anything else is parsed here, piece by piece.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from io import BytesIO, RawIOBase
from typing import Any, BinaryIO, cast

from guardctl.trail.elements import Broken, Element, Skipped
from guardctl.trail.whole import LARGEST, read_array, read_whole
from guardctl.trail.window import NotJson, Window, texts_of

_RECORDS = re.compile(r'\{\s*"Records"\s*:\s*\[')
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
        else:
            yield from _element(window)
    if window.failure:
        yield Broken(window.position(), window.failure)


def _array(window: Window) -> Generator[Element | Skipped | Broken, None, bool]:
    """The elements up to the array's closing bracket, and whether there was one."""
    while window.skip(_SPACE_AND_COMMA):
        if window.text[window.at] == "]":
            window.at += 1
            return True
        run = window.run()
        found = read_array(f"[{run}]".encode(), window.position()) if run else None
        if found is None:
            yield from _element(window)
        else:
            yield from found
            window.at += len(run)
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
