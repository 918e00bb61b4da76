"""What is remembered of a VPC: the latest use counts, in whatever order uses are known."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from ensure_endpoint.memory import VpcMemory, VpcRecord
from guard.reconcile.request import Key
from guard.table.budgets import Budgets
from guard.table.items import Items

NOW = datetime(2026, 11, 25, tzinfo=UTC)
KEY = Key("111122223333", "eu-west-1", "vpc", "vpc-1")


@pytest.fixture
def memory(dynamodb) -> VpcMemory:
    return VpcMemory(Items(dynamodb, "state", "111122223333/eu-west-1"))


@pytest.mark.parametrize("uses", list(permutations([20, 5, 12])), ids=str)
def test_the_latest_use_counts(memory, uses):
    for used_at in uses:
        memory.note_use(KEY, used_at, NOW)
    memory.note(KEY, NOW, torn_down=15)
    assert memory.recall(KEY, NOW) == VpcRecord(used_at=20, torn_down=15)


def test_vpcs_of_two_accounts_are_two(memory):
    memory.note(KEY, NOW, torn_down=15)
    other = Key("444455556666", "eu-west-1", "vpc", "vpc-1")
    assert memory.recall(other, NOW) == VpcRecord()


def test_what_the_version_before_remembered_is_kept(memory):
    """Its items had neither account nor Region in their names."""
    memory.items.put("vpc#vpc-1", {"torn_down": 15, "paid_month": 202611})
    assert memory.recall(KEY, NOW) == VpcRecord(torn_down=15, paid_month=202611)
    memory.note(KEY, NOW, slot_at=9)
    assert memory.recall(KEY, NOW) == VpcRecord(torn_down=15, paid_month=202611, slot_at=9)


def test_what_the_version_before_spent_in_the_month_is_spent(memory):
    Budgets(memory.items).take("month#202611", 10_000, 86_400, NOW, 730)
    assert memory.spent_before(202611, NOW) == 730
    assert memory.spent_before(202612, NOW) == 0


def test_a_subnet_that_somebody_deletes_is_remembered_until_its_time_is_over(memory):
    at = int(NOW.timestamp())
    memory.note_leaving(KEY, {"subnet-1": at + 60})
    memory.note_leaving(KEY, {"subnet-2": at + 90})
    memory.note_leaving(KEY, {})
    assert memory.leaving(KEY, NOW) == {"subnet-1", "subnet-2"}
    assert memory.leaving(KEY, NOW + timedelta(seconds=60)) == {"subnet-2"}
    assert memory.leaving(KEY, NOW + timedelta(seconds=90)) == set()


def test_the_endpoint_that_served_a_vpc_last_is_remembered(memory):
    memory.note(KEY, NOW, endpoint_id="vpce-1", grace_began=7)
    assert memory.recall(KEY, NOW) == VpcRecord(endpoint_id="vpce-1", grace_began=7)
