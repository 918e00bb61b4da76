"""Judge what is read: one file's elements in, rows of the contract and complaints out."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec

from detect_bypass.findings import fingerprint, unreadable
from detect_bypass.judge import SECRETS_MANAGER, Inventory, Judgement, Verdict, judge
from detect_bypass.judge.exceptions import Exemption
from detect_bypass.sessions import session_of
from guard.cloudtrail.evidence import principal
from guard.cloudtrail.heartbeat_mark import Mark
from guard.cloudtrail.record import (
    NotFromCloudTrail,
    Record,
    UnreadableRecord,
    from_envelope,
    parse,
)
from guard.cloudtrail.resource_ids import secret_id
from guard.cloudtrail.secret_calls import changes_secret
from guard.findings.finding import Severity
from guardctl import trail
from guardctl.replay.explain import Said, explain
from guardctl.replay.spool import Spooled
from guardctl.trail.files import Openable

_COMPLAINTS = 10  # printed of one file; what is more is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to judge by, and what to leave out: the same for every file."""

    inventory: Inventory
    exceptions: tuple[Exemption, ...] = ()
    organization: str = ""
    heartbeats: tuple[Mark, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    explain: str = ""

    def wants(self, when: datetime) -> bool:
        after = self.since is None or when >= self.since
        return after and (self.until is None or when < self.until)


@dataclass(frozen=True, slots=True)
class Judged:
    """One Secrets Manager record and its judgement: `row` is the line of the contract.

    `spooled` is what is to be published of it, in order.
    """

    row: dict[str, Any]
    caller: str
    spooled: Spooled
    said: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class Complaint:
    """Input that could not be read: a whole line for standard error."""

    text: str


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Records not judged: of other services, or outside the time that was asked for."""

    others: int = 0
    outside: int = 0


Output = Judged | Complaint | PassedOver


def judge_stream(stream: BinaryIO, name: str, task: Task, size: int = 0) -> Iterator[Output]:
    """Everything there is to say of one file of `size` bytes (0: unknown), in its order."""
    complaints = 0
    for item in trail.read(stream, size):
        match item:
            case trail.Skipped(count):
                yield PassedOver(others=count)
                continue
            case trail.Element(value, find_position):
                output = judge_element(value, lambda find=find_position: f"{name}:{find()}", task)
            case trail.Broken(position, reason):
                output = Complaint(f"{name}:{position}: {reason}")
        if isinstance(output, Complaint):
            complaints += 1
            if complaints > _COMPLAINTS:
                continue
        yield output
    if complaints > _COMPLAINTS:
        yield Complaint(f"{name}: and {complaints - _COMPLAINTS:,} more such places")


def judge_source(source: Openable, task: Task) -> Iterator[Output]:
    """As `judge_stream`; a file that cannot be opened is a complaint."""
    try:
        with source.open() as stream:
            yield from judge_stream(stream, source.name, task, source.size)
    except OSError as error:
        yield Complaint(f"{source.name}: {error.strerror or error}")


def judge_element(value: dict[str, Any], where: Callable[[], str], task: Task) -> Output:
    """What there is to say of one record, or of an event with one; `where` names its place."""
    enveloped = "detail-type" in value and "detail" in value and "eventSource" not in value
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
        return Complaint(f"{where()}: {error}")
    if not task.wants(record.event_time):
        return PassedOver(outside=1)
    place = record.account, record.region
    judgement = _judged(record, task)
    expected = bool(task.explain) and task.explain == record.event_id
    quiet = not (judgement.alert or changes_secret(record) or session_of(record))
    return Judged(
        row_of(record, judgement),
        principal(record),
        Spooled(record.event_time.timestamp(), _json(detail), quiet, bool(record.amends), place),
        explain(record, task.inventory, task.exceptions) if expected else (),
    )


def _judged(record: Record, task: Task) -> Judgement:
    if not is_heartbeat(record, task.heartbeats):
        return judge(record, task.inventory, task.exceptions)
    cause = "It is a heartbeat of the guard."
    return Judgement(verdict=Verdict.EXEMPT, alert=False, severity=Severity.INFO, cause=cause)


def is_heartbeat(record: Record, heartbeats: Sequence[Mark]) -> bool:
    """Whether it is a marked request of the guard, which the deployed function does not judge."""
    return any(mark.sent(record) is not None for mark in heartbeats)


def _json(detail: object) -> bytes:
    try:
        return msgspec.json.encode(detail)
    except (ValueError, RecursionError):  # half of a surrogate pair, or very deep
        return json.dumps(detail, separators=(",", ":")).encode()


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
        "account": record.account or None,
        "region": record.region or None,
    }


def _unreadable(detail: dict[str, Any], why: str) -> Judged:
    """The line for a record of the service that lacks what every record has."""
    never = datetime.fromtimestamp(0, UTC)
    keys = ("eventID", "eventName", "eventTime", "recipientAccountId", "awsRegion")
    known = {key: detail.get(key) for key in keys}
    texts = {key: value if isinstance(value, str) else None for key, value in known.items()}
    account, region = texts["recipientAccountId"] or "", texts["awsRegion"] or ""
    finding = unreadable(detail, why, account=account, region=region, seen=never, window=0)
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
        "account": texts["recipientAccountId"],
        "region": texts["awsRegion"],
    }
    return Judged(row, "unknown", Spooled(None, _json(detail), place=(account, region)))


def _iso(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")
