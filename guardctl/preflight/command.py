"""`guardctl preflight`: who would have been refused, had this been the endpoint's policy.

Nothing is asked of AWS. A request is decided by the same evaluator as the guard's own
(guard.policy.evaluate), with what CloudTrail tells of it; where the answer hangs on something else
it is reported as unknown, with the names of what would have to be known.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from detect_bypass.judge import SECRETS_MANAGER
from detect_bypass.judge.exceptions import name_of_secret
from guard.cloudtrail.evidence import principal
from guard.cloudtrail.record import (
    NotFromCloudTrail,
    Record,
    UnreadableRecord,
    from_envelope,
    parse,
)
from guard.cloudtrail.resource_ids import secret_id
from guard.policy.evaluate import Decision, Outcome, evaluate
from guardctl import trail
from guardctl.formats import Format
from guardctl.preflight.request import NO_SECRET, Way, request_of
from guardctl.preflight.source import PolicySource, PolicySourceError
from guardctl.preflight.tally import REFUSED_CODES, Tally
from guardctl.replay.screen import console, printable
from guardctl.trail.files import Missing, Source, sources

REFUSED, BAD_INPUT = 1, 2
_COMPLAINTS = 10  # told of one file; what is more is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of every record: the policy, and which requests it is asked about."""

    source: PolicySource
    assume: bool = False
    endpoints: frozenset[str] = frozenset()
    org_of: dict[str, str] = field(default_factory=dict[str, str])

    def ask(self, record: Record, tally: Tally) -> None:
        """Decide about one Secrets Manager record and count it. Raises PolicySourceError."""
        way = Way.of(record)
        if record.event_type not in ("", "AwsApiCall", "AwsConsoleAction"):
            tally.no_requests += 1  # a service's report, or the endpoint's own record of a request
        elif not (through := self._came_through(record, way)) and not self.assume:
            tally.not_through_endpoint += 1
        elif way.by_service:
            tally.by_services += 1
        elif record.error_code.startswith(REFUSED_CODES):
            tally.refused_already += 1
        else:
            decision = self._decide(record, assumed=not through)
            tally.add(record, principal(record), _secret(record), decision)

    def _came_through(self, record: Record, way: Way) -> bool:
        if self.endpoints:
            return record.vpc_endpoint_id in self.endpoints
        return way.through_endpoint

    def _decide(self, record: Record, *, assumed: bool) -> Decision:
        if not (record.account and record.region) and self.source.asks:
            return Decision(Outcome.UNKNOWN, None, frozenset({"account", "region"}))
        policy = self.source.policy_for(record.account, record.region)
        return evaluate(policy, request_of(record, assumed=assumed, org_of=self.org_of))


def _secret(record: Record) -> str:
    return "" if record.event_name in NO_SECRET else secret_id(record) or ""


def ask_all(files: Iterable[Source | Missing], question: Question) -> Tally:
    """Ask of every record in the files; what cannot be read is said on standard error."""
    tally = Tally()
    for file in files:
        if isinstance(file, Missing):
            tally.complaints += 1
            print(printable(file.text), file=sys.stderr)
            continue
        told = 0
        for complaint in _ask_file(file, question, tally):
            told += 1
            if told <= _COMPLAINTS:
                print(printable(complaint), file=sys.stderr)
        tally.complaints += told
        if told > _COMPLAINTS:
            more = f"{file.name}: and {told - _COMPLAINTS:,} more such places"
            print(printable(more), file=sys.stderr)
    return tally


def _ask_file(file: Source, question: Question, tally: Tally) -> Iterator[str]:
    """Ask of each record of a file; yields what could not be read."""
    try:
        with file.open() as stream:
            yield from _ask_elements(trail.read(stream, file.size), file.name, question, tally)
    except OSError as error:
        yield f"{file.name}: {error.strerror or error}"


def _ask_elements(
    elements: Iterable[trail.Element | trail.Skipped | trail.Broken],
    name: str,
    question: Question,
    tally: Tally,
) -> Iterator[str]:
    for element in elements:
        match element:
            case trail.Skipped(count):
                tally.other_services += count
            case trail.Broken(position, reason):
                yield f"{name}:{position}: {reason}"
            case trail.Element(value, position):
                try:
                    _ask_element(value, question, tally)
                except (UnreadableRecord, PolicySourceError) as error:
                    yield f"{name}:{position}: {error}"


def _ask_element(value: dict[str, Any], question: Question, tally: Tally) -> None:
    enveloped = "detail-type" in value and "detail" in value
    detail = value["detail"] if enveloped else value
    source = detail.get("eventSource") if isinstance(detail, dict) else None
    if isinstance(source, str) and source != SECRETS_MANAGER:
        tally.other_services += 1
        return
    try:
        record = from_envelope(value) if enveloped else parse(value)
    except NotFromCloudTrail:
        tally.other_services += 1  # an archive of the bus holds other events too
        return
    question.ask(record, tally)


def preflight(
    policy: Annotated[
        str,
        typer.Argument(metavar="POLICY", help="A policy's file, or the name of an approved one."),
    ],
    logs: Annotated[
        list[str],
        typer.Argument(
            metavar="LOGS...", help="Log files, folders or patterns; - is standard input."
        ),
    ],
    assume_endpoint: Annotated[
        bool,
        typer.Option(
            "--assume-endpoint", help="Ask of all requests, as if all came through the endpoint."
        ),
    ] = False,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Ask of requests through this endpoint. Repeatable."),
    ] = None,
    org_id: Annotated[
        str, typer.Option(metavar="ID", help="Your organization: fills ${OrgId} in the policy.")
    ] = "",
    account: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="An account of the organization --org-id. Repeatable."),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="jsonl: one line per principal, action and secret.")
    ] = Format.TABLE,
) -> None:
    """Say which recorded requests an endpoint policy would have refused, from CloudTrail logs.

    Looks at the Secrets Manager requests that came through a VPC endpoint and that AWS let pass.
    Those that AWS services made themselves are left out: they do not come through your endpoint.
    A decision that hangs on what CloudTrail does not tell is reported as unknown, and never
    guessed. Placeholders such as ${AccountId} take the account and Region of each record.

    Exit codes: 0 nothing would have been refused, 1 something would, 2 bad usage, or input that
    could not be read.
    """
    if account and not org_id:
        raise typer.BadParameter("--account tells of which --org-id an account is; give both")
    try:
        question = Question(
            source=PolicySource.find(policy, org_id),
            assume=assume_endpoint,
            endpoints=frozenset(endpoint or ()),
            org_of=dict.fromkeys(account or (), org_id),
        )
    except PolicySourceError as error:
        print(printable(str(error)), file=sys.stderr)
        raise typer.Exit(BAD_INPUT) from error
    tally = ask_all(sources(logs), question)
    _PRINT[form](tally)
    _print_summary(tally)
    if tally.complaints:
        raise typer.Exit(BAD_INPUT)
    raise typer.Exit(REFUSED if tally.refused else 0)


def _print_jsonl(tally: Tally) -> None:
    for row in tally.rows():
        print(json.dumps(row))


def _print_json(tally: Tally) -> None:
    rows = list(tally.rows())
    of = {name: [row for row in rows if row["verdict"] == name] for name in ("refused", "unknown")}
    print(json.dumps({**of, "summary": tally.summary()}, indent=2))


def _print_table(tally: Tally) -> None:
    """Nothing where nothing is refused or unknown."""
    if not tally.cases:
        return
    table = Table("Verdict", "Count", "Who asked for what", box=None)
    table.add_column("Why, and the latest", overflow="fold", width=36)  # an event id is whole
    for row in tally.rows():
        colour = "bold red" if row["verdict"] == "refused" else "yellow"
        example = f"{row['example']['event_id']} {row['example']['event_time']}"
        asked = row["action"].partition(":")[2]
        if row["secret"]:
            asked += f" of {name_of_secret(row['secret'])}"
        table.add_row(
            f"[{colour}]{row['verdict']}[/]",
            f"{row['count']:,}",
            escape(printable(row["principal"].split(":", 5)[-1]) + "\n" + printable(asked)),
            escape(printable(_why(row)) + "\n" + printable(example)),
        )
    console().print(table, soft_wrap=False)


def _why(row: dict[str, Any]) -> str:
    if row["needs"]:
        return f"not known: {', '.join(row['needs'])}"
    if row["statement"]:
        return f"denied by {row['statement']}"
    return "no statement allows it"


_PRINT = {Format.TABLE: _print_table, Format.JSON: _print_json, Format.JSONL: _print_jsonl}


def _print_summary(tally: Tally) -> None:
    errors = console(stderr=True)
    counts = tally.summary()
    errors.print(
        f"{counts['requests']:,} requests: {tally.allowed:,} would have been let pass, "
        f"{tally.refused:,} refused, {tally.unknown:,} unknown"
    )
    left_out = {
        "not through an endpoint": tally.not_through_endpoint,
        "refused by AWS already": tally.refused_already,
        "made by AWS services": tally.by_services,
        "that are no requests": tally.no_requests,
        "of other services": tally.other_services,
    }
    if told := ", ".join(f"{count:,} {name}" for name, count in left_out.items() if count):
        errors.print(f"Left out: {told}")
    if tally.complaints:
        errors.print(f"Places that could not be read: {tally.complaints:,}")
