"""Collapse: the alerts of one fingerprint are one occurrence, which is what would be told."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from detect_bypass.findings import collapse
from guard.findings.finding import Finding, Severity
from guardctl.replay.judging import Judged


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
    finding: Finding | None = None

    @classmethod
    def begun(cls, judged: Judged) -> Self:
        """The occurrence that a record is the first of, before it is added."""
        row = judged.row
        when = row["event_time"] or ""
        return cls(
            row["fingerprint"],
            row["verdict"],
            row["severity"],
            judged.caller,
            row["cause"],
            when,
            when,
        )

    def add(self, judged: Judged) -> None:
        row = judged.row
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
        if judged.findings:
            told = judged.findings[0]
            self.finding = collapse([self.finding, told])[0] if self.finding else told

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


def most(counter: Counter[str], number: int) -> dict[str, int]:
    """The so many names that are counted most often."""
    return dict(counter.most_common(number))
