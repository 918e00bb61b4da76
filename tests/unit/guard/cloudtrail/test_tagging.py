"""Who set a tag: by a call on tags, or by the call that created the resource."""

from datetime import timedelta
from typing import Any

import pytest

from ensure_endpoint.tag_findings import tag_changed
from guard.cloudtrail.event_history import Seen
from guard.cloudtrail.record import Record, parse
from guard.cloudtrail.tagging import Taggers, tags_in
from tests.builders import NOON, SETTINGS
from tests.records import changed, read

IGNORE = "vpce-guard:ignore"
VPC, ENDPOINT = "vpc-0a1b2c3d4e5f60718", "vpce-0a1a1a1a1a1a1a1a1"


def call(name: str, request: Any, response: Any = None, **more: Any) -> Record:
    fields = {"eventSource": "ec2.amazonaws.com", "eventName": name, **more}
    return parse(changed(read(), requestParameters=request, responseElements=response, **fields))


def created_vpc(tags: Any, **more: Any) -> Record:
    given = {"items": [{"resourceType": "vpc", "tags": tags}]}
    return call("CreateVpc", {"tagSpecificationSet": given}, {"vpc": {"vpcId": VPC}}, **more)


def created_endpoint(specification: Any) -> Record:
    request = {"VpcId": VPC, "TagSpecification": specification}
    answer = {"vpcEndpoint": {"vpcEndpointId": ENDPOINT, "vpcId": VPC}}
    return call(
        "CreateVpcEndpoint",
        {"CreateVpcEndpointRequest": request},
        {"CreateVpcEndpointResponse": answer},
    )


def set_tags(*resources: str, key: str = IGNORE) -> Record:
    request = {
        "resourcesSet": {"items": [{"resourceId": one} for one in resources]},
        "tagSet": {"items": [{"key": key, "value": "x"}]},
    }
    return call("CreateTags", request, {"_return": True})


TAG, OTHER = {"Key": IGNORE, "Value": 42}, {"Key": "team", "Value": "a"}
OF_VPC = created_vpc([{"key": IGNORE, "value": "x"}, {"key": "team", "value": "a"}])
SHAPES = {
    "a VPC": (OF_VPC, {IGNORE: "x", "team": "a"}),
    "an endpoint, one tag": (
        created_endpoint({"tag": 1, "Tag": {"tag": 1, **TAG}}),
        {IGNORE: "42"},
    ),
    "an endpoint, tags": (
        created_endpoint({"tag": 1, "Tag": [OTHER, TAG]}),
        {"team": "a", IGNORE: "42"},
    ),
    "an endpoint, specifications": (
        created_endpoint([{"Tag": OTHER}, {"Tag": [TAG]}]),
        {"team": "a", IGNORE: "42"},
    ),
    "no tags": (created_endpoint(None), {}),
    "a call on tags": (set_tags(VPC), {IGNORE: "x"}),
    "garbled": (call("CreateVpc", {"tagSpecificationSet": {"items": [None, 3, {"tags": 1}]}}), {}),
}


@pytest.mark.parametrize(("record", "tags"), SHAPES.values(), ids=SHAPES)
def test_the_tags_that_a_call_names(record: Record, tags: dict[str, str]):
    assert tags_in(record) == tags


class History:
    """The event history, by the name of the call."""

    def __init__(self, *records: Record, lacking: str = "") -> None:
        self.records, self.lacking, self.asked = records, lacking, list[str]()

    def calls(self, name: str, _: Any) -> Seen:
        self.asked.append(name)
        return Seen(tuple(one for one in self.records if one.event_name == name), self.lacking)


def who(resource: str, *records: Record, lacking: str = "") -> str:
    taggers = Taggers(History(*records, lacking=lacking))  # type: ignore[arg-type]
    return taggers.who([resource], IGNORE, NOON)


ALICE_SET_IT = "arn:aws:iam::111122223333:user/alice at 2026-06-01 09:30 UTC"


@pytest.mark.parametrize(
    ("resource", "record"),
    [
        (VPC, set_tags(VPC)),
        (VPC, OF_VPC),
        (ENDPOINT, created_endpoint({"Tag": TAG})),
        (ENDPOINT, set_tags("vpc-1", ENDPOINT)),
    ],
)
def test_who_set_it(resource: str, record: Record):
    assert who(resource, record) == ALICE_SET_IT


@pytest.mark.parametrize(
    ("resource", "record"),
    [
        (VPC, created_endpoint({"Tag": TAG})),  # in the VPC, and not it
        ("vpc-0bbbbbbbbbbbbbbbb", OF_VPC),
        (VPC, set_tags(VPC, key="team")),
        (VPC, created_vpc([{"key": IGNORE, "value": ""}], errorCode="UnauthorizedOperation")),
    ],
)
def test_who_did_not(resource: str, record: Record):
    assert who(resource, record) == "somebody unknown (no call that set it in the history)"


def test_what_of_the_history_is_lacking_is_said():
    assert who(VPC, lacking="not readable") == "somebody unknown (not readable)"


def test_each_call_is_asked_for_once_in_a_minute_and_only_where_it_may_help():
    history = History(set_tags(ENDPOINT))
    taggers = Taggers(history)  # type: ignore[arg-type]
    for _ in range(3):
        taggers.who([ENDPOINT], IGNORE, NOON)
        taggers.who(["sg-1"], IGNORE, NOON)
    assert history.asked == ["CreateTags"]
    taggers.who([VPC], IGNORE, NOON)
    assert history.asked == ["CreateTags", "CreateVpc"]
    taggers.who([ENDPOINT], IGNORE, NOON + timedelta(minutes=2))
    assert history.asked[2:] == ["CreateTags"]


@pytest.mark.parametrize(
    ("record", "resource"),
    [(OF_VPC, VPC), (created_endpoint({"Tag": [OTHER, TAG]}), ENDPOINT), (set_tags(VPC), VPC)],
)
def test_a_tag_given_at_creation_is_published_as_one_that_is_set(record: Record, resource: str):
    (found,) = tag_changed(record, SETTINGS, [], NOON)
    assert (found.resource, found.severity) == (resource, "medium")
    assert f"was set on {resource} by arn:aws:iam::111122223333:user/alice" in found.cause
    assert "team" not in found.cause


@pytest.mark.parametrize(
    "record", [created_endpoint({"Tag": OTHER}), created_endpoint(None), created_vpc([])]
)
def test_what_is_created_without_such_a_tag_is_not(record: Record):
    assert tag_changed(record, SETTINGS, [], NOON) == []
