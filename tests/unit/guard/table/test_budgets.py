"""No process, and no number of them, takes more than a budget has."""

from typing import Any

import pytest

from guard.table.budgets import Budgets
from guard.table.items import Items
from tests.unit.guard.table.tables import (
    HOUR,
    NOON,
    another_process,
    before_each_update,
    item,
    later,
)


@pytest.fixture
def budgets(dynamodb: Any) -> Budgets:
    return Budgets(Items(dynamodb, "state", "111122223333/eu-west-1"))


def test_a_budget_allows_its_limit_and_no_more(budgets: Budgets) -> None:
    taken = [budgets.take("vpc-1", 3, HOUR, NOON) for _ in range(5)]
    assert [bool(one) for one in taken] == [True, True, True, False, False]
    assert [one.used for one in taken] == [1, 2, 3, 3, 3]
    assert taken[-1].window_ends == later(HOUR)


def test_a_budget_is_whole_again_after_its_window(budgets: Budgets) -> None:
    for _ in range(3):
        budgets.take("vpc-1", 2, HOUR, NOON)
    assert budgets.take("vpc-1", 2, HOUR, later(HOUR)).used == 1


def test_a_budget_of_nothing_allows_nothing_and_writes_nothing(budgets: Budgets) -> None:
    assert not budgets.take("vpc-1", 0, HOUR, NOON)
    assert budgets.items.client.scan(TableName="state")["Count"] == 0


def test_budgets_of_two_keys_are_apart(budgets: Budgets) -> None:
    assert budgets.take("vpc-1", 1, HOUR, NOON)
    assert budgets.take("vpc-2", 1, HOUR, NOON)
    assert not budgets.take("vpc-1", 1, HOUR, NOON)


def test_a_budget_one_by_another_process_just_before_is_refused(budgets: Budgets) -> None:
    other = Budgets(another_process())
    before_each_update(budgets.items, lambda: other.take("vpc-1", 1, HOUR, NOON))
    assert not budgets.take("vpc-1", 1, HOUR, NOON)


def test_a_budget_is_one_by_amounts_and_never_beyond_its_limit(budgets: Budgets) -> None:
    taken = [budgets.take("month", 100, HOUR, NOON, 40) for _ in range(3)]
    assert [bool(one) for one in taken] == [True, True, False]
    assert budgets.take("month", 100, HOUR, NOON, 20)
    assert not budgets.take("small", 10, HOUR, NOON, 11)


def test_what_is_given_back_can_be_one_again_in_its_window_only(budgets: Budgets) -> None:
    budgets.take("vpc-1", 1, HOUR, NOON)
    budgets.return_("vpc-1", NOON)
    assert budgets.take("vpc-1", 1, HOUR, NOON)
    budgets.return_("vpc-1", later(HOUR + 1))
    assert item(budgets.items, "budget#vpc-1")["tally"] == 1


def test_nothing_is_given_back_that_was_not_one(budgets: Budgets) -> None:
    budgets.return_("vpc-1", NOON)
    assert budgets.items.client.scan(TableName="state")["Count"] == 0
