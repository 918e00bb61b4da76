"""`guardctl replay --groups`: what the judgement says of requests that Athena counted.

When each finding would have been published hangs on the time of every single request, which groups
do not have: the verdicts, causes and suggested exceptions are those of the log files.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detect_bypass.judge.spelling import name_of_secret
from guard.findings.finding import Severity
from guardctl.athena.judging import Group, judge_file
from guardctl.formats import Format
from guardctl.replay.judging import Complaint, Task
from guardctl.replay.suggest import suggestions
from guardctl.replay.summary import BAD_INPUT, FOUND, Summary
from guardctl.screen import printable, say, say_json

_UNKNOWN = ("findings", "occurrences", "alerts", "deferred", "digests")  # of groups


@dataclass(slots=True)
class Alert:
    """What would be one finding: its latest group, and all its requests."""

    row: dict[str, Any]
    requests: int = 0
    last_seen: str = ""


@dataclass(slots=True)
class Groups:
    """Judges a file's groups, and knows afterwards what they came to."""

    file: Path
    task: Task
    summary: Summary
    alerts: dict[str, Alert]

    def judged(self) -> Iterator[Group]:
        for one in judge_file(self.file, self.task):
            match one:
                case Complaint(text):
                    self.summary.complaints += 1
                    say(printable(text), err=True)
                case Group():
                    self._add(one)
                    yield one

    def _add(self, group: Group) -> None:
        row = group.row
        self.summary.add(group.judged, group.requests)
        self.summary.last_seen = max(self.summary.last_seen, group.last_seen)
        if row["alert"]:
            known = self.alerts.setdefault(row["fingerprint"], Alert(row))
            known.requests += group.requests
            known.last_seen = max(known.last_seen, group.last_seen)
            if _rank(row) > _rank(known.row):
                known.row = row

    @property
    def exit_code(self) -> int:
        if self.summary.complaints or self.summary.unread:
            return BAD_INPUT
        return FOUND if self.alerts else 0


def replay_groups(file: Path, task: Task, form: Format, *, suggest: bool) -> int:
    """Print what the groups of a file came to; returns the exit code. Raises Failed."""
    groups = Groups(file, task, Summary(), {})
    if suggest or form is Format.TABLE:
        for _ in groups.judged():
            pass
        say_json(suggestions(groups.summary), indent=2) if suggest else _print_table(groups)
    else:
        (_print_jsonl if form is Format.JSONL else _print_json)(groups.judged(), groups.summary)
    _print_summary(groups)
    return groups.exit_code


def _rank(row: dict[str, Any]) -> int:
    return Severity(row["severity"]).rank


def _print_jsonl(judged: Iterable[Group], summary: Summary) -> None:  # noqa: ARG001 - as its twin
    for one in judged:
        say_json(one.row)


def _print_json(judged: Iterable[Group], summary: Summary) -> None:
    """One document, written as it grows."""
    say('{"groups": [', end="")
    for number, one in enumerate(judged):
        say(("," if number else "") + "\n" + json.dumps(one.row), end="")
    known = {key: one for key, one in summary.to_json().items() if key not in _UNKNOWN}
    say(f'],\n"summary": {json.dumps(known, indent=1)}}}')


def _print_table(groups: Groups) -> None:
    """What would be findings, gravest first; nothing where there are none."""
    if not groups.alerts:
        return
    from rich.table import Table  # long to import, and only this needs it

    from guardctl.terminal import console

    table = Table(box=None)
    for name in ("Severity", "Requests", "Account", "Who asked for what", "Why", "Last seen"):
        table.add_column(name, overflow="fold")
    order = sorted(groups.alerts.values(), key=lambda one: (-_rank(one.row), -one.requests))
    for one in order:
        row = one.row
        secret = f" of {name_of_secret(row['secret_id'])}" if row["secret_id"] else ""
        table.add_row(
            str(row["severity"]),
            f"{one.requests:,}",
            printable(f"{row['account']} {row['region']}"),
            printable(f"{row['principal']}: {row['event_name']}{secret}"),
            printable(f"{row['verdict']}: {row['cause']}"),
            printable(one.last_seen.replace("T", " ")),
        )
    console().print(table, soft_wrap=False)


def _print_summary(groups: Groups) -> None:
    summary = groups.summary
    _say(f"{summary.judged:,} requests to Secrets Manager")
    if summary.judged:
        verdicts = ", ".join(f"{name} {n:,}" for name, n in summary.verdicts.most_common())
        _say(f"Verdicts: {verdicts}")
        _say(f"From {summary.first_seen} to {summary.last_seen}")
    _say(f"They would be {len(groups.alerts):,} findings; groups do not say when each is published")
    if summary.complaints:
        _say(f"Groups that hold two answers: {summary.complaints:,}")


def _say(text: str) -> None:
    say(printable(text), err=True)
