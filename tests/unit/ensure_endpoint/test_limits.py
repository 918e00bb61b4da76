"""What a plan was allowed and did not use is given back: others may create then."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from ensure_endpoint.findings import VpcSubject
from ensure_endpoint.limits import Limits, PlanLimit
from ensure_endpoint.memory import VpcMemory, VpcRecord
from guard.endpoint.plan import CreateEndpoint, Plan, Verdict
from guard.findings.finding import Finding
from guard.reconcile.request import Key
from guard.reconcile.result import Outcome
from guard.table.budgets import Budgets
from guard.table.items import Items
from tests.builders import NOON, SERVICE, SETTINGS

NO_ROOM = Outcome(done=("a group",), refused=RuntimeError("VpcEndpointLimitExceeded"))
DIED = Outcome(failed=RuntimeError("no answer"))
DONE = Outcome(done=("an endpoint",))


@pytest.fixture
def limits(dynamodb) -> Limits:
    items = Items(dynamodb, "state", "111122223333/us-east-1")
    return Limits(
        Budgets(items),
        VpcMemory(items),
        change_budget=5,
        creations_per_hour=1,
        monthly_budget=Decimal(0),
        price_per_az_hour=Decimal("0.01"),
    )


def of(limits: Limits, vpc_id: str) -> PlanLimit:
    """The creation of an endpoint, of $7.30 a month."""
    step = CreateEndpoint(vpc_id, SERVICE, ("subnet-1",), "sg-1", "{}", ())
    plan = Plan(vpc_id, Verdict.BROKEN, (), (step,))
    subject = VpcSubject(SETTINGS, NOON, vpc_id, ())
    key = Key("111122223333", "us-east-1", "vpc", vpc_id)
    return PlanLimit(limits, plan, key, VpcRecord(), subject)


def refused(limits: Limits, vpc_id: str) -> Finding | None:
    return of(limits, vpc_id).refuse(NOON)


@pytest.mark.parametrize("outcome", [NO_ROOM, DIED], ids=["refused", "failed"])
def test_a_creation_of_the_hour_that_was_not_used_is_given_back(limits, outcome):
    assert refused(limits, "vpc-1") is None
    of(limits, "vpc-1").give_back(outcome, NOON)
    assert refused(limits, "vpc-2") is None
    assert refused(limits, "vpc-3")


def test_a_creation_that_was_made_counts_until_the_hour_is_over(limits):
    assert refused(limits, "vpc-1") is None
    of(limits, "vpc-1").give_back(DONE, NOON)
    assert refused(limits, "vpc-2")
    assert of(limits, "vpc-2").refuse(NOON + timedelta(hours=1)) is None


def test_what_the_monthly_budget_refuses_takes_nothing_from_the_hour(limits):
    found = refused(replace(limits, monthly_budget=Decimal(5)), "vpc-1")
    assert found
    assert "monthly budget" in found.title
    assert refused(replace(limits, monthly_budget=Decimal(10)), "vpc-1") is None
