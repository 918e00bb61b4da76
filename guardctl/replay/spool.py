"""What is to be published, kept on disk until all is read, and handed out in the order of its time.

Files of a trail are not in the order of events. In memory stay 21 bytes of each record.
"""

import json
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import merge
from itertools import pairwise
from typing import IO, Any, Self

BATCH_RECORDS = 100  # `BatchSize` of the detection queue
BATCH_SECONDS = 10  # `DetectionBatchWindow`

# CloudTrail began in 2013; what an hour is added to must stay within Python's dates.
EARLIEST = datetime(2013, 1, 1, tzinfo=UTC).timestamp()
LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()

QUIET, AMENDS = 1, 2

type Place = tuple[str, str]
"""Account and Region: each has a stack of its own, with its own queue and table."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """One record as JSON. One that is `quiet` is no finding, and matters only to its addendum.

    `place` may lack what the record does not name.
    """

    when: float | None
    text: bytes
    quiet: bool = False
    amends: bool = False
    place: Place = ("", "")


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one batch that may come to a finding; `now` is the time of its last record."""

    now: datetime
    details: Sequence[dict[str, Any]]
    place: Place


@dataclass(slots=True)
class Spool:
    """Takes records in any order; `batches` gives them by time.

    What does not name its account or its Region belongs to the first stack that it may be of.
    """

    _file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    _times: "array[float]" = field(default_factory=lambda: array("d"))
    _offsets: "array[int]" = field(default_factory=lambda: array("q"))
    _flags: bytearray = field(default_factory=bytearray)
    _places: "array[int]" = field(default_factory=lambda: array("I"))
    _numbers: dict[Place, int] = field(default_factory=dict[Place, int])
    _last: float = EARLIEST
    _untimed: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, one: Spooled) -> None:
        """Keep a record.

        What has no time, or none that can be, takes that of the record before it; where there is
        none, that of the first record that has one.
        """
        if one.when is not None and EARLIEST <= one.when < LATEST:
            self._last = one.when
            for number in range(self._untimed):
                self._times[number] = self._last
            self._untimed = 0
        elif self._untimed == len(self._times):
            self._untimed += 1
        self._times.append(self._last)
        self._offsets.append(self._file.tell())
        self._flags.append(QUIET * one.quiet | AMENDS * one.amends)
        self._places.append(self._numbers.setdefault(one.place, len(self._numbers)))
        self._file.write(one.text + b"\n")

    def batches(self) -> Iterator[Batch]:
        """The batches in which each stack's detection queue would bring them, all by time."""
        stacks: dict[Place, list[int]] = {}
        stack_of = self._stacks()
        for one in sorted(range(len(self._times)), key=self._times.__getitem__):
            stacks.setdefault(stack_of[self._places[one]], []).append(one)
        queues = (self._queue(place, order) for place, order in stacks.items())
        yield from merge(*queues, key=lambda batch: batch.now)

    def _stacks(self) -> list[Place]:
        """The stack of each place, by its number."""
        whole = [place for place in self._numbers if all(place)]
        return [
            next((one for one in whole if _may_be(place, one)), place) for place in self._numbers
        ]

    def _queue(self, place: Place, order: Sequence[int]) -> Iterator[Batch]:
        for begin, end in pairwise([*self._starts(order), len(order)]):
            some = order[begin:end]
            # A quiet record may be a finding once an addendum is merged with it.
            amended = any(self._flags[one] & AMENDS for one in some)
            loud = [one for one in some if amended or not self._flags[one] & QUIET]
            now = datetime.fromtimestamp(self._times[some[-1]], UTC)
            yield Batch(now, [self._load(one) for one in loud], place)

    def _starts(self, order: Sequence[int]) -> Iterator[int]:
        first = -1
        for position, one in enumerate(order):
            full = position - first >= BATCH_RECORDS
            if first < 0 or full or self._times[one] - self._times[order[first]] >= BATCH_SECONDS:
                first = position
                yield position

    def _load(self, one: int) -> dict[str, Any]:
        self._file.seek(self._offsets[one])
        return json.loads(self._file.readline())


def _may_be(place: Place, whole: Place) -> bool:
    return all(one in ("", other) for one, other in zip(place, whole, strict=True))
