"""The part of a log file's text that is in memory: it moves on, whatever the file's size."""

import codecs
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

_CHUNK = 1 << 20  # bytes read at a time
LONGEST = 16 << 20  # characters of one element; CloudTrail's own limit is 256 KB
_NEXT_ELEMENT = re.compile(
    r"\n[ \t\r\n,]*(?=\{)"
    r'|[,\[]\s*(?=\{\s*"(?:eventVersion|eventName|eventID|awsRegion|version|detail-type)")'
)
NOT_UTF8 = re.compile("[\udc80-\udcff]")
_SEPARATOR = re.compile(
    r'\}[ \t\r\n]{0,80},[ \t\r\n]{0,80}\{[ \t\r\n]{0,80}"'
)  # between two elements
_decode = json.JSONDecoder().raw_decode


class NotJson(ValueError):
    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class Window:
    """The part of a text that is in memory: `text` from `at` on is still to be read."""

    def __init__(self, texts: Iterator[str]) -> None:
        self.texts = texts
        self.text = ""
        self.at = 0
        self.ended = False
        self.failure = ""
        self.separator = ""  # what stands between two elements here, once it is known
        self._tried_up_to = 0  # a run that ends here was of no use
        self._other_encoding = False  # somewhere in the file, bytes were not UTF-8
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
            self._other_encoding |= not piece.isascii() and bool(NOT_UTF8.search(piece))
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

    def run(self) -> str:
        """What is in memory of an array, from the element that begins here up to a place that reads
        as if one ended there; empty where none does. Only a parser can say that it is so.
        """
        if not self.separator or self.at < self._tried_up_to or self._other_encoding:
            return ""
        cut = self.text.rfind(self.separator, self.at)
        self._tried_up_to = cut + 1
        return self.text[self.at : cut + 1] if cut >= 0 else ""

    def lines(self) -> Iterator[str]:
        """The lines that are still to be read, each passed over when it is handed out."""
        while self.at < len(self.text) or self.more():
            end = self.text.find("\n", self.at)
            if end < 0 and len(self.text) - self.at <= LONGEST and self.more():
                continue
            line = self.text[self.at : end + 1 if end >= 0 else len(self.text)]
            self.at += len(line)
            yield line

    def drop(self) -> None:
        """Pass over all that is still to be read."""
        self.at = len(self.text)
        while self.more():
            self.at = len(self.text)

    def decode(self) -> object:
        """The JSON value that begins here. Raises NotJson, and stays where it is."""
        while True:
            try:
                value, end = _decode(self.text, self.at)
            except json.JSONDecodeError as error:
                cut_off = error.msg.startswith("Unterminated") or error.pos > len(self.text) - 10
                too_long = len(self.text) - self.at > LONGEST
                if cut_off and not too_long and self.more():
                    continue
                reason = "longer than any record" if too_long else error.msg
                raise NotJson(reason, min(error.pos, len(self.text))) from error
            except RecursionError as error:
                raise NotJson("nested too deeply", self.at) from error
            if self._other_encoding and NOT_UTF8.search(self.text, self.at, end):
                raise NotJson("not UTF-8", end)
            self.at = end
            if separator := _SEPARATOR.match(self.text, end - 1):
                self.separator = separator[0]
            return value

    def to_next_element(self, failed_at: int) -> None:
        """Pass over what cannot be read, to where an object may begin next."""
        start = max(
            failed_at - len(', {"'), self.at + 1
        )  # a text without end ends in the next record
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
        self._tried_up_to -= gone
        self._line_begins -= gone
        self._counted -= gone
        self.at -= gone


def texts_of(stream: BinaryIO) -> Iterator[str]:
    """The text of a file, gzipped or not, in pieces.

    Bytes that are no text come as surrogates, and in UTF-16, which has no such, as U+FFFD.
    """
    buffered = io.BufferedReader(cast(io.RawIOBase, stream), _CHUNK)
    begin = buffered.peek(2)[:2]
    packed = begin == b"\x1f\x8b"
    # PowerShell's `>` writes UTF-16.
    wide = begin in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding, errors = ("utf-16", "replace") if wide else ("utf-8-sig", "surrogateescape")
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    source = gzip.GzipFile(fileobj=buffered) if packed else buffered
    try:
        while piece := source.read1(_CHUNK):
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)
    finally:
        buffered.detach()  # the file is its opener's to close
