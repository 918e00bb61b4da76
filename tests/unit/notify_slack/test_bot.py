"""How a bot shows a finding: anew, brought up to date, or in the thread of the one before."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from guard.findings.finding import Severity
from guard.publishing.message import published_form
from guardctl.replay.memory import MemoryItems
from notify_slack.bot import Forgotten, Posted, Step, Threads, judge, step, ts_of
from notify_slack.webhook import (
    Answer,
    BadWebhook,
    Fate,
    api_of,
    checked_token,
    is_token,
)
from tests.findings import NOON, bypass

SHOWN = Posted("17.1", "2026-05-04T12:00:00Z", 1, int(NOON.timestamp()), "high")


def form(**changes: Any) -> dict[str, Any]:
    return published_form(bypass(**changes))


def test_what_was_not_shown_yet_is_a_new_message() -> None:
    assert step(form(), None, NOON) == Step("chat.postMessage", {})
    assert step(None, None, NOON) == Step("chat.postMessage", {})


def test_a_follow_up_brings_the_message_up_to_date() -> None:
    assert step(form(count=10), SHOWN, NOON) == Step("chat.update", {"ts": "17.1"})


def test_what_the_message_says_already_is_not_said_again() -> None:
    assert step(form(count=1), SHOWN, NOON) is None


def test_the_next_window_is_a_new_message_even_if_it_counts_less() -> None:
    later = NOON + timedelta(hours=1)
    finding = form(first_seen=later, last_seen=later)
    assert step(finding, replace(SHOWN, count=10), later) == Step("chat.postMessage", {})


LOUD = Step("chat.postMessage", {"thread_ts": "17.1", "reply_broadcast": True})
QUIET = Step("chat.postMessage", {"thread_ts": "17.1"})
NEW = {"new": ["the first read of a secret"]}


@pytest.mark.parametrize(
    ("shown", "severity", "count", "evidence", "made"),
    [
        pytest.param("medium", "high", 10, {}, LOUD, id="graver"),
        pytest.param("low", "medium", 2, {}, LOUD, id="graver, by one step"),
        pytest.param("info", "low", 2, {}, LOUD, id="graver, though low"),
        pytest.param("medium", "high", 1, {}, LOUD, id="graver, with a count that is shown"),
        pytest.param("high", "low", 10, {}, QUIET, id="milder"),
        pytest.param("high", "medium", 10, {}, QUIET, id="milder, though medium"),
        pytest.param("high", "low", 1, {}, None, id="milder and shown"),
        pytest.param("high", "high", 10, {}, Step("chat.update", {"ts": "17.1"}), id="as grave"),
        pytest.param("high", "high", 10, NEW, LOUD, id="as grave, with new"),
        pytest.param("high", "high", 3, NEW, LOUD, id="new that come late"),
        pytest.param("low", "low", 10, NEW, QUIET, id="new of low severity"),
        pytest.param("high", "medium", 10, NEW, QUIET, id="milder new"),
        pytest.param("", "high", 10, {}, LOUD, id="posted by a version before"),
        pytest.param("", "low", 10, {}, QUIET, id="low, posted by a version before"),
        pytest.param("", "high", 1, {}, None, id="shown by a version before"),
    ],
)
def test_an_edit_hides_nothing_graver(
    shown: str, severity: str, count: int, evidence: Any, made: Step | None
) -> None:
    finding = form(severity=Severity(severity), count=count, evidence=evidence)
    posted = replace(SHOWN, severity=shown, count=5 if evidence else SHOWN.count)
    assert step(finding, posted, NOON) == made


def test_what_a_thread_shows_stays_as_grave_as_its_gravest() -> None:
    threads = Threads(MemoryItems.empty(), "C0123456789")
    first = form(severity=Severity.LOW)
    threads.note(first, "17.1", NOON)
    shown = threads.find(first["fingerprint"], NOON)
    assert shown is not None
    assert shown.severity == "low"
    for severity, count in ((Severity.HIGH, 3), (Severity.LOW, 2)):
        threads.note(form(severity=severity, count=count), shown.ts, NOON, shown)
        shown = threads.find(first["fingerprint"], NOON)
        assert shown is not None
        assert (shown.ts, shown.severity, shown.count) == ("17.1", "high", 3)


@pytest.mark.parametrize(("severity", "loud"), [("high", True), ("medium", True), ("low", False)])
def test_a_change_that_comes_again_goes_into_the_thread(severity: str, loud: bool) -> None:
    published = form(window=0, severity=severity)
    made = step(published, SHOWN, NOON + timedelta(hours=1))
    assert made is not None
    assert (made.method, made.more["thread_ts"]) == ("chat.postMessage", "17.1")
    assert ("reply_broadcast" in made.more) is loud
    assert step(published, SHOWN, NOON + timedelta(days=2)) == Step("chat.postMessage", {})


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (Answer(200, '{"ok": true, "ts": "1.2"}'), Fate.POSTED),
        (Answer(200, '{"ok": false, "error": "invalid_blocks"}'), Fate.REFUSED),
        (Answer(200, '{"ok": false, "error": "invalid_auth"}'), Fate.NO_WEBHOOK),
        (Answer(200, '{"ok": false, "error": "not_in_channel"}'), Fate.NO_WEBHOOK),
        (Answer(200, '{"ok": false, "error": "internal_error"}'), Fate.RETRY),
        (Answer(200, '{"ok": false, "error": "ratelimited"}'), Fate.PAUSE),
        (Answer(429, "", {"Retry-After": "30"}), Fate.PAUSE),
        (Answer(503), Fate.RETRY),
        (Answer(0, "TimeoutError"), Fate.RETRY),
        (Answer(200, "<html>sign in</html>"), Fate.REFUSED),
        (Answer(200, "[]"), Fate.REFUSED),
    ],
)
def test_what_an_answer_means(answer: Answer, fate: Fate) -> None:
    assert judge(answer, 1).fate is fate


def test_how_long_slack_wants_us_to_wait() -> None:
    assert judge(Answer(429, "", {"retry-after": "17"}), 1).wait == 17


def test_a_message_that_somebody_deleted_is_posted_anew() -> None:
    with pytest.raises(Forgotten):
        judge(Answer(200, '{"ok": false, "error": "message_not_found"}'), 1)


def test_the_name_of_a_message() -> None:
    assert ts_of(Answer(200, json.dumps({"ok": True, "ts": "1.2"}))) == "1.2"
    assert ts_of(Answer(200, "ok")) == ""


@pytest.mark.parametrize(
    "token", ["", "https://hooks.slack.com/services/T/B/x", "xoxb-", "xoxb-a b", "xoxp-1"]
)
def test_only_a_bots_token_is_sent_as_one(token: str) -> None:
    with pytest.raises(BadWebhook) as refusal:
        checked_token(token, "C0123456789")
    assert not token.removeprefix("xoxb-") or token not in str(refusal.value)


def test_a_token_without_a_channel_is_refused_in_words_that_do_not_hold_it() -> None:
    with pytest.raises(BadWebhook, match="needs SlackChannel") as refusal:
        checked_token("xoxb-1-a", "")
    assert "xoxb-1" not in str(refusal.value)


def test_the_parameters_value_says_whether_it_is_a_token() -> None:
    assert is_token(" xoxb-1-a\n")
    assert not is_token("https://hooks.slack.com/services/T/B/xoxb-1")


def test_in_govcloud_the_bot_speaks_to_govslack() -> None:
    assert api_of("aws-us-gov") == "https://slack-gov.com/api/"
    assert {api_of(one) for one in ("aws", "aws-cn", "aws-eusc")} == {"https://slack.com/api/"}
