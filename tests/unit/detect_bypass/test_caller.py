"""What AWS was not asked, or could not have answered, is not said to be nobody's."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from detect_bypass.caller import CallerLocator
from detect_bypass.inventory import reader
from detect_bypass.judge import Inventory, judge
from guard.cloudtrail.record import parse
from guard.endpoint.observe import FILTER_VALUES
from tests.records import ACCOUNT, OTHER_ACCOUNT, SECRET, read, role

EMPTY = {
    "NetworkInterfaces": [],
    "NatGateways": [],
    "Addresses": [],
    "Reservations": [],
    "Vpcs": [],
}


def locator(**answers: Any) -> CallerLocator:
    """One that asks an account which has nothing but the `answers`."""
    body = {**EMPTY, **answers}
    pages = SimpleNamespace(paginate=lambda **_: [body])
    ec2 = SimpleNamespace(
        get_paginator=lambda _: pages,
        can_paginate=lambda name: name != "describe_addresses",
        describe_addresses=lambda: body,
    )
    nothing = cast(Any, None)
    return CallerLocator(cast(Any, ec2), nothing, nothing, nothing, "arn:aws:lambda:")


@pytest.mark.parametrize("kind", ["PublicIp", "CarrierIp", "CustomerOwnedIp"])
def test_an_address_of_any_kind_that_the_account_has_is_no_strangers(kind: str):
    record = parse(read(sourceIPAddress="203.0.113.9"))
    found = locator(Addresses=[{"AllocationId": "eipalloc-0", kind: "203.0.113.9"}])
    assert found.locations([record])["203.0.113.9"].via.startswith("The Elastic IP address")
    assert found.strangers([record]) == frozenset()
    assert locator().locations([record]) == {}


@pytest.mark.parametrize(
    ("state", "ours"), [("associated", True), ("disassociating", True), ("disassociated", False)]
)
def test_a_range_that_was_given_back_is_no_longer_ours(state: str, ours: bool):
    record = parse(read(sourceIPAddress="2001:db8::7"))
    block = {"Ipv6CidrBlock": "2001:db8::/56", "Ipv6CidrBlockState": {"State": state}}
    found = locator(Vpcs=[{"VpcId": "vpc-0a", "Ipv6CidrBlockAssociationSet": [block]}])
    found.observer = cast(Any, SimpleNamespace(vpcs=lambda _: {}))
    assert bool(found.locations([record])) is ours
    assert bool(found.strangers([record])) is not ours


def test_an_address_that_nothing_has_is_a_strangers():
    record = parse(read(sourceIPAddress="203.0.113.9"))
    found = locator()
    found.locations([record])
    assert found.strangers([record]) == {"203.0.113.9"}
    assert found.blind == ""


def test_an_address_that_nobody_asked_about_is_not_known():
    records = [
        parse(read(sourceIPAddress=f"198.18.{n // 250}.{n % 250 + 1}", userIdentity=role()))
        for n in range(FILTER_VALUES + 1)
    ]
    found = locator()
    found.locations(records)
    strangers = found.strangers(records)
    assert len(strangers) == FILTER_VALUES
    (left,) = (one for one in records if one.source_ip not in strangers)
    known = Inventory(strangers=strangers, blind=found.blind)
    assert "is not known: too many callers at once" in judge(left, known).cause


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (SECRET, "prod/db-AbCdEf", False),
        (SECRET.removesuffix("-AbCdEf"), "prod/db", True),
        (SECRET.replace(ACCOUNT, OTHER_ACCOUNT), SECRET, False),
        (SECRET, SECRET, True),
    ],
)
def test_what_was_read_before_is_not_taken_for_another_secret(one: str, other: str, same: bool):
    keys = {reader(parse(read(requestParameters={"secretId": name}))) for name in (one, other)}
    assert len(keys) == 2 - same
