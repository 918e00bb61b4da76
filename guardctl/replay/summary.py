"""Sum up: what would be one finding as one occurrence, and what all the files came to."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from guard.finding import Severity
from guardctl.replay.judging import Judged

FOUND, BAD_INPUT = 1, 2
_TOP = 5


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
            "actions": most(self.actions, 20),
            "secrets": most(self.secrets, 20),
            "addresses": most(self.addresses, 20),
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
            "top_principals": most(by_principal, _TOP),
            "top_secrets": most(by_secret, _TOP),
            "top_addresses": most(by_address, _TOP),
        }


def most(counter: Counter[str], number: int) -> dict[str, int]:
    return dict(counter.most_common(number))
