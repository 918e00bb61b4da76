"""What a deployed stack of the version before keeps, under names without account and Region."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from guard.approved.history import RESTORED, Change, History
from guard.approved.pauses import Pauses
from guard.approved.rollouts import Rollouts
from guard.table.items import Items
from tests.builders import NOON, SETTINGS

PLACE = SETTINGS.place
LATER = NOON + timedelta(hours=1)


class Conflict(Exception):
    """DynamoDB's ConditionalCheckFailedException, as far as `Items` asks for it."""

    response: dict[str, Any] = {}  # noqa: RUF012 - as botocore's


class Table:
    """The calls of DynamoDB that `Items` makes, over a dict; of conditions the two on existence."""

    class exceptions:  # noqa: N801 - as botocore's
        ConditionalCheckFailedException = Conflict

    def __init__(self, items: dict[str, dict[str, Any]]) -> None:
        self.items = items

    def get_item(self, *, Key, **_):  # noqa: N803 - as boto3's
        item = self.items.get(Key["pk"]["S"])
        return {"Item": item} if item else {}

    def update_item(self, *, Key, **asked):  # noqa: N803 - as boto3's
        name, when = Key["pk"]["S"], asked.get("ConditionExpression", "")
        if when in ("attribute_exists(pk)", "attribute_not_exists(pk)") and (
            (name in self.items) == ("not" in when)
        ):
            raise Conflict
        item = self.items.setdefault(name, {})
        values = asked["ExpressionAttributeValues"]
        if ":one" in values:  # the history counts
            number = int(item.get("last_number", {"N": "0"})["N"]) + 1
            item |= {"last_number": {"N": str(number)}, "expires_at": values[":ends"]}
        for place, attribute in asked.get("ExpressionAttributeNames", {}).items():
            item[attribute] = values[place.replace("#", ":")]
        return {"Attributes": item}


def table(**items: dict[str, str | int]) -> Items:
    written = {
        name.replace("__", "#").replace("_", "-"): {
            key: {"S": value} if isinstance(value, str) else {"N": str(value)}
            for key, value in values.items()
        }
        for name, values in items.items()
    }
    return Items(cast(Any, Table(written)), "table", PLACE)


def names(items: Items) -> set[str]:
    return set(cast(Any, items.client).items)


def epoch(when: datetime) -> int:
    return int(when.timestamp())


def test_a_pause_is_still_in_force_and_moved():
    items = table(pause__vpce_1={"reason": "by hand", "expires_at": epoch(LATER), "asked": 1})
    pause = Pauses(items).of("vpce-1", NOON)
    assert pause
    assert (pause.until, pause.reason, pause.asked) == (LATER, "by hand", True)
    assert items.get(f"pause#{PLACE}/vpce-1", NOON)
    assert not items.get("pause#vpce-1", NOON)


@pytest.mark.parametrize("ends", ["end", "begin"])
def test_a_pause_that_is_ended_or_replaced_does_not_come_back(ends):
    items = table(pause__vpce_1={"reason": "by hand", "expires_at": epoch(LATER)})
    pauses = Pauses(items)
    if ends == "end":
        pauses.end("vpce-1", NOON)
    else:
        pauses.begin("vpce-1", NOON + timedelta(minutes=1), "shorter", NOON)
    assert pauses.of("vpce-1", NOON + timedelta(minutes=2)) is None


def test_ending_a_pause_makes_no_item_under_the_old_name():
    items = table()
    Pauses(items).end("vpce-1", NOON)
    assert names(items) == {f"pause#{PLACE}/vpce-1"}


ROLLOUT: dict[str, str | int] = {
    "stable": "{}",
    "previous": "",
    "phase": "trying",
    "candidate": "ab",
    "endpoint_id": "vpce-1",
    "applied_at": 5,
    "change": 1,
    "why": "",
}


def test_a_rollout_goes_on_with_its_watch():
    watch: dict[str, str | int] = {"denied": "GetSecretValue by bob", "next_look": 7}
    items = table(canary__own_account=ROLLOUT, canary_watch__vpce_1=watch)
    rollouts = Rollouts(items)
    rollout = rollouts.of("own-account", NOON)
    assert rollout
    assert (rollout.phase, rollout.endpoint_id, rollout.applied_at) == ("trying", "vpce-1", 5)
    assert rollouts.watch("vpce-1", NOON).denied == "GetSecretValue by bob"
    assert {f"canary#{PLACE}/own-account", f"canary-watch#{PLACE}/vpce-1"} <= names(items)


def test_the_history_goes_on_where_it_ended():
    old = Change(endpoint_id="vpce-1", at=NOON, action=RESTORED, before="a", after="b")
    items = table(history__vpce_1={"last_number": 2, "expires_at": epoch(LATER)})
    history = History(items, timedelta(days=1))
    for number in (1, 2):
        items.put(f"history#vpce-1#{number}", kept(old, number), expires=LATER)
    assert [one.number for one in history.latest("vpce-1", NOON)] == [2, 1]
    assert history.keep(old, "m", NOON) == 3
    assert [one.number for one in history.latest("vpce-1", NOON)] == [3, 2, 1]


def kept(change: Change, number: int) -> dict[str, str | int]:
    return {"change": json.dumps(replace(change, number=number).to_json())}
