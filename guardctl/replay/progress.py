"""How far it is, for people at a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from guardctl.replay.screen import console


@contextmanager
def progress(total: int, *, streams: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while files of `total` bytes are read; to be told of bytes read.

    Only where standard error is a terminal, and not where the results are `streams` of lines on the
    same one.
    """
    errors = console(stderr=True)
    if not errors.is_terminal or (streams and sys.stdout.isatty()):
        yield lambda _: None
        return
    columns = (
        TextColumn("Judging"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as bar:
        judging = bar.add_task("", total=total or None)
        yield lambda read: bar.advance(judging, read)
