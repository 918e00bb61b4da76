"""Which records are one call, and what an addendum changes about it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect_bypass.judge import Inventory, judge
from detect_bypass.records import ids_of, once
from guard.cloudtrail.record import Record, parse
from tests.records import ACCOUNT, OTHER_ACCOUNT, OWN_ENDPOINT, READ, changed, read, role

KNOWN = Inventory(accounts=frozenset({ACCOUNT}), own_endpoints=frozenset({OWN_ENDPOINT}))
FIRST = READ["eventID"]


def addendum(fields: str, **brought: Any) -> dict[str, Any]:
    """An addendum to READ that says which fields it brings, and repeats the others."""
    return changed(
        READ,
        eventID="an-addendum",
        addendum={
            "reason": "UPDATED_DATA",
            "updatedFields": fields,
            "originalRequestID": READ["requestID"],
            "originalEventID": FIRST,
        },
        **brought,
    )


def bare(fields: str, **brought: Any) -> dict[str, Any]:
    """The same without the fields that it does not bring."""
    kept = ("eventID", "eventTime", "eventSource", "eventName", "addendum", *brought)
    return {name: value for name, value in addendum(fields, **brought).items() if name in kept}


def records(*some: dict[str, Any]) -> list[Record]:
    return [call.record for call in once([parse(one) for one in some])]


def test_what_comes_twice_or_in_two_accounts_is_one_call():
    shared = read(eventID="a", sharedEventID="s")
    twin = read(eventID="b", sharedEventID="s", recipientAccountId=OTHER_ACCOUNT)
    calls = once([parse(one) for one in (READ, shared, READ, twin)])
    assert [(call.record.event_id, call.numbers) for call in calls] == [(FIRST, (0,)), ("a", (1,))]


@pytest.mark.parametrize("make", [addendum, bare])
@pytest.mark.parametrize("order", [1, -1])
def test_an_addendum_is_merged_with_the_record_that_it_amends(make: Any, order: int):
    pair = [READ, make("vpcEndpointId,sourceIPAddress", vpcEndpointId=OWN_ENDPOINT)]
    (call,) = once([parse(one) for one in pair[::order]])
    assert (call.record.event_id, call.record.vpc_endpoint_id) == (FIRST, OWN_ENDPOINT)
    assert call.record.identity == parse(READ).identity
    assert call.numbers == (0, 1)
    assert judge(call.record, KNOWN).verdict == "approved"
    assert judge(parse(READ), KNOWN).verdict == "bypass"


def test_what_an_addendum_names_is_taken_from_it_even_where_it_is_empty():
    refused = changed(READ, errorCode="AccessDenied", errorMessage="no")
    (amended,) = records(refused, addendum("errorCode, errorMessage"))
    assert (amended.error_code, amended.error_message) == ("", "")
    (left,) = records(refused, addendum("userAgent", userAgent="aws-cli/2"))
    assert (left.error_code, left.user_agent) == ("AccessDenied", "aws-cli/2")


def test_a_field_that_could_not_be_read_is_good_once_an_addendum_brings_it():
    strange = changed(READ, sourceIPAddress=["198.51.100.7"])
    assert judge(parse(strange), KNOWN).verdict == "unreadable"
    (amended,) = records(strange, addendum("sourceIPAddress"))
    assert judge(amended, KNOWN).verdict == "bypass"


def test_an_identity_that_an_addendum_brings_counts():
    (amended,) = records(
        changed(READ, userIdentity=None), addendum("userIdentity", userIdentity=role("app"))
    )
    assert amended.identity.issuer_arn.endswith("role/app")


def test_several_addenda_are_merged_in_their_order():
    (amended,) = records(
        READ,
        changed(addendum("userAgent", userAgent="one"), eventID="x"),
        changed(addendum("userAgent", userAgent="two"), eventID="y"),
    )
    assert amended.user_agent == "two"


def test_an_addendum_alone_is_judged_under_the_id_that_it_amends():
    (alone,) = records(addendum("userAgent"))
    assert (alone.event_id, alone.amends) == (FIRST, "")
    assert judge(alone, KNOWN).verdict == "bypass"


def test_a_delayed_event_amends_nothing():
    late = changed(READ, eventID="late", addendum={"reason": "DELIVERY_DELAY"})
    assert [one.event_id for one in records(READ, late)] == [FIRST, "late"]


@pytest.mark.parametrize("value", [None, "", "text", 7, [], {"originalEventID": ["x"]}])
def test_an_addendum_of_another_shape_is_no_addendum(value: Any):
    assert parse(changed(READ, addendum=value)).amends == ""


@given(st.lists(st.tuples(*[st.sampled_from(["", "a", "b", "c"])] * 3), max_size=8))
def test_no_record_is_lost_and_no_number_comes_twice(ids: list[tuple[str, str, str]]):
    some = [
        parse(read(eventID=own, sharedEventID=shared, addendum={"originalEventID": amends}))
        for own, shared, amends in ids
    ]
    calls = once(some)
    numbers = [number for call in calls for number in call.numbers]
    assert len(numbers) == len(set(numbers)) <= len(some)
    assert len(calls) <= len(some)
    assert bool(calls) == bool(some)
    for record in some:  # each is in a call: its own, or that of a record it is connected with
        known = connected(record, some)
        assert not known or any(
            known & ids_of(some[number]) for call in calls for number in call.numbers
        )


def connected(record: Record, some: list[Record]) -> set[tuple[str, ...]]:
    """The ids of the record and of every record that it has an id in common with, and so on."""
    known = ids_of(record)
    for _ in some:
        known = known.union(*(ids for one in some if (ids := ids_of(one)) & known))
    return known
