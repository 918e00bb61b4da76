"""The tags of VPCs are remembered for a minute, and never where they have to be younger."""

from datetime import UTC, datetime, timedelta

import pytest

from guard.endpoint.fresh import CLOCKS_DIFFER, MAX_AGE_SECONDS, fresh
from restore_policy.vpc_tag_cache import VpcTagCache

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LONG_AGO = 0.0
KEYS = frozenset({"ignore", "policy"})


class Reader:
    """An Observer that answers what it is given, and counts."""

    def __init__(self):
        self.answer = {"vpc-1": {"policy": "one"}}
        self.asked = []

    def vpc_tags(self, keys):
        self.asked.append(keys)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("age", "read_after", "expected"),
    [
        (0, 3600, True),
        (MAX_AGE_SECONDS - 1, 3600, True),
        (MAX_AGE_SECONDS, 3600, False),
        (10, CLOCKS_DIFFER + 1, True),
        (10, CLOCKS_DIFFER, False),
        (10, 0, False),
        (10, -10, False),
        (float("inf"), 3600, False),
    ],
)
def test_what_counts(age, read_after, expected):
    now = NOON.timestamp()
    read_at = now - age
    assert fresh(read_at, now, read_at - read_after) is expected


def test_it_asks_once_a_minute():
    reader = Reader()
    vpcs = VpcTagCache(reader, KEYS)
    for second in range(0, 180, 10):
        assert vpcs.tags(NOON + timedelta(seconds=second), LONG_AGO) == reader.answer
    assert reader.asked == [KEYS] * 3


def test_it_asks_again_for_what_is_younger_than_the_answer():
    reader = Reader()
    vpcs = VpcTagCache(reader, KEYS)
    vpcs.tags(NOON, LONG_AGO)
    created = NOON.timestamp() + 10
    for second in (20, 30, 40):
        vpcs.tags(NOON + timedelta(seconds=second), created)
    assert len(reader.asked) == 2


def test_no_answer_is_not_remembered():
    reader = Reader()
    vpcs = VpcTagCache(reader, KEYS)
    known, later = reader.answer, NOON + timedelta(minutes=1)
    vpcs.tags(NOON, LONG_AGO)
    reader.answer = RuntimeError("refused")
    for _ in range(2):
        with pytest.raises(RuntimeError):
            vpcs.tags(later, LONG_AGO)
    reader.answer = known
    assert vpcs.tags(later, LONG_AGO) == known
    assert len(reader.asked) == 4
