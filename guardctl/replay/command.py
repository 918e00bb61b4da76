"""Judge CloudTrail logs offline, by the same rules as the deployed function.

It answers "what would happen if we deployed this today, and what should we except first". Nothing
is asked of AWS: what is known of the account comes from the options.
"""

import json
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from detect_bypass.judge import Inventory
from detect_bypass.judge.exceptions import ExceptionsError, Exemption, load
from detect_bypass.pipeline import Rules
from guardctl.formats import Format
from guardctl.replay.judging import Complaint, Judged, News, PassedOver, Task
from guardctl.replay.pool import judge_all
from guardctl.replay.progress import progress
from guardctl.replay.publication import WINDOW, published
from guardctl.replay.screen import printable
from guardctl.replay.show import PRINT, explain_one, print_summary
from guardctl.replay.spool import Spool
from guardctl.replay.suggest import suggestions
from guardctl.replay.summary import Summary
from guardctl.trail.files import size_of, sources


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"not a date or time in ISO 8601: {text!r}") from error


def _exceptions(path: Path | None) -> tuple[Exemption, ...]:
    try:
        return load(path) if path else ()
    except (ExceptionsError, OSError) as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--exceptions") from error


def _write_page(path: Path, summary: Summary, paths: list[str]) -> None:
    from guardctl.replay.page import page  # for whoever wants a page: templates take long to import

    try:
        text = page(summary, ["guardctl replay", *paths])
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--html") from error


def replay(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Log files, folders, patterns or s3://bucket/prefix; - is standard input.",
        ),
    ],
    approved_endpoint: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="An endpoint that is ours or approved. Repeatable."),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="An account of ours: its endpoints are approved. Repeatable. Default: the account "
            "each record was delivered to.",
        ),
    ] = None,
    exceptions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Reviewed exceptions, a JSON file.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge records from this time on (UTC).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge records before this time (UTC).")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="jsonl: one line per Secrets Manager record.")
    ] = Format.TABLE,
    explain: Annotated[
        str | None,
        typer.Option(metavar="EVENT_ID", help="Say how each rule answered for one record."),
    ] = None,
    suggest_exceptions: Annotated[
        bool, typer.Option("--suggest-exceptions", help="Print a file of exceptions to start from.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write one page to look at, with all in it."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes to use. Default: one for each core.")
    ] = None,
) -> None:
    """Judge CloudTrail logs offline: what would have been published, and why.

    The records go through the deployed functions' own code, on their own clock: an alert window of
    an hour, a digest at every whole hour, severity low and info deferred to it.

    Files may be gzipped, and hold {"Records": [...]}, a JSON array, JSON lines, bare records or
    EventBridge events. The result is printed to standard output, a summary and what could not be
    read to standard error.

    Exit codes: 0 no alert, 1 alerts, 2 bad usage, or input that could not be read.
    """
    task = Task(
        inventory=Inventory(
            accounts=frozenset(account or ()), approved_endpoints=frozenset(approved_endpoint or ())
        ),
        exceptions=_exceptions(exceptions),
        since=_time(since),
        until=_time(until),
        explain=explain or "",
    )
    found = list(sources(paths, since=task.since, until=task.until))
    summary = Summary()
    with progress(sum(map(size_of, found)), streams=form is not Format.TABLE) as tick:
        news = judge_all(found, task, processes or os.cpu_count() or 1, tick)
        judged = _summed(news, summary, task)
        if explain:
            raise typer.Exit(explain_one(judged, summary, explain))
        if suggest_exceptions:
            deque(judged, maxlen=0)
            print(json.dumps(suggestions(summary), indent=2))
        else:
            PRINT[form](judged, summary)
    print_summary(summary)
    if html:
        _write_page(html, summary, paths)
    raise typer.Exit(summary.exit_code)


def _summed(news: Iterable[News], summary: Summary, task: Task) -> Iterator[Judged]:
    """The judged records, each added to the summary; after the last one, what is published."""
    with Spool() as spool:
        for one in news:
            match one:
                case Judged():
                    summary.add(one)
                    spool.add(one.spooled)
                    yield one
                case PassedOver(others, outside):
                    summary.others += others
                    summary.outside += outside
                case Complaint(text):
                    summary.complaints += 1
                    print(printable(text), file=sys.stderr)
        own = task.inventory.accounts | task.inventory.approved_accounts
        rules = Rules(window=WINDOW, exceptions=task.exceptions, own_accounts=own)
        summary.result = published(spool, rules, task.inventory)
