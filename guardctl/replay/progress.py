"""How far it is, for people at a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(total: int, *, streams: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while files of `total` bytes are read; called with the bytes read.

    Only where standard error is a terminal, and not where the results are `streams` of lines on the
    same one.
    """
    if not sys.stderr.isatty() or (streams and sys.stdout.isatty()):
        yield lambda _: None
        return
    # Long to import, and in a pipeline of no use.
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from guardctl.terminal import console

    errors = console(stderr=True)
    columns = (
        TextColumn("Judging"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    # Rich would print to standard error what belongs to standard output.
    with Progress(*columns, console=errors, transient=True, redirect_stdout=False) as bar:
        judging = bar.add_task("", total=total or None)
        yield lambda read: bar.advance(judging, read)
