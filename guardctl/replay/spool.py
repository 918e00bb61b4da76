"""What is to be published, kept on disk until all is read, and handed out in the order of its time.

Files of a trail are not in the order of events. In memory stay 17 bytes of each record.
"""

import json
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import IO, Any, Self

BATCH_RECORDS = 100  # `BatchSize` of the detection queue
BATCH_SECONDS = 10  # `DetectionBatchWindow`

# CloudTrail began in 2013; what an hour is added to must stay within Python's dates.
EARLIEST = datetime(2013, 1, 1, tzinfo=UTC).timestamp()
LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()

QUIET, AMENDS = 1, 2


@dataclass(frozen=True, slots=True)
class Spooled:
    """One record as JSON. One that is `quiet` is no finding, and matters only to its addendum."""

    when: float | None
    text: bytes
    quiet: bool = False
    amends: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one batch that may come to a finding; `now` is the time of its last record."""

    now: datetime
    details: Sequence[dict[str, Any]]


@dataclass(slots=True)
class Spool:
    """Takes records in any order; `batches` gives them by time."""

    _file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    _times: "array[float]" = field(default_factory=lambda: array("d"))
    _offsets: "array[int]" = field(default_factory=lambda: array("q"))
    _flags: bytearray = field(default_factory=bytearray)
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
        self._file.write(one.text + b"\n")

    def batches(self) -> Iterator[Batch]:
        """The batches in which the detection queue would bring them."""
        order = sorted(range(len(self._times)), key=self._times.__getitem__)
        for begin, end in pairwise([*self._starts(order), len(order)]):
            some = order[begin:end]
            # A quiet record may be a finding once an addendum is merged with it.
            amended = any(self._flags[one] & AMENDS for one in some)
            loud = [one for one in some if amended or not self._flags[one] & QUIET]
            now = datetime.fromtimestamp(self._times[some[-1]], UTC)
            yield Batch(now, [self._load(one) for one in loud])

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
