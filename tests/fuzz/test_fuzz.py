"""What the guard reads may have any shape: it is judged, reported, or refused by name; no crash.

FUZZ_CASES is how many cases are tried in all; `make nightly` tries 1,000,000. Hypothesis chooses a
seed for each case and prints the one that failed; the case is made of it from the samples in
events/ and layers/, bent out of shape.
"""

import io
import json
import logging
import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, cast
from unittest.mock import MagicMock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detect_bypass.findings import findings
from detect_bypass.judge import Inventory, judge
from ensure_endpoint.triggers import affected
from guard.cloudtrail.record import UnreadableRecord, from_envelope
from guard.policy import PolicyError, compare, parse
from guard.publishing.message import ENTRY_BYTES, entry, weight
from guard.publishing.publish import Published
from guard.reconcile.batch import BACKED_OFF, HOPS, INSTEAD_OF, Batch, UnreadableMessage
from guard.reconcile.kernel import Kernel
from guard.reconcile.messages import from_message, to_message
from guard.reconcile.mode import Mode, ModeRead
from guard.reconcile.outbox import Outbox
from guard.reconcile.request import Key, Request, Trigger, asking
from guard.reconcile.requeue import Requeue
from guard.reconcile.result import Result
from guard.redact import redacted
from guard.settings import Publishing
from guard.table.slots import Slots
from guardctl.replay.memory import MemoryItems
from guardctl.trail import Broken, Element, read
from notify_slack.payload import payload
from notify_slack.webhook import LONGEST_WAIT, Answer, Fate
from notify_slack.webhook import judge as judge_answer
from restore_policy import triggers as policy_trigger
from tests.builders import NOON, SETTINGS
from tests.findings import bypass
from tests.fuzz.mutate import bent, sample, torn
from tests.fuzz.table import bent_table, opened, readers

CASES = int(os.environ.get("FUZZ_CASES", "5000"))
POLICIES = "layers/approved_policies/endpoint_policies"
SERVICE = "com.amazonaws.eu-west-1.secretsmanager"
INVENTORY = Inventory(accounts=frozenset({"111122223333"}))


def a_record(chance: random.Random) -> None:
    """A record is refused by name, or judged and reported within SNS's limits."""
    envelope = sample(chance, "events")
    envelope["detail"] = bent(chance, envelope["detail"])
    try:
        record = from_envelope(envelope)
    except UnreadableRecord:
        return
    judgement = judge(record, INVENTORY)
    for finding in findings(record, judgement, window=3600):
        made = entry("0", finding, Publishing())
        assert weight(made) <= ENTRY_BYTES + 4096
        assert payload(json.loads(made["Message"])["default"])["text"]


def an_envelope(chance: random.Random) -> None:
    """A batch is opened, whatever is in it, and each message is read or refused by name."""
    body = json.dumps(bent(chance, sample(chance, "events")))
    if chance.random() < 0.3:
        body = torn(chance, body.encode(errors="replace")).decode(errors="replace")
    batch = Batch.open({"Records": [{"messageId": "1", "body": body, "attributes": {}}]})
    assert len(batch.messages) + len(batch.response()["batchItemFailures"]) == 1
    for message in batch.messages:
        with suppress(UnreadableRecord):
            assert affected(from_envelope(message.envelope), SERVICE).reason
        with suppress(UnreadableMessage):
            assert json.dumps(to_message(from_message(message, "vpc", SETTINGS), NOON))
        with suppress(UnreadableRecord, UnreadableMessage):
            for one in policy_trigger.requests(message, SETTINGS, frozenset(), sorted):
                assert one.triggers
                assert json.dumps(to_message(one, NOON))


def a_policy(chance: random.Random) -> None:
    """A policy is refused by name or compared; one that differs in nothing is the same."""
    approved = parse(json.dumps(sample(chance, POLICIES)))
    text = json.dumps(bent(chance, sample(chance, POLICIES)))
    if chance.random() < 0.2:
        text = torn(chance, text.encode(errors="replace")).decode(errors="replace")
    try:
        policy = parse(text)
    except PolicyError:
        assert compare(text, approved)
        return
    assert not compare(text, policy)
    assert all(one.text for one in compare(text, approved))


def a_log(chance: random.Random) -> None:
    """Every piece of a log is a record or reported with its place, and reading comes to an end."""
    records = [bent(chance, sample(chance, "events")["detail"]) for _ in range(2)]
    shape = chance.choice((records, {"Records": records}))
    text = json.dumps(shape) if chance.random() < 0.6 else "\n".join(map(json.dumps, records))
    data = torn(chance, text.encode(errors="replace")) if chance.random() < 0.7 else text.encode()
    for piece in read(io.BytesIO(data)):
        match piece:
            case Element():
                assert isinstance(piece.value, dict)
            case Broken():
                assert piece.reason
            case _:
                assert piece.count > 0


HEADERS = ("Retry-After", "retry-after", "X-Other")
WORDS = ("ok", "", "no_service", "rate_limited", "<html>", "invalid_blocks", "\x00", "x" * 9000)


def an_answer(chance: random.Random) -> None:
    """Whatever Slack says leads to one fate, and to a wait that SQS takes."""
    waits: tuple[Any, ...] = ("0", "-5", "30", "1e9", "soon", "", "9" * 400, "3.5", "\u0663")
    answer = Answer(
        chance.choice((0, 200, 302, 400, 403, 404, 408, 410, 429, 500, 503, chance.randrange(999))),
        chance.choice(WORDS),
        {chance.choice(HEADERS): chance.choice(waits)},
    )
    verdict = judge_answer(answer, chance.choice((1, 2, 10, 1000)))
    assert isinstance(verdict.fate, Fate)
    assert 0 <= verdict.wait <= LONGEST_WAIT


PLANTS = (
    "password=hunter2",
    'SecretString: "correct hunter2"',
    json.dumps({"SecretString": json.dumps({"user": "it's", "pin": "hunter2"})}),
    "1 validation error detected: Value 'it's hunter2' at 'secretString' failed to satisfy",
    "X-Amz-Security-Token=hunter2&api-key=hunter2",
)


def a_message(chance: random.Random) -> None:
    """Whatever is on the topic is shown in Slack, and holds no secret afterwards."""
    body = json.dumps(bent(chance, bypass().to_json()))
    if chance.random() < 0.3:
        body = torn(chance, body.encode(errors="replace")).decode(errors="replace")
    shown = payload(body, chance.choice((1, 2)))
    text = json.dumps(shown)
    assert shown["text"]
    assert "hunter2" not in redacted(f"{text} {chance.choice(PLANTS)}")


class Recorder:
    """A reaction that notes what it was asked for, and writes each request out again."""

    def __init__(self, kind: str) -> None:
        self.kind, self.seen = kind, set[str]()

    def triggers(self, message: Any, now: Any) -> list[Request]:
        return [from_message(message, self.kind, SETTINGS)]

    def observe(self, requests: Any, now: Any) -> dict[Key, Any]:
        return {one.key: True for one in requests}

    def reconcile(self, request: Request, state: Any, entries: Any, now: Any) -> Result:
        assert json.dumps(to_message(request, now))
        self.seen.add(request.key.id)
        return Result()


def a_request(chance: random.Random) -> None:
    """One of the guard's own messages, bent, fails alone: its neighbour is handled."""
    kind = chance.choice(("vpc", "endpoint", "secret"))
    place = SETTINGS.account_id, SETTINGS.region, kind
    trigger = Trigger(name="CreateVpc", source="m", at=5.0, is_event=True, facts={"a": "b"})
    whole = Request(
        key=Key(*place, "spoiled"),
        triggers=(trigger,),
        attempt=2,
        throttled=1,
        not_before=7,
        entries=("outbox#1",),
        notes={"trial": ("true",)},
        hops=3,
    )
    envelope = {**to_message(whole, NOON), HOPS: 3, BACKED_OFF: 1, INSTEAD_OF: "m"}
    body = json.dumps(bent(chance, envelope))
    if chance.random() < 0.2:
        body = torn(chance, body.encode(errors="replace")).decode(errors="replace")
    good = json.dumps(to_message(asking(Key(*place, "innocent"), "sweep"), NOON))
    records = [{"messageId": "bad", "body": body}, {"messageId": "good", "body": good}]
    chance.shuffle(records)
    recorder, items = Recorder(kind), MemoryItems.empty()
    kernel = Kernel(
        reconciler=cast(Any, recorder),
        settings=SETTINGS,
        slots=Slots(items),
        outbox=Outbox(items),
        requeue=Requeue(cast(Any, MagicMock()), "url"),
        publish=lambda *_: Published(published=0, suppressed=0),
        mode=lambda: ModeRead(Mode.OBSERVE),
        clock=lambda: NOON,
    )
    back = kernel.run({"Records": records})["batchItemFailures"]
    assert "innocent" in recorder.seen
    assert {one["itemIdentifier"] for one in back} <= {"bad"}


def an_item(chance: random.Random) -> None:
    """A spoiled item of the table is set aside, and harms no reader a second time."""
    dynamo, key = bent_table(chance)
    items = opened(dynamo)
    for use in readers(items):
        use()
    assert set(dynamo.removed) <= {key}
    dynamo.removed.clear()
    for use in readers(items):
        use()
    assert not dynamo.removed


# Each with its share of the cases: by what could be wrong with it, and by what a case costs.
TARGETS = {
    a_record: 3,
    an_envelope: 5,
    a_policy: 5,
    a_log: 2,
    an_answer: 9,
    a_message: 1,
    a_request: 3,
    an_item: 1,
}


def share(case: Callable[[random.Random], None]) -> int:
    return -(-CASES * TARGETS[case] // sum(TARGETS.values()))


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What fails is logged, a million times."""
    logging.disable(logging.CRITICAL)
    monkeypatch.setattr("guard.reconcile.kernel.measure", lambda _: None)
    monkeypatch.setattr("guard.reconcile.attempt.measure", lambda _: None)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("case", TARGETS, ids=lambda case: case.__name__)
def test_any_shape(case: Callable[[random.Random], None]):
    tried = 0

    @settings(
        max_examples=share(case),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(min_value=0, max_value=2**64))
    def fuzz(seed: int) -> None:
        nonlocal tried
        tried += 1
        case(random.Random(seed))  # noqa: S311 - chance, not secrecy

    fuzz()
    assert tried >= share(case)


def test_the_shares_are_all_of_the_cases():
    assert sum(map(share, TARGETS)) >= CASES
