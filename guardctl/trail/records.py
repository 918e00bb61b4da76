"""The Secrets Manager records in log files, and what could not be read of them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from detect_bypass.judge import SECRETS_MANAGER
from guard.cloudtrail.record import (
    NotFromCloudTrail,
    Record,
    UnreadableRecord,
    from_envelope,
    parse,
)
from guardctl import trail
from guardctl.screen import printable, say
from guardctl.trail.files import Missing, Source

_MOST = 10  # printed of one file; what is more is counted


@dataclass(slots=True)
class Complaints:
    """What could not be read: said on standard error, the first places of each file."""

    of_file: Counter[str] = field(default_factory=Counter[str])

    @property
    def total(self) -> int:
        return self.of_file.total()

    def add(self, file: str, text: str) -> None:
        self.of_file[file] += 1
        if self.of_file[file] <= _MOST:
            say(printable(text), err=True)

    def close(self, file: str) -> None:
        """After the last place of a file."""
        if (more := self.of_file[file] - _MOST) > 0:
            say(printable(f"{file}: and {more:,} more such places"), err=True)


@dataclass(frozen=True, slots=True)
class Found:
    """One record of Secrets Manager, and where it is."""

    record: Record
    file: str
    place: str


@dataclass(frozen=True, slots=True)
class Passed:
    """So many records of other services."""

    count: int


def records(files: Iterable[Source | Missing], complaints: Complaints) -> Iterator[Found | Passed]:
    """All records in the files, in their order."""
    for file in files:
        if isinstance(file, Missing):
            complaints.add(file.text, file.text)
            continue
        try:
            with file.open() as stream:
                yield from _elements(trail.read(stream, file.size), file.name, complaints)
        except OSError as error:
            complaints.add(file.name, f"{file.name}: {error.strerror or error}")
        complaints.close(file.name)


def _elements(
    elements: Iterable[trail.Element | trail.Skipped | trail.Broken],
    name: str,
    complaints: Complaints,
) -> Iterator[Found | Passed]:
    for element in elements:
        match element:
            case trail.Skipped(count):
                yield Passed(count)
            case trail.Broken(position, reason):
                complaints.add(name, f"{name}:{position}: {reason}")
            case trail.Element(value):
                place = f"{name}:{element.position}"
                try:
                    record = _record(value)
                    yield Found(record, name, place) if record else Passed(1)
                except UnreadableRecord as error:
                    complaints.add(name, f"{place}: {error}")


def _record(value: dict[str, Any]) -> Record | None:
    """The record, or the one in an event; None for one of another service."""
    enveloped = "detail-type" in value and "detail" in value
    detail = value["detail"] if enveloped else value
    source = detail.get("eventSource") if isinstance(detail, dict) else None
    if isinstance(source, str) and source != SECRETS_MANAGER:
        return None
    try:
        return from_envelope(value) if enveloped else parse(value)
    except NotFromCloudTrail:
        return None  # an archive of the bus holds other events too
