"""From the answers of the predicates to a judgement, and to an explanation of it. Pure."""

from collections.abc import Mapping, Sequence

from guard.exceptions import Exemption
from guard.judge.cause import cause_of, todo_of
from guard.judge.predicates import PREDICATES, RULES
from guard.judge.severity import severity_of
from guard.judge.terms import Case, Inventory, Judgement, Verdict
from guard.record import Record


def judge(record: Record, inventory: Inventory, exceptions: Sequence[Exemption] = ()) -> Judgement:
    """Judge a record of Secrets Manager. Total: it never raises, every record gets a verdict."""
    case = Case(record, inventory, exceptions)
    answers = {predicate.__name__: predicate(case) for predicate in PREDICATES}
    verdict = _verdict(answers)
    covering = case.covering
    valid = [exemption for exemption in covering if exemption.valid_at(record.event_time)]
    used = valid[0] if verdict is Verdict.EXEMPT and not answers["is_the_guard"] else None
    cause = f"{used.reason} ({used.owner})" if used else cause_of(verdict, case)
    expired = tuple(one.name for one in covering if one not in valid) if verdict.alerts else ()
    if expired:
        cause += f" An exception for this has expired: {', '.join(expired)}."
    return Judgement(
        verdict=verdict,
        alert=verdict.alerts,
        severity=severity_of(verdict, record),
        cause=cause,
        todo=todo_of(verdict, case),
        predicates=tuple(answers.items()),
        exemption=used.name if used else "",
        expired=expired,
    )


def _verdict(answers: Mapping[str, bool]) -> Verdict:
    if answers["was_refused_by_endpoint"]:
        return Verdict.EXEMPT if answers["is_excepted"] else Verdict.ENDPOINT_DENIED
    for predicate, verdict in RULES:
        if answers[predicate.__name__]:
            return verdict
    return Verdict.BYPASS
