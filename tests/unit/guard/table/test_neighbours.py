"""Other guards are kept for those who ask which guard a caller is."""

from datetime import timedelta
from typing import Any

import pytest

from guard.table.items import Items
from guard.table.neighbours import KEPT, MOST, Neighbour, Neighbours
from tests.builders import NOON

PLACE = "111122223333/eu-west-1"
KEY = f"other-guards#{PLACE}/all"
BLUE = Neighbour("blue", "blue-RestorePolicyRole-A1", "one-secret")
GREEN = Neighbour("green", "green-RestorePolicyRole-B2", "own-account")


def session(role: str, account: str = "111122223333", partition: str = "aws") -> str:
    return f"arn:{partition}:sts::{account}:assumed-role/{role}/{role}-function"


@pytest.fixture
def neighbours(dynamodb) -> Neighbours:
    kept = Neighbours(Items(dynamodb, "state", PLACE))
    kept.write([GREEN, BLUE], NOON)
    return kept


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
@pytest.mark.parametrize("guard", [BLUE, GREEN])
def test_a_session_of_a_guards_role_is_that_guard(neighbours, guard, partition):
    caller = session(guard.role, partition=partition)
    assert neighbours.author([caller, caller], NOON) == guard


@pytest.mark.parametrize(
    "principals",
    [
        [],
        [session("deployer")],
        [session(f"{BLUE.role}1")],
        [session(BLUE.role, account="444455556666")],
        [f"arn:aws:iam::111122223333:role/{BLUE.role}"],
        [f"arn:aws:iam::111122223333:user/assumed-role/{BLUE.role}/x"],
        [BLUE.role],
        [session(BLUE.role), session(GREEN.role)],
        [session(BLUE.role), "arn:aws:iam::111122223333:user/mallory"],
        [session(BLUE.role), ""],
    ],
)
def test_anybody_else_is_none(neighbours, principals):
    assert neighbours.author(principals, NOON) is None


def test_a_guard_without_a_role_is_nobody(neighbours):
    neighbours.write([Neighbour("blue", "", "one-secret")], NOON)
    assert neighbours.author(["arn:aws:iam::111122223333:user/mallory"], NOON) is None


def test_what_no_heartbeat_has_seen_for_hours_is_forgotten(neighbours):
    caller = [session(BLUE.role)]
    assert neighbours.author(caller, NOON + KEPT - timedelta(seconds=1)) == BLUE
    assert neighbours.author(caller, NOON + KEPT) is None


def test_a_guard_that_is_gone_is_forgotten_at_once(neighbours):
    neighbours.write([], NOON)
    assert neighbours.author([session(BLUE.role)], NOON) is None


def test_it_keeps_so_many(neighbours):
    many = [Neighbour(f"s{n:03}", f"r{n:03}", "x") for n in range(MOST + 1)]
    neighbours.write(many, NOON)
    known = [neighbours.author([session(one.role)], NOON) for one in many]
    assert known == [*many[:MOST], None]


@pytest.mark.parametrize(
    "listed",
    [
        {"SS": ["no json"]},
        {"SS": ["[]"]},
        {"SS": ['{"stack": "blue", "role": 5, "approved_policy": "x"}']},
        {"SS": ['{"stack": "blue"}']},
        {"S": "text"},
    ],
)
def test_what_the_guard_did_not_write_is_set_aside(neighbours, dynamodb, listed: Any):
    item = {"pk": {"S": KEY}, "listed": listed, "expires_at": {"N": "99999999999"}}
    dynamodb.put_item(TableName="state", Item=item)
    assert neighbours.author([session(BLUE.role)], NOON) is None
    kept = dynamodb.get_item(TableName="state", Key={"pk": {"S": KEY}})["Item"]
    assert "listed" not in kept
