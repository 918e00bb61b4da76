"""Sightings counted in windows, against DynamoDB as moto plays it, in process."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.findings.summary import LISTED
from guard.table.counts import CLAIM_SECONDS, KEPT_SECONDS, Counted, Counts, milestone
from guard.table.items import Items, StateError
from tests.unit.guard.table.tables import (
    HOUR,
    NOON,
    another_process,
    before_each_update,
    item,
    later,
    lists_of,
)


@pytest.fixture
def counts(dynamodb: Any) -> Counts:
    return Counts.of(Items(dynamodb, "state", "111122223333/eu-west-1"))


def published(counts: Counts, counted: Counted, now: datetime = NOON) -> bool:
    claimed = counts.claim("f", counted, now)
    if claimed:
        counts.mark_published("f", counted, "{}")
    return claimed


@given(st.integers(min_value=1, max_value=10**12))
def test_milestone_is_the_power_of_ten_below(total: int) -> None:
    reached = milestone(total)
    assert reached <= total < reached * 10
    assert set(str(reached)) <= {"1", "0"}
    assert str(reached).startswith("1")


def test_nothing_seen_is_no_milestone() -> None:
    assert milestone(0) == 0


def test_sightings_add_up_and_keep_the_first(counts: Counts) -> None:
    counts.count("f", 3, NOON, HOUR, first_seen=later(-40))
    counted = counts.count("f", 4, later(60), HOUR, first_seen=later(50))
    assert counted == Counted(7, later(-40), 0, int(later(HOUR).timestamp()), claimed=False)


def test_fingerprints_do_not_mix(counts: Counts) -> None:
    counts.count("f", 3, NOON, HOUR)
    assert counts.count("g", 1, NOON, HOUR).total == 1


def test_a_window_is_not_prolonged_by_later_sightings(counts: Counts) -> None:
    counts.count("f", 1, NOON, HOUR)
    counts.count("f", 1, later(HOUR - 1), HOUR)
    assert counts.count("f", 1, later(HOUR), HOUR).total == 1


def test_an_expired_item_that_was_not_deleted_is_started_afresh(counts: Counts) -> None:
    assert published(counts, counts.count("f", 12, NOON, HOUR))
    again = counts.count("f", 2, later(2 * HOUR), HOUR)
    assert again == Counted(2, later(2 * HOUR), 0, int(later(3 * HOUR).timestamp()), claimed=True)
    assert published(counts, again, later(2 * HOUR))


def test_the_time_to_live_leaves_the_digest_time_after_the_window(counts: Counts) -> None:
    counts.count("f", 1, NOON, HOUR)
    kept = item(counts.items, "finding#f")
    assert kept["ends"] == int(later(HOUR).timestamp())
    assert kept["expires_at"] == kept["ends"] + KEPT_SECONDS


def test_a_window_that_is_over_leaves_its_numbers_to_the_next_one(counts: Counts) -> None:
    counts.count("f", 3, NOON, HOUR, first_seen=later(-60), last_seen=later(-10))
    assert counts.mark_published("f", counts.count("f", 4, NOON, HOUR, last_seen=later(30)), "{}")
    counts.count("f", 2, later(2 * HOUR), HOUR)
    counts.count("f", 1, later(4 * HOUR), HOUR)
    kept = item(counts.items, "finding#f")
    assert {name: kept[name] for name in kept if name.startswith("past_")} == {
        "past_tally": 9,
        "past_told": 7,
        "past_first": int(later(-60).timestamp()),
        "past_last": int(later(2 * HOUR).timestamp()),
    }
    assert (kept["tally"], kept["told"]) == (1, 0)


def test_an_item_of_an_older_version_is_started_afresh(counts: Counts) -> None:
    old = {"pk": "finding#f", "expires_at": int(later(HOUR).timestamp()), "tally": 7, "told": 1}
    numbers: Any = {name: {"N": str(n)} for name, n in old.items() if name != "pk"}
    first = {"first_seen": {"N": str(int(NOON.timestamp()))}}
    counts.items.client.put_item(
        TableName="state", Item={"pk": {"S": "finding#f"}, **numbers, **first}
    )
    assert counts.count("f", 1, later(60), HOUR).total == 1
    assert item(counts.items, "finding#f")["past_tally"] == 7


@pytest.mark.parametrize("lacking", ["first_seen", "last_seen", "told", "claimed", "ends", "tally"])
def test_a_window_that_somebody_took_an_attribute_of_is_counted_on(
    counts: Counts, lacking: str
) -> None:
    counts.count("f", 3, NOON, HOUR)
    counts.items.client.update_item(
        TableName="state",
        Key={"pk": {"S": "finding#f"}},
        UpdateExpression=f"REMOVE {lacking}",
    )
    assert counts.count("f", 2, later(2 * HOUR), HOUR).total == 2
    assert item(counts.items, "finding#f").get("past_tally", 0) == (0 if lacking == "tally" else 3)


def test_ops_are_notified_at_milestones_only(counts: Counts) -> None:
    announced = []
    for _ in range(120):
        counted = counts.count("f", 1, NOON, HOUR)
        if counted.due and published(counts, counted):
            announced.append(counted.total)
    assert announced == [1, 10, 100]


def test_a_batch_that_jumps_over_milestones_is_published_once(counts: Counts) -> None:
    first = counts.count("f", 250, NOON, HOUR)
    assert first.due
    assert published(counts, first)
    assert not counts.count("f", 300, NOON, HOUR).due
    assert counts.count("f", 450, NOON, HOUR).due


def test_what_was_counted_but_never_published_is_still_due_when_redelivered(counts: Counts) -> None:
    counts.claim("f", counts.count("f", 1, NOON, HOUR), NOON)  # and the process dies here
    back = later(CLAIM_SECONDS)
    again = counts.count("f", 1, back, HOUR)
    assert again.due
    assert counts.claim("f", again, back)


def test_a_standing_claim_leaves_the_publishing_to_its_holder(counts: Counts) -> None:
    mine, theirs = counts.count("f", 1, NOON, HOUR), counts.count("f", 1, NOON, HOUR)
    assert mine.due
    assert theirs.due
    assert [counts.claim("f", mine, NOON), counts.claim("f", theirs, later(1))] == [True, False]


@pytest.mark.parametrize("first", [NOON, later(HOUR)], ids=["first ever", "in a new window"])
def test_who_opens_a_window_reports_it_without_a_call(counts: Counts, first: datetime) -> None:
    counts.count("f", 1, later(-1), HOUR)
    writes: list[int] = []
    counts.items.client.meta.events.register(
        "before-call.dynamodb.UpdateItem", lambda **_: writes.append(1)
    )
    key = "g" if first == NOON else "f"
    opener = counts.count(key, 1, first, HOUR)
    made = len(writes)
    assert counts.claim(key, opener, first)
    assert len(writes) == made
    other = counts.count(key, 1, first, HOUR)
    assert not other.claimed
    assert not counts.claim(key, other, first)


def test_what_was_published_is_found_by_when_its_first_window_is_over(counts: Counts) -> None:
    assert published(counts, counts.count("f", 1, NOON, HOUR))
    counts.count("g", 1, NOON, HOUR)
    assert "summary_at" not in item(counts.items, "finding#g")
    assert published(counts, counts.count("f", 1, later(2 * HOUR), HOUR), later(2 * HOUR))
    assert item(counts.items, "finding#f")["summary_at"] == later(HOUR).timestamp()


def test_a_claim_does_not_hold_back_a_higher_milestone(counts: Counts) -> None:
    assert counts.claim("f", counts.count("f", 1, NOON, HOUR), NOON)
    assert counts.claim("f", counts.count("f", 9, NOON, HOUR), NOON)


def test_what_has_been_published_cannot_be_claimed_again(counts: Counts) -> None:
    first, slow = counts.count("f", 1, NOON, HOUR), counts.count("f", 1, NOON, HOUR)
    assert published(counts, first)
    assert not counts.claim("f", slow, later(CLAIM_SECONDS + 1))


def test_what_was_published_in_an_old_window_does_not_silence_the_new_one(counts: Counts) -> None:
    counts.count("f", 4, NOON, HOUR)
    old = counts.count("f", 1, NOON, HOUR)
    new = counts.count("f", 1, later(HOUR), HOUR)
    assert not counts.mark_published("f", old, "{}")
    assert not counts.claim("f", old, later(HOUR))
    assert published(counts, new, later(HOUR))


def test_publishing_less_never_lowers_what_was_published(counts: Counts) -> None:
    low, high = counts.count("f", 1, NOON, HOUR), counts.count("f", 99, NOON, HOUR)
    counts.mark_published("f", high, "{}")
    assert not counts.mark_published("f", low, "{}")
    assert item(counts.items, "finding#f")["told"] == 100


def test_two_that_both_find_the_window_over_count_in_one_window(counts: Counts) -> None:
    counts.count("f", 50, NOON, HOUR)
    other = Counts.of(another_process())

    def other_opens_the_window() -> None:
        other.count("f", 1, later(HOUR), HOUR)

    refused_then_open: list[Callable[[], object]] = [lambda: None, other_opens_the_window]
    before_each_update(counts.items, lambda: refused_then_open.pop(0)(), times=2)
    assert counts.count("f", 1, later(HOUR), HOUR).total == 2


def test_a_race_that_cannot_be_won_is_an_error_and_not_a_count(counts: Counts) -> None:
    def both_windows() -> None:  # whatever is asked next, the item says the opposite
        before = item(counts.items, "finding#f")["ends"]
        ends = int(later(2 * HOUR).timestamp()) if before <= NOON.timestamp() else 0
        counts.items.client.put_item(
            TableName="state",
            Item={"pk": {"S": "finding#f"}, "tally": {"N": "1"}, "ends": {"N": str(ends)}},
        )

    counts.count("f", 1, NOON, HOUR)
    before_each_update(counts.items, both_windows, times=100)
    with pytest.raises(StateError, match="finding#f"):
        counts.count("f", 1, NOON, HOUR)


def test_an_ordinary_sighting_costs_one_write(counts: Counts) -> None:
    writes = []
    counts.items.client.meta.events.register(
        "before-call.dynamodb.UpdateItem", lambda **_: writes.append(1)
    )
    counts.count("f", 1, NOON, HOUR)
    counts.count("f", 1, NOON, HOUR)
    assert len(writes) == 2


def test_what_was_published_is_known_in_its_window_or_for_ever(counts: Counts) -> None:
    first = counts.count("f", 1, NOON, HOUR, words={"g", "n"})
    assert (first.graver, first.novel) == (frozenset(), frozenset())
    assert counts.mark_published("f", first, "{}", ["g"], ["n"])
    again = counts.count("f", 1, NOON, HOUR)
    assert (again.graver, again.novel) == ({"g"}, {"n"})
    anew = counts.count("f", 1, later(HOUR), HOUR)
    assert (anew.graver, anew.novel) == (frozenset(), {"n"})


def test_words_are_claimed_by_one_and_not_hidden_by_the_claim_of_others(counts: Counts) -> None:
    opener = counts.count("f", 1, NOON, HOUR, words={"severity low"})
    other = counts.count("f", 1, NOON, HOUR, words={"severity low", "severity high"})
    assert counts.claim("f", opener, NOON)
    assert not counts.claim("f", other, NOON, {"severity low"})
    assert counts.claim("f", other, NOON, {"severity low", "severity high"})
    third = counts.count("f", 1, NOON, HOUR)
    assert not counts.claim("f", third, NOON, {"severity high"})
    assert counts.claim("f", third, later(CLAIM_SECONDS + 1), {"severity high"})


def test_words_are_remembered_even_where_more_was_published_meanwhile(counts: Counts) -> None:
    slow, fast = counts.count("f", 1, NOON, HOUR), counts.count("f", 1, NOON, HOUR)
    assert counts.mark_published("f", fast, "{}", [], ["fast"])
    assert not counts.mark_published("f", slow, "{}", ["g"], ["slow"])
    known = counts.count("f", 1, NOON, HOUR)
    assert (known.graver, known.novel) == ({"g"}, {"fast", "slow"})


def test_names_are_kept_within_a_bound_at_one_write_a_sighting(counts: Counts) -> None:
    for n in range(LISTED + 5):
        lists = {"seen_events": [f"e{n}"], "seen_secrets": ["s"], "seen_callers": []}
        assert counts.count("f", 1, NOON, HOUR, lists=lists).total == n + 1
    kept = lists_of(counts.items, "finding#f")
    assert len(kept["seen_events"]) == LISTED
    assert kept["seen_secrets"] == {"s"}
    writes: list[int] = []
    counts.items.client.meta.events.register(
        "before-call.dynamodb.UpdateItem", lambda **_: writes.append(1)
    )
    counts.count("f", 1, NOON, HOUR, lists={"seen_events": ["x"], "seen_secrets": ["t"]})
    assert len(writes) == 1
    assert lists_of(counts.items, "finding#f")["seen_secrets"] == {"s", "t"}
    # In a window to come there is room again, once the digest has taken the old names away.
    counts.items.client.update_item(
        TableName="state",
        Key={"pk": {"S": "finding#f"}},
        UpdateExpression="REMOVE seen_events",
    )
    counts.count("f", 1, later(HOUR), HOUR, lists={"seen_events": ["later"]})
    assert lists_of(counts.items, "finding#f")["seen_events"] == {"later"}
