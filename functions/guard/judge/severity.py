"""How much a judged request matters. Pure."""

from enum import StrEnum

from guard.finding import Severity
from guard.judge.case import Case, Verdict
from guard.judge.predicates import WEIGHTS
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
            return _weighed(Severity.HIGH.rank, case)
        case Verdict.BYPASS:
            return _weighed(_RANKS[reach(case.record)], case)


def _weighed(rank: int, case: Case) -> Severity:
    """From what it is after, up and down by what is known of the caller and the outcome."""
    rank += sum(weight for predicate, weight in WEIGHTS if predicate(case))
    return list(Severity)[max(Severity.LOW.rank, min(Severity.HIGH.rank, rank))]


_RANKS = {Reach.VALUE: 3, Reach.CHANGE: 2, Reach.LOOK: 1}


_WITH_VALUE = frozenset(
    {"GetSecretValue", "BatchGetSecretValue", "PutSecretValue", "CreateSecret", "UpdateSecret"}
)
_READS = ("Describe", "List", "Get", "Validate")


def reach(record: Record) -> Reach:
    """What a request is after. An operation not known here counts as a change unless it reads."""
    if record.event_name in _WITH_VALUE:
        return Reach.VALUE
    return Reach.LOOK if record.event_name.startswith(_READS) else Reach.CHANGE
