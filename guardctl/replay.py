"""Judge CloudTrail logs offline, by the same rules as the deployed function.

It answers "what would happen if we deployed this today, and what should we except first". Nothing
is asked of AWS: what is known of the account comes from the options.
"""

import ipaddress
import json
import multiprocessing
import os
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from guard.alert import fingerprint, principal, unreadable
from guard.exceptions import ExceptionsError, Exemption, load, name_of_secret
from guard.finding import Severity
from guard.judge import SECRETS_MANAGER, Inventory, Judgement, Verdict, judge
from guard.record import (
    NotFromCloudTrail,
    Record,
    UnreadableRecord,
    from_envelope,
    parse,
    secret_id,
)
from guardctl import trail

FOUND, BAD_INPUT = 1, 2
LOG_FILES = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
DIGESTS = "CloudTrail-Digest"  # beside the logs in a trail's bucket, and no logs

_WORTH_PROCESSES = 8 << 20  # bytes of input below which starting processes takes longer
_TOP = 5
_COMPLAINTS = 10  # told of one file; what is more is counted


class Format(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to judge by, and what to leave out: the same for every file."""

    inventory: Inventory
    exceptions: tuple[Exemption, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    explain: str = ""

    def wants(self, when: datetime) -> bool:
        after = self.since is None or when >= self.since
        return after and (self.until is None or when < self.until)


@dataclass(frozen=True, slots=True)
class Judged:
    """One Secrets Manager record and its judgement: `row` is the line of the contract."""

    row: dict[str, Any]
    caller: str
    predicates: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Complaint:
    """Input that could not be read: a whole line for standard error."""

    text: str


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Records not judged: of other services, or outside the time that was asked for."""

    others: int = 0
    outside: int = 0


News = Judged | Complaint | PassedOver


# Judging one file


def judge_stream(stream: BinaryIO, name: str, task: Task) -> Iterator[News]:
    """Everything there is to say of one file, in its order."""
    complaints = 0
    for item in trail.read(stream):
        match item:
            case trail.Skipped(count):
                yield PassedOver(others=count)
                continue
            case trail.Element(value, position):
                news = _judge_element(value, f"{name}:{position}", task)
            case trail.Broken(position, reason):
                news = Complaint(f"{name}:{position}: {reason}")
        if isinstance(news, Complaint):
            complaints += 1
            if complaints > _COMPLAINTS:
                continue
        yield news
    if complaints > _COMPLAINTS:
        yield Complaint(f"{name}: and {complaints - _COMPLAINTS:,} more such places")


def judge_file(path: Path, task: Task) -> Iterator[News]:
    """As `judge_stream`; a file that cannot be opened is a complaint."""
    try:
        with path.open("rb", buffering=0) as stream:
            yield from judge_stream(stream, str(path), task)
    except OSError as error:
        yield Complaint(f"{path}: {error.strerror or error}")


def _judge_element(value: dict[str, Any], where: str, task: Task) -> News:
    enveloped = "detail-type" in value and "detail" in value
    detail = value["detail"] if enveloped else value
    source = detail.get("eventSource") if isinstance(detail, dict) else None
    if isinstance(source, str) and source != SECRETS_MANAGER:
        return PassedOver(others=1)
    try:
        record = from_envelope(value) if enveloped else parse(value)
    except NotFromCloudTrail:
        return PassedOver(others=1)  # an archive of the bus holds other events too
    except UnreadableRecord as error:
        if source == SECRETS_MANAGER:
            return _unreadable(detail, str(error))
        return Complaint(f"{where}: {error}")
    if not task.wants(record.event_time):
        return PassedOver(outside=1)
    judgement = judge(record, task.inventory, task.exceptions)
    predicates = judgement.predicates if task.explain == record.event_id else ()
    return Judged(row_of(record, judgement), principal(record), predicates)


def row_of(record: Record, judgement: Judgement) -> dict[str, Any]:
    """The contract's line for a record."""
    return {
        "event_id": record.event_id or None,
        "event_name": record.event_name,
        "event_time": _iso(record.event_time),
        "verdict": judgement.verdict,
        "alert": judgement.alert,
        "severity": judgement.severity,
        "cause": judgement.cause,
        "principal": record.identity.name,
        "secret_id": secret_id(record),
        "source_ip": record.source_ip or None,
        "vpc_endpoint_id": record.vpc_endpoint_id or None,
        "fingerprint": fingerprint(record, judgement),
    }


def _unreadable(detail: dict[str, Any], why: str) -> Judged:
    """The line for a record of the service that lacks what every record has."""
    never = datetime.fromtimestamp(0, UTC)
    finding = unreadable(detail, why, account="", region="", seen=never, window=0)
    known = {key: detail.get(key) for key in ("eventID", "eventName", "eventTime")}
    texts = {key: value if isinstance(value, str) else None for key, value in known.items()}
    row = {
        "event_id": texts["eventID"],
        "event_name": texts["eventName"],
        "event_time": texts["eventTime"],
        "verdict": Verdict.UNREADABLE,
        "alert": True,
        "severity": finding.severity,
        "cause": finding.cause,
        "principal": None,
        "secret_id": None,
        "source_ip": None,
        "vpc_endpoint_id": None,
        "fingerprint": finding.fingerprint,
    }
    return Judged(row, "unknown")


# Many files


def files_of(paths: Iterable[str]) -> Iterator[Path | Complaint]:
    """The log files that the arguments name: files, folders, patterns; `-` is standard input."""
    for text in paths:
        path = Path(text)
        if text == "-" or path.is_file():
            yield path
        elif path.is_dir():
            yield from _in_folder(path)
        else:
            matches = _matching(path)
            yield from matches
            if not matches:
                yield Complaint(f"{text}: no such file, folder or match")


def _in_folder(folder: Path) -> Iterator[Path | Complaint]:
    found = False
    for path in sorted(folder.rglob("*")):
        if path.name.endswith(LOG_FILES) and path.is_file() and DIGESTS not in path.parts:
            found = True
            yield path
    if not found:
        yield Complaint(f"{folder}: no {', '.join(LOG_FILES)} in it")


def _matching(pattern: Path) -> list[Path]:
    anchor = Path(pattern.anchor) if pattern.anchor else Path()
    relative = pattern.relative_to(anchor)
    return sorted(path for path in anchor.glob(str(relative)) if path.is_file())


def judge_all(files: list[Path | Complaint], task: Task, processes: int) -> Iterator[News]:
    """Everything there is to say of the files, in their order, whatever the number of processes."""
    paths = [path for path in files if isinstance(path, Path) and str(path) != "-"]
    if processes < 2 or len(paths) < 2 or sum(map(_size, paths)) < _WORTH_PROCESSES:
        for file in _progress(files):
            yield from _judge_one(file, task)
        return
    # Not forked: a forked process would inherit whatever threads the caller runs.
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        ahead: deque[Future[list[News]] | Complaint | Path] = deque()
        for file in _progress(files):
            if isinstance(file, Path) and str(file) != "-":
                ahead.append(pool.submit(_judged_list, file, task))
            else:
                ahead.append(file)
            if len(ahead) > 4 * processes:
                yield from _result(ahead.popleft(), task)
        while ahead:
            yield from _result(ahead.popleft(), task)


def _judge_one(file: Path | Complaint, task: Task) -> Iterator[News]:
    if isinstance(file, Complaint):
        yield file
    elif str(file) == "-":
        yield from judge_stream(sys.stdin.buffer, "standard input", task)
    else:
        yield from judge_file(file, task)


def _judged_list(path: Path, task: Task) -> list[News]:
    """A file's news, with the many small counts made one, to be sent between processes."""
    news: list[News] = []
    others = outside = 0
    for one in judge_file(path, task):
        if isinstance(one, PassedOver):
            others, outside = others + one.others, outside + one.outside
        else:
            news.append(one)
    return [*news, PassedOver(others, outside)]


def _result(one: Future[list[News]] | Complaint | Path, task: Task) -> Iterator[News]:
    yield from one.result() if isinstance(one, Future) else _judge_one(one, task)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # and a complaint when it is opened


def _progress[T](files: list[T]) -> Iterable[T]:
    errors = _console(stderr=True)
    if not errors.is_terminal or len(files) < 2:
        return files
    return track(files, "Judging", console=errors, transient=True)


# Summing up


@dataclass(slots=True)
class Occurrence:
    """The alerts of one fingerprint: what would be one finding."""

    fingerprint: str
    verdict: str
    severity: Severity
    principal: str
    cause: str
    first_seen: str
    last_seen: str
    count: int = 0
    actions: Counter[str] = field(default_factory=Counter[str])
    secrets: Counter[str] = field(default_factory=Counter[str])
    addresses: Counter[str] = field(default_factory=Counter[str])

    def add(self, row: dict[str, Any]) -> None:
        self.count += 1
        self.severity = max(self.severity, row["severity"], key=lambda severity: severity.rank)
        self.first_seen = min(self.first_seen, row["event_time"] or self.first_seen)
        self.last_seen = max(self.last_seen, row["event_time"] or self.last_seen)
        for counter, key in (
            (self.actions, "event_name"),
            (self.secrets, "secret_id"),
            (self.addresses, "source_ip"),
        ):
            if row[key]:
                counter[row[key]] += 1

    def to_json(self) -> dict[str, Any]:
        return {
            "fingerprint": self.fingerprint,
            "verdict": self.verdict,
            "severity": self.severity,
            "count": self.count,
            "principal": self.principal,
            "cause": self.cause,
            "first_seen": self.first_seen or None,
            "last_seen": self.last_seen or None,
            "actions": _most(self.actions, 20),
            "secrets": _most(self.secrets, 20),
            "addresses": _most(self.addresses, 20),
        }


@dataclass(slots=True)
class Summary:
    """What all the files came to."""

    judged: int = 0
    others: int = 0
    outside: int = 0
    complaints: int = 0
    verdicts: Counter[str] = field(default_factory=Counter[str])
    occurrences: dict[str, Occurrence] = field(default_factory=dict[str, Occurrence])
    first_seen: str = ""
    last_seen: str = ""

    def add(self, judged: Judged) -> None:
        row = judged.row
        when = row["event_time"] or ""
        self.judged += 1
        self.verdicts[row["verdict"]] += 1
        self.first_seen = min(self.first_seen or when, when or self.first_seen)
        self.last_seen = max(self.last_seen, when)
        if row["alert"]:
            key = row["fingerprint"]
            if key not in self.occurrences:
                self.occurrences[key] = Occurrence(
                    key, row["verdict"], row["severity"], judged.caller, row["cause"], when, when
                )
            self.occurrences[key].add(row)

    @property
    def alerts(self) -> int:
        return sum(one.count for one in self.occurrences.values())

    @property
    def exit_code(self) -> int:
        if self.complaints:
            return BAD_INPUT
        return FOUND if self.occurrences else 0

    def worst_first(self) -> list[Occurrence]:
        return sorted(self.occurrences.values(), key=lambda o: (-o.severity.rank, -o.count))

    def to_json(self) -> dict[str, Any]:
        by_principal, by_secret, by_address = Counter[str](), Counter[str](), Counter[str]()
        for one in self.occurrences.values():
            by_principal[one.principal] += one.count
            by_secret.update(one.secrets)
            by_address.update(one.addresses)
        return {
            "records": self.judged + self.others + self.outside,
            "secrets_manager": self.judged,
            "other_services": self.others,
            "outside_the_time": self.outside,
            "unreadable_places": self.complaints,
            "first_seen": self.first_seen or None,
            "last_seen": self.last_seen or None,
            "verdicts": dict(self.verdicts.most_common()),
            "alerts": self.alerts,
            "occurrences": len(self.occurrences),
            "top_principals": _most(by_principal, _TOP),
            "top_secrets": _most(by_secret, _TOP),
            "top_addresses": _most(by_address, _TOP),
        }


def suggestions(summary: Summary) -> dict[str, Any]:
    """A file of exceptions to start from: whoever went round the endpoint, from where.

    Owner and reason are left empty, and an exception without them is refused: somebody has to stand
    up for each. Root, people in the console and foreign endpoints are not suggested.
    """
    addresses: dict[str, set[str]] = {}
    last: dict[str, str] = {}
    for one in summary.worst_first():
        a_person_or_role = one.principal.startswith("arn:") and not one.principal.endswith(":root")
        if one.verdict == Verdict.BYPASS and a_person_or_role:
            addresses.setdefault(one.principal, set()).update(one.addresses)
            last[one.principal] = max(last.get(one.principal, ""), one.last_seen)
    return {
        "exceptions": [
            {
                "name": caller.split(":", 5)[5],
                "owner": "",
                "reason": "",
                "expires": _in_a_quarter(last[caller]),
                "principal": caller,
                **({"cidr": networks} if (networks := _networks(addresses[caller])) else {}),
            }
            for caller in addresses
        ]
    }


def _in_a_quarter(when: str) -> str:
    try:
        return (datetime.fromisoformat(when) + timedelta(days=90)).date().isoformat()
    except (ValueError, OverflowError):
        return ""


def _networks(addresses: Iterable[str]) -> list[str]:
    """Each address as a network of its own; what is no address cannot narrow an exception."""
    networks: list[str] = []
    for text in sorted(addresses):
        try:
            networks.append(str(ipaddress.ip_network(text)))
        except ValueError:
            continue
    return networks


def _most(counter: Counter[str], number: int) -> dict[str, int]:
    return dict(counter.most_common(number))


def _iso(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")


# The command


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


def replay(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Log files, folders or patterns; - is standard input."
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
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes to use. Default: one for each core.")
    ] = None,
) -> None:
    """Judge CloudTrail logs offline: what would have been an alert, and why.

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
    news = judge_all(list(files_of(paths)), task, processes or os.cpu_count() or 1)
    summary = Summary()
    if explain:
        raise typer.Exit(_explain(news, summary, explain))
    judged = _summed(news, summary)
    if suggest_exceptions:
        deque(judged, maxlen=0)
        print(json.dumps(suggestions(summary), indent=2))
    else:
        _PRINT[form](judged, summary)
    _print_summary(summary)
    raise typer.Exit(summary.exit_code)


def _summed(news: Iterable[News], summary: Summary) -> Iterator[Judged]:
    """The judged records, after all that was said has been added to the summary."""
    for one in news:
        match one:
            case Judged():
                summary.add(one)
                yield one
            case PassedOver(others, outside):
                summary.others += others
                summary.outside += outside
            case Complaint(text):
                summary.complaints += 1
                print(_printable(text), file=sys.stderr)


def _print_jsonl(judged: Iterable[Judged], summary: Summary) -> None:  # noqa: ARG001 - see _PRINT
    for one in judged:
        print(json.dumps(one.row))


def _print_json(judged: Iterable[Judged], summary: Summary) -> None:
    """One document, written as it grows: the records, what they come to, the summary."""
    print('{"records": [', end="")
    for number, one in enumerate(judged):
        print("," if number else "", json.dumps(one.row), sep="\n", end="")
    occurrences = [one.to_json() for one in summary.worst_first()]
    print(f'\n], "occurrences": {json.dumps(occurrences, indent=1)},')
    print(f'"summary": {json.dumps(summary.to_json(), indent=1)}}}')


_COLOURS = {Severity.HIGH: "bold red", Severity.MEDIUM: "yellow", Severity.LOW: "cyan"}


def _print_table(judged: Iterable[Judged], summary: Summary) -> None:
    """What would be told, worst first; nothing where there is nothing to tell."""
    deque(judged, maxlen=0)
    if not summary.occurrences:
        return
    table = Table("Severity", "Count", "Who, and why", "What", "Last seen", box=None)
    for one in summary.worst_first():
        names = [name_of_secret(secret) for secret in _most(one.secrets, 3)]
        colour = _COLOURS.get(one.severity, "")
        table.add_row(
            f"[{colour}]{one.severity}[/]",
            f"{one.count:,}",
            escape(_printable(f"{one.principal.split(':', 5)[-1]}: {one.verdict}. {one.cause}")),
            escape(_printable(", ".join([*one.actions, *names]))),
            one.last_seen.replace("T", " "),
        )
    _console().print(table, soft_wrap=False)


_PRINT = {Format.TABLE: _print_table, Format.JSON: _print_json, Format.JSONL: _print_jsonl}


def _print_summary(summary: Summary) -> None:
    console = _console(stderr=True)
    body = summary.to_json()
    console.print(
        f"{body['records']:,} records: {body['secrets_manager']:,} of Secrets Manager, "
        f"{body['other_services']:,} of other services"
        + (f", {summary.outside:,} outside the time asked for" if summary.outside else "")
    )
    if summary.judged:
        verdicts = ", ".join(f"{verdict} {n:,}" for verdict, n in body["verdicts"].items())
        console.print(f"Verdicts: {verdicts}")
        console.print(f"From {body['first_seen']} to {body['last_seen']}")
    console.print(f"Alerts: {summary.alerts:,}, in {len(summary.occurrences):,} occurrences")
    for label in ("principals", "secrets", "addresses"):
        if top := body[f"top_{label}"]:
            shown = ", ".join(f"{_printable(name)} ({n:,})" for name, n in top.items())
            console.print(f"Top {label}: {shown}", markup=False)
    if summary.complaints:
        console.print(f"Places that could not be read: {summary.complaints:,}")


def _explain(news: Iterable[News], summary: Summary, event_id: str) -> int:
    """Print how each rule answered for one record. The exit code: 0, or 2 if there is none."""
    console = _console()
    found = False
    for judged in _summed(news, summary):
        if judged.row["event_id"] == event_id:
            found = True
            for key, value in judged.row.items():
                console.print(f"{key}: {_printable(str(value))}", markup=False)
            for name, answer in judged.predicates:
                console.print(f"  {'yes' if answer else 'no ':<3} {name}", markup=False)
    if not found:
        print(f"no Secrets Manager record has the event id {event_id!r}", file=sys.stderr)
    return 0 if found and not summary.complaints else BAD_INPUT


def _console(*, stderr: bool = False) -> Console:
    """Prints texts as they are: the ARN of a secret is no place for an emoji."""
    return Console(stderr=stderr, highlight=False, emoji=False, soft_wrap=True)


def _printable(text: str) -> str:
    """Without what would steer a terminal: these texts are not ours."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
