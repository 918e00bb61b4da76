"""Sum up what all the files came to."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from detect_bypass.judge import Verdict
from guardctl.replay.chart import bucket
from guardctl.replay.judging import Judged
from guardctl.replay.publication import Result

FOUND, BAD_INPUT = 1, 2
_TOP = 5
# What makes equal causes differ: addresses, ARNs and AWS's ids, but for their kind.
_ONE_OF_MANY = re.compile(
    r"\barn:[^\s,;]+|(?<=[a-z]-)[0-9a-f]{8,}\b|\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-f]*(?::+[0-9a-f]+){3,}"
)


@dataclass(slots=True)
class Bypassing:
    """One caller who bypassed the endpoint: how often, from where, and when last."""

    count: int = 0
    addresses: set[str] = field(default_factory=set[str])
    last_seen: str = ""


def _published(result: Result) -> dict[str, int]:
    return {
        "findings": len(result.findings),
        "occurrences": result.occurrences,
        "alerts": len(result.alerts),
        "deferred": result.deferred,
        "digests": len(result.digests),
    }


@dataclass(slots=True)
class Summary:
    """What all the files came to. `result` is what would have been published, once that is known;
    with `verdicts_only` nobody asked for that.

    The counters count records with an alerting verdict.
    """

    judged: int = 0
    others: int = 0
    outside: int = 0
    complaints: int = 0
    unread: int = 0
    verdicts: Counter[str] = field(default_factory=Counter[str])
    timeline: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    principals: Counter[str] = field(default_factory=Counter[str])
    secrets: Counter[str] = field(default_factory=Counter[str])
    causes: Counter[str] = field(default_factory=Counter[str])
    addresses: Counter[str] = field(default_factory=Counter[str])
    bypassing: dict[str, Bypassing] = field(default_factory=dict[str, Bypassing])
    first_seen: str = ""
    last_seen: str = ""
    result: Result = field(default_factory=Result)
    verdicts_only: bool = False

    def add(self, judged: Judged, times: int = 1) -> None:
        row = judged.row
        # What stands there as its time is none; one that has a time which is none is bad input.
        unread = row["verdict"] == Verdict.UNREADABLE and row["principal"] is None
        when = "" if unread else row["event_time"] or ""
        self.unread += times * (unread and row["event_time"] is not None)
        self.judged += times
        self.verdicts[row["verdict"]] += times
        self.first_seen = min(self.first_seen or when, when or self.first_seen)
        self.last_seen = max(self.last_seen, when)
        self.timeline[bucket(when), row["verdict"]] += times
        if row["alert"]:
            self._alert(row, judged.caller, when, times)

    def _alert(self, row: dict[str, Any], caller: str, when: str, times: int) -> None:
        self.principals[caller] += times
        self.causes[_ONE_OF_MANY.sub("*", row["cause"])] += times
        if row["secret_id"]:
            self.secrets[row["secret_id"]] += times
        if row["source_ip"]:
            self.addresses[row["source_ip"]] += times
        if row["verdict"] == Verdict.BYPASS:
            known = self.bypassing.setdefault(caller, Bypassing())
            known.count += times
            known.addresses.add(row["source_ip"] or "")
            known.last_seen = max(known.last_seen, when)

    @property
    def exit_code(self) -> int:
        if self.complaints or self.unread:
            return BAD_INPUT
        found = self.causes if self.verdicts_only else self.result.findings
        return FOUND if found else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "records": self.judged + self.others + self.outside,
            "secrets_manager": self.judged,
            "other_services": self.others,
            "outside_the_time": self.outside,
            "unreadable_places": self.complaints,
            "first_seen": self.first_seen or None,
            "last_seen": self.last_seen or None,
            "verdicts": dict(self.verdicts.most_common()),
            **({} if self.verdicts_only else _published(self.result)),
            **{f"top_{name}": most(counter, _TOP) for name, counter in self.tops().items()},
        }

    def tops(self) -> dict[str, Counter[str]]:
        """Records by principal, secret, cause and address; a cause without ids and addresses."""
        return {
            "principals": self.principals,
            "secrets": self.secrets,
            "causes": self.causes,
            "addresses": self.addresses,
        }


def most(counter: Counter[str], number: int) -> dict[str, int]:
    """The so many names that are counted most often."""
    return dict(counter.most_common(number))
