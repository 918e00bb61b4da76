"""What a policy would have refused, summed up by who asked for what."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from guard.cloudtrail.record import Record
from guard.policy.evaluate import Decision, Outcome

REFUSED_CODES = ("AccessDenied", "VpceAccessDenied")


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One row: what is counted together."""

    verdict: str
    principal: str
    action: str
    secret: str
    statement: str
    needs: tuple[str, ...]


@dataclass(slots=True)
class Count:
    """How often, when, and the latest example."""

    count: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    event_id: str = ""

    def add(self, record: Record) -> None:
        when = record.event_time
        self.count += 1
        self.first_seen = min(self.first_seen or when, when)
        if self.last_seen is None or when >= self.last_seen:
            self.last_seen, self.event_id = when, record.event_id


@dataclass(slots=True)
class Tally:
    """All the requests that were evaluated, and those that were not."""

    cases: dict[Case, Count] = field(default_factory=dict[Case, Count])
    allowed: int = 0
    refused: int = 0
    unknown: int = 0
    refused_already: int = 0
    by_services: int = 0
    not_through_endpoint: int = 0
    no_requests: int = 0
    other_secrets: int = 0
    other_services: int = 0
    complaints: int = 0

    def add(self, record: Record, principal: str, secret: str, decision: Decision) -> None:
        """Count one request that AWS let pass, by what the policy would have said of it."""
        match decision.outcome:
            case Outcome.ALLOW:
                self.allowed += 1
                return
            case Outcome.DENY:
                self.refused += 1
                verdict = "refused"
            case Outcome.UNKNOWN:
                self.unknown += 1
                verdict = "unknown"
        case = Case(
            verdict,
            principal,
            f"secretsmanager:{record.event_name}",
            secret,
            decision.statement or "",
            tuple(sorted(decision.unknown)),
        )
        self.cases.setdefault(case, Count()).add(record)

    def add_group(self, one: "Tally", times: int, last: Record) -> None:
        """Add the tally of one request for a group of so many, of which this is the last."""
        for name in (each.name for each in fields(Tally) if each.name != "cases"):
            setattr(self, name, getattr(self, name) + times * getattr(one, name))
        for case, count in one.cases.items():
            known = self.cases.setdefault(case, Count())
            known.add(last)
            known.count += times - 1
            known.first_seen = min(filter(None, (known.first_seen, count.first_seen)))

    def rows(self) -> Iterator[dict[str, Any]]:
        """What was refused, then what is unknown, each the most frequent first."""
        order = sorted(self.cases.items(), key=lambda one: (one[0].verdict, -one[1].count, one[0]))
        for case, count in order:
            yield {
                "verdict": case.verdict,
                "count": count.count,
                "principal": case.principal,
                "action": case.action,
                "secret": case.secret or None,
                "statement": case.statement or None,
                "needs": list(case.needs),
                "first_seen": _iso(count.first_seen),
                "last_seen": _iso(count.last_seen),
                "example": {"event_id": count.event_id, "event_time": _iso(count.last_seen)},
            }

    def summary(self) -> dict[str, int]:
        """The counts by name."""
        return {
            "requests": self.allowed + self.refused + self.unknown,
            "allowed": self.allowed,
            "refused": self.refused,
            "unknown": self.unknown,
            "refused_already": self.refused_already,
            "made_by_aws_services": self.by_services,
            "not_through_an_endpoint": self.not_through_endpoint,
            "no_requests": self.no_requests,
            "other_secrets": self.other_secrets,
            "other_services": self.other_services,
            "unreadable_places": self.complaints,
        }


def _iso(when: datetime | None) -> str | None:
    return when.isoformat().replace("+00:00", "Z") if when else None
