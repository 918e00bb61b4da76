"""An item that the guard did not write so is set aside, once; against moto's DynamoDB."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.strict import tables
from guard.approved.history import History
from guard.approved.pauses import Pauses
from guard.approved.rollouts import Rollouts
from guard.table.budgets import Budgets
from guard.table.counts import Counts, finding_key
from guard.table.deferred import DIGEST, Deferred
from guard.table.items import LONGEST_KEY, SET_ASIDE, Items, ItemUnreadable, bounded, epoch
from guard.table.slots import Slots
from guard.table.sound import unsound

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
PLACE = "111122223333/eu-west-1"
GARBLED: tuple[dict[str, Any], ...] = (
    {"N": "1.5"},
    {"N": "-1"},
    {"N": "9" * 38},
    {"N": str(2**53)},
    {"S": "soon"},
    {"BOOL": True},
    {"NULL": True},
    {"B": b"\x00"},
    {"L": [{"S": "x"}]},
    {"M": {"a": {"N": "1"}}},
    {"NS": ["1", "2"]},
)


@pytest.fixture
def items(dynamodb: Any) -> Iterator[Items]:
    with ExitStack() as undo:
        tables.patches.install(undo)
        yield Items(dynamodb, "state", PLACE)


def put(items: Items, key: str, **attributes: Any) -> None:
    items.client.put_item(TableName="state", Item={"pk": {"S": key}, **attributes})


def set_aside(items: Items) -> list[dict[str, str]]:
    """What the digest is to publish, oldest name first."""
    deferred = Deferred(items, DIGEST)
    found = deferred.parsed(deferred.ids(), lambda item: json.loads(item["body"]))
    return [one for one in found.values() if SET_ASIDE in one]


@pytest.mark.parametrize("value", GARBLED, ids=str)
def test_an_item_of_another_type_is_absent_and_published_once(items: Items, value: Any) -> None:
    put(items, "vpc#x", grace_until=value)
    assert items.get("vpc#x", NOON) == {}
    assert items.get("vpc#x", NOON) == {}
    assert items.read(["vpc#x"]) == {}
    (one,) = set_aside(items)
    assert one[SET_ASIDE] == "vpc#x"
    assert "grace_until" in one["content"]


def test_an_item_is_written_anew_after_it_was_set_aside(items: Items) -> None:
    put(items, "vpc#x", grace_until={"S": "soon"}, torn_down={"N": "3"})
    assert items.get("vpc#x", NOON) == {}
    items.put("vpc#x", {"torn_down": 7})
    assert items.get("vpc#x", NOON) == {"torn_down": 7}


def test_an_update_that_meets_a_garbled_item_sets_it_aside_and_is_made(items: Items) -> None:
    put(items, "budget#x", tally={"S": "many"}, ends={"N": "99999999999"})
    taken = Budgets(items).take("x", 3, 60, NOON)
    assert taken.allowed
    assert taken.used == 1
    assert [one[SET_ASIDE] for one in set_aside(items)] == ["budget#x"]


@pytest.mark.parametrize("value", GARBLED, ids=str)
@pytest.mark.parametrize("name", ["tally", "ends", "told", "first_seen", "claimed", "last_seen"])
def test_a_finding_is_counted_though_its_item_was_garbled(
    items: Items, name: str, value: Any
) -> None:
    whole = {"tally": "5", "ends": "9999999999", "told": "1", "first_seen": "1", "claimed": "1"}
    spelled = {one: {"N": n} for one, n in whole.items()}
    put(items, finding_key("f"), **{**spelled, name: value})
    counted = Counts.of(items).count("f", 1, NOON, 3600)
    assert 0 <= counted.total <= 6


def test_a_slot_is_given_though_the_last_one_is_garbled(items: Items) -> None:
    put(items, "pace#slack", slot_at={"S": "never"})
    assert Slots(items).next("slack", 1000, NOON) == NOON.timestamp() * 1000 + 1000


def test_an_index_of_what_is_deferred_may_itself_be_garbled(items: Items) -> None:
    for shard in range(8):
        put(items, f"shelf#{DIGEST}#index#{shard}", ids={"S": "not a set"})
    deferred = Deferred(items, DIGEST)
    assert deferred.add("a", json.dumps({"a": 1}), NOON)
    assert "a" in deferred.ids()
    assert set_aside(items)


@pytest.mark.parametrize(
    "attributes",
    [
        {"stable": {"S": "{}"}},
        {
            "stable": {"S": "{}"},
            "previous": {"S": ""},
            "phase": {"S": "paused"},
            "candidate": {"S": ""},
            "endpoint_id": {"S": ""},
            "applied_at": {"N": "0"},
            "change": {"N": "0"},
            "why": {"S": ""},
        },
    ],
    ids=["without its fields", "of an unknown phase"],
)
def test_a_rollout_that_cannot_be_read_begins_anew(items: Items, attributes: Any) -> None:
    key = f"canary#{PLACE}/own-account"
    put(items, key, **attributes)
    rollouts = Rollouts(items)
    assert rollouts.of("own-account", NOON) is None
    assert [one[SET_ASIDE] for one in set_aside(items)] == [key]


def test_a_pause_without_a_reason_is_none(items: Items) -> None:
    put(items, f"pause#{PLACE}/vpce-1", expires_at={"N": "9999999999"})
    pauses = Pauses(items)
    assert pauses.of("vpce-1", NOON) is None
    pauses.begin("vpce-1", NOON + timedelta(hours=1), "a test", NOON)
    pause = pauses.of("vpce-1", NOON)
    assert pause is not None
    assert pause.reason == "a test"


def test_the_history_goes_on_after_a_garbled_number(items: Items) -> None:
    put(items, f"history#{PLACE}/vpce-1", last_number={"S": "x"}, expires_at={"N": "9999999999"})
    history = History(items, timedelta(days=90))
    assert list(history.latest("vpce-1", NOON)) == []


def test_a_pause_of_the_version_before_is_moved_with_its_end(items: Items) -> None:
    put(items, "pause#vpce-1", reason={"S": "old"}, expires_at={"N": "9999999999"})
    pause = Pauses(items).of("vpce-1", NOON)
    assert pause is not None
    assert pause.reason == "old"
    assert items.get(f"pause#{PLACE}/vpce-1", NOON)["reason"] == "old"


def test_who_only_reads_sets_nothing_aside(items: Items) -> None:
    put(items, "vpc#x", grace_until={"S": "soon"})
    reader = Items(items.client, "state", PLACE, sets_aside=False)
    with pytest.raises(ItemUnreadable, match="vpc#x"):
        reader.get("vpc#x", NOON)
    assert set_aside(items) == []


def test_an_update_that_dynamodb_refuses_of_a_sound_item_is_an_error(items: Items) -> None:
    put(items, "day#x", expires_at={"N": "9999999999"})
    with pytest.raises(ClientError):
        items.update("day#x", "SET this is no expression", {":a": 1})


@pytest.mark.parametrize("text", ["v" * 5000, "\ud800", "\U0001f511" * 900, "x" * 2000 + "\ud800"])
def test_any_text_becomes_a_key_that_dynamodb_takes(items: Items, text: str) -> None:
    items.put(f"vpc#{text}", {"torn_down": 7})
    assert items.get(f"vpc#{text}", NOON) == {"torn_down": 7}
    assert items.read([f"vpc#{text}"])[f"vpc#{text}"]["torn_down"] == 7
    assert items.delete(f"vpc#{text}", "torn_down = :seven", {":seven": 7})


def test_long_keys_that_begin_alike_stay_apart_and_short_ones_stay_as_they_are() -> None:
    one, other = (bounded("vpc#" + "v" * 3000 + end) for end in "ab")
    assert one != other
    assert len(one.encode()) <= LONGEST_KEY
    assert bounded("vpc#111122223333/eu-west-1/vpc/vpc-1") == "vpc#111122223333/eu-west-1/vpc/vpc-1"


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_any_time_of_a_record_is_one_that_the_table_can_hold(year: int):
    written = epoch(datetime(year, 12, 31, tzinfo=UTC))
    assert unsound("finding#1", {"first_seen": written, "last_seen": written}) == ""
    assert 1970 <= datetime.fromtimestamp(written, UTC).year < 9999
