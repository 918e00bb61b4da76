"""What the digest and the daily report say. Pure: what was put by goes in, findings come out.

Both are findings themselves, so that they reach mail, Slack and machines as everything else does.
In their evidence a list of `findings` holds, of each, what `gist` keeps.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from guard.findings.finding import PAUSES, Finding, Kind, Severity
from guard.findings.summary import gist
from guard.settings import Settings

PART_BYTES = 80_000  # of one message's findings; SNS takes 256 KB, with the text for mail beside it
EVIDENCE_BYTES = 2_000

REPAIRS = (
    Kind.ENDPOINT_CREATED,
    Kind.ENDPOINT_REPAIRED,
    Kind.POLICY_RESTORED,
    Kind.SECRET_PERIMETER_RESTORED,
)


@dataclass(frozen=True, slots=True)
class Over:
    """An alert whose window is over: its `gist` with the window's numbers, and how much of them ops
    were told.
    """

    gist: Mapping[str, Any]
    told: int

    @property
    def is_news(self) -> bool:
        return int(self.gist["count"]) > self.told


def for_digest(body: Mapping[str, Any]) -> dict[str, Any]:
    """The gist of a finding with its evidence, as far as that is short."""
    evidence: dict[str, Any] = {}
    room = EVIDENCE_BYTES
    for name, value in cast(Mapping[str, Any], body["evidence"]).items():
        size = len(json.dumps([name, value]))
        if size <= room:
            evidence[name] = value
            room -= size
    return {**gist(body), "over": False, "evidence": evidence}


def parts(gists: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The gists in their order, in as few lists as fit into messages."""
    lists: list[list[Mapping[str, Any]]] = []
    room = 0
    for one in gists:
        size = len(json.dumps(one))
        if not lists or size > room:
            lists.append([])
            room = PART_BYTES
        lists[-1].append(one)
        room -= size
    return lists


def digest(settings: Settings, now: datetime, told: Sequence[Mapping[str, Any]]) -> Finding:
    """One message for findings of low severity, and for alerts whose window is `over`."""
    collected = [one for one in told if not one["over"]]
    over = [one for one in told if one["over"]]
    said: list[str] = []
    if collected:
        said.append(f"{_many(len(collected), 'finding')} of low severity")
    if over:
        said.append(f"{_many(len(over), 'repeated alert')} summed up")
    return Finding(
        kind=Kind.DIGEST,
        severity=Severity.LOW,
        account=settings.account_id,
        region=settings.region,
        resource="VPCE Guard",
        title=f"Digest: {' and '.join(said)}",
        cause="Findings of low severity are collected; an alert that came again within its window "
        "is summed up once the window is over.",
        evidence={
            name: {"findings": list(gists)}
            for name, gists in (("collected", collected), ("over", over))
            if gists
        },
        # The same after a crash: what was put by is still there, and in the same order.
        identity=(_digits([f"{one['id']} {one['count']}" for one in told]),),
        first_seen=_earliest(told, now),
        last_seen=now,
    )


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day's counts, as `guard.publishing.publish` added them up."""

    date: date
    counts: Mapping[str, int]

    def found(self) -> dict[str, int]:
        prefix = "found "
        return {
            name.removeprefix(prefix): n
            for name, n in sorted(self.counts.items())
            if name.startswith(prefix)
        }


@dataclass(frozen=True, slots=True)
class Waiting:
    """A finding that waits for somebody, or says that the guard keeps still."""

    gist: Mapping[str, Any]
    since: datetime
    latest: datetime

    @property
    def overdue(self) -> bool:
        """Told again a day or more after it was told first."""
        return self.latest - self.since >= timedelta(hours=23)

    def stale(self, now: datetime) -> bool:
        """Not told again for longer than its window: it has been dealt with, or has ended."""
        return now - self.latest > timedelta(hours=26)


def daily_report(
    settings: Settings, now: datetime, day: Day, waiting: Sequence[Waiting], mode: str
) -> Finding:
    """What one day brought: found, repaired, suppressed, excepted, paused, overdue."""
    found = day.found()
    repaired = {kind: n for kind, n in found.items() if kind in REPAIRS}
    told = {kind: n for kind, n in found.items() if kind not in REPAIRS}
    paused = [one for one in waiting if one.gist["kind"] in PAUSES]
    overdue = [one for one in waiting if one.overdue and one.gist["kind"] not in PAUSES]
    evidence: dict[str, Any] = {
        "day": day.date.isoformat(),
        "mode": mode,
        "found": told,
        "repaired": repaired,
        "suppressed": day.counts.get("suppressed", 0),
        "excepted": day.counts.get("excepted", 0),
        "paused": {"findings": [one.gist for one in paused]},
        "overdue": {"findings": [one.gist for one in overdue]},
    }
    summary = (
        f"{sum(told.values()):,} found, {sum(repaired.values()):,} repaired, "
        f"{len(paused):,} paused, {len(overdue):,} overdue"
    )
    midnight = datetime.combine(day.date, datetime.min.time(), UTC)
    return Finding(
        kind=Kind.DAILY_REPORT,
        severity=Severity.INFO,
        account=settings.account_id,
        region=settings.region,
        resource="VPCE Guard",
        title=f"Daily report of {day.date.isoformat()}: {summary}",
        cause="What VPCE Guard saw and did on this day, UTC.",
        todo=_what_to_do(paused, overdue, mode),
        evidence=evidence,
        identity=(day.date.isoformat(),),
        first_seen=midnight,
        last_seen=min(now, midnight + timedelta(days=1)),
    )


def _what_to_do(
    paused: Sequence[Waiting], overdue: Sequence[Waiting], mode: str
) -> tuple[str, ...]:
    todo: list[str] = []
    if mode != "remediate":
        todo.append("Nothing is repaired in observe mode: switch to remediate when you are ready.")
    if paused:
        todo.append("Look at what is paused: VPCE Guard does nothing there for the time being.")
    if overdue:
        todo.append("Deal with what is overdue: it was told a day ago or longer, and is still so.")
    return tuple(todo)


def _earliest(gists: Iterable[Mapping[str, Any]], now: datetime) -> datetime:
    return min((datetime.fromisoformat(one["first_seen"]) for one in gists), default=now)


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _digits(parts_: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts_).encode()).hexdigest()[:24]
