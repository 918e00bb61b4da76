"""EC2's answers, as far as they may leave something out."""

from datetime import UTC, datetime

from guard.endpoint.answers import endpoint_of

ANSWER = {"VpcEndpointId": "vpce-1", "VpcEndpointType": "Interface", "State": "Available"}


def test_an_endpoint_without_a_time_is_an_old_one():
    assert endpoint_of(ANSWER).created == datetime(1970, 1, 1, tzinfo=UTC)


def test_an_endpoint_has_the_time_of_its_creation():
    when = datetime(2026, 11, 30, tzinfo=UTC)
    assert endpoint_of({**ANSWER, "CreationTimestamp": when}).created == when
