"""Whatever a record holds: the deployed function never fails, is not silent without a reason,
and judges as `guardctl replay` does.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from typer.testing import CliRunner

from benchmarks.storm import counted
from detect_bypass.findings import KINDS
from detect_bypass.judge import SECRETS_MANAGER, Inventory, judge
from emulator import Cloud
from guard.cloudtrail.record import FROM_CLOUDTRAIL, Record, UnreadableRecord, parse
from guardctl.__main__ import app
from tests.damage import damaged
from tests.records import READ, changed, envelope

FUNCTION = "DetectBypassFunction"
EVENTS = Path(__file__).parents[3] / "events"


def samples() -> Iterator[Any]:
    """Every sample that carries a record of Secrets Manager, whether or not a rule brings it."""
    for path in sorted(EVENTS.glob("*.json")):
        event = json.loads(path.read_text())
        from_trail = event["detail-type"].endswith(FROM_CLOUDTRAIL)
        if from_trail and event["detail"].get("eventSource") == SECRETS_MANAGER:
            yield pytest.param(event, id=path.stem)


def invoke(cloud: Cloud, event: dict[str, Any]) -> list[str]:
    """The ids of what the function sent back; it must not fail."""
    body = json.dumps(event)
    run = cloud.invoke(FUNCTION, {"Records": [{"messageId": "0", "body": body}]})
    assert run.error is None
    return [item["itemIdentifier"] for item in run.result["batchItemFailures"]]


@pytest.mark.parametrize("event", list(samples()))
def test_the_function_and_replay_say_the_same(cloud, tmp_path, event):
    assert invoke(cloud, event) == []
    log = tmp_path / "event.json"
    log.write_text(json.dumps(event))
    done = CliRunner().invoke(
        app, ["replay", str(log), "--account", cloud.account, "--format", "jsonl"]
    )
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    published = [one for one in cloud.findings if one["kind"] in set(KINDS.values())]
    assert bool(published) == row["alert"]
    for finding in published:
        assert finding["kind"] == KINDS[row["verdict"]]
        assert (finding["severity"], finding["fingerprint"]) == (
            row["severity"],
            row["fingerprint"],
        )
        assert finding["cause"] == row["cause"]


def wants_to_be_notified(value: object, account: str) -> bool:
    """Whether somebody must hear of it: what cannot be read, and what is an alert."""
    try:
        record: Record = parse(value)  # pyright: ignore[reportArgumentType]
    except UnreadableRecord:
        return True
    return judge(record, Inventory(accounts=frozenset({account}))).alert


@pytest.mark.parametrize("name", ["\x00", "\x1f\x7f", " ", "\ud800", ""])
def test_a_secret_of_whose_name_nothing_can_be_shown_is_published(cloud, name: str):
    record = changed(READ, requestParameters={"secretId": name})
    assert invoke(cloud, {**envelope({}), "detail": record}) == []
    assert [one["kind"] for one in cloud.findings] == ["bypass"]


def is_json(value: Any) -> bool:
    """Python's Infinity and NaN are none: nobody who sends JSON sends them."""
    try:
        return bool(json.dumps(value, allow_nan=False))
    except ValueError:
        return False


@settings(max_examples=40)
@given(damaged())
def test_no_shape_makes_the_function_fail_or_be_silent(deployment: Cloud, value: Any):
    deployment.reset()  # a window of an earlier test that is over would begin to count anew
    before = counted(deployment)
    event = {**envelope({}), "detail": value}
    if failed := invoke(deployment, event):
        # It ends in the dead-letter queue, with its alarm: it is no record of the service at all.
        assert failed == ["0"]
        no_record = not isinstance(value, dict) or not is_json(value)
        assert no_record or value.get("eventSource") != SECRETS_MANAGER
    elif wants_to_be_notified(value, deployment.account):
        assert counted(deployment) > before
