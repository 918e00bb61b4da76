"""The judgement itself: every rule's answer, and what follows from them. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from detect_bypass.judge.case import Case, Inventory, Verdict
from detect_bypass.judge.cause import cause_of, reason_of, todo_of
from detect_bypass.judge.exceptions import Exemption
from detect_bypass.judge.predicates import (
    PERSON_SIGNALS,
    SERVICE_SIGNALS,
    came_through_approved_account,
    came_through_known_endpoint,
    came_through_other_account,
    came_through_own_account,
    came_through_unknown_endpoint,
    cannot_be_judged,
    has_service_linked_role,
    is_excepted,
    is_in_console,
    is_on_owners_behalf,
    is_service_linked,
    is_the_guard,
    was_refused_by_endpoint,
)
from detect_bypass.judge.severity import SEVERITY_RULES, severity_of
from guard.cloudtrail.record import Record
from guard.findings.finding import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What became of one record, and why.

    `cause` is one sentence; `todo` what a person should do, empty where there is no alert;
    `predicates` every rule's name and answer. `exemption` names the exception that was used, and
    `expired` those that would have covered the record had they not expired. `vpc_id` is the own VPC
    it came out of, where that is known, and `broken` says that its endpoint needs repair. `reason`
    is the kind of the cause in a few words: two requests with one reason have the same trouble.
    `roams` says that the caller is a function known to be in no VPC, whose address is any.
    """

    verdict: Verdict
    alert: bool
    severity: Severity
    cause: str
    reason: str = ""
    todo: tuple[str, ...] = ()
    predicates: tuple[tuple[str, bool], ...] = ()
    exemption: str = ""
    expired: tuple[str, ...] = ()
    vpc_id: str = ""
    broken: bool = False
    roams: bool = False


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
        severity=severity_of(verdict, case),
        cause=cause,
        reason=reason_of(verdict, case),
        todo=todo_of(verdict, case),
        predicates=tuple(answers.items()),
        exemption=used.name if used else "",
        expired=expired,
        vpc_id=case.vpc,
        broken=bool(case.location and case.location.broken),
        roams=case.roams,
    )


def _verdict(answers: Mapping[str, bool]) -> Verdict:
    if answers["was_refused_by_endpoint"]:
        return Verdict.EXEMPT if answers["is_excepted"] else Verdict.ENDPOINT_DENIED
    for predicate, verdict in RULES:
        if answers[predicate.__name__]:
            return verdict
    return Verdict.BYPASS


RULES: tuple[tuple[Callable[[Case], bool], Verdict], ...] = (
    (came_through_known_endpoint, Verdict.APPROVED),
    (came_through_own_account, Verdict.APPROVED),
    (came_through_approved_account, Verdict.APPROVED),
    (cannot_be_judged, Verdict.UNREADABLE),
    (is_service_linked, Verdict.SERVICE),
    (is_on_owners_behalf, Verdict.SERVICE),
    (is_the_guard, Verdict.EXEMPT),
    (is_excepted, Verdict.EXEMPT),
    # The console itself comes through endpoints that AWS owns, and AWS does not name their account.
    (came_through_other_account, Verdict.FOREIGN_ENDPOINT),
    (is_in_console, Verdict.CONSOLE),
    (came_through_unknown_endpoint, Verdict.FOREIGN_ENDPOINT),
)
PREDICATES: tuple[Callable[[Case], bool], ...] = (
    was_refused_by_endpoint,
    *(predicate for predicate, _ in RULES),
    *SERVICE_SIGNALS,
    has_service_linked_role,
    *PERSON_SIGNALS,
    *SEVERITY_RULES,
)
