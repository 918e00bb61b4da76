"""What is put by is found again, once, whoever dies in between; against moto's DynamoDB."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guard.table import deferred as module
from guard.table.deferred import KEPT, SHARDS, Shelf

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def shelf(dynamodb: Any) -> Shelf:
    return Shelf(dynamodb, "state", "digest")


def calls(shelf: Shelf) -> list[str]:
    made: list[str] = []
    for name in ("UpdateItem", "BatchGetItem"):
        shelf.client.meta.events.register(
            f"before-call.dynamodb.{name}", lambda model, **_: made.append(model.name)
        )
    return made


def test_what_is_put_by_is_found_until_it_is_taken_away(shelf: Shelf) -> None:
    for id_ in ("b", "a", "c"):
        assert shelf.put(id_, f"body of {id_}", NOON)
    assert shelf.ids() == ["a", "b", "c"]
    assert shelf.bodies(["c", "a"])["c"]["body"] == {"S": "body of c"}
    shelf.remove(["a", "c"])
    assert shelf.ids() == ["b"]


def test_an_empty_shelf_costs_one_call(shelf: Shelf) -> None:
    made = calls(shelf)
    assert shelf.ids() == []
    assert made == ["BatchGetItem"]


def test_shelves_do_not_mix(shelf: Shelf) -> None:
    shelf.put("a", "1", NOON)
    assert Shelf(shelf.client, "state", "waiting").ids() == []


def test_putting_again_doubles_nothing_and_keeps_the_first_time(shelf: Shelf) -> None:
    shelf.put("a", "first", NOON)
    shelf.put("a", "second", NOON + timedelta(days=1))
    assert shelf.ids() == ["a"]
    item = shelf.bodies(["a"])["a"]
    assert item["body"] == {"S": "second"}
    assert int(item["latest"]["N"]) - int(item["since"]["N"]) == 86_400
    assert int(item["expires_at"]["N"]) == int((NOON + timedelta(days=1) + KEPT).timestamp())


def test_a_full_shelf_says_so_and_still_takes_what_it_knows(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FULL", 2)
    taken = [shelf.put(f"id-{n}", "", NOON) for n in range(100)]
    assert 2 <= sum(taken) <= 2 * SHARDS
    assert len(shelf.ids()) == sum(taken)
    assert shelf.put(shelf.ids()[0], "", NOON)


def test_one_that_dies_before_the_id_is_written_leaves_nothing_half(shelf: Shelf) -> None:
    """The body comes first: an id that is found always has one."""
    seen: list[str] = []

    def die_at_the_index(params: dict[str, dict[str, dict[str, str]]], **_: object) -> None:
        seen.append(params["Key"]["pk"]["S"])
        if "#index#" in seen[-1]:
            raise ClientError({"Error": {"Code": "Killed"}}, "UpdateItem")

    event = "provide-client-params.dynamodb.UpdateItem"
    shelf.client.meta.events.register(event, die_at_the_index)
    with pytest.raises(ClientError):
        shelf.put("a", "body", NOON)
    shelf.client.meta.events.unregister(event, die_at_the_index)
    assert seen[0] == "shelf#digest#a"
    assert shelf.ids() == []
    shelf.put("a", "body", NOON)
    assert shelf.ids() == list(shelf.bodies(["a"])) == ["a"]


def test_more_than_one_call_can_carry(shelf: Shelf) -> None:
    for n in range(130):
        shelf.put(f"id-{n}", str(n), NOON)
    assert len(shelf.bodies(shelf.ids())) == 130


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["put", "take"]), st.sampled_from("abcdefgh"))))
def test_any_order_of_putting_and_taking_is_that_of_a_set(
    shelf: Shelf, steps: list[tuple[str, str]]
) -> None:
    shelf.remove(shelf.ids())
    model: set[str] = set()
    for step, id_ in steps:
        if step == "put":
            shelf.put(id_, id_, NOON)
            model.add(id_)
        else:
            shelf.remove([id_])
            model.discard(id_)
    assert shelf.ids() == sorted(model)
