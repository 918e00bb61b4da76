"""Print what was judged, as lines, JSON or a table, and the summary to standard error."""

import json
from collections.abc import Iterable, Sequence

from detect_bypass.judge.spelling import name_of_secret
from guard.findings.finding import Severity
from guard.publishing.message import published_form
from guardctl.errors import Failed
from guardctl.formats import ReplayFormat
from guardctl.ocsf import event_of
from guardctl.replay.judging import Judged
from guardctl.replay.summary import Summary
from guardctl.screen import printable, say, say_json


def _print_jsonl(judged: Iterable[Judged], summary: Summary) -> None:  # noqa: ARG001 - see PRINT
    for one in judged:
        say_json(one.row)


def _print_json(judged: Iterable[Judged], summary: Summary) -> None:
    """One document, written as it grows: the records, what would be published, the summary."""
    say('{"records": [', end="")
    for number, one in enumerate(judged):
        say(f"{',' if number else ''}\n{json.dumps(one.row)}", end="")
    result = summary.result
    findings = [one.to_json() for one in result.worst_first()]
    say(f'\n], "findings": {json.dumps(findings, indent=1)},')
    say(f'"alerts": {json.dumps(result.alerts, indent=1)},')
    say(f'"digests": {json.dumps(result.digests, indent=1)},')
    say(f'"summary": {json.dumps(summary.to_json(), indent=1)}}}')


_COLOURS = {Severity.HIGH: "bold red", Severity.MEDIUM: "yellow", Severity.LOW: "cyan"}


def print_table(summary: Summary) -> None:
    """The findings, gravest first; nothing where there are none."""
    if not summary.result.findings:
        return
    # Long to import, and only this needs it.
    from rich.table import Table
    from rich.text import Text

    from guardctl.terminal import console

    table = Table(box=None)
    for name in ("Severity", "Alerts", "Occurrences", "Account", "Finding", "What", "Last seen"):
        table.add_column(name, overflow="fold")
    for one in summary.result.worst_first():
        body = one.to_json()
        names = [name_of_secret(secret) for secret in body["secrets"][:3]]
        colour = _COLOURS.get(one.finding.severity, "")
        table.add_row(
            Text(body["severity"], colour),
            f"{one.alerts:,}" if one.alerts else "digest",
            f"{body['occurrences']:,}",
            printable(f"{one.finding.account} {one.finding.region}"),
            printable(f"{body['title']}. {body['cause']}"),
            printable(", ".join([*body["actions"], *names])),
            body["last_seen"].replace("T", " "),
        )
    console().print(table, soft_wrap=False)


def _print_ocsf(judged: Iterable[Judged], summary: Summary) -> None:
    for _ in judged:  # what is published is known after the last one
        pass
    for one in summary.result.worst_first():
        say_json(event_of(published_form(one.finding)))


PRINT = {
    ReplayFormat.JSON: _print_json,
    ReplayFormat.JSONL: _print_jsonl,
    ReplayFormat.OCSF: _print_ocsf,
}


def print_summary(summary: Summary) -> None:
    body = summary.to_json()
    _say(
        f"{body['records']:,} records: {body['secrets_manager']:,} of Secrets Manager, "
        f"{body['other_services']:,} of other services"
        + (f", {summary.outside:,} outside the time asked for" if summary.outside else "")
    )
    if summary.judged:
        verdicts = ", ".join(f"{verdict} {n:,}" for verdict, n in body["verdicts"].items())
        _say(f"Verdicts: {verdicts}")
        _say(f"From {body['first_seen']} to {body['last_seen']}")
    if not summary.verdicts_only:
        _say(
            f"Findings: {body['findings']:,}, of {body['occurrences']:,} occurrences; alerts:"
            f" {body['alerts']:,}; deferred to {body['digests']:,} digests: {body['deferred']:,}"
        )
    for label in summary.tops():
        if top := body[f"top_{label}"]:
            _say(f"Top {label}: {', '.join(f'{name} ({n:,})' for name, n in top.items())}")
    if summary.complaints:
        _say(f"Places that could not be read: {summary.complaints:,}")


def _say(text: str) -> None:
    say(printable(text), err=True)


def print_explained(found: Sequence[Judged], event_id: str) -> None:
    """Print how each rule answered for the records with this id. Raises Failed for none."""
    for one in found:
        for key, value in one.row.items():
            say(f"{key}: {printable(str(value))}")
        for name, answer, reason in one.said:
            say(f"  {'yes' if answer else 'no ':<3} {name}: {printable(reason)}")
    if not found:
        raise Failed(f"no Secrets Manager record has the event id {event_id!r}")
