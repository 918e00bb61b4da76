"""How much a request matters. Pure."""

from guard.finding import Severity
from guard.judge.fields import reach
from guard.judge.terms import Reach, Verdict
from guard.record import Record


def severity_of(verdict: Verdict, record: Record) -> Severity:
    """How much it matters: by the way, what the request was after, its outcome and the caller."""
    match verdict:
        case Verdict.APPROVED | Verdict.SERVICE | Verdict.EXEMPT:
            return Severity.INFO
        case Verdict.CONSOLE | Verdict.UNREADABLE:
            return Severity.LOW
        case Verdict.ENDPOINT_DENIED:
            return Severity.MEDIUM
        case Verdict.FOREIGN_ENDPOINT:
            return Severity.MEDIUM if record.failed else Severity.HIGH
        case Verdict.BYPASS:
            return _bypass_severity(record)


def _bypass_severity(record: Record) -> Severity:
    rank = {Reach.VALUE: 3, Reach.CHANGE: 2, Reach.LOOK: 1}[reach(record)]
    rank += record.identity.type == "Root"
    rank -= record.failed
    return list(Severity)[max(1, min(3, rank))]
