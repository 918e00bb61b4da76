"""How much the guard may change and spend before it stops and says so.

Three limits, all counted atomically in the state table: changes to one VPC in an hour, endpoints
made in an hour, and what the endpoints made in a calendar month add to the monthly bill.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ensure_endpoint import findings as findings_of
from ensure_endpoint.act import Outcome
from ensure_endpoint.cost import cents, monthly_price, zones_added
from ensure_endpoint.findings import About
from guard.endpoint.decide import Plan
from guard.findings.finding import Finding
from guard.table.memory import Memory, Remembered
from guard.table.state import State

HOUR = 3_600
MONTH = 31 * 86_400
CREATIONS = "creations"
CREATIONS_PER_HOUR = 500
"""Half of what EC2 lets an account create in an hour: an error of the guard is not unlimited."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The template's limits; `creations_per_hour` and `monthly_budget` are off at 0."""

    state: State
    memory: Memory
    change_budget: int
    creations_per_hour: int
    monthly_budget: Decimal
    price_per_az_hour: Decimal

    def refuse(
        self, plan: Plan, remembered: Remembered, about: About, now: datetime
    ) -> Finding | None:
        """Take the plan out of every limit; what to tell instead of acting if one is used up.

        Raises StateError, or boto3's ClientError.
        """
        changes = self.state.spend(_changes(plan), self.change_budget, HOUR, now)
        if not changes:
            return findings_of.budget_spent(about, plan, self.change_budget, changes.window_ends)
        if not plan.creates:
            return None
        limit = self._creation_limit(plan, remembered, now)
        if limit:
            self.state.give_back(_changes(plan), now)
            return findings_of.over_limit(about, plan, limit, self.price_per_az_hour)
        return None

    def give_back(
        self, plan: Plan, outcome: Outcome, remembered: Remembered, now: datetime
    ) -> None:
        """Put back what the plan was allowed and did not use: AWS refused it, or it failed.

        A change counts when something was changed and AWS refused the rest: one that failed counts
        when it comes to its end. A VPC keeps its place in the month for what may still come.
        """
        if outcome.failed or (outcome.refused and not outcome.done):
            self.state.give_back(_changes(plan), now)
        if not plan.creates or not (outcome.failed or outcome.refused):
            return
        if self.creations_per_hour:
            self.state.give_back(CREATIONS, now)
        if outcome.refused and self.monthly_budget and remembered.paid_month != _month(now):
            self.state.give_back(*self._share(plan, now))
            self.memory.note(plan.vpc_id, now, paid_month=0)

    def _creation_limit(self, plan: Plan, remembered: Remembered, now: datetime) -> str:
        """The limit that the endpoint would go beyond, in words; empty if none."""
        most = self.creations_per_hour
        if most and not self.state.spend(CREATIONS, most, HOUR, now):
            return f"{most} endpoints have been made within an hour, which is the limit"
        if not self.monthly_budget or remembered.paid_month == _month(now):
            return ""
        key, _, share = self._share(plan, now)
        if not self.state.spend(key, cents(self.monthly_budget), MONTH, now, share):
            if most:
                self.state.give_back(CREATIONS, now)
            return f"it would go beyond the monthly budget of ${self.monthly_budget}"
        # An endpoint that is made a second time in a month replaces one, and adds nothing.
        self.memory.note(plan.vpc_id, now, paid_month=_month(now))
        return ""

    def _share(self, plan: Plan, now: datetime) -> tuple[str, datetime, int]:
        """The month's budget, now, and the cents that the plan adds to it."""
        price = monthly_price(zones_added(plan.steps), self.price_per_az_hour)
        return f"month#{_month(now)}", now, cents(price)


def _changes(plan: Plan) -> str:
    return f"vpc#{plan.vpc_id}"


def _month(now: datetime) -> int:
    return now.year * 100 + now.month
