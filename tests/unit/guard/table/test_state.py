"""Counts and budgets against DynamoDB as moto plays it, in process."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.table.state import (
    CLAIM_SECONDS,
    KEPT_SECONDS,
    LISTED,
    Counted,
    State,
    StateError,
    milestone,
)

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = 3600


def later(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def state(dynamodb: Any) -> State:
    return State(dynamodb, "state")


def item(state: State, pk: str) -> dict[str, int]:
    found = state.client.get_item(TableName="state", Key={"pk": {"S": pk}}, ConsistentRead=True)
    return {name: int(value["N"]) for name, value in found["Item"].items() if "N" in value}


def told(state: State, counted: Counted, now: datetime = NOON) -> bool:
    claimed = state.claim("f", counted, now)
    if claimed:
        state.mark_told("f", counted, "{}")
    return claimed


@given(st.integers(min_value=1, max_value=10**12))
def test_milestone_is_the_power_of_ten_below(total: int) -> None:
    reached = milestone(total)
    assert reached <= total < reached * 10
    assert set(str(reached)) <= {"1", "0"}
    assert str(reached).startswith("1")


def test_nothing_seen_is_no_milestone() -> None:
    assert milestone(0) == 0


def test_sightings_add_up_and_keep_the_first(state: State) -> None:
    state.count("f", 3, NOON, HOUR, first_seen=later(-40))
    counted = state.count("f", 4, later(60), HOUR, first_seen=later(50))
    assert counted == Counted(7, later(-40), 0, int(later(HOUR).timestamp()), claimed=False)


def test_fingerprints_do_not_mix(state: State) -> None:
    state.count("f", 3, NOON, HOUR)
    assert state.count("g", 1, NOON, HOUR).total == 1


def test_a_window_is_not_prolonged_by_later_sightings(state: State) -> None:
    state.count("f", 1, NOON, HOUR)
    state.count("f", 1, later(HOUR - 1), HOUR)
    assert state.count("f", 1, later(HOUR), HOUR).total == 1


def test_an_expired_item_that_was_not_deleted_is_started_afresh(state: State) -> None:
    assert told(state, state.count("f", 12, NOON, HOUR))
    again = state.count("f", 2, later(2 * HOUR), HOUR)
    assert again == Counted(2, later(2 * HOUR), 0, int(later(3 * HOUR).timestamp()), claimed=True)
    assert told(state, again, later(2 * HOUR))


def test_the_time_to_live_leaves_the_digest_time_after_the_window(state: State) -> None:
    state.count("f", 1, NOON, HOUR)
    kept = item(state, "finding#f")
    assert kept["ends"] == int(later(HOUR).timestamp())
    assert kept["expires_at"] == kept["ends"] + KEPT_SECONDS


def test_a_window_that_is_over_leaves_its_numbers_to_the_next_one(state: State) -> None:
    state.count("f", 3, NOON, HOUR, first_seen=later(-60), last_seen=later(-10))
    assert state.mark_told("f", state.count("f", 4, NOON, HOUR, last_seen=later(30)), "{}")
    state.count("f", 2, later(2 * HOUR), HOUR)
    state.count("f", 1, later(4 * HOUR), HOUR)
    kept = item(state, "finding#f")
    assert {name: kept[name] for name in kept if name.startswith("past_")} == {
        "past_tally": 9,
        "past_told": 7,
        "past_first": int(later(-60).timestamp()),
        "past_last": int(later(2 * HOUR).timestamp()),
    }
    assert (kept["tally"], kept["told"]) == (1, 0)


def test_an_item_of_an_older_version_is_started_afresh(state: State) -> None:
    old = {"pk": "finding#f", "expires_at": int(later(HOUR).timestamp()), "tally": 7, "told": 1}
    numbers: Any = {name: {"N": str(n)} for name, n in old.items() if name != "pk"}
    first = {"first_seen": {"N": str(int(NOON.timestamp()))}}
    state.client.put_item(TableName="state", Item={"pk": {"S": "finding#f"}, **numbers, **first})
    assert state.count("f", 1, later(60), HOUR).total == 1
    assert item(state, "finding#f")["past_tally"] == 7


def test_a_day_adds_up_what_it_is_told(state: State) -> None:
    state.tally(NOON, {"found bypass": 2, "suppressed": 0})
    state.tally(NOON, {"found bypass": 1, "excepted": 5})
    state.tally(NOON, {})
    counts = item(state, "day#2026-05-04")
    del counts["expires_at"]
    assert counts == {"found bypass": 3, "excepted": 5}


def test_ops_are_told_at_milestones_only(state: State) -> None:
    announced = []
    for _ in range(120):
        counted = state.count("f", 1, NOON, HOUR)
        if counted.due and told(state, counted):
            announced.append(counted.total)
    assert announced == [1, 10, 100]


def test_a_batch_that_jumps_over_milestones_is_told_once(state: State) -> None:
    first = state.count("f", 250, NOON, HOUR)
    assert first.due
    assert told(state, first)
    assert not state.count("f", 300, NOON, HOUR).due
    assert state.count("f", 450, NOON, HOUR).due


def test_what_was_counted_but_never_told_is_still_due_when_redelivered(state: State) -> None:
    state.claim("f", state.count("f", 1, NOON, HOUR), NOON)  # and the process dies here
    back = later(CLAIM_SECONDS)
    again = state.count("f", 1, back, HOUR)
    assert again.due
    assert state.claim("f", again, back)


def test_a_standing_claim_leaves_the_telling_to_its_holder(state: State) -> None:
    mine, theirs = state.count("f", 1, NOON, HOUR), state.count("f", 1, NOON, HOUR)
    assert mine.due
    assert theirs.due
    assert [state.claim("f", mine, NOON), state.claim("f", theirs, later(1))] == [True, False]


@pytest.mark.parametrize("first", [NOON, later(HOUR)], ids=["first ever", "in a new window"])
def test_who_opens_a_window_tells_of_it_without_a_call(state: State, first: datetime) -> None:
    state.count("f", 1, later(-1), HOUR)
    writes: list[int] = []
    state.client.meta.events.register(
        "before-call.dynamodb.UpdateItem", lambda **_: writes.append(1)
    )
    key = "g" if first == NOON else "f"
    opener = state.count(key, 1, first, HOUR)
    made = len(writes)
    assert state.claim(key, opener, first)
    assert len(writes) == made
    other = state.count(key, 1, first, HOUR)
    assert not other.claimed
    assert not state.claim(key, other, first)


def test_what_was_told_is_found_by_when_its_first_window_is_over(state: State) -> None:
    assert told(state, state.count("f", 1, NOON, HOUR))
    state.count("g", 1, NOON, HOUR)
    assert "summary_at" not in item(state, "finding#g")
    assert told(state, state.count("f", 1, later(2 * HOUR), HOUR), later(2 * HOUR))
    assert item(state, "finding#f")["summary_at"] == later(HOUR).timestamp()


def test_a_claim_does_not_hold_back_a_higher_milestone(state: State) -> None:
    assert state.claim("f", state.count("f", 1, NOON, HOUR), NOON)
    assert state.claim("f", state.count("f", 9, NOON, HOUR), NOON)


def test_what_has_been_told_cannot_be_claimed_again(state: State) -> None:
    first, slow = state.count("f", 1, NOON, HOUR), state.count("f", 1, NOON, HOUR)
    assert told(state, first)
    assert not state.claim("f", slow, later(CLAIM_SECONDS + 1))


def test_what_was_told_in_an_old_window_does_not_silence_the_new_one(state: State) -> None:
    state.count("f", 4, NOON, HOUR)
    old = state.count("f", 1, NOON, HOUR)
    new = state.count("f", 1, later(HOUR), HOUR)
    assert not state.mark_told("f", old, "{}")
    assert not state.claim("f", old, later(HOUR))
    assert told(state, new, later(HOUR))


def test_telling_less_never_lowers_what_was_told(state: State) -> None:
    low, high = state.count("f", 1, NOON, HOUR), state.count("f", 99, NOON, HOUR)
    state.mark_told("f", high, "{}")
    assert not state.mark_told("f", low, "{}")
    assert item(state, "finding#f")["told"] == 100


def test_a_budget_allows_its_limit_and_no_more(state: State) -> None:
    spends = [state.spend("vpc-1", 3, HOUR, NOON) for _ in range(5)]
    assert [bool(spent) for spent in spends] == [True, True, True, False, False]
    assert [spent.used for spent in spends] == [1, 2, 3, 3, 3]
    assert spends[-1].window_ends == later(HOUR)


def test_a_budget_is_whole_again_after_its_window(state: State) -> None:
    for _ in range(3):
        state.spend("vpc-1", 2, HOUR, NOON)
    assert state.spend("vpc-1", 2, HOUR, later(HOUR)).used == 1


def test_a_budget_of_nothing_allows_nothing_and_writes_nothing(state: State) -> None:
    assert not state.spend("vpc-1", 0, HOUR, NOON)
    assert state.client.scan(TableName="state")["Count"] == 0


def test_budgets_of_two_keys_are_apart(state: State) -> None:
    assert state.spend("vpc-1", 1, HOUR, NOON)
    assert state.spend("vpc-2", 1, HOUR, NOON)
    assert not state.spend("vpc-1", 1, HOUR, NOON)


def before_each_update(state: State, what: Callable[[], object], times: int = 1) -> None:
    """Have somebody else come in between our reading of the clock and our first `times` updates."""
    left = [None] * times

    def come_in(**_: object) -> None:
        if left:
            left.pop()
            what()

    state.client.meta.events.register("before-call.dynamodb.UpdateItem", come_in)


def test_two_that_both_find_the_window_over_count_in_one_window(state: State) -> None:
    state.count("f", 50, NOON, HOUR)
    other = State(boto3.Session().client("dynamodb", region_name="eu-west-1"), "state")

    def other_opens_the_window() -> None:
        other.count("f", 1, later(HOUR), HOUR)

    refused_then_open: list[Callable[[], object]] = [lambda: None, other_opens_the_window]
    before_each_update(state, lambda: refused_then_open.pop(0)(), times=2)
    assert state.count("f", 1, later(HOUR), HOUR).total == 2


def test_a_budget_spent_by_another_process_just_before_is_refused(state: State) -> None:
    other = State(boto3.Session().client("dynamodb", region_name="eu-west-1"), "state")
    before_each_update(state, lambda: other.spend("vpc-1", 1, HOUR, NOON))
    assert not state.spend("vpc-1", 1, HOUR, NOON)


def test_a_race_that_cannot_be_won_is_an_error_and_not_a_count(state: State) -> None:
    def both_windows() -> None:  # whatever is asked next, the item says the opposite
        before = item(state, "finding#f")["ends"]
        ends = int(later(2 * HOUR).timestamp()) if before <= NOON.timestamp() else 0
        state.client.put_item(
            TableName="state",
            Item={"pk": {"S": "finding#f"}, "tally": {"N": "1"}, "ends": {"N": str(ends)}},
        )

    state.count("f", 1, NOON, HOUR)
    before_each_update(state, both_windows, times=100)
    with pytest.raises(StateError, match="finding#f"):
        state.count("f", 1, NOON, HOUR)


def test_an_ordinary_sighting_costs_one_write(state: State) -> None:
    writes = []
    state.client.meta.events.register(
        "before-call.dynamodb.UpdateItem", lambda **_: writes.append(1)
    )
    state.count("f", 1, NOON, HOUR)
    state.count("f", 1, NOON, HOUR)
    assert len(writes) == 2


def test_a_budget_is_spent_by_amounts_and_never_beyond_its_limit(state: State) -> None:
    spends = [state.spend("month", 100, HOUR, NOON, 40) for _ in range(3)]
    assert [bool(spent) for spent in spends] == [True, True, False]
    assert state.spend("month", 100, HOUR, NOON, 20)
    assert not state.spend("small", 10, HOUR, NOON, 11)


def test_what_is_given_back_can_be_spent_again_in_its_window_only(state: State) -> None:
    state.spend("vpc-1", 1, HOUR, NOON)
    state.give_back("vpc-1", NOON)
    assert state.spend("vpc-1", 1, HOUR, NOON)
    state.give_back("vpc-1", later(HOUR + 1))
    assert item(state, "budget#vpc-1")["tally"] == 1


def test_nothing_is_given_back_that_was_not_spent(state: State) -> None:
    state.give_back("vpc-1", NOON)
    assert state.client.scan(TableName="state")["Count"] == 0


@pytest.mark.parametrize("idle", [True, False])
def test_turns_in_a_line_are_a_gap_apart_and_never_shared(state: State, *, idle: bool) -> None:
    present = int(NOON.timestamp() * 1000)
    turns = [state.next_slot("line", 3_400, NOON, idle=idle) - present for _ in range(4)]
    assert turns == [3_400, 6_800, 10_200, 13_600]


@pytest.mark.parametrize("idle", [True, False])
def test_a_line_that_has_emptied_begins_with_the_present(state: State, *, idle: bool) -> None:
    state.next_slot("line", 3_400, NOON)
    assert (
        state.next_slot("line", 3_400, later(60), idle=idle)
        == int(later(60).timestamp() * 1000) + 3_400
    )


@pytest.mark.parametrize("idle", [True, False])
def test_a_place_taken_by_another_process_just_before_is_not_taken_twice(
    state: State, *, idle: bool
) -> None:
    other = State(boto3.Session().client("dynamodb", region_name="eu-west-1"), "state")
    taken: list[int] = []
    before_each_update(state, lambda: taken.append(other.next_slot("line", 3_400, NOON)), times=2)
    mine = state.next_slot("line", 3_400, NOON, idle=idle)
    assert mine not in taken


def lists_of(state: State, pk: str) -> dict[str, set[str]]:
    found = state.client.get_item(TableName="state", Key={"pk": {"S": pk}}, ConsistentRead=True)
    return {name: set(value["SS"]) for name, value in found["Item"].items() if "SS" in value}


def test_what_was_published_is_known_in_its_window_or_for_ever(state: State) -> None:
    first = state.count("f", 1, NOON, HOUR, news={"g", "n"})
    assert (first.graver, first.novel) == (frozenset(), frozenset())
    assert state.mark_told("f", first, "{}", ["g"], ["n"])
    again = state.count("f", 1, NOON, HOUR)
    assert (again.graver, again.novel) == ({"g"}, {"n"})
    anew = state.count("f", 1, later(HOUR), HOUR)
    assert (anew.graver, anew.novel) == (frozenset(), {"n"})


def test_news_are_claimed_by_one_and_not_hidden_by_the_claim_of_others(state: State) -> None:
    opener = state.count("f", 1, NOON, HOUR, news={"severity low"})
    other = state.count("f", 1, NOON, HOUR, news={"severity low", "severity high"})
    assert state.claim("f", opener, NOON)
    assert not state.claim("f", other, NOON, {"severity low"})
    assert state.claim("f", other, NOON, {"severity low", "severity high"})
    third = state.count("f", 1, NOON, HOUR)
    assert not state.claim("f", third, NOON, {"severity high"})
    assert state.claim("f", third, later(CLAIM_SECONDS + 1), {"severity high"})


def test_words_are_remembered_even_where_more_was_told_meanwhile(state: State) -> None:
    slow, fast = state.count("f", 1, NOON, HOUR), state.count("f", 1, NOON, HOUR)
    assert state.mark_told("f", fast, "{}", [], ["fast"])
    assert not state.mark_told("f", slow, "{}", ["g"], ["slow"])
    known = state.count("f", 1, NOON, HOUR)
    assert (known.graver, known.novel) == ({"g"}, {"fast", "slow"})


def test_names_are_kept_within_a_bound_at_one_write_a_sighting(state: State) -> None:
    for n in range(LISTED + 5):
        lists = {"seen_events": [f"e{n}"], "seen_secrets": ["s"], "seen_callers": []}
        assert state.count("f", 1, NOON, HOUR, lists=lists).total == n + 1
    kept = lists_of(state, "finding#f")
    assert len(kept["seen_events"]) == LISTED
    assert kept["seen_secrets"] == {"s"}
    writes: list[int] = []
    state.client.meta.events.register(
        "before-call.dynamodb.UpdateItem", lambda **_: writes.append(1)
    )
    state.count("f", 1, NOON, HOUR, lists={"seen_events": ["x"], "seen_secrets": ["t"]})
    assert len(writes) == 1
    assert lists_of(state, "finding#f")["seen_secrets"] == {"s", "t"}
    # In a window to come there is room again, once the digest has taken the old names away.
    state.client.update_item(
        TableName="state",
        Key={"pk": {"S": "finding#f"}},
        UpdateExpression="REMOVE seen_events",
    )
    state.count("f", 1, later(HOUR), HOUR, lists={"seen_events": ["later"]})
    assert lists_of(state, "finding#f")["seen_events"] == {"later"}
