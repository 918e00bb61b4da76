"""Judge CloudTrail logs offline, by the same rules as the deployed function.

It answers "what would happen if we deployed this today, and what should we except first". Nothing
is asked of AWS: what is known of the account comes from the options.
"""

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from detect_bypass.judge import Inventory
from detect_bypass.judge.exceptions import ExceptionsError, Exemption, load
from detect_bypass.pipeline import Rules
from guard.cloudtrail.heartbeat_mark import Mark
from guardctl.errors import Failed
from guardctl.formats import Format, ReplayFormat
from guardctl.replay.judging import Complaint, Judged, Output, PassedOver, Task
from guardctl.replay.pool import judge_all
from guardctl.replay.progress import progress
from guardctl.replay.publication import WINDOW, published
from guardctl.replay.show import PRINT, print_explained, print_summary, print_table
from guardctl.replay.spool import Spool
from guardctl.replay.suggest import suggestions
from guardctl.replay.summary import BAD_INPUT, Summary
from guardctl.screen import printable, say, say_json
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


def _check_only(verdicts_only: bool, *, others: bool) -> None:
    if verdicts_only and others:
        raise typer.BadParameter("--verdicts-only is for --format jsonl, and has no other output")


def replay(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            help="Log files, folders, pipes, patterns or s3://bucket/prefix; - is standard input.",
            show_default=False,
        ),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Judge what `guardctl athena run` counted, a Parquet file or a folder of them.",
        ),
    ] = None,
    approved_endpoint: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="An endpoint of yours, or an approved one. Repeatable."),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="An account of yours: its endpoints are approved. Repeatable. Default: the "
            "account of each record.",
        ),
    ] = None,
    exceptions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A JSON file of reviewed exceptions.")
    ] = None,
    guard_role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ARN",
            help="A role of VPCE Guard that calls Secrets Manager (EnsureEndpointRole, "
            "SecretPolicyRole of its stack). Repeatable.",
        ),
    ] = None,
    heartbeat_role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ARN",
            help="The role that sends VPCE Guard's heartbeats (HeartbeatRole). Repeatable.",
        ),
    ] = None,
    organization: Annotated[
        str,
        typer.Option(metavar="ID", help="Your organization, as in approved.json."),
    ] = "",
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge records from this time on (UTC).")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge records before this time (UTC).")
    ] = None,
    form: Annotated[
        ReplayFormat,
        typer.Option(
            "--format",
            help="jsonl: one line per Secrets Manager record; ocsf: one per finding (OCSF 1.6.0).",
        ),
    ] = ReplayFormat.TABLE,
    explain: Annotated[
        str | None,
        typer.Option(metavar="EVENT_ID", help="Show the result of each rule for one record."),
    ] = None,
    suggest_exceptions: Annotated[
        bool,
        typer.Option("--suggest-exceptions", help="Print a first version of an exceptions file."),
    ] = False,
    verdicts_only: Annotated[
        bool,
        typer.Option(
            "--verdicts-only",
            help="With --format jsonl: judge the records, and leave out what would be published.",
        ),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the results as one HTML page."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes to use. Default: one for each core.")
    ] = None,
) -> None:
    """Judge CloudTrail logs offline: show what would have been published, and why.

    Runs the records through the code of the deployed functions, at the records' own times.
    Repetitions within an hour are one alert. Findings of severity low and info are published in a
    digest at every full hour.

    Files may be gzipped, and contain {"Records": [...]}, a JSON array, JSON lines, records or
    EventBridge events; also the output of `aws cloudtrail lookup-events`, exports and Insights
    results of CloudWatch Logs (with @message), and results of Athena (CSV or JSON, all columns).
    The result goes to standard output. A summary, and what could not be read, go to standard error.

    Examples:
      guardctl replay logs/ --since 2026-11-01
      guardctl replay s3://trail-bucket/AWSLogs/o-a1b2c3d4e5/ --account 111122223333
      aws cloudtrail lookup-events --max-items 1000 | guardctl replay - --format jsonl
      guardctl replay <(zcat old/*.gz) query-results.csv --html page.html
      guardctl replay --groups groups.parquet --suggest-exceptions
      guardctl replay logs/ --format ocsf > findings.ocsf.jsonl
      guardctl replay logs/ --format jsonl --verdicts-only > verdicts.jsonl

    Exit codes: 0 no alert, 1 alerts, 2 bad usage, or input that could not be read.
    """
    task = Task(
        inventory=Inventory(
            accounts=frozenset(account or ()),
            approved_endpoints=frozenset(approved_endpoint or ()),
            guard_roles=frozenset(guard_role or ()),
        ),
        exceptions=_exceptions(exceptions),
        organization=organization,
        heartbeats=tuple(Mark("", role) for role in heartbeat_role or ()),
        since=_time(since),
        until=_time(until),
        explain=explain or "",
    )
    others = (groups, html, suggest_exceptions, explain, form is not ReplayFormat.JSONL)
    _check_only(verdicts_only, others=any(others))
    if groups:
        from guardctl.athena.replayed import replay_groups  # for whoever has groups

        if paths or explain or html:
            raise typer.BadParameter("--groups stands alone, without PATH, --explain and --html")
        if form is ReplayFormat.OCSF:
            raise typer.BadParameter("groups are no findings, which --format ocsf prints")
        raise typer.Exit(replay_groups(groups, task, Format(form), suggest=suggest_exceptions))
    if not paths:
        raise Failed("Missing argument 'PATH...'.", "guardctl replay --help")
    found = list(sources(paths, since=task.since, until=task.until))
    summary = Summary(verdicts_only=verdicts_only)
    streams = not (form is ReplayFormat.TABLE or explain or suggest_exceptions)
    explained: list[Judged] = []
    with progress(sum(map(size_of, found)), streams=streams) as tick:
        outputs = judge_all(found, task, processes or os.cpu_count() or 1, tick)
        judged = _summed(outputs, summary, task)
        if streams:
            PRINT[form](judged, summary)
        else:
            explained += (one for one in judged if explain and one.row["event_id"] == explain)
    # The bar is gone: what is printed now has its lines alone.
    if explain:
        print_explained(explained, explain)
        raise typer.Exit(BAD_INPUT if summary.complaints else 0)
    if suggest_exceptions:
        say_json(suggestions(summary), indent=2)
    elif not streams:
        print_table(summary)
    print_summary(summary)
    if html:
        _write_page(html, summary, paths)
    raise typer.Exit(summary.exit_code)


def _summed(outputs: Iterable[Output], summary: Summary, task: Task) -> Iterator[Judged]:
    """The judged records, each added to the summary; after the last one, what is published."""
    with Spool() as spool:
        for one in outputs:
            match one:
                case Judged():
                    summary.add(one)
                    if not summary.verdicts_only:
                        spool.add(one.spooled)
                    yield one
                case PassedOver(others, outside):
                    summary.others += others
                    summary.outside += outside
                case Complaint(text):
                    summary.complaints += 1
                    say(printable(text), err=True)
        if summary.verdicts_only:
            return
        own = task.inventory.accounts | task.inventory.approved_accounts
        rules = Rules(
            window=WINDOW,
            exceptions=task.exceptions,
            own_accounts=own,
            organization=task.organization,
        )
        summary.result = published(spool, rules, task.inventory, task.heartbeats)
