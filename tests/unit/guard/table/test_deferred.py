"""What is deferred is found again, once, whoever dies in between; against moto's DynamoDB."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guard.table import deferred as module
from guard.table.deferred import FULL_SECONDS, KEPT, SHARDS, Deferred
from guard.table.items import Items

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def deferred(dynamodb: Any) -> Deferred:
    return Deferred(Items(dynamodb, "state", "111122223333/eu-west-1"), "digest")


def calls(deferred: Deferred) -> list[str]:
    made: list[str] = []
    for name in ("UpdateItem", "BatchGetItem"):
        deferred.items.client.meta.events.register(
            f"before-call.dynamodb.{name}", lambda model, **_: made.append(model.name)
        )
    return made


def test_what_is_added_is_found_until_it_is_removed(deferred: Deferred) -> None:
    for id_ in ("b", "a", "c"):
        assert deferred.add(id_, f"body of {id_}", NOON)
    assert deferred.ids() == ["a", "b", "c"]
    assert deferred.parsed(["c", "a"], dict)["c"]["body"] == "body of c"
    deferred.remove(["a", "c"])
    assert deferred.ids() == ["b"]


def test_an_empty_collection_costs_one_call(deferred: Deferred) -> None:
    made = calls(deferred)
    assert deferred.ids() == []
    assert made == ["BatchGetItem"]


def test_collections_do_not_mix(deferred: Deferred) -> None:
    deferred.add("a", "1", NOON)
    assert Deferred(deferred.items, "waiting").ids() == []


def test_adding_again_doubles_nothing_and_keeps_the_first_time(deferred: Deferred) -> None:
    deferred.add("a", "first", NOON)
    deferred.add("a", "second", NOON + timedelta(days=1))
    assert deferred.ids() == ["a"]
    item = deferred.parsed(["a"], dict)["a"]
    assert item["body"] == "second"
    assert item["latest"] - item["since"] == 86_400
    assert item["expires_at"] == int((NOON + timedelta(days=1) + KEPT).timestamp())


def test_a_full_collection_says_so_and_still_takes_what_it_knows(
    deferred: Deferred, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FULL", 2)
    taken = [deferred.add(f"id-{n}", "", NOON) for n in range(100)]
    assert 2 <= sum(taken) <= 2 * SHARDS
    assert len(deferred.ids()) == sum(taken)
    later = NOON + timedelta(seconds=FULL_SECONDS)  # until then it is taken for full, unasked
    assert deferred.add(deferred.ids()[0], "", later)


def test_a_full_collection_costs_no_write_for_each_further_one(
    deferred: Deferred, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FULL", 1)
    for n in range(200):
        deferred.add(f"id-{n}", "", NOON)
    assert len(deferred.ids()) == SHARDS
    made = calls(deferred)
    assert not any(deferred.add(f"further-{n}", "", NOON) for n in range(1_000))
    assert made == []


def test_a_collection_that_has_room_again_takes_more_after_a_minute(
    deferred: Deferred, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FULL", 1)
    for n in range(100):
        deferred.add(f"id-{n}", "", NOON)
    deferred.remove(deferred.ids())
    assert not deferred.add("a", "", NOON + timedelta(seconds=FULL_SECONDS - 1))
    assert deferred.add("a", "body", NOON + timedelta(seconds=FULL_SECONDS))
    assert deferred.ids() == ["a"]


def test_one_that_dies_before_the_id_is_written_leaves_nothing_half(deferred: Deferred) -> None:
    """The body comes first: an id that is found always has one."""
    seen: list[str] = []

    def die_at_the_index(params: dict[str, dict[str, dict[str, str]]], **_: object) -> None:
        seen.append(params["Key"]["pk"]["S"])
        if "#index#" in seen[-1]:
            raise ClientError({"Error": {"Code": "Killed"}}, "UpdateItem")

    event = "provide-client-params.dynamodb.UpdateItem"
    deferred.items.client.meta.events.register(event, die_at_the_index)
    with pytest.raises(ClientError):
        deferred.add("a", "body", NOON)
    deferred.items.client.meta.events.unregister(event, die_at_the_index)
    assert seen[0] == "shelf#digest#a"
    assert deferred.ids() == []
    deferred.add("a", "body", NOON)
    assert deferred.ids() == list(deferred.parsed(["a"], dict)) == ["a"]


def test_more_than_one_call_can_carry(deferred: Deferred) -> None:
    for n in range(130):
        deferred.add(f"id-{n}", str(n), NOON)
    assert len(deferred.parsed(deferred.ids(), dict)) == 130


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["put", "take"]), st.sampled_from("abcdefgh"))))
def test_any_order_of_adding_and_removing_is_that_of_a_set(
    deferred: Deferred, steps: list[tuple[str, str]]
) -> None:
    deferred.remove(deferred.ids())
    model: set[str] = set()
    for step, id_ in steps:
        if step == "put":
            deferred.add(id_, id_, NOON)
            model.add(id_)
        else:
            deferred.remove([id_])
            model.discard(id_)
    assert deferred.ids() == sorted(model)
