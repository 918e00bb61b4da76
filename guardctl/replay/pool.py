"""Judge many files, on several processes where that is quicker; the results stay in order."""

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor

from rich.progress import track

from guardctl.replay.judging import Complaint, News, PassedOver, Task, judge_source
from guardctl.replay.screen import console
from guardctl.trail.files import Missing, Source, StandardInput

_WORTH_PROCESSES = 8 << 20  # bytes of input below which starting processes takes longer


def judge_all(found: Sequence[Source | Missing], task: Task, processes: int) -> Iterator[News]:
    """Everything there is to say of the files, in their order, whatever the number of processes."""
    sizes = [one.size for one in found if not isinstance(one, Missing | StandardInput)]
    if processes < 2 or len(sizes) < 2 or sum(sizes) < _WORTH_PROCESSES:
        for one in _progress(found):
            yield from _judge_one(one, task)
        return
    # Not forked: a forked process would inherit whatever threads the caller runs.
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        ahead: deque[Future[list[News]] | Source | Missing] = deque()
        for one in _progress(found):
            if isinstance(one, Missing | StandardInput):
                ahead.append(one)
            else:
                ahead.append(pool.submit(_judged_list, one, task))
            if len(ahead) > 4 * processes:
                yield from _result(ahead.popleft(), task)
        while ahead:
            yield from _result(ahead.popleft(), task)


def _judge_one(one: Source | Missing, task: Task) -> Iterator[News]:
    if isinstance(one, Missing):
        yield Complaint(one.text)
    else:
        yield from judge_source(one, task)


def _judged_list(source: Source, task: Task) -> list[News]:
    """A file's news, with the many small counts made one, to be sent between processes."""
    news: list[News] = []
    others = outside = 0
    for one in judge_source(source, task):
        if isinstance(one, PassedOver):
            others, outside = others + one.others, outside + one.outside
        else:
            news.append(one)
    return [*news, PassedOver(others, outside)]


def _result(one: Future[list[News]] | Source | Missing, task: Task) -> Iterator[News]:
    yield from one.result() if isinstance(one, Future) else _judge_one(one, task)


def _progress[T](files: Sequence[T]) -> Iterable[T]:
    errors = console(stderr=True)
    if not errors.is_terminal or len(files) < 2:
        return files
    return track(files, "Judging", console=errors, transient=True)
