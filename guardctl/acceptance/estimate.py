"""What a run costs and how long it takes, from the stack's own parameters. Pure."""

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from math import ceil

WAITS = 5  # for the guard, of at most the patience each: create, open, read, delete, rotate
USUAL_WAIT = 5  # minutes from a call to the guard's answer: CloudTrail's delivery, mostly
OTHER_WAITS = 20  # minutes at most for IAM, Lambda and EC2 to know what was just made
USUAL_CLEAN_UP, LONGEST_CLEAN_UP = 25, 60  # Lambda takes its network interfaces back by then
ENDPOINTS = 3  # in the first VPC, there again after its deletion, in the second
ZONES = 2
OTHER = Decimal("0.01")  # a secret for hours, some hundred requests


@dataclass(frozen=True, slots=True)
class Estimate:
    """Minutes and US dollars; AWS charges for each hour of an endpoint that has started."""

    usual_minutes: int
    longest_minutes: int
    usual_dollars: Decimal
    most_dollars: Decimal


def estimate(grace: float, patience: float, price_per_az_hour: Decimal) -> Estimate:
    """`grace` and `patience` in minutes."""
    usual = ceil(grace + WAITS * USUAL_WAIT + USUAL_CLEAN_UP)
    longest = ceil(grace + WAITS * patience + OTHER_WAITS + LONGEST_CLEAN_UP)
    return Estimate(
        usual, longest, _dollars(usual, price_per_az_hour), _dollars(longest, price_per_az_hour)
    )


def _dollars(minutes: int, price: Decimal) -> Decimal:
    hours = ceil(minutes / 60)
    total = ENDPOINTS * ZONES * hours * price + OTHER
    return total.quantize(Decimal("0.01"), ROUND_UP)
