"""Sum up what all the files came to."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from guard.findings.finding import Finding
from guardctl.replay.chart import bucket
from guardctl.replay.collapse import Occurrence, most
from guardctl.replay.judging import Judged

FOUND, BAD_INPUT = 1, 2
_TOP = 5
# What makes equal causes differ: addresses, ARNs and AWS's ids, but for their kind.
_ONE_OF_MANY = re.compile(
    r"\barn:[^\s,;]+|(?<=[a-z]-)[0-9a-f]{8,}\b|\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-f]*(?::+[0-9a-f]+){3,}"
)


@dataclass(slots=True)
class Summary:
    """What all the files came to.

    `changes` are findings that are no alert about a record's way, such as a secret's policy that
    was set; `repeats` alerts of a call that another record told of already; `calls` those calls.
    """

    judged: int = 0
    others: int = 0
    outside: int = 0
    complaints: int = 0
    verdicts: Counter[str] = field(default_factory=Counter[str])
    occurrences: dict[str, Occurrence] = field(default_factory=dict[str, Occurrence])
    changes: dict[str, Finding] = field(default_factory=dict[str, Finding])
    timeline: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    repeats: int = 0
    first_seen: str = ""
    last_seen: str = ""
    calls: set[int] = field(default_factory=set[int])

    def add(self, judged: Judged) -> None:
        row = judged.row
        when = row["event_time"] or ""
        self.judged += 1
        self.verdicts[row["verdict"]] += 1
        self.first_seen = min(self.first_seen or when, when or self.first_seen)
        self.last_seen = max(self.last_seen, when)
        self.timeline[bucket(when), row["verdict"]] += 1
        for finding in judged.findings[1 if row["alert"] else 0 :]:
            self.changes.setdefault(finding.fingerprint, finding)
        if row["alert"]:
            self._alert(judged)

    def _alert(self, judged: Judged) -> None:
        calls = set(map(hash, judged.calls))
        if calls & self.calls:
            self.repeats += 1
            return
        self.calls |= calls
        key = judged.row["fingerprint"]
        if key not in self.occurrences:
            self.occurrences[key] = Occurrence.begun(judged)
        self.occurrences[key].add(judged)

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
            "repeats": self.repeats,
            **{f"top_{name}": most(counter, _TOP) for name, counter in self.tops().items()},
        }

    def tops(self) -> dict[str, Counter[str]]:
        """Alerts by principal, secret, cause and address; a cause without ids and addresses."""
        principals, secrets, causes, addresses = (Counter[str]() for _ in range(4))
        for one in self.occurrences.values():
            principals[one.principal] += one.count
            causes[_ONE_OF_MANY.sub("*", one.cause)] += one.count
            secrets.update(one.secrets)
            addresses.update(one.addresses)
        return {
            "principals": principals,
            "secrets": secrets,
            "causes": causes,
            "addresses": addresses,
        }
