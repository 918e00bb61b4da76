"""What follows from the verdict on a VPC in which nothing is changed now, or in doubt. Pure."""

from datetime import timedelta

from ensure_endpoint import findings
from ensure_endpoint.case import Case
from ensure_endpoint.findings import VpcSubject
from ensure_endpoint.withdrawal.findings import left_without
from guard.endpoint.plan import Plan, Verdict
from guard.findings.finding import DAY, Finding, Kind, Severity
from guard.findings.subject import Subject
from guard.reconcile.attempt import MOST_ATTEMPTS
from guard.reconcile.result import Result

FOLLOW_UP = timedelta(minutes=1)
YIELDED = "yielded"  # a note: the endpoint of theirs for which ours was deleted


def report_verdict(plan: Plan, case: Case) -> Result:
    """The finding, if any, and another attempt where AWS is still at work."""
    subject = case.subject
    match plan.verdict:
        case Verdict.NOT_REPAIRABLE:
            finding = findings.not_repairable(subject, plan)
            return Result(findings=(finding,), metrics={"VpcsNotRepairable": 1})
        case Verdict.SETTLING if case.request.attempt >= MOST_ATTEMPTS:
            finding = findings.still_settling(subject, plan, MOST_ATTEMPTS)
            return Result(findings=(finding,))
        case Verdict.SETTLING:
            return Result(requeue_after=FOLLOW_UP)
        case Verdict.WORKS | Verdict.COVERED:
            return Result(metrics={"VpcsHealthy": 1})
        case Verdict.DEGRADED:
            managed = {one.id for one in case.vpc.endpoints if one.requester_managed}
            finding = findings.degraded(subject, plan, once=plan.endpoint_id in managed)
            return Result(findings=(finding,), metrics={"VpcsHealthy": 1})
        case Verdict.EXEMPT if theirs := case.request.noted(YIELDED):
            return Result(findings=(left_without(subject, plan, theirs),))
        case _:
            return Result()


def hub_unread(about: VpcSubject, why: str) -> Finding:
    """AWS refuses to say whether a hub serves VPCs. One finding a day for all of them."""
    account = Subject(about.settings, about.now, f"account {about.settings.account_id}", {})
    return account.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.MEDIUM,
        title="The guard may not read whether a hub serves VPCs",
        cause=f"{why}. A VPC without an endpoint of its own is taken for one that no hub serves.",
        todo=(
            "allow the guard's role what AWS refuses: check for an SCP or permissions boundary",
            f"tag a VPC that a hub serves {about.settings.opt_out_tag}, or it gets an endpoint",
        ),
        window=DAY,
        identity=(why,),
        vpc_ids=[about.vpc_id],
    )
