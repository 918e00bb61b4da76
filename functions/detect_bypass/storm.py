"""A storm of bypasses as a few findings: a fleet of addresses, a crowd of callers. Pure.

One caller who comes from another address each time, and thousands of callers who come once, would
each be an alert. So only so many addresses of one caller, and so many callers, get a finding of
their own in a window; all others are one finding that counts them and lists the first. While slots
are left, whoever comes often in one batch gets one even in a storm, and so does, within a bound,
whoever comes during it for a secret that nobody in it has read, or with another cause. The process
remembers who has a slot: with several copies of the function at work, each has as many to assign.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from detect_bypass.merging import listed, shared, united
from guard.findings.finding import FIRST_USES, Finding, Kind
from guard.findings.summary import LISTED, NOT_LISTED, several

ADDRESSES = 5  # of one caller, with findings of their own in a window
CALLERS = 10
OFTEN = 5  # times in one batch, from which on somebody has a finding also in a storm
APART = 3  # who alone bring something else to the batch with which a storm begins
NEWCOMERS = 10  # of a window, with findings of their own though there is a storm

_SHOWN = (*FIRST_USES, "cause ")
_KEY = "key "

ELSEWHERE = "elsewhere, "
"""How the place of credentials that are used elsewhere begins (`detect_bypass.findings`)."""

_TITLES = {
    Kind.BYPASS: "Many callers bypassed the VPC endpoint",
    Kind.CONSOLE_ACCESS: "Many people used the console",
    Kind.FOREIGN_ENDPOINT: "Many callers came through endpoints that are not approved",
    Kind.ENDPOINT_DENIED: "Endpoints refused many callers",
}
_NEVER = datetime.min.replace(tzinfo=UTC)

type Key = tuple[str, ...]


@dataclass(slots=True)
class _Slots:
    """The slots of one group: who has one until when, and until when there is a storm.

    `seen` are the secrets and causes that the group has shown, `newcomers` those who came with
    another one during the storm, and until when.
    """

    taken: dict[str, datetime] = field(default_factory=dict[str, datetime])
    storm_until: datetime = _NEVER
    seen: set[str] = field(default_factory=set[str])
    newcomers: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def assign(
        self, group: Mapping[str, Finding], most: int, now: datetime, until: datetime
    ) -> set[str]:
        """The names with a finding of their own. New ones get a slot while there are enough;
        in a storm that is under way, those who bring what it has not shown.
        """
        self.taken = {name: ends for name, ends in self.taken.items() if ends > now}
        self.newcomers = {name: ends for name, ends in self.newcomers.items() if ends > now}
        under_way = self.storm_until > now
        new = [name for name in group if name not in self.taken]
        new.sort(key=lambda name: -group[name].count)
        free = max(most - len(self.taken), 0)
        if len(new) > free:
            self.storm_until = until
        if self.storm_until > now:
            new = [name for name in new if group[name].count >= OFTEN]
        self.taken |= dict.fromkeys(new[:free], until)
        self._admit(group, now, until, under_way=under_way)
        return (self.taken.keys() | self.newcomers.keys()) & group.keys()

    def _admit(
        self, group: Mapping[str, Finding], now: datetime, until: datetime, *, under_way: bool
    ) -> None:
        """Newcomers: those who bring what the storm has not shown. In the batch with which it
        begins, nothing was shown yet: there it is what one alone of them brings, if few do.
        """
        brought = {
            name: {word for word in (*one.graver, *one.novel) if word.startswith(_SHOWN)}
            for name, one in group.items()
        }
        if not under_way:
            times = Counter(word for words in brought.values() for word in words)
            rare = {word for word, number in times.items() if number == 1} - self.seen
            apart = [name for name, words in brought.items() if words & rare]
            if self.storm_until > now and len(apart) <= APART:
                self.newcomers |= dict.fromkeys(apart, until)
            self.seen |= times.keys()
            return
        for name, words in brought.items():
            more = name not in self.taken and len(self.newcomers) < NEWCOMERS
            if more and words - self.seen:
                self.newcomers.setdefault(name, until)
            self.seen |= words


@dataclass(slots=True)
class Storms:
    """What a process remembers of the storms it has seen."""

    _groups: dict[Key, _Slots] = field(default_factory=dict[Key, _Slots])

    def gather(self, findings: Sequence[Finding], now: datetime) -> list[Finding]:
        """The findings of a batch, equal ones already one; those of a storm are one as well.

        No sighting gets lost: the counts before and after add up to the same.
        """
        self._groups = {
            key: slots
            for key, slots in self._groups.items()
            if slots.storm_until > now
            or any(ends > now for ends in (*slots.taken.values(), *slots.newcomers.values()))
        }
        fleets = self._gathered(findings, now, _caller, _address, ADDRESSES, _many_addresses)
        return self._gathered(fleets, now, _crowd, _fingerprint, CALLERS, _many_callers)

    def _gathered(
        self,
        findings: Sequence[Finding],
        now: datetime,
        group_of: Callable[[Finding], Key],
        name_of: Callable[[Finding], str],
        most: int,
        as_one: Callable[[Sequence[Finding]], Finding],
    ) -> list[Finding]:
        groups: dict[Key, list[Finding]] = {}
        kept = [finding for finding in findings if not _can_be_gathered(finding)]
        for finding in findings:
            if _can_be_gathered(finding):
                groups.setdefault(group_of(finding), []).append(finding)
        for key, group in groups.items():
            named = {name_of(one): one for one in group}
            until = now + timedelta(seconds=group[0].window)
            alone = self._groups.setdefault(key, _Slots()).assign(named, most, now, until)
            kept += [one for name, one in named.items() if name in alone]
            if rest := [one for name, one in named.items() if name not in alone]:
                kept.append(as_one(rest))
        return kept


def _can_be_gathered(finding: Finding) -> bool:
    """Those of `findings` on a request's way: they hold who, what for, outcome, where."""
    return finding.kind in _TITLES and finding.window > 0 and len(finding.identity) == 4


def _credentials(finding: Finding) -> str:
    """Credentials that no crowd of others may hide; empty for all others."""
    if finding.identity[0].endswith(":root") or finding.evidence.get("principal_type") == "Root":
        return "root"
    if _is_elsewhere(finding):
        return "used elsewhere"
    return "lasting key" if any(word.startswith(_KEY) for word in finding.novel) else ""


def _is_elsewhere(finding: Finding) -> bool:
    return len(finding.identity) == 4 and finding.identity[3].startswith(ELSEWHERE)


def _caller(finding: Finding) -> Key:
    """Credentials that are used elsewhere are another fleet than where they belong."""
    away = ELSEWHERE if _is_elsewhere(finding) else ""
    return (*_place_of_all(finding), finding.resource, *finding.identity[:3], away)


def _crowd(finding: Finding) -> Key:
    """A crowd is of one severity and one sort of credentials, so it hides nothing graver."""
    sort = _credentials(finding)
    return (*_place_of_all(finding), *finding.identity[1:3], finding.severity, sort)


def _place_of_all(finding: Finding) -> Key:
    return (finding.kind, finding.account, finding.region)


def _address(finding: Finding) -> str:
    return finding.identity[3]


def _fingerprint(finding: Finding) -> str:
    return finding.fingerprint


def _many_addresses(group: Sequence[Finding]) -> Finding:
    caller, reach, outcome, _ = group[0].identity
    places = [one.identity[3].removeprefix(ELSEWHERE) for one in group]
    away = ELSEWHERE if _is_elsewhere(group[0]) else ""
    return replace(
        united(group),
        identity=(caller, reach, outcome, f"{away}many addresses"),
        cause=(
            f"The caller comes from many addresses, {several(places)}: either a fleet of machines,"
            " or credentials that several parties share."
        ),
        evidence=shared(group),  # what one record alone says is not said of many
    )


def _many_callers(group: Sequence[Finding]) -> Finding:
    _, reach, outcome, _ = group[0].identity
    sort = group[0].severity, _credentials(group[0])
    one = united(group)
    title = _TITLES[one.kind]
    callers = list(dict.fromkeys(finding.identity[0] for finding in group))
    return replace(
        one,
        identity=("many callers", reach, outcome, "many addresses", *sort),
        resource=f"account {one.account}",
        title=f"Blocked: {title}" if outcome == "failed" else title,
        cause=f"Too many to publish each: {several(callers)}. The gravest: {one.cause}",
        todo=(
            "Check the callers in the evidence; detect_bypass's log names each with its event.",
            *one.todo,
        ),
        evidence=_of_callers(listed(group), callers),
        novel=[word for word in one.novel if not word.startswith(_KEY)],  # each caller has another
    )


def _of_callers(evidence: dict[str, Any], callers: Sequence[str]) -> dict[str, Any]:
    """What the evidence lists, with the callers in place of their sessions."""
    more = {**evidence.get(NOT_LISTED, {}), "principals": max(0, len(callers) - LISTED)}
    cut = {key: number for key, number in more.items() if number}
    return {**evidence, "principals": list(callers[:LISTED])} | ({NOT_LISTED: cut} if cut else {})
