"""When restoring a policy has become a fight, and for how long the guard lets go."""

from datetime import timedelta

import pytest

from guard.approved.history import LEFT, RESTORED, Change, History
from guard.cloudtrail.callers import Caller
from guard.table.budgets import Budgets
from guard.table.items import Items
from restore_policy.fights import LONGEST, Fight, Fights
from tests.builders import NOON

ENDPOINT = "vpce-1"
HOUR = timedelta(hours=1)
MOST = 3


@pytest.fixture
def fights(dynamodb) -> Fights:
    items = Items(dynamodb, "state", "111122223333/eu-west-1")
    return Fights(Budgets(items), History(items, timedelta(days=1)), MOST, HOUR)


def restored(fights: Fights, at, *who: str, action: str = RESTORED) -> None:
    change = Change(
        endpoint_id=ENDPOINT,
        at=at,
        action=action,
        before="a",
        after="b",
        callers=tuple(Caller(principal=one) for one in who),
    )
    fights.history.keep(change, f"{at}{who}", at)


def test_each_revert_is_counted_and_those_below_the_bound_name_nobody(fights):
    restored(fights, NOON, "mallory")
    assert [fights.count(ENDPOINT, NOON) for _ in range(2)] == [Fight(1), Fight(2)]
    assert fights.count("vpce-2", NOON) == Fight(1)


def test_an_hour_later_it_begins_anew(fights):
    for _ in range(2):
        fights.count(ENDPOINT, NOON)
    assert fights.count(ENDPOINT, NOON + timedelta(seconds=3_599)).reverts == 3
    assert fights.count(ENDPOINT, NOON + timedelta(seconds=3_601)).reverts == 1


def test_a_fight_names_each_of_the_last_hour_once_and_nobody_whose_change_was_left(fights):
    restored(fights, NOON - HOUR, "an hour ago")
    restored(fights, NOON - timedelta(minutes=59), "mallory")
    restored(fights, NOON - timedelta(minutes=30), "victor", action=LEFT)
    restored(fights, NOON - timedelta(minutes=20), "trudy", "mallory")
    for _ in range(MOST - 1):
        fights.count(ENDPOINT, NOON)
    fight = fights.count(ENDPOINT, NOON)
    assert fight.reverts == MOST
    assert sorted(one.principal for one in fight.callers) == ["mallory", "trudy"]


@pytest.mark.parametrize("reverts", [0, 1, MOST - 1])
def test_below_the_bound_nothing_is_left_alone_and_no_pause_is_counted(fights, reverts):
    assert fights.pause_due(ENDPOINT, Fight(reverts), "text", NOON) is None
    pause = fights.pause_due(ENDPOINT, Fight(MOST), "text", NOON)
    assert pause
    assert pause.until == NOON + HOUR


def test_a_pause_says_why_and_keeps_the_policy(fights):
    pause = fights.pause_due(ENDPOINT, Fight(5), "text", NOON)
    assert pause
    assert pause.reason == "it was put back 5 times within an hour"
    assert (pause.policy, pause.asked) == ("text", False)


def test_each_further_pause_within_a_day_is_twice_as_long_up_to_a_bound(fights):
    lengths = []
    for _ in range(5):
        pause = fights.pause_due(ENDPOINT, Fight(MOST), "", NOON)
        lengths.append(pause.until - NOON)
    assert lengths == [HOUR, 2 * HOUR, 4 * HOUR, LONGEST, LONGEST]
    other = fights.pause_due("vpce-2", Fight(MOST), "", NOON)
    assert other.until == NOON + HOUR
    later = NOON + timedelta(days=1, seconds=1)
    again = fights.pause_due(ENDPOINT, Fight(MOST), "", later)
    assert again.until == later + HOUR


def test_a_pause_of_the_owners_that_is_longer_than_the_bound_is_kept(dynamodb, fights):
    long = Fights(fights.budgets, fights.history, MOST, timedelta(days=2))
    for _ in range(3):
        pause = long.pause_due(ENDPOINT, Fight(MOST), "", NOON)
        assert pause.until == NOON + timedelta(days=2)


def test_a_short_pause_doubles_as_often_as_it_fits(fights):
    short = Fights(fights.budgets, fights.history, MOST, HOUR / 2)
    pauses = [short.pause_due(ENDPOINT, Fight(MOST), "", NOON) for _ in range(5)]
    assert [(one.until - NOON) / HOUR for one in pauses] == [0.5, 1, 2, 4, 6]


def test_counts_are_found_by_the_version_that_comes_after(fights, dynamodb):
    """Their names in the table stay, or a fight that goes on is none after an update."""
    fights.count(ENDPOINT, NOON)
    fights.pause_due(ENDPOINT, Fight(MOST), "", NOON)
    keys = [one["pk"]["S"] for one in dynamodb.scan(TableName="state")["Items"]]
    place = "111122223333/eu-west-1/vpce-1"
    for kind in ("reverts", "pauses"):
        assert any(f"{kind}#{place}" in key for key in keys), keys
