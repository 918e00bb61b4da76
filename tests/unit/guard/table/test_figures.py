"""What is added up over a day, and for longer."""

from typing import Any

import pytest

from guard.table.figures import Figures
from guard.table.items import Items
from tests.unit.guard.table.tables import NOON, item


@pytest.fixture
def figures(dynamodb: Any) -> Figures:
    return Figures(Items(dynamodb, "state", "111122223333/eu-west-1"))


def test_a_day_adds_up_what_it_is_published(figures: Figures) -> None:
    figures.add_to_day(NOON, {"found bypass": 2, "suppressed": 0})
    figures.add_to_day(NOON, {"found bypass": 1, "excepted": 5})
    figures.add_to_day(NOON, {})
    counts = item(figures.items, "day#2026-05-04")
    del counts["expires_at"]
    assert counts == {"found bypass": 3, "excepted": 5}
