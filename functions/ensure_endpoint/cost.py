"""What the endpoints of a plan cost, by the price the template was given. Pure.

An interface endpoint is charged per AZ and hour whether or not anybody uses it (AWS PrivateLink
pricing); data comes on top and is not foreseen here.
"""

from collections.abc import Iterable
from decimal import ROUND_UP, Decimal
from typing import Any

from guard.endpoint.plan import CreateEndpoint, ModifyEndpoint

HOURS_A_MONTH = 730


def zones_added(steps: Iterable[Any]) -> int:
    """How many AZs the steps begin to be charged for."""
    return sum(
        len(step.subnet_ids if isinstance(step, CreateEndpoint) else step.add_subnet_ids)
        for step in steps
        if isinstance(step, CreateEndpoint | ModifyEndpoint)
    )


def monthly_price(zones: int, price_per_az_hour: Decimal) -> Decimal:
    """US dollars a month for an endpoint's interfaces in that many AZs, to the cent."""
    return (zones * price_per_az_hour * HOURS_A_MONTH).quantize(Decimal("0.01"))


def cents(dollars: Decimal) -> int:
    """Whole cents, rounded up: what is counted must not come out below what is paid."""
    return int((dollars * 100).to_integral_value(ROUND_UP))


def words(zones: int, price_per_az_hour: Decimal) -> str:
    """The price as findings say it."""
    price = monthly_price(zones, price_per_az_hour)
    az = "AZ" if zones == 1 else "AZs"
    return f"${price} a month ({zones} {az} at ${price_per_az_hour} an hour) plus data"
