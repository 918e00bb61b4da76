"""Find the log files that a command line names."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LOG_FILES = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
DIGESTS = "CloudTrail-Digest"  # beside the logs in a trail's bucket, and no logs


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file that may hold records. `open` raises OSError where it cannot be read."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def size(self) -> int:
        """In bytes; 0 where it cannot be told."""
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
class Missing:
    """An argument that names nothing, in a line for people."""

    text: str


Source = LogFile | StandardInput


def sources(arguments: Iterable[str]) -> Iterator[Source | Missing]:
    """What the arguments name: files, folders, patterns; `-` is standard input."""
    for text in arguments:
        path = Path(text)
        if text == "-":
            yield StandardInput()
        elif path.is_file():
            yield LogFile(path)
        elif path.is_dir():
            yield from _in_folder(path)
        else:
            matches = _matching(path)
            yield from map(LogFile, matches)
            if not matches:
                yield Missing(f"{text}: no such file, folder or match")


def is_log(name: str) -> bool:
    """Whether a path or key names a log, and not the digest of one."""
    return name.endswith(LOG_FILES) and DIGESTS not in name.split("/")


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
