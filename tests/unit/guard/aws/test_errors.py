"""Each error of AWS is one of four things; whatever nobody has listed is a refusal."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from hypothesis import example, given
from hypothesis import strategies as st

from guard.aws.errors import (
    CHANGED_MEANWHILE,
    EXPIRED,
    FAULTS,
    THROTTLES,
    at_fault,
    encoded_in,
    out_of_date,
    readable,
    refused,
    steady,
    throttled,
)

BOTOCORE_THROTTLES: list[str] = ThrottledRetryableChecker._THROTTLED_ERROR_CODES
BOTOCORE_TRANSIENT: list[str] = TransientRetryableChecker._TRANSIENT_ERROR_CODES


def error(code: str, status: int = 400, message: str = "") -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "CreateVpcEndpoint")


def kinds(one: Exception) -> set[str]:
    """What the error is, in one word or more."""
    asked = (throttled, at_fault, refused, out_of_date)
    return {question.__name__ for question in asked if question(one)}


def test_what_botocore_knows_is_known_here():
    assert set(BOTOCORE_THROTTLES) <= THROTTLES
    assert set(BOTOCORE_TRANSIENT) <= FAULTS | THROTTLES


@given(st.sampled_from(sorted(THROTTLES)), st.sampled_from([400, 429, 500, 503]))
def test_a_throttle_is_nothing_else(code: str, status: int):
    assert kinds(error(code, status)) == {"throttled"}


@given(st.sampled_from(sorted(FAULTS | EXPIRED)), st.sampled_from([400, 403, 500, 503]))
def test_a_fault_is_nothing_else(code: str, status: int):
    assert kinds(error(code, status)) == {"at_fault"}


@given(st.text(min_size=1).filter(lambda code: code not in THROTTLES | FAULTS | EXPIRED))
@example("InsufficientFreeAddressesInSubnet")
@example("InsufficientCidrBlocks")
@example("TagPolicyViolation")
@example("ConflictingDomainExists")
@example("VpcEndpointLimitExceeded")
@example("OperationNotPermitted")
@example("AuthFailure")
@example("OptInRequired")
@example("InvalidGroup.NotFound")
def test_every_other_code_is_a_refusal_unless_its_status_says_otherwise(code: str):
    for status in (0, 400, 403):  # 0: one entry of an answer that is a success as a whole
        assert kinds(error(code, status)) - {"out_of_date"} == {"refused"}
    assert kinds(error(code, 429)) == {"throttled"}
    for status in (500, 502, 503, 504):
        assert kinds(error(code, status)) == {"at_fault"}


def test_the_way_to_aws_is_no_refusal():
    url = "https://ec2.us-east-1.amazonaws.com"
    assert kinds(EndpointConnectionError(endpoint_url=url)) == {"at_fault"}
    assert kinds(ReadTimeoutError(endpoint_url=url)) == {"at_fault"}


def test_an_error_of_our_own_is_none_of_them():
    assert kinds(ValueError("ours")) == set()


@pytest.mark.parametrize(
    "code",
    ["InvalidGroup.NotFound", "InvalidVpcEndpointId.NotFound", *sorted(CHANGED_MEANWHILE)],
)
def test_what_is_not_there_or_not_as_it_was_is_to_be_read_again(code: str):
    assert kinds(error(code)) == {"refused", "out_of_date"}


@pytest.mark.parametrize("code", ["InvalidParameter", "UnauthorizedOperation", "NotFoundNot"])
def test_what_another_attempt_cannot_cure_is_not(code: str):
    assert kinds(error(code)) == {"refused"}


ENCODED = "You are not authorized. Encoded authorization failure message: " + "aB3-_" * 40


def test_the_encoded_message_is_taken_out_of_what_people_read():
    assert readable(ENCODED) == "You are not authorized."
    assert encoded_in(ENCODED) == "aB3-_" * 40
    assert (readable("No room."), encoded_in("No room.")) == ("No room.", "")


def test_one_cause_has_the_same_words_each_time():
    other = ENCODED.replace("aB3-_", "cD4-_")
    assert steady(ENCODED) == steady(other)
    first, second = (
        f"Refused (request id: {id_})"
        for id_ in ("0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f", "1a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f")
    )
    assert steady(first) == steady(second)
    assert steady("for subnet-0123456789abcdef0") != steady("for subnet-0123456789abcdef1")
