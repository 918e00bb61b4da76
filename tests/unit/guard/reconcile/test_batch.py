"""What a message carries beside its event: counters and times, which may be anybody's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.reconcile.batch import (
    BACKED_OFF,
    HOPS,
    LARGEST,
    NOT_BEFORE,
    Batch,
    Message,
    UnreadableMessage,
)
from guard.reconcile.messages import DETAIL_TYPE, SOURCE, from_message
from restore_policy.triggers import requests
from tests.builders import SETTINGS

COUNTERS = (HOPS, BACKED_OFF, NOT_BEFORE)
NO_COUNTS = ("x", "3", -5, 1.5, True, None, [], {}, float("inf"), float("nan"), 10**400)


def opened(**envelope: object) -> Batch:
    body = json.dumps({"detail": {}, **envelope})
    return Batch.open({"Records": [{"messageId": "m", "body": body}]})


@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize("value", NO_COUNTS)
def test_a_message_with_a_counter_that_is_none_is_unreadable(name, value):
    batch = opened(**{name: value})
    assert not batch.messages
    why = batch.failures["m"]
    # Infinity and NaN are no JSON: the whole body is refused before the counter is read.
    assert name in why or why.endswith("is no number of JSON")


@given(st.dictionaries(st.sampled_from(COUNTERS), st.integers(0, LARGEST)))
def test_counters_are_read_as_they_were_written(written):
    (message,) = opened(**written).messages
    read = {HOPS: message.hops, BACKED_OFF: message.backed_off, NOT_BEFORE: message.not_before}
    assert read == {name: written.get(name, 0) for name in COUNTERS}


@pytest.mark.parametrize("name", ["attempt", "throttled", "notBefore"])
@pytest.mark.parametrize("value", NO_COUNTS)
def test_a_request_with_a_number_that_is_none_is_refused(name, value):
    with pytest.raises(ValueError, match="number"):
        from_message(Message("m", {"detail": {"vpcId": "vpc-1", name: value}}), "vpc", SETTINGS)


@pytest.mark.parametrize("value", NO_COUNTS)
def test_a_policy_request_with_a_time_that_is_none_is_refused(value):
    detail = {"vpcEndpointId": "vpce-1", "notBefore": value}
    asked = {"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": detail}
    with pytest.raises(UnreadableMessage, match="notBefore"):
        requests(Message("m", asked), SETTINGS, frozenset(), sorted)
