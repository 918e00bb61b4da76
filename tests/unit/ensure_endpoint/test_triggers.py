"""Which VPCs an event affects, and what its trigger carries."""

from dataclasses import replace
from typing import Any

import pytest

from ensure_endpoint.triggers import (
    BUILT,
    DNS_UNCHANGED,
    TORN_DOWN,
    USED,
    Affected,
    affected,
    dns_unchanged,
    latest,
    tear_down,
)
from ensure_endpoint.withdrawal.decide import TearDown
from guard.cloudtrail.record import from_envelope
from guard.reconcile.request import Key, Request, Trigger
from tests.template.stack import sample

SERVICE = "com.amazonaws.eu-west-1.secretsmanager"
KEY = Key("111122223333", "eu-west-1", "vpc", "vpc-1")


def read(name: str) -> Affected:
    return affected(from_envelope(sample(name)), SERVICE)


def test_a_deletion_that_something_blocks_is_a_tear_down():
    one = read("tear-down.delete-vpc-in-use")
    assert (one.facts[TORN_DOWN], one.ids) == ("vpc", {"vpc-0a1b2c3d4e5f60718"})
    other = read("tear-down.delete-subnet-in-use")
    assert (other.facts[TORN_DOWN], other.ids) == (
        "subnet-0b0b0b0b0b0b0b0b2",
        {"subnet-0b0b0b0b0b0b0b0b2"},
    )


def test_a_deletion_that_was_denied_is_none():
    one = read("none.delete-subnet-denied")
    assert TORN_DOWN not in one.facts
    assert one.ids == frozenset()
    assert not one.all_vpcs


def request(*triggers: Trigger, **more: Any) -> Request:
    return Request(key=KEY, triggers=triggers, **more)


def event(at: float, **facts: str) -> Trigger:
    return Trigger(name="event", source="m", at=at, facts=facts)


def test_the_latest_event_with_a_fact_counts_and_none_that_lies_ahead():
    asked = request(event(10, built="true"), event(30, used="true"), event(20, built="true"))
    assert (latest(asked, BUILT, 100), latest(asked, USED, 100)) == (20, 30)
    assert latest(asked, USED, 25.5) == 25
    assert latest(request(event(10)), BUILT, 100) == 0


@pytest.mark.parametrize(
    ("facts", "unchanged"),
    [([{DNS_UNCHANGED: "true"}], True), ([{DNS_UNCHANGED: "true"}, {}], False), ([{}], False)],
)
def test_dns_attributes_are_asked_where_anything_may_have_changed_them(facts, unchanged):
    assert dns_unchanged(request(*(event(1, **some) for some in facts))) is unchanged


def test_a_tear_down_is_what_its_attempts_say_together():
    attempts = (event(10, torn_down="subnet-1,subnet-2"), event(20, torn_down="vpc"))
    found = TearDown(
        at=20, subnet_ids=frozenset({"subnet-1", "subnet-2"}), whole_vpc=True, alone=True
    )
    assert tear_down(request(*attempts), 100) == found
    assert tear_down(request(*attempts, event(30)), 100) == replace(found, alone=False)
    assert tear_down(request(*attempts), 15).at == 15
    withdrawing = request(event(30), notes={"withdrawing": ("true",)})
    assert tear_down(withdrawing, 100) == TearDown(withdrawing=True)
