"""What the endpoints of a plan cost in a Region. Pure.

An interface endpoint is charged per AZ and hour whether or not anybody uses it (AWS PrivateLink
pricing); data comes on top and is not foreseen here.
"""

from collections.abc import Iterable
from decimal import ROUND_UP, Decimal
from typing import Any

from guard.endpoint.plan import CreateEndpoint, ModifyEndpoint

HOURS_A_MONTH = 730

# US dollars for an interface endpoint in one AZ and hour: usage type VpcEndpoint-Hours of AmazonVPC
# in the AWS Price List, as of 2026. A Region that is not here counts as the cheapest; the variable
# PRICE_PER_AZ_HOUR of ensure_endpoint says otherwise.
CHEAPEST = "0.01"
PRICES = {
    "ap-northeast-1": "0.014",
    "ap-northeast-2": "0.013",
    "ap-southeast-1": "0.013",
    "eu-central-1": "0.012",
    "eu-west-1": "0.011",
    "eu-west-2": "0.011",
}


def price_per_az_hour(region: str) -> str:
    """US dollars that AWS charges for an interface endpoint in one AZ and hour, as text."""
    return PRICES.get(region, CHEAPEST)


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
