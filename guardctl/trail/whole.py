"""Read a log file that fits into memory, and parse only its Secrets Manager records.

Nearly every file of a trail is one `{"Records": [...]}` of some megabytes, and few of its records
are about Secrets Manager. msgspec reads the event source of each record and passes over the rest
without making anything of it; isal unzips. Both are several times as fast as the standard library
(`python -m benchmarks.replay`).

What is not of the usual form, or is broken in any place, is left to `guardctl.trail.read`, which
names the place and reads on behind it.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
from isal import isal_zlib

from guardctl.trail.elements import Element, Skipped

SERVICE = "secretsmanager.amazonaws.com"
LARGEST = 64 << 20  # bytes, unzipped: CloudTrail's own files are a tenth of that
_GZIP = 31  # the window bits that zlib takes for "a gzip header"


class _Source(msgspec.Struct):
    """All that has to be known of a record to pass it over."""

    eventSource: str  # noqa: N815 (CloudTrail's name)


class _Sources(msgspec.Struct):
    Records: list[_Source]


class _Raws(msgspec.Struct):
    Records: list[msgspec.Raw]


_sources = msgspec.json.Decoder(_Sources)
_raws = msgspec.json.Decoder(_Raws)
_source_array = msgspec.json.Decoder(list[_Source])
_raw_array = msgspec.json.Decoder(list[msgspec.Raw])
_source_line = msgspec.json.Decoder(_Source)
_raw_line = msgspec.json.Decoder(msgspec.Raw)


def read_whole(packed: bytes) -> Iterator[Element | Skipped] | None:
    """Every record of a file's bytes, gzipped or not, in order; None where it is not of the usual
    form: a `Records` object, an array, or JSON lines, each record with a text as `eventSource`.
    """
    try:
        data = _unzipped(packed)
        if data is None or not data.strip():
            return None
        data.decode()
        names, raws = _decoded(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return _elements(names, raws, _Places(data))


def read_array(data: bytes, position: str) -> Iterator[Element | Skipped] | None:
    """Every record of an array, in order; None where it is not of the usual form.

    `position` is where, in its file, the text after the bracket begins.
    """
    try:
        names, raws = _decoded_array(data)
    except (msgspec.MsgspecError, RecursionError):
        return None
    line, column = map(int, position.split(":"))
    return _elements(names, raws, _Places(data, 1, line, column))


def _unzipped(packed: bytes) -> bytes | None:
    """The text of a file; None where it is too large, cut off, or of several gzip members."""
    if packed[:2] != b"\x1f\x8b":
        return packed if len(packed) <= LARGEST else None
    unzip = isal_zlib.decompressobj(_GZIP)
    try:
        data = unzip.decompress(packed, LARGEST)
    except isal_zlib.error:  # pyright: ignore[reportGeneralTypeIssues] (its stub)
        return None
    return data if unzip.eof and not unzip.unused_data else None


def _decoded(data: bytes) -> tuple[list[str], Sequence[msgspec.Raw]]:
    """The event source of each record, and the records' text if one of them is asked for."""
    first = data[:64].lstrip()[:1]
    if first == b"[":
        return _decoded_array(data)
    try:
        names = [one.eventSource for one in _sources.decode(data).Records]
    except msgspec.MsgspecError:
        names = [one.eventSource for one in _source_line.decode_lines(data)]
        return names, _raw_line.decode_lines(data) if SERVICE in names else ()
    return names, _raws.decode(data).Records if SERVICE in names else ()


def _decoded_array(data: bytes) -> tuple[list[str], Sequence[msgspec.Raw]]:
    names = [one.eventSource for one in _source_array.decode(data)]
    return names, _raw_array.decode(data) if SERVICE in names else ()


def _elements(
    names: Sequence[str], raws: Sequence[msgspec.Raw], places: "_Places"
) -> Iterator[Element | Skipped]:
    others = 0
    for number, name in enumerate(names):
        if name != SERVICE:
            others += 1
            continue
        if others:
            yield Skipped(others)
            others = 0
        text = bytes(raws[number])
        value: dict[str, Any] = json.loads(text)
        yield Element(value, partial(places.of, places.find(text)))
    if others:
        yield Skipped(others)


class _Places:
    """Finds texts that come in order, and their lines and columns, as editors count them."""

    def __init__(self, data: bytes, begin: int = 0, line: int = 1, column: int = 1) -> None:
        self.data = data
        self.after = begin  # the text found last
        self.first = self.last = begin, line, column

    def find(self, text: bytes) -> int:
        """Where the next such text begins."""
        found = self.data.find(text, self.after)
        self.after = found + len(text)
        return found

    def of(self, found: int) -> str:
        """Line and column; the lines are counted from the place that was asked for last."""
        at, line, column = self.last if self.last[0] <= found else self.first
        between = self.data[at:found]
        if lines := between.count(b"\n"):
            line, column = line + lines, 1
        column += len(between.rpartition(b"\n")[2].decode())
        self.last = found, line, column
        return f"{line}:{column}"
