"""How much a judged request matters. Pure."""

from enum import StrEnum

from guard.finding import Severity
from guard.judge.case import Case, Verdict
from guard.record import Record


class Reach(StrEnum):
    """What a request is after, as far as its severity goes."""

    VALUE = "value"  # a secret's value travels, in either direction
    CHANGE = "change"
    LOOK = "look"


def severity_of(verdict: Verdict, case: Case) -> Severity:
    """How much it matters: by the way, what the request was after, its outcome and the caller."""
    match verdict:
        case Verdict.APPROVED | Verdict.SERVICE | Verdict.EXEMPT:
            return Severity.INFO
        case Verdict.CONSOLE | Verdict.UNREADABLE:
            return Severity.LOW
        case Verdict.ENDPOINT_DENIED:
            return Severity.MEDIUM
        case Verdict.FOREIGN_ENDPOINT:
            return Severity.MEDIUM if case.record.failed else Severity.HIGH
        case Verdict.BYPASS:
            return _bypass_severity(case)


def _bypass_severity(case: Case) -> Severity:
    """A workload of an own VPC that reads what it always reads is most likely misconfigured."""
    record = case.record
    rank = {Reach.VALUE: 3, Reach.CHANGE: 2, Reach.LOOK: 1}[reach(record)]
    rank += record.identity.type == "Root"
    rank -= record.failed
    rank -= bool(case.vpc) and case.read_before
    return list(Severity)[max(1, min(3, rank))]


_WITH_VALUE = frozenset(
    {"GetSecretValue", "BatchGetSecretValue", "PutSecretValue", "CreateSecret", "UpdateSecret"}
)
_READS = ("Describe", "List", "Get", "Validate")


def reach(record: Record) -> Reach:
    """What a request is after. An operation not known here counts as a change unless it reads."""
    if record.event_name in _WITH_VALUE:
        return Reach.VALUE
    return Reach.LOOK if record.event_name.startswith(_READS) else Reach.CHANGE
