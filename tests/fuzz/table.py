"""The state table with one item bent out of shape, and everybody who reads it."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

from botocore.exceptions import ClientError

from digest.daily import REPORTED, DailyReport
from digest.deferred import Digest
from digest.windows import Windows
from ensure_endpoint.memory import VpcMemory
from guard.approved.history import RESTORED, Change, History
from guard.approved.pauses import Pauses
from guard.approved.policies import ApprovedPolicy
from guard.approved.rollouts import Rollouts
from guard.findings.summary import summary
from guard.policy import parse
from guard.publishing.message import published_form
from guard.publishing.topic import Topic
from guard.reconcile.outbox import Entry, Outbox
from guard.reconcile.request import Key, Request, Trigger
from guard.settings import Publishing
from guard.table.arrivals import Arrivals
from guard.table.budgets import Budgets
from guard.table.counts import Counts
from guard.table.deferred import DIGEST, OPEN, Deferred
from guard.table.figures import Figures
from guard.table.items import Items, StateError, _written
from guard.table.slots import Slots
from guard.table.sound import plain
from guardctl.replay.memory import MemoryItems
from notify_slack.bot import Posted, Threads, step
from tests.builders import NOON, SETTINGS
from tests.findings import bypass
from tests.fuzz.mutate import ODD, bent

KEY = Key(SETTINGS.account_id, SETTINGS.region, "vpc", "vpc-1")
LATER = NOON + timedelta(days=1)
TEXT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}'
TEXT = TEXT.replace('"*"}]', '"*","Resource":"*"}]')
VALUES: tuple[dict[str, Any], ...] = (
    *({"S": text} for text in ("", "x", "{", "[]", "null", '{"a": 1}', "\u202e", "9" * 400)),
    *({"N": n} for n in ("0", "-1", "1.5", "1E125", "-1E-130", "9007199254740993", "253402300800")),
    {"BOOL": True},
    {"NULL": True},
    {"B": b"\xff"},
    {"SS": ["a"]},
    {"NS": ["1"]},
    {"L": []},
    {"M": {"a": {"S": "b"}}},
)


class Refused(ClientError):
    def __init__(self, code: str, item: Any = None) -> None:
        super().__init__({"Error": {"Code": code, "Message": ""}}, "UpdateItem")
        self.response["Item"] = item or {}


class Dynamo:
    """DynamoDB as `Items` uses it; an expression that does not fit what is there is refused."""

    exceptions = SimpleNamespace(ConditionalCheckFailedException=Refused)

    def __init__(self, items: dict[str, Any]) -> None:
        self.items = items
        self.removed: list[str] = []

    def get_item(self, *, Key: Any, **_: Any) -> Any:  # noqa: N803
        return {"Item": copy.deepcopy(self.items.get(Key["pk"]["S"], {}))}

    def batch_get_item(self, *, RequestItems: Any) -> Any:  # noqa: N803
        ((table, asked),) = RequestItems.items()
        keys = [one["pk"]["S"] for one in asked["Keys"]]
        return {"Responses": {table: [self.items[key] for key in keys if key in self.items]}}

    def get_paginator(self, _: str) -> Any:
        found = [item for item in self.items.values() if "summary" in item]
        return SimpleNamespace(paginate=lambda **_: [{"Items": found}])

    def update_item(self, *, Key: Any, UpdateExpression: str, **asked: Any) -> Any:  # noqa: N803
        key = Key["pk"]["S"]
        spelled = self.items.get(key)
        memory = MemoryItems.empty()
        if spelled is not None:
            memory._items[key] = {k: v for k, v in plain(spelled).items() if k != "pk"}
        values = plain(asked.get("ExpressionAttributeValues", {}))
        names = asked.get("ExpressionAttributeNames")
        when = asked.get("ConditionExpression", "")
        if when and not self._holds(memory, key, when, values, names):
            raise Refused("ConditionalCheckFailedException", spelled)
        if UpdateExpression.startswith("REMOVE #"):
            self.removed.append(key)
        try:
            after, _ = memory.update(key, UpdateExpression, values, names=names)
        except TypeError as error:
            raise ClientError({"Error": {"Code": "ValidationException"}}, "UpdateItem") from error
        before = plain(spelled or {})
        self.items[key] = {"pk": {"S": key}} | {
            name: spelled[name]
            if spelled and before.get(name) == value and name in spelled
            else _spelled({name: value})[name]
            for name, value in after.items()
        }
        return {"Attributes": copy.deepcopy(self.items[key])}

    def _holds(self, memory: Any, key: str, when: str, values: Any, names: Any) -> bool:
        try:
            _, held = copy.deepcopy(memory).update(
                key, "REMOVE nothing", values, when=when, names=names
            )
        except TypeError:  # a comparison of two types is false in DynamoDB
            return False
        return held

    def delete_item(self, *, Key: Any, **_: Any) -> None:  # noqa: N803
        self.items.pop(Key["pk"]["S"], None)


def _spelled(values: dict[str, Any]) -> Any:
    """As DynamoDB spells them: a number that was garbled, and then added to, stays one."""
    ((name, value),) = values.items()
    return {name: {"N": str(value)}} if isinstance(value, Decimal) else _written(values)


def opened(dynamo: Dynamo) -> Items:
    return Items(cast(Any, dynamo), "state", SETTINGS.place)


@cache
def _whole() -> dict[str, Any]:
    """A table with an item of each kind, written by who writes them."""
    dynamo = Dynamo({})
    items = opened(dynamo)
    Pauses(items).begin("vpce-1", LATER, "a rollback", NOON)
    Rollouts(items).remember(None, ApprovedPolicy("own-account", TEXT, parse(TEXT)))
    items.put(items.name("canary-watch", "vpce-1"), {"denied": "", "denied_in": "", "next_look": 0})
    change = Change(endpoint_id="vpce-1", at=NOON, action=RESTORED, before=TEXT, after=TEXT)
    History(items, timedelta(days=90)).keep(change, "key", NOON)
    finding = bypass(done=("x",))
    Outbox(items).record(Entry("outbox#1", "repair", finding), NOON)
    VpcMemory(items).note(KEY, NOON, grace_until=5, torn_down=3, slot_at=9)
    body = published_form(finding, Publishing())
    Deferred(items, DIGEST).add(body["id"], json.dumps(body), NOON)
    Deferred(items, OPEN).add(finding.fingerprint, json.dumps(summary(body)), NOON)
    counts = Counts.of(items)
    counted = counts.count("f", 3, NOON, 3600, lists={"seen_callers": ["a"]}, words=["w"])
    counts.mark_published("f", counted, json.dumps(summary(body)), ["g"], ["n"])
    Slots(items).next("slack", 1000, NOON)
    Budgets(items).take("b", 3, 60, NOON)
    Figures(items).add_to_day(NOON, {"found bypass": 3, "suppressed": 1})
    Figures(items).read_before("r", NOON, NOON)
    arrivals = Arrivals(items)
    arrivals.since(NOON)
    items.update(
        "arrived#2026-11-23T12:00Z",
        "ADD ids :ids SET expires_at = :e",
        {":ids": ["a"], ":e": int(LATER.timestamp())},
        quiet=True,
    )
    items.put(REPORTED, {"day": (NOON - timedelta(days=3)).date().isoformat()})
    Threads(items, "C1").note({**body, "window": 60}, "1.2", NOON)
    return dynamo.items


def bent_table(chance: random.Random) -> tuple[Dynamo, str]:
    """The table, and the name of the item that somebody has spoiled."""
    items = copy.deepcopy(_whole())
    key = chance.choice(sorted(items))
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(sorted(items[key].keys() - {"pk"} | {"odd"}))
        text = items[key].get(name, {}).get("S", "")
        match chance.randrange(4):
            case 0:
                items[key].pop(name, None)
            case 1 if len(text) > 20:
                content = json.dumps(bent(chance, json.loads(text)))
                items[key][name] = {"S": content.encode(errors="replace").decode()}
            case 2:
                items[key][name] = {"S": json.dumps(chance.choice(ODD))}
            case _:
                items[key][name] = copy.deepcopy(chance.choice(VALUES))
    return Dynamo(items), key


def accepted(**request: Any) -> dict[str, Any]:
    """What SNS answers where it accepts every entry of a PublishBatch."""
    entries = request["PublishBatchRequestEntries"]
    return {"Successful": [{"Id": one["Id"]} for one in entries], "Failed": []}


def readers(items: Items) -> Iterator[Callable[[], object]]:
    """All who read the table."""
    request = Request(key=KEY, triggers=(Trigger(name="x"),), entries=("outbox#1",))
    topic = Topic(cast(Any, SimpleNamespace(publish_batch=accepted)), "topic")
    history = History(items, timedelta(days=90))
    threads, finding = Threads(items, "C1"), published_form(bypass(), Publishing())
    parameters = cast(Any, SimpleNamespace(get=lambda *_, **__: "remediate"))
    empty = SimpleNamespace(paginate=lambda **_: [{"Parameters": []}])
    ssm = cast(Any, SimpleNamespace(get_paginator=lambda _: empty))
    daily = DailyReport(SETTINGS, 7, topic, items, Deferred(items, OPEN), parameters, ssm)

    def post() -> object:
        posted = threads.find(finding["fingerprint"], NOON)
        assert posted is None or isinstance(posted, Posted)
        return step(finding, posted, NOON)

    yield lambda: Pauses(items).of("vpce-1", NOON)
    yield lambda: Rollouts(items).of("own-account", NOON)
    yield lambda: Rollouts(items).watch("vpce-1", NOON)
    yield lambda: [(one.who, one.at > NOON) for one in history.latest("vpce-1", NOON)]
    yield lambda: [one.late(NOON).to_json() for one in Outbox(items).unpublished(request, NOON)]
    yield lambda: VpcMemory(items).recall(KEY, NOON)
    yield post
    yield lambda: Arrivals(items).since(NOON)
    yield lambda: Arrivals(items).kept("2026-11-23T12:00Z", NOON)
    yield lambda: Counts.of(items).count("f", 1, NOON, 3600)
    yield lambda: Budgets(items).take("b", 3, 60, NOON)
    yield lambda: Slots(items).next("slack", 1000, NOON)
    yield lambda: Figures(items).add_to_day(NOON, {"found bypass": 1, "suppressed": 1})
    yield lambda: Figures(items).read_before("r", NOON, NOON)
    yield lambda: daily.publish(NOON)
    yield lambda: Digest(SETTINGS, topic, Deferred(items, DIGEST), Windows(items)).publish(
        NOON + timedelta(hours=2)
    )


__all__ = ["StateError", "bent_table", "opened", "readers"]
