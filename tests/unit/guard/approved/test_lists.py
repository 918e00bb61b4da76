"""approved.json: what the functions take, and that its schema says the same to editors."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from guard.approved.lists import ApprovedLists, ApprovedListsError

LAYER = Path(__file__).parents[4] / "layers" / "approved_policies"
SCHEMA = Draft202012Validator(json.loads((LAYER / "approved.schema.json").read_text()))
ENDPOINT, VPC = "vpce-0a1b2c3d4e5f60718", "vpc-0a1b2c3d"
GOOD = [
    {},
    {"organization": "", "endpoints": [], "vpcs": []},
    {
        "$schema": "./approved.schema.json",
        "organization": "o-a1b2c3d4e5",
        "endpoints": [{"id": ENDPOINT, "reason": "the network team's"}],
        "vpcs": [{"id": VPC, "reason": "build servers"}],
    },
]
BAD = [
    ([], "must be an object"),
    ({"accounts": []}, "'accounts' is not known"),
    ({"organization": "r-a1b2"}, "'organization' must be"),
    ({"organization": None}, "'organization' must be"),
    ({"endpoints": ENDPOINT}, "'endpoints' must be a list"),
    ({"endpoints": [ENDPOINT]}, r"endpoints\[0\]: must be an object with an id and a reason"),
    ({"endpoints": [{"id": ENDPOINT}]}, r"endpoints\[0\]: must be an object"),
    ({"endpoints": [{"id": ENDPOINT, "reason": " "}]}, "'reason' must be a text"),
    ({"endpoints": [{"id": ENDPOINT, "reason": "a", "until": 1}]}, "must be an object with an id"),
    ({"endpoints": [{"id": VPC, "reason": "a"}]}, "is no id of one of the endpoints"),
    ({"vpcs": [{"id": ENDPOINT, "reason": "a"}]}, "is no id of one of the vpcs"),
    ({"vpcs": [{"id": 7, "reason": "a"}]}, "is no id of one of the vpcs"),
]


@pytest.mark.parametrize("content", GOOD)
def test_what_is_right_is_taken_and_the_schema_agrees(content):
    ApprovedLists.parse(content)
    assert SCHEMA.is_valid(content)


@pytest.mark.parametrize(("content", "said"), BAD)
def test_what_is_wrong_is_refused_in_words_and_the_schema_agrees(content, said):
    with pytest.raises(ApprovedListsError, match=said):
        ApprovedLists.parse(content)
    assert not SCHEMA.is_valid(content)


def test_every_mistake_is_reported_and_an_id_is_listed_once():
    twice = [{"id": VPC, "reason": "a"}, {"id": VPC, "reason": "b"}]
    with pytest.raises(ApprovedListsError) as refusal:
        ApprovedLists.parse({"organization": "x", "vpcs": twice})
    assert len(str(refusal.value).splitlines()) == 2
    assert f"{VPC} is listed twice" in str(refusal.value)


def test_it_is_read_beside_the_folder_of_policies(tmp_path: Path):
    env = {"APPROVED_POLICIES_DIR": str(tmp_path / "endpoint_policies")}
    assert ApprovedLists.from_env(env) == ApprovedLists()  # a layer without the file
    (tmp_path / "approved.json").write_text(json.dumps(GOOD[2]))
    lists = ApprovedLists.from_env(env)
    assert (lists.endpoints, lists.vpcs) == ({ENDPOINT}, {VPC})
    assert lists.organization == "o-a1b2c3d4e5"
    (tmp_path / "approved.json").write_text("{")
    with pytest.raises(ApprovedListsError, match="not JSON"):
        ApprovedLists.from_env(env)


def test_the_shipped_file_approves_nothing():
    assert ApprovedLists.load(LAYER / "approved.json") == ApprovedLists()
