"""The parts of an acceptance run that need no account: waits, signals, prices, policies, code."""

import io
import json
import os
import signal
import zipfile
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from guard.policy import parse
from guardctl.acceptance.chapter import Check
from guardctl.acceptance.estimate import estimate
from guardctl.acceptance.finding_queue import FindingQueue
from guardctl.acceptance.leftovers import Thing
from guardctl.acceptance.networks import reworded
from guardctl.acceptance.polling import Polling, Seen
from guardctl.acceptance.rotation import CODE, packed
from guardctl.acceptance.show import screen
from guardctl.acceptance.stop import Stop, Stopped
from guardctl.acceptance.story import put_back
from guardctl.acceptance.words import words_of
from guardctl.policies import SHIPPED


class Timeless(Polling):
    """Waits cost nothing, and are kept."""

    def now(self):
        return sum(waits)

    def wait(self, seconds):
        self.stop.check()
        waits.append(seconds)


waits: list[float] = []


@pytest.fixture
def polling():
    waits.clear()
    return Timeless(Stop())


def refusal(code, operation="CreateFunction"):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


@given(st.floats(min_value=0.5, max_value=120), st.integers(min_value=0, max_value=20))
def test_a_wait_ends_when_it_holds_or_its_time_is_over(minutes, after):
    waits.clear()
    checks = []

    def check():
        checks.append(1)
        return Seen(len(checks) > after, f"check {len(checks)}")

    reported = []
    seen = Timeless(Stop()).until(check, minutes, reported.append)

    assert seen.holds or sum(waits) >= 60 * minutes
    assert not seen.holds or len(checks) == after + 1
    assert sum(waits) <= 60 * minutes + 15
    assert reported == sorted(reported)
    assert max(waits, default=0) <= 15


def test_without_a_time_it_is_read_once(polling):
    assert not polling.until(lambda: Seen(False, "no"), 0, lambda _: None).holds
    assert waits == []


def test_what_is_not_there_yet_is_waited_for_and_a_denial_is_raised(polling):
    answers = iter([refusal("InvalidVpcEndpointId.NotFound"), Seen(holds=True, words="there")])

    def check():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert polling.until(check, 5, lambda _: None).words == "there"

    def denied():
        raise refusal("UnauthorizedOperation")

    with pytest.raises(ClientError):
        polling.until(denied, 5, lambda _: None)


def test_what_was_just_made_is_asked_for_again_for_a_while(polling):
    calls = []

    def unknown():
        calls.append(1)
        if len(calls) < 4:
            raise refusal("InvalidParameterValueException")
        return "made"

    assert polling.patiently(unknown, "InvalidParameterValueException") == "made"

    def never():
        raise refusal("InvalidParameterValueException")

    with pytest.raises(ClientError):
        polling.patiently(never, "InvalidParameterValueException", seconds=60)
    with pytest.raises(ClientError):
        polling.patiently(never, "AccessDenied")


def test_a_signal_is_heard_at_the_next_call_and_handlers_are_put_back():
    stop, before = Stop(), signal.getsignal(signal.SIGTERM)
    with stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked
        with pytest.raises(Stopped):
            stop.check()
        with pytest.raises(Stopped):
            stop.wait(60)
        stop.forget()
        stop.check()
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_price_is_that_of_the_endpoints_hours():
    found = estimate(grace=10, patience=20, price_per_az_hour=Decimal("0.01"))
    assert (found.usual_minutes, found.longest_minutes) == (60, 190)
    assert found.usual_dollars == Decimal("0.07")  # 3 endpoints in 2 AZs for an hour, and a cent
    assert found.most_dollars == Decimal("0.25")  # for four hours
    assert estimate(600, 20, Decimal("0.01")).usual_dollars > found.most_dollars


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.json")), ids=lambda path: path.stem)
def test_other_words_are_other_words_of_the_same_meaning(path):
    policy = json.loads(path.read_text())
    other = reworded(policy)
    assert other != policy
    assert parse(json.dumps(other)) == parse(json.dumps(policy))
    assert len({one["Sid"] for one in other["Statement"]}) == len(policy["Statement"])


def test_the_functions_code_is_a_zip_file_that_lambda_can_read():
    with zipfile.ZipFile(io.BytesIO(packed(CODE))) as archive:
        (file,) = archive.infolist()
        assert (file.filename, file.external_attr >> 16) == ("index.py", 0o644)
        scope: dict = {}
        exec(archive.read(file), scope)  # noqa: S102 - our own code, as Lambda would run it
    assert scope["handler"]({}, None) is None
    assert packed(CODE) == packed(CODE)


def test_a_terminal_shows_one_bar_with_what_is_waited_for(monkeypatch):
    text = io.StringIO()
    terminal = Console(file=text, force_terminal=True, width=120)
    with screen(terminal) as shown:
        for claim in ("it is there", "it works"):
            check = Check(claim, lambda: Seen(holds=True, words=""), "every", 5)
            shown.watch(check)(61)
            shown.bar.refresh()
            assert [task.description for task in shown.bar.tasks] == [claim]
        shown.cleaning()(3, [Thing("VPC", "vpc-1", "r"), Thing("secret", "s", "r")])
        shown.bar.refresh()
    printed = text.getvalue()
    for said in ("it works", "1 min 01 s, at most 5 min 00 s", "still there: VPC, secret"):
        assert said in printed


@pytest.mark.parametrize(
    ("operation", "permission"),
    [
        ("CreateRole", "iam:CreateRole"),
        ("CreateVpc", "ec2:CreateVpc"),
        ("CreateQueue", "sqs:CreateQueue"),
        ("AssumeRole", "sts:AssumeRole"),
    ],
)
def test_a_denial_names_the_permission(operation, permission):
    words = words_of(refusal("AccessDenied", operation))
    assert f"missing permission: {permission}" in words


@pytest.mark.parametrize(
    ("queue", "held_before", "holds"),
    [("vpce-guard-PolicyDeadLetterQueue", 0, False), ("vpce-guard-PolicyDeadLetterQueue", 2, True)],
)
def test_what_was_in_a_dead_letter_queue_and_put_back_is_seen(queue, held_before, holds):
    """Letters of before the run are none of it."""
    finding = {"kind": "dead-letters", "resource": queue, "title": f"1 messages wait in {queue}"}
    bodies = [[{"Body": json.dumps(finding), "ReceiptHandle": "r"}], []]
    sqs = SimpleNamespace(
        receive_message=lambda **_: {"Messages": bodies.pop(0)}, delete_message=lambda **_: None
    )
    name = "PolicyDeadLetterQueue"
    resources = {name: f"https://sqs.us-east-1.amazonaws.com/123456789012/{queue}"}
    stack = SimpleNamespace(resources=resources, resource=resources.__getitem__)
    props = {"letters": {name: held_before}, "finding_queue": FindingQueue(sqs, "url")}
    seen = put_back(cast(Any, SimpleNamespace(stack=stack, props=props)))
    assert (seen.holds, queue in seen.words) == (holds, not holds)
