"""What is remembered of a VPC: the latest use counts, in whatever order uses are told."""

from datetime import UTC, datetime
from itertools import permutations

import pytest

from guard.table.memory import Memory

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize("told", list(permutations([20, 5, 12])), ids=str)
def test_the_latest_use_counts(dynamodb, told):
    memory = Memory(dynamodb, "state")
    for used_at in told:
        memory.note_use("vpc-1", used_at, NOW)
    memory.note("vpc-1", NOW, torn_down=15)
    assert memory.recall("vpc-1").used_at == 20
    assert not memory.recall("vpc-1").stood_down
