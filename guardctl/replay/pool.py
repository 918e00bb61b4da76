"""Judge many files, on several processes where that is quicker; the results stay in order.

Each worker judges one file at a time and sends what it finds in small batches. Batches of the
current file are passed on at once, later ones wait; where too many do, the workers have to wait
themselves. So memory stays the same, however large or many the files are.
"""

import io
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, BinaryIO, cast

from guardctl.replay.judging import Complaint, Output, PassedOver, Task, judge_source
from guardctl.trail.files import Missing, Source, Stream

_WORTH_PROCESSES = 8 << 20  # bytes of input below which starting processes takes longer
_BATCH = 200  # outputs
_BATCH_BYTES = 4 << 20  # of a file, after which a batch goes out even if there is no output
_AHEAD = 100  # batches that wait for their file

Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of what there is to say of a file, the bytes it took, and whether that is all."""

    outputs: Sequence[Output]
    read: int
    last: bool = False


def judge_all(
    found: Sequence[Source | Missing], task: Task, processes: int, tick: Tick = lambda _: None
) -> Iterator[Output]:
    """Everything there is to say of the files, in their order, whatever the number of processes.

    Args:
        found: the files, and the arguments that name none.
        task: what to judge by.
        processes: how many to use at most.
        tick: called with each number of bytes that were read.
    """
    sizes = [one.size for one in found if not isinstance(one, Missing | Stream)]
    alone = processes < 2 or len(sizes) < 2 or sum(sizes) < _WORTH_PROCESSES
    batches = _one_by_one(found, task) if alone else _side_by_side(found, task, processes)
    for batch in batches:
        tick(batch.read)
        yield from batch.outputs


def _one_by_one(found: Sequence[Source | Missing], task: Task) -> Iterator[Batch]:
    for one in found:
        yield from _batches(one, task)


def _batches(one: Source | Missing, task: Task) -> Iterator[Batch]:
    """A file's outputs, with the many small counts made one."""
    if isinstance(one, Missing):
        yield Batch([Complaint(one.text)], 0, last=True)
        return
    counted = _Counted(one)
    outputs: list[Output] = []
    others = outside = reported = 0
    for single in judge_source(counted, task):
        if isinstance(single, PassedOver):
            others, outside = others + single.others, outside + single.outside
        else:
            outputs.append(single)
        if len(outputs) >= _BATCH or counted.read - reported >= _BATCH_BYTES:
            yield Batch([*outputs, PassedOver(others, outside)], counted.read - reported)
            outputs, others, outside, reported = [], 0, 0, counted.read
    yield Batch([*outputs, PassedOver(others, outside)], counted.read - reported, last=True)


class _Counted:
    """A source that knows how many of its bytes were read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.name = source.name
        self.size = source.size
        self.read = 0

    def open(self) -> BinaryIO:
        return cast(BinaryIO, _CountedStream(self.source.open(), self))


class _CountedStream(io.RawIOBase):
    def __init__(self, stream: BinaryIO, counted: _Counted) -> None:
        self.stream = stream
        self.counted = counted

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = self.stream.readinto(buffer)  # pyright: ignore[reportAttributeAccessIssue]
        self.counted.read += size or 0
        return size

    def close(self) -> None:
        self.stream.close()
        super().close()


# Several processes


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    at: int = -1  # the file it judges, or none


@dataclass(slots=True)
class _Crew:
    """The workers, the files not given out yet, and the batches that wait for their file."""

    found: Sequence[Source | Missing]
    task: Task
    workers: list[_Worker] = field(default_factory=list[_Worker])
    given_out: int = 0
    waiting: dict[int, deque[Batch]] = field(default_factory=dict[int, deque[Batch]])

    def give(self, worker: _Worker) -> None:
        """The next file that a process can open by itself; none when all are given out."""
        worker.at = -1
        while self.given_out < len(self.found):
            number, self.given_out = self.given_out, self.given_out + 1
            one = self.found[number]
            if not isinstance(one, Missing | Stream):
                worker.at = number
                worker.connection.send((one, self.task))
                return

    def hear(self, number: int) -> None:
        """Wait for batches: of the current file, and of others while there is room."""
        room = sum(map(len, self.waiting.values())) < _AHEAD
        heard = [one for one in self.workers if one.at == number or (one.at >= 0 and room)]
        by_connection = {one.connection: one for one in heard}
        for connection in wait(list(by_connection)):
            self._take(by_connection[connection])  # pyright: ignore[reportArgumentType]

    def _take(self, worker: _Worker) -> None:
        try:
            batch: Batch = worker.connection.recv()
        except (EOFError, OSError):
            batch = self._replaced(worker)
        self.waiting.setdefault(worker.at, deque()).append(batch)
        if batch.last:
            self.give(worker)

    def _replaced(self, worker: _Worker) -> Batch:
        """A process that is gone, perhaps for want of memory, takes no more than its file along."""
        worker.process.join()
        code = worker.process.exitcode
        name = getattr(self.found[worker.at], "name", "")
        fresh = _started()
        worker.process, worker.connection = fresh.process, fresh.connection
        return Batch([Complaint(f"{name}: the process that judged it ended with {code}")], 0, True)

    def batches(self, number: int) -> Iterator[Batch]:
        """Those of one file, as they come."""
        if isinstance(self.found[number], Missing | Stream):
            yield from _batches(self.found[number], self.task)
            return
        while True:
            ready = self.waiting.setdefault(number, deque())
            while ready:
                batch = ready.popleft()
                yield batch
                if batch.last:
                    del self.waiting[number]
                    return
            self.hear(number)


def _side_by_side(found: Sequence[Source | Missing], task: Task, processes: int) -> Iterator[Batch]:
    crew = _Crew(found, task, [_started() for _ in range(min(processes, len(found)))])
    try:
        for worker in crew.workers:
            crew.give(worker)
        for number in range(len(found)):
            yield from crew.batches(number)
    finally:
        for worker in crew.workers:
            worker.process.terminate()
            worker.process.join()
            worker.connection.close()


def _started() -> _Worker:
    # Not forked from here: a forked process would inherit whatever threads the caller runs.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one gets it too
    while True:
        try:
            source, task = connection.recv()
        except EOFError:
            return
        for batch in _batches(source, task):
            connection.send(batch)
