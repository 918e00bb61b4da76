"""A DeleteVpcEndpoints that EC2 refused bears no error code: what it lists says that it failed."""

from typing import Any

import pytest

from guard.cloudtrail.record import parse
from guard.cloudtrail.resource_ids import deleted_nothing
from tests.records import read

ONE = {"tag": 1, "content": "vpce-0aaaaaaaaaaaaaaa1"}
TWO = {"tag": 2, "content": "vpce-0aaaaaaaaaaaaaaa2"}


def deletion(asked: Any, unsuccessful: Any) -> dict[str, Any]:
    return read(
        eventSource="ec2.amazonaws.com",
        eventName="DeleteVpcEndpoints",
        requestParameters={"DeleteVpcEndpointsRequest": {"VpcEndpointId": asked}},
        responseElements={"DeleteVpcEndpointsResponse": {"unsuccessful": unsuccessful}},
    )


def refused(endpoint: dict[str, Any]) -> dict[str, Any]:
    return {"resourceId": endpoint["content"], "error": {"code": "OperationNotPermitted"}}


@pytest.mark.parametrize(
    ("asked", "unsuccessful", "nothing"),
    [
        (ONE, "", False),
        (ONE, {"item": refused(ONE)}, True),
        ([ONE, TWO], {"item": refused(ONE)}, False),
        ([ONE, TWO], {"item": [refused(ONE), refused(TWO)]}, True),
        ([ONE, TWO], "", False),
        (ONE, None, False),
        (ONE, "garbled", False),
        ("", {"item": refused(ONE)}, False),
    ],
)
def test_what_deleted_nothing(asked: Any, unsuccessful: Any, nothing: bool):
    assert deleted_nothing(parse(deletion(asked, unsuccessful))) is nothing
