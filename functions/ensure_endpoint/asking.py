"""What is asked before an endpoint is created that would cut callers off. Pure."""

from decimal import Decimal

from ensure_endpoint.cost import words, zones_added
from ensure_endpoint.findings import VpcSubject
from guard.approved.refusals import CONSENT
from guard.endpoint.plan import Plan
from guard.findings.finding import DAY, Finding, Kind, Severity
from guard.findings.subject import sentence


def asks(about: VpcSubject, plan: Plan, price_per_az_hour: Decimal) -> Finding:
    """The endpoint would cut callers off: nothing is created before somebody agrees."""
    return about.finding(
        Kind.ENDPOINT_NOT_REPAIRABLE,
        Severity.HIGH,
        title=f"No endpoint was created for {about.vpc_id}: its policy would refuse callers",
        cause=" ".join((sentence(plan.reasons), *about.refused)),
        todo=(
            "widen the approved policy, and deploy it",
            CONSENT,
            f"or tag the VPC {about.settings.opt_out_tag} if it needs no endpoint",
            *(f"the guard would {step}" for step in plan.steps),
            f"It costs {words(zones_added(plan.steps), price_per_az_hour)}.",
            *about.refuses.lacking,
        ),
        plan=plan,
        window=DAY,
        identity=("asks", *about.refuses.who),
    )
