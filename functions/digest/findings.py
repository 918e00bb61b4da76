"""What the digest and the daily report say. Pure: what was kept goes in, findings come out.

Both are findings themselves, so that they reach mail, Slack and machines as everything else does.
In their evidence a list of `findings` holds, of each, what `summary` keeps.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any, cast

from guard.findings.finding import PAUSES, Finding, Kind, Severity, digits, here
from guard.findings.summary import NOT_LISTED, summary
from guard.settings import Settings
from guard.table.items import SET_ASIDE
from guard.table.opt_outs import OptOut

PART_BYTES = 80_000  # of one message's findings; SNS takes 256 KB, with the text for mail beside it
EVIDENCE_BYTES = 2_000  # of one finding, texts
LISTS_BYTES = 8_000  # and lists, of which the end is counted
NOT_KNOWN = "not known: "  # how what cannot be listed begins
_LISTED = 20

REPAIRS = (
    Kind.ENDPOINT_CREATED,
    Kind.ENDPOINT_REPAIRED,
    Kind.POLICY_RESTORED,
    Kind.SECRET_PERIMETER_RESTORED,
)


@dataclass(frozen=True, slots=True)
class Over:
    """An alert whose window is over: its `summary` with the window's numbers, and how many of its
    sightings were published.
    """

    summary: Mapping[str, Any]
    published: int

    @property
    def unpublished(self) -> bool:
        return int(self.summary["count"]) > self.published


def for_digest(body: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of a finding with its evidence, as far as that is short: of lists the beginning,
    and in `not_listed` how much more there is.
    """
    said = cast(Mapping[str, Any], body["evidence"])
    lists = {name: cast("list[Any]", one) for name, one in said.items() if isinstance(one, list)}
    evidence: dict[str, Any] = {}
    room = EVIDENCE_BYTES
    for name, value in said.items():
        size = len(json.dumps([name, value]))
        if name not in lists and size <= room:
            evidence[name] = value
            room -= size
    short = {name: _beginning(one, LISTS_BYTES // len(lists)) for name, one in lists.items()}
    known = said.get(NOT_LISTED)
    more = Counter[str](known if isinstance(known, dict) else {})
    more.update({name: len(one) - len(short[name]) for name, one in lists.items()})
    cut = {NOT_LISTED: dict(more)} if (more := +more) else {}
    return {**summary(body), "over": False, "evidence": {**evidence, **short, **cut}}


def _beginning(values: Sequence[Any], room: int) -> list[Any]:
    """As many of the values as there is room for."""
    sizes = accumulate(len(json.dumps(one)) + 2 for one in values)
    return [one for one, size in zip(values, sizes, strict=True) if size <= room]


def parts(summaries: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The summaries in their order, in as few lists as fit into messages."""
    lists: list[list[Mapping[str, Any]]] = []
    room = 0
    for one in summaries:
        size = len(json.dumps(one))
        if not lists or size > room:
            lists.append([])
            room = PART_BYTES
        lists[-1].append(one)
        room -= size
    return lists


def digest(settings: Settings, now: datetime, published: Sequence[Mapping[str, Any]]) -> Finding:
    """One message for findings of low severity, and for alerts whose window is `over`."""
    collected = [one for one in published if not one["over"]]
    over = [one for one in published if one["over"]]
    said: list[str] = []
    if collected:
        said.append(f"{_many(len(collected), 'finding')} of low severity")
    if over:
        said.append(f"{_many(len(over), 'repeated alert')} summed up")
    return Finding(
        kind=Kind.DIGEST,
        severity=Severity.LOW,
        resource="VPCE Guard",
        title=f"Digest: {' and '.join(said)}",
        cause="Findings of low severity are collected; an alert that came again within its window "
        "is summed up once the window is over.",
        evidence={
            name: {"findings": list(summaries)}
            for name, summaries in (("collected", collected), ("over", over))
            if summaries
        },
        # The same after a crash: what was deferred is still there, and in the same order.
        identity=(digits([f"{one['id']} {one['count']}" for one in published]),),
        **{**here(settings, now), "first_seen": _earliest(published, now)},
    )


def items_set_aside(
    settings: Settings, now: datetime, items: Sequence[Mapping[str, Any]]
) -> Finding:
    """Items of the state table that nobody can read any more: who wrote them is to be found out."""
    keys = [str(one[SET_ASIDE]) for one in items]
    return Finding(
        kind=Kind.ITEM_UNREADABLE,
        severity=Severity.MEDIUM,
        resource=settings.table_name,
        title=f"{_many(len(items), 'item')} of the state table could not be read",
        cause=f"The guard did not write {keys[0]!r} so; each such item is set aside, and counts as"
        " absent from then on.",
        done=("What they held was removed from the table, and is in the evidence.",),
        todo=(
            "Find out who may write to the table and did: only the guard's functions should.",
            "See in the runbook what is forgotten with an item of each kind.",
        ),
        evidence={"items": [dict(one) for one in items[:_LISTED]], "number": len(items)},
        identity=(digits(keys),),
        **here(settings, now),
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
    """A finding that needs somebody, or says that the guard changes nothing somewhere."""

    summary: Mapping[str, Any]
    since: datetime
    latest: datetime

    @property
    def overdue(self) -> bool:
        """Published again a day or more after the first time."""
        return self.latest - self.since >= timedelta(hours=23)

    def stale(self, now: datetime) -> bool:
        """Not published again for longer than its window: somebody dealt with it, or it ended."""
        return now - self.latest > timedelta(hours=26)


def left_alone(settings: Settings, now: datetime, one: OptOut) -> Finding:
    """A VPC or endpoint that is not well, and that the opt-out tag has the guard leave so."""
    return Finding(
        kind=Kind.OPTED_OUT,
        severity=Severity.MEDIUM,
        resource=one.resource,
        title=f"{one.resource} is unhealthy, and is left so: it is opted out",
        cause=f"{one.left}. It carries {settings.opt_out_tag}"
        f"{f' ({one.value})' if one.value else ''}, by the tag that was set by {one.set_by}.",
        todo=(
            f"ask whoever set the tag; take {settings.opt_out_tag} away to have it repaired",
            "give the tag an end: a date in its value, such as until 2027-01-31",
        ),
        evidence=asdict(one),
        identity=(now.date().isoformat(),),
        **here(settings, now),
    )


def daily_report(
    settings: Settings,
    now: datetime,
    day: Day,
    waiting: Sequence[Waiting],
    mode: str,
    opted_out: tuple[int, Sequence[OptOut]] = (0, ()),
    added: Sequence[str] = (),
) -> Finding:
    """What one day brought: found, repaired, suppressed, excepted, paused, overdue, opted out.

    `added` are the exceptions of run time that there are now.
    """
    found = day.found()
    repaired = {kind: n for kind, n in found.items() if kind in REPAIRS}
    others = {kind: n for kind, n in found.items() if kind not in REPAIRS}
    paused = [one for one in waiting if one.summary["kind"] in PAUSES]
    overdue = [one for one in waiting if one.overdue and one.summary["kind"] not in PAUSES]
    evidence: dict[str, Any] = {
        "day": day.date.isoformat(),
        "mode": mode,
        "found": others,
        "repaired": repaired,
        "suppressed": day.counts.get("suppressed", 0),
        "excepted": day.counts.get("excepted", 0),
        "paused": {"findings": [one.summary for one in paused]},
        "overdue": {"findings": [one.summary for one in overdue]},
        "opted_out": [str(one) for one in opted_out[1]],
        "exceptions_added": list(added),
    }
    known = sum(not one.startswith(NOT_KNOWN) for one in added)
    totals = (
        f"{sum(others.values()):,} found, {sum(repaired.values()):,} repaired, "
        f"{len(paused):,} paused, {len(overdue):,} overdue"
        + (f", {opted_out[0]:,} opted out" if opted_out[0] else "")
        + (f", {_many(known, 'exception')} added" if known else "")
    )
    midnight = datetime.combine(day.date, datetime.min.time(), UTC)
    return Finding(
        kind=Kind.DAILY_REPORT,
        severity=Severity.INFO,
        resource="VPCE Guard",
        title=f"Daily report of {day.date.isoformat()}: {totals}",
        cause="What VPCE Guard saw and did on this day, UTC.",
        todo=_what_to_do(paused, overdue, mode),
        evidence=evidence,
        identity=(day.date.isoformat(),),
        **{
            **here(settings, min(now, midnight + timedelta(days=1))),
            "first_seen": midnight,
        },
    )


def _what_to_do(
    paused: Sequence[Waiting], overdue: Sequence[Waiting], mode: str
) -> tuple[str, ...]:
    todo: list[str] = []
    if mode != "remediate":
        todo.append("Nothing is repaired in observe mode: switch to remediate when you are ready.")
    if paused:
        todo.append("Check what is paused: VPCE Guard changes nothing there for now.")
    if overdue:
        todo.append(
            "Deal with what is overdue: it was published a day ago or longer, and has not changed."
        )
    return tuple(todo)


def _earliest(summaries: Iterable[Mapping[str, Any]], now: datetime) -> datetime:
    return min((datetime.fromisoformat(one["first_seen"]) for one in summaries), default=now)


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
