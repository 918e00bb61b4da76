"""A storm of bypasses as a few findings: a fleet of addresses, a crowd of callers. Pure.

One caller who comes from another address each time, and thousands of callers who come once, would
each be an alert. So only so many addresses of one caller, and so many callers, are told one by one
in a window; all others are one finding that counts them and lists the first. While places are left,
whoever comes often in one batch is told by name even in a storm. Who has a place is remembered by
the process: with several copies of the function at work, each has as many to give.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from guard.findings.finding import Finding, Kind, merge_equal

ADDRESSES = 5  # of one caller, told one by one in a window
CALLERS = 10
OFTEN = 5  # times in one batch, from which on somebody is told by name also in a storm

ELSEWHERE = "elsewhere, "
"""How the place of credentials that are used elsewhere begins (`detect_bypass.findings`)."""

_LISTED = 20
_TITLES = {
    Kind.BYPASS: "Many callers bypassed the VPC endpoint",
    Kind.CONSOLE_ACCESS: "Many people used the console",
    Kind.FOREIGN_ENDPOINT: "Many callers came through endpoints that are not approved",
    Kind.ENDPOINT_DENIED: "Endpoints refused many callers",
}
_NEVER = datetime.min.replace(tzinfo=UTC)

type Key = tuple[str, ...]


@dataclass(slots=True)
class _Seats:
    """The places of one group: who has one until when, and until when there is a storm."""

    taken: dict[str, datetime] = field(default_factory=dict[str, datetime])
    storm_until: datetime = _NEVER

    def give(
        self, counts: Mapping[str, int], most: int, now: datetime, until: datetime
    ) -> set[str]:
        """The names that are told by themselves. New ones get a place while there are enough."""
        self.taken = {name: ends for name, ends in self.taken.items() if ends > now}
        new = sorted((name for name in counts if name not in self.taken), key=lambda n: -counts[n])
        free = most - len(self.taken)
        if len(new) > free:
            self.storm_until = until
        if self.storm_until > now:
            new = [name for name in new if counts[name] >= OFTEN]
        self.taken |= dict.fromkeys(new[: max(free, 0)], until)
        return self.taken.keys() & counts.keys()


@dataclass(slots=True)
class Storms:
    """What a process remembers of the storms it has seen."""

    _groups: dict[Key, _Seats] = field(default_factory=dict[Key, _Seats])

    def gather(self, told: Sequence[Finding], now: datetime) -> list[Finding]:
        """The findings of a batch, equal ones already one; those of a storm are one as well.

        No sighting gets lost: the counts before and after add up to the same.
        """
        self._groups = {
            key: seats
            for key, seats in self._groups.items()
            if seats.storm_until > now or any(ends > now for ends in seats.taken.values())
        }
        fleets = self._gathered(told, now, _caller, _address, ADDRESSES, _many_addresses)
        return self._gathered(fleets, now, _crowd, _fingerprint, CALLERS, _many_callers)

    def _gathered(
        self,
        told: Sequence[Finding],
        now: datetime,
        group_of: Callable[[Finding], Key],
        name_of: Callable[[Finding], str],
        most: int,
        as_one: Callable[[Sequence[Finding]], Finding],
    ) -> list[Finding]:
        groups: dict[Key, list[Finding]] = {}
        kept = [finding for finding in told if not _can_be_gathered(finding)]
        for finding in told:
            if _can_be_gathered(finding):
                groups.setdefault(group_of(finding), []).append(finding)
        for key, group in groups.items():
            counts = {name_of(one): one.count for one in group}
            until = now + timedelta(seconds=group[0].window)
            alone = self._groups.setdefault(key, _Seats()).give(counts, most, now, until)
            kept += [one for one in group if name_of(one) in alone]
            if rest := [one for one in group if name_of(one) not in alone]:
                kept.append(as_one(rest))
        return kept


def _can_be_gathered(finding: Finding) -> bool:
    """Those of `findings` on a request's way: they hold who, what for, outcome, where."""
    return finding.kind in _TITLES and finding.window > 0 and len(finding.identity) == 4


def _credentials(finding: Finding) -> str:
    """Credentials that no crowd of others may hide; empty for all others."""
    if finding.evidence.get("principal_type") == "Root":
        return "root"
    if _is_elsewhere(finding):
        return "used elsewhere"
    return "lasting key" if any(word.startswith("key ") for word in finding.novel) else ""


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
    places = ", ".join(one.identity[3].removeprefix(ELSEWHERE) for one in group[:3])
    away = ELSEWHERE if _is_elsewhere(group[0]) else ""
    return replace(
        _united(group, (caller, reach, outcome, f"{away}many addresses")),
        cause=(
            f"The caller comes from many addresses, {places} among them: a fleet, or credentials"
            " that are passed around."
        ),
    )


def _many_callers(group: Sequence[Finding]) -> Finding:
    _, reach, outcome, _ = group[0].identity
    sort = group[0].severity, _credentials(group[0])
    one = _united(group, ("many callers", reach, outcome, "many addresses", *sort))
    title = _TITLES[one.kind]
    callers = list(dict.fromkeys(finding.identity[0] for finding in group))
    who = ", ".join(callers[:3])
    return replace(
        one,
        resource=f"account {one.account}",
        title=f"Blocked: {title}" if outcome == "failed" else title,
        cause=f"{who} and others, too many to tell of each. The most telling one: {one.cause}",
        todo=(
            "Look at the callers in the evidence; detect_bypass's log names each with its event.",
            *one.todo,
        ),
        evidence={**one.evidence, "principals": callers[:_LISTED]},
    )


def _united(group: Sequence[Finding], identity: Sequence[str]) -> Finding:
    """The gravest of the findings, with what all of them count, list and did."""
    worst = max(group, key=lambda finding: finding.severity.rank)
    equal = [replace(one, identity=identity, resource=worst.resource) for one in group]
    return replace(
        merge_equal(equal)[0],
        severity=worst.severity,
        title=worst.title,
        cause=worst.cause,
        todo=worst.todo,
        links=worst.links,
        done=tuple(dict.fromkeys(text for one in group for text in one.done))[:_LISTED],
        evidence=_lists(group),
    )


def _lists(group: Sequence[Finding]) -> dict[str, Any]:
    """What the evidence lists, united. What one record alone says is not said of many."""
    keys = dict.fromkeys(
        key for one in group for key, value in one.evidence.items() if isinstance(value, list)
    )
    return {key: _some(one.evidence.get(key, []) for one in group) for key in keys}


def _some(lists: Iterable[object]) -> list[str]:
    texts = (text for some in lists for text in cast(list[str], some))
    return list(dict.fromkeys(texts))[:_LISTED]
