"""What is a heartbeat, and what only resembles one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.cloudtrail.heartbeat_mark import REFUSALS, Mark, part
from guard.cloudtrail.record import Identity, Record, parse

ROLE = "arn:aws:iam::111122223333:role/vpce-guard-HeartbeatRole-1ABC"
STACK = "arn:aws:cloudformation:eu-west-1:111122223333:stack/vpce-guard/0aa11bb2-3c4d"
MARK = Mark(STACK, ROLE)
SENT = datetime(2026, 9, 14, 9, 30, 0, 250_000, UTC)
HEARTBEAT = Record(
    event_id="e",
    event_name="DescribeSecret",
    event_source="secretsmanager.amazonaws.com",
    event_time=datetime(2026, 9, 14, 9, 30, tzinfo=UTC),
    error_code="ResourceNotFoundException",
    identity=Identity(type="AssumedRole", issuer_arn=ROLE),
    request={"secretId": MARK.secret_name(SENT)},
)


def named(name: Any) -> Record:
    return replace(HEARTBEAT, request={"secretId": name})


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refused_and_marked_request_of_the_role_is_a_heartbeat(refusal: str):
    assert MARK.sent(replace(HEARTBEAT, error_code=refusal)) == SENT


@pytest.mark.parametrize(
    ("why", "record"),
    [
        ("anyone may send the name", replace(HEARTBEAT, identity=Identity(type="AssumedRole"))),
        (
            "another role",
            replace(HEARTBEAT, identity=Identity(type="AssumedRole", issuer_arn=f"{ROLE}2")),
        ),
        (
            "a user of the role's name",
            replace(HEARTBEAT, identity=Identity(type="IAMUser", arn=ROLE)),
        ),
        ("it was answered", replace(HEARTBEAT, error_code="")),
        ("another error", replace(HEARTBEAT, error_code="ThrottlingException")),
        ("it is after a value", replace(HEARTBEAT, event_name="GetSecretValue")),
        ("another name", named("prod/db")),
        ("another stack's", named(Mark(f"{STACK}9", ROLE).secret_name(SENT))),
        ("no time", named(MARK.prefix)),
        ("words for a time", named(f"{MARK.prefix}prod-database")),
        ("digits of another script", named(f"{MARK.prefix}{chr(0x661) * 13}")),
        ("a time that is too long", named(f"{MARK.secret_name(SENT)}0")),
        ("the name of a list", named([MARK.secret_name(SENT)])),
        ("no name", replace(HEARTBEAT, request={})),
        ("sent after it was recorded", named(MARK.secret_name(SENT + timedelta(hours=1)))),
    ],
)
def test_what_is_none(why: str, record: Record):
    assert MARK.sent(record) is None, why


def test_a_clock_that_runs_a_little_fast_is_forgiven():
    assert MARK.sent(named(MARK.secret_name(SENT + timedelta(minutes=4))))


def test_heartbeats_are_parted_from_the_rest_in_order():
    other = named("prod/db")
    assert part(MARK, [("a", other), ("b", HEARTBEAT), ("c", other)]) == (
        [("b", HEARTBEAT, SENT)],
        [("a", other), ("c", other)],
    )


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_no_request_breaks_it(request_parameters: dict[str, Any]):
    detail = {
        "eventName": "DescribeSecret",
        "eventSource": "secretsmanager.amazonaws.com",
        "eventTime": "2026-09-14T09:30:00Z",
        "errorCode": "ResourceNotFoundException",
        "userIdentity": {
            "type": "AssumedRole",
            "sessionContext": {"sessionIssuer": {"arn": ROLE}},
        },
        "requestParameters": request_parameters,
    }
    assert MARK.sent(parse(detail)) is None


@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001
)
def test_a_name_reports_its_time_to_the_millisecond(when: datetime):
    sent = when.replace(tzinfo=UTC)
    read = MARK.sent(
        replace(
            HEARTBEAT,
            event_time=sent.replace(microsecond=0),
            request={"secretId": MARK.secret_name(sent)},
        )
    )
    assert read is not None
    assert abs(read - sent) <= timedelta(milliseconds=1)
