"""How much the guard may change and spend before it stops and says so.

Three limits, all counted atomically in the state table: changes to one VPC in an hour, endpoints
created in an hour, and what the endpoints created in a calendar month add to the monthly bill.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ensure_endpoint import findings
from ensure_endpoint.cost import cents, monthly_price, zones_added
from ensure_endpoint.findings import VpcSubject
from ensure_endpoint.memory import VpcMemory, VpcRecord
from guard.endpoint.plan import Plan
from guard.findings.finding import Finding
from guard.reconcile.request import Key
from guard.reconcile.result import Outcome
from guard.table.state import State

CHANGES_PER_HOUR = 5
"""To one VPC: more are a fight with somebody who undoes the guard's changes."""
CREATIONS_PER_HOUR = 500
"""Half of what EC2 lets an account create in an hour: an error of the guard is not unlimited."""
HOUR = 3_600
MONTH = 31 * 86_400


@dataclass(frozen=True, slots=True)
class Limits:
    """The deployment's limits; `creations_per_hour` and `monthly_budget` are off at 0."""

    state: State
    memory: VpcMemory
    change_budget: int
    creations_per_hour: int
    monthly_budget: Decimal
    price_per_az_hour: Decimal


@dataclass(frozen=True, slots=True)
class PlanLimit:
    """One plan for one VPC, and what it takes out of the limits."""

    limits: Limits
    plan: Plan
    key: Key
    known: VpcRecord
    subject: VpcSubject

    def refuse(self, now: datetime) -> Finding | None:
        """Take the plan out of every limit; what to publish instead of acting if one is used up.

        Raises StateError, or boto3's ClientError.
        """
        limits, plan = self.limits, self.plan
        changes = limits.state.spend(self._changes, limits.change_budget, HOUR, now)
        if not changes:
            ends = changes.window_ends
            return findings.budget_spent(self.subject, plan, limits.change_budget, ends)
        if not plan.creates:
            return None
        limit = self._creation_limit(now)
        if limit:
            limits.state.give_back(self._changes, now)
            return findings.over_limit(self.subject, plan, limit, limits.price_per_az_hour)
        return None

    def give_back(self, outcome: Outcome, now: datetime) -> None:
        """Put back what the plan was allowed and did not use: AWS refused it, or it failed.

        A change counts when something was changed and AWS refused the rest: one that failed counts
        when it comes to its end. A VPC keeps its place in the month for what may still come.
        """
        limits = self.limits
        if outcome.failed or (outcome.refused and not outcome.done):
            limits.state.give_back(self._changes, now)
        if not self.plan.creates or not (outcome.failed or outcome.refused):
            return
        if limits.creations_per_hour:
            limits.state.give_back(self._creations, now)
        if outcome.refused and limits.monthly_budget and self.known.paid_month != _month(now):
            limits.state.give_back(self._spending(now), now, self._cents)
            limits.memory.note(self.key, now, paid_month=0)

    def _creation_limit(self, now: datetime) -> str:
        """The limit that the endpoint would go beyond, in words; empty if none."""
        limits, most = self.limits, self.limits.creations_per_hour
        if most and not limits.state.spend(self._creations, most, HOUR, now):
            return f"{most} endpoints were created within an hour, which is the limit"
        if not limits.monthly_budget or self.known.paid_month == _month(now):
            return ""
        budget = cents(limits.monthly_budget) - limits.memory.spent_before(_month(now), now)
        if not limits.state.spend(self._spending(now), budget, MONTH, now, self._cents):
            if most:
                limits.state.give_back(self._creations, now)
            return f"it would go beyond the monthly budget of ${limits.monthly_budget}"
        # An endpoint that is created a second time in a month replaces one, and adds nothing.
        limits.memory.note(self.key, now, paid_month=_month(now))
        return ""

    @property
    def _changes(self) -> str:
        return f"vpc#{self.key}"

    @property
    def _creations(self) -> str:
        return f"creations#{self.key.place}"

    def _spending(self, now: datetime) -> str:
        return f"month#{_month(now)}#{self.key.place}"

    @property
    def _cents(self) -> int:
        """What the plan adds to the monthly bill."""
        return cents(monthly_price(zones_added(self.plan.steps), self.limits.price_per_az_hour))


def _month(now: datetime) -> int:
    return now.year * 100 + now.month
