"""What the guard reads may have any shape: it is judged, told, or refused by name; no crash.

FUZZ_CASES is how many cases are tried in all; `make nightly` tries 1,000,000. Hypothesis chooses a
seed for each case and prints the one that failed; the case is made of it from the samples in
events/ and layers/, bent out of shape.
"""

import io
import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detect_bypass.findings import findings
from detect_bypass.judge import Inventory, judge
from ensure_endpoint.triggers import affected
from guard.cloudtrail.record import UnreadableRecord, from_envelope
from guard.policy import PolicyError, compare, parse
from guard.publishing.message import ENTRY_BYTES, entry, weight
from guard.reconcile.batch import Batch, UnreadableMessage
from guard.reconcile.messages import from_message, to_message
from guard.redact import redacted
from guard.settings import Way
from guardctl.trail import Broken, Element, read
from notify_slack.payload import payload
from notify_slack.webhook import LONGEST_WAIT, Answer, Fate
from notify_slack.webhook import judge as judge_answer
from restore_policy import triggers as policy_trigger
from tests.builders import NOON, SETTINGS
from tests.findings import bypass
from tests.fuzz.mutate import bent, sample, torn

CASES = int(os.environ.get("FUZZ_CASES", "20000"))
POLICIES = "layers/approved_policies/endpoint_policies"
SERVICE = "com.amazonaws.eu-west-1.secretsmanager"
INVENTORY = Inventory(accounts=frozenset({"111122223333"}))


def a_record(chance: random.Random) -> None:
    """A record is refused by name, or judged and told within SNS's limits."""
    envelope = sample(chance, "events")
    envelope["detail"] = bent(chance, envelope["detail"])
    try:
        record = from_envelope(envelope)
    except UnreadableRecord:
        return
    judgement = judge(record, INVENTORY)
    for finding in findings(record, judgement, window=3600):
        made = entry("0", finding, Way())
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
            for one in policy_trigger.requests(message, SETTINGS, frozenset()):
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
    """Every piece of a log is a record or told with its place, and reading comes to an end."""
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


# Each with its share of the cases: by what could be wrong with it, and by what a case costs.
TARGETS = {a_record: 3, an_envelope: 5, a_policy: 5, a_log: 2, an_answer: 9, a_message: 1}


def share(case: Callable[[random.Random], None]) -> int:
    return -(-CASES * TARGETS[case] // sum(TARGETS.values()))


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
