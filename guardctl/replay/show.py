"""Print what was judged, as lines, JSON or a table, and the summary to standard error."""

import json
import sys
from collections import deque
from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from detect_bypass.judge.exceptions import name_of_secret
from guard.findings.finding import Severity
from guardctl.formats import Format
from guardctl.replay.judging import Judged
from guardctl.replay.screen import console, printable
from guardctl.replay.summary import BAD_INPUT, Summary


def _print_jsonl(judged: Iterable[Judged], summary: Summary) -> None:  # noqa: ARG001 - see PRINT
    for one in judged:
        print(json.dumps(one.row))


def _print_json(judged: Iterable[Judged], summary: Summary) -> None:
    """One document, written as it grows: the records, what would be published, the summary."""
    print('{"records": [', end="")
    for number, one in enumerate(judged):
        print("," if number else "", json.dumps(one.row), sep="\n", end="")
    result = summary.result
    findings = [one.to_json() for one in result.worst_first()]
    print(f'\n], "findings": {json.dumps(findings, indent=1)},')
    print(f'"alerts": {json.dumps(result.alerts, indent=1)},')
    print(f'"digests": {json.dumps(result.digests, indent=1)},')
    print(f'"summary": {json.dumps(summary.to_json(), indent=1)}}}')


_COLOURS = {Severity.HIGH: "bold red", Severity.MEDIUM: "yellow", Severity.LOW: "cyan"}


def _print_table(judged: Iterable[Judged], summary: Summary) -> None:
    """The findings, gravest first; nothing where there are none."""
    deque(judged, maxlen=0)
    if not summary.result.findings:
        return
    table = Table("Severity", "Alerts", "Occurrences", "Finding", "What", "Last seen", box=None)
    for one in summary.result.worst_first():
        body = one.to_json()
        names = [name_of_secret(secret) for secret in body["secrets"][:3]]
        colour = _COLOURS.get(one.finding.severity, "")
        table.add_row(
            f"[{colour}]{body['severity']}[/]",
            f"{one.alerts:,}" if one.alerts else "digest",
            f"{body['occurrences']:,}",
            escape(printable(f"{body['title']}. {body['cause']}")),
            escape(printable(", ".join([*body["actions"], *names]))),
            body["last_seen"].replace("T", " "),
        )
    console().print(table, soft_wrap=False)


PRINT = {Format.TABLE: _print_table, Format.JSON: _print_json, Format.JSONL: _print_jsonl}


def print_summary(summary: Summary) -> None:
    out = console(stderr=True)
    body = summary.to_json()
    out.print(
        f"{body['records']:,} records: {body['secrets_manager']:,} of Secrets Manager, "
        f"{body['other_services']:,} of other services"
        + (f", {summary.outside:,} outside the time asked for" if summary.outside else "")
    )
    if summary.judged:
        verdicts = ", ".join(f"{verdict} {n:,}" for verdict, n in body["verdicts"].items())
        out.print(f"Verdicts: {verdicts}")
        out.print(f"From {body['first_seen']} to {body['last_seen']}")
    out.print(
        f"Findings: {body['findings']:,}, of {body['occurrences']:,} occurrences; alerts:"
        f" {body['alerts']:,}; deferred to {body['digests']:,} digests: {body['deferred']:,}"
    )
    for label in summary.tops():
        if top := body[f"top_{label}"]:
            shown = ", ".join(f"{printable(name)} ({n:,})" for name, n in top.items())
            out.print(f"Top {label}: {shown}", markup=False)
    if summary.complaints:
        out.print(f"Places that could not be read: {summary.complaints:,}")


def explain_one(judged: Iterable[Judged], summary: Summary, event_id: str) -> int:
    """Print how each rule answered for one record. The exit code: 0, or 2 if there is none."""
    out = console()
    found = False
    for one in judged:
        if one.row["event_id"] == event_id:
            found = True
            for key, value in one.row.items():
                out.print(f"{key}: {printable(str(value))}", markup=False)
            for name, answer, reason in one.said:
                told = f"  {'yes' if answer else 'no ':<3} {name}: {printable(reason)}"
                out.print(told, markup=False)
    if not found:
        print(f"no Secrets Manager record has the event id {event_id!r}", file=sys.stderr)
    return 0 if found and not summary.complaints else BAD_INPUT
