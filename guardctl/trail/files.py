"""Find the log files that a command line names."""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from guardctl.trail import s3
from guardctl.trail.s3 import S3Object

_FORMS = (".json", ".jsonl", ".ndjson", ".csv")
LOG_FILES = (*_FORMS, *(f"{one}.gz" for one in _FORMS))
_EXPORTED = re.compile(r"(?:.*/)?\d{6}\.gz")  # by an export task of CloudWatch Logs
NO_LOGS = ("CloudTrail-Digest", "CloudTrail-Insight")  # beside the logs in a trail's bucket


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file that may hold records. `open` raises OSError where it cannot be read."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def size(self) -> int:
        """In bytes; 0 where it is not known."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0  # and a complaint when it is opened

    def open(self) -> BinaryIO:
        return self.path.open("rb", buffering=0)


@dataclass(frozen=True, slots=True)
class StandardInput:
    """What another program pipes in."""

    name: str = "standard input"
    size: int = 0

    def open(self) -> BinaryIO:
        return sys.stdin.buffer


@dataclass(frozen=True, slots=True)
class Pipe:
    """A FIFO, such as a shell's process substitution: it is read once, by this process alone."""

    path: Path
    size: int = 0

    @property
    def name(self) -> str:
        return str(self.path)

    def open(self) -> BinaryIO:
        return self.path.open("rb", buffering=0)


@dataclass(frozen=True, slots=True)
class Missing:
    """An argument that names nothing, in a line for people."""

    text: str


Source = LogFile | StandardInput | Pipe | S3Object
Stream = StandardInput | Pipe
"""What cannot be opened by another process."""


class Openable(Protocol):
    """What can be read. `open` raises OSError where it cannot."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def open(self) -> BinaryIO: ...


def sources(
    arguments: Iterable[str], *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Source | Missing]:
    """What the arguments name: files, folders, patterns, S3 prefixes; `-` is standard input.

    `since` and `until` spare the listing of days in S3 whose logs can hold nothing of the time.
    """
    for text in arguments:
        if text.startswith(s3.SCHEME):
            yield from _in_bucket(text, since, until)
            continue
        path = Path(text)
        if text == "-":
            yield StandardInput()
        elif path.is_file():
            yield LogFile(path)
        elif path.is_dir():
            yield from _in_folder(path)
        elif path.is_fifo() or path.is_char_device():
            yield Pipe(path)
        else:
            matches = _matching(path)
            yield from map(LogFile, matches)
            if not matches:
                yield Missing(f"{text}: no such file, folder or match")


def size_of(one: Source | Missing) -> int:
    """In bytes, as far as it is known."""
    return 0 if isinstance(one, Missing) else one.size


def _in_bucket(
    url: str, since: datetime | None, until: datetime | None
) -> Iterator[Source | Missing]:
    found = False
    try:
        for one in s3.objects(url, since, until):
            if is_log(one.key) or one.name == url:
                found = True
                yield one
    except OSError as error:
        yield Missing(f"{url}: {error}")
        return
    if not found:
        yield Missing(f"{url}: no {', '.join(LOG_FILES)} below it")


def is_log(name: str) -> bool:
    """Whether a path or key names a log of calls, and not the digest of one, or of insights."""
    log = name.endswith(LOG_FILES) or _EXPORTED.fullmatch(name)
    return bool(log) and not set(NO_LOGS) & set(name.split("/"))


def _in_folder(folder: Path) -> Iterator[Source | Missing]:
    found = False
    for path in sorted(folder.rglob("*")):
        if is_log(path.relative_to(folder).as_posix()) and path.is_file():
            found = True
            yield LogFile(path)
    if not found:
        yield Missing(f"{folder}: no {', '.join(LOG_FILES)} in it")


def _matching(pattern: Path) -> list[Path]:
    anchor = Path(pattern.anchor) if pattern.anchor else Path()
    relative = pattern.relative_to(anchor)
    return sorted(path for path in anchor.glob(str(relative)) if path.is_file())
