"""One VPC's plan, as a row for people and machines."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ensure_endpoint.cost import monthly_price, zones_added
from guard.endpoint.plan import Plan, Verdict
from guard.endpoint.state import Vpc
from sweep.unhealthy import HEALTHY


@dataclass(frozen=True, slots=True)
class Row:
    """One VPC's plan. `monthly_price_usd` is what the interfaces would cost that the plan adds."""

    account: str
    region: str
    vpc_id: str
    name: str
    verdict: Verdict
    healthy: bool
    reasons: Sequence[str]
    steps: Sequence[str]
    notes: Sequence[str]
    endpoint_id: str
    azs_added: int
    monthly_price_usd: float


def row_of(vpc: Vpc, plan: Plan, account: str, region: str, price: Decimal) -> Row:
    """The row of a VPC with its plan; `price` is for an endpoint per AZ and hour."""
    zones = zones_added(plan.steps)
    return Row(
        account=account,
        region=region,
        vpc_id=vpc.id,
        name=vpc.tags.get("Name", ""),
        verdict=plan.verdict,
        healthy=plan.verdict in HEALTHY,
        reasons=plan.reasons,
        steps=[str(step) for step in plan.steps],
        notes=plan.notes,
        endpoint_id=plan.endpoint_id,
        azs_added=zones,
        monthly_price_usd=float(monthly_price(zones, price)),
    )
