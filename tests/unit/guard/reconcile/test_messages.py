"""The guard's own messages: what is written is read, also what the version before wrote."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.reconcile.batch import NOT_BEFORE, Message
from guard.reconcile.messages import (
    CARRIED,
    asked_at,
    envelope,
    from_message,
    request,
    to_message,
)
from guard.reconcile.request import Key, Request, Trigger, asking
from tests.builders import SETTINGS

NOON = datetime(2026, 5, 4, 12, 0, 1, 500_000, tzinfo=UTC)


def test_to_the_second():
    assert asked_at(json.loads(envelope(SETTINGS, NOON, {}))) == int(NOON.timestamp())


@pytest.mark.parametrize(
    "message", [{}, {"time": None}, {"time": "soon"}, {"time": 12}, {"time": "0001-01-01T00:00:00"}]
)
def test_what_cannot_be_read_was_never(message):
    assert asked_at(message) <= 0


def message(detail, **envelope):
    body = {**request(SETTINGS, NOON, detail), **envelope}
    return Message("m", body, receives=2)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.lists(TEXT, max_size=CARRIED, unique=True).map(tuple)
TRIGGERS = st.builds(
    Trigger,
    name=TEXT,
    source=st.just("m"),
    at=st.integers(0, 10**10),
    is_event=st.booleans(),
    who=TEXT,
    event_id=TEXT,
    facts=st.dictionaries(TEXT, TEXT, max_size=3),
    receives=st.just(2),
    redelivered=st.just(True),
)
REQUESTS = st.builds(
    Request,
    key=st.builds(
        Key,
        account=TEXT.filter(bool),
        region=TEXT.filter(bool),
        kind=st.just("secret"),
        id=TEXT.filter(bool),
    ),
    triggers=st.lists(TRIGGERS, min_size=1, max_size=CARRIED).map(tuple),
    reason=TEXT.filter(bool),
    attempt=st.integers(0, 20),
    throttled=st.integers(0, 40),
    not_before=st.integers(0, 2**53 - 1),
    entries=NAMES,
    notes=st.dictionaries(TEXT, NAMES.filter(bool), max_size=3),
)


@given(REQUESTS)
def test_a_request_is_read_as_it_was_written(asked):
    """But for what belongs to the message that carries it: its id, and how often it came."""
    body = json.loads(json.dumps(to_message(asked, NOON)))
    assert from_message(Message("m", body, receives=2), "secret", SETTINGS) == asked


def test_a_storm_of_triggers_is_cut_to_the_oldest_and_the_newest():
    triggers = tuple(Trigger(name=str(n), source="m") for n in range(100))
    asked = replace(asking(Key("a", "r", "vpc", "vpc-1"), "x"), triggers=triggers)
    names = [one["name"] for one in to_message(asked, NOON)["detail"]["triggers"]]
    assert names == ["0", "1", "2", "3", "4", "95", "96", "97", "98", "99"]


@given(REQUESTS, REQUESTS)
def test_merging_keeps_all_triggers_and_the_youngest_attempt(one, other):
    both = one.merged(replace(other, key=one.key))
    assert set(map(str, both.triggers)) == set(map(str, one.triggers + other.triggers))
    assert both.attempt == min(one.attempt, other.attempt)
    assert both.throttled == max(one.throttled, other.throttled)
    assert set(both.entries) == {*one.entries, *other.entries}


def test_what_the_version_before_asked_of_a_vpc_is_understood():
    old = {
        "vpcId": "vpc-1",
        "reason": "follow-up",
        "attempt": 2,
        "throttled": 1,
        "notBefore": 5,
        "removing": True,
        "reasons": ["CreateVpc", "CreateSubnet"],
        "who": ["anna"],
        "eventIds": ["e1", "e2", "e3"],
        "secrets": ["arn"],
        "intents": ["vpc-1#m0"],
        "leftOut": ["subnet-1 no room"],
    }
    read = from_message(message(old), "vpc", SETTINGS)
    assert read.key == Key(SETTINGS.account_id, SETTINGS.region, "vpc", "vpc-1")
    assert [one.name for one in read.triggers] == ["CreateVpc", "CreateSubnet", ""]
    assert [one.who for one in read.triggers] == ["anna", "", ""]
    assert [one.event_id for one in read.triggers] == ["e1", "e2", "e3"]
    assert (read.attempt, read.throttled, read.not_before) == (2, 1, 5)
    assert read.entries == ("intent#vpc-1#m0",)
    assert read.noted("withdrawing")
    assert read.noted("secrets") == ("arn",)
    assert read.noted("left_out") == ("subnet-1 no room",)


def test_what_the_version_before_asked_of_an_endpoint_is_understood():
    old = {"vpcEndpointId": "vpce-1", "reason": "sweep", "notBefore": 5, "trial": True}
    read = from_message(message(old, **{NOT_BEFORE: 7}), "endpoint", SETTINGS)
    assert (read.key.id, read.not_before, read.noted("trial")) == ("vpce-1", 7, ("true",))
    (trigger,) = read.triggers
    assert (trigger.name, trigger.at, trigger.is_event) == ("sweep", int(NOON.timestamp()), False)
