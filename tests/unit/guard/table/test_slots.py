"""Processes that share a limit take slots."""

from typing import Any

import pytest

from guard.table.items import Items
from guard.table.slots import Slots
from tests.unit.guard.table.tables import NOON, another_process, before_each_update, later


@pytest.fixture
def slots(dynamodb: Any) -> Slots:
    return Slots(Items(dynamodb, "state", "111122223333/eu-west-1"))


@pytest.mark.parametrize("idle", [True, False])
def test_slots_are_a_gap_apart_and_never_shared(slots: Slots, *, idle: bool) -> None:
    present = int(NOON.timestamp() * 1000)
    taken = [slots.next("limit", 3_400, NOON, expect_idle=idle) - present for _ in range(4)]
    assert taken == [3_400, 6_800, 10_200, 13_600]


@pytest.mark.parametrize("idle", [True, False])
def test_slots_that_nobody_took_begin_with_the_present(slots: Slots, *, idle: bool) -> None:
    slots.next("limit", 3_400, NOON)
    assert (
        slots.next("limit", 3_400, later(60), expect_idle=idle)
        == int(later(60).timestamp() * 1000) + 3_400
    )


@pytest.mark.parametrize("idle", [True, False])
def test_a_place_taken_by_another_process_just_before_is_not_taken_twice(
    slots: Slots, *, idle: bool
) -> None:
    other = Slots(another_process())
    taken: list[int] = []
    before_each_update(slots.items, lambda: taken.append(other.next("limit", 3_400, NOON)), times=2)
    mine = slots.next("limit", 3_400, NOON, expect_idle=idle)
    assert mine not in taken
