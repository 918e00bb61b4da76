"""The price of an interface endpoint, by Region."""

from decimal import Decimal

from ensure_endpoint.cost import PRICES, price_per_az_hour


def test_a_region_has_its_price_and_an_unknown_one_the_cheapest():
    assert price_per_az_hour("eu-central-1") == "0.012"
    assert price_per_az_hour("xx-new-1") == price_per_az_hour("us-east-1") == "0.01"
    assert all(Decimal("0.01") < Decimal(one) < 1 for one in PRICES.values())
