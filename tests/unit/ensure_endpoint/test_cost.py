"""What endpoints cost."""

from decimal import Decimal

import pytest

from ensure_endpoint.cost import (
    PRICES,
    cents,
    monthly_price,
    price_per_az_hour,
    words,
    zones_added,
)
from guard.endpoint.plan import CreateEndpoint, CreateGroup, ModifyEndpoint
from guard.settings import SettingsError, dollars

SERVICE = "com.amazonaws.eu-west-1.secretsmanager"


def test_a_plan_costs_what_its_new_azs_cost():
    steps = (
        CreateGroup("vpc-1", "g"),
        CreateEndpoint("vpc-1", SERVICE, ("subnet-1", "subnet-2"), None, "{}", ()),
        ModifyEndpoint("vpce-1", add_subnet_ids=("subnet-3",), enable_private_dns=True),
    )
    assert zones_added(steps) == 3
    assert monthly_price(3, Decimal("0.01")) == Decimal("21.90")
    assert words(1, Decimal("0.013")) == "$9.49 a month (1 AZ at $0.013 an hour) plus data"


def test_what_is_counted_is_never_below_what_is_paid():
    assert cents(Decimal("0.001")) == 1
    assert cents(Decimal("7.30")) == 730


@pytest.mark.parametrize("text", ["ten", "-1", "NaN", "Infinity", ""])
def test_an_amount_that_is_none_is_refused_at_cold_start(text):
    with pytest.raises(SettingsError, match="PRICE"):
        dollars({"PRICE": text}, "PRICE")


def test_a_region_has_its_price_and_an_unknown_one_the_cheapest():
    assert price_per_az_hour("eu-central-1") == "0.012"
    assert price_per_az_hour("xx-new-1") == price_per_az_hour("us-east-1") == "0.01"
    assert all(Decimal("0.01") < Decimal(one) < 1 for one in PRICES.values())
