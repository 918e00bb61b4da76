"""Whatever a message of the queue holds, Slack takes it, shows it, and obeys none of it."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from guard.findings.finding import Finding, Severity
from guard.findings.mrkdwn import code, prose
from guard.findings.text import one_line
from guard.publishing.message import published_form
from guard.settings import Publishing
from notify_slack.payload import payload
from tests.findings import bypass, findings, texts

ESCAPED = re.compile(r"([^&<>]|&(amp|lt|gt);)*", re.DOTALL)
OUR_OWN_BOLD = re.compile(
    r"^\*(Kind|Seen|Account|Region|Resource|Before|Changed|What VPCE Guard did|What to do|Evidence)"
    r"\*(\n|$)"
)
ALARM = {
    "AlarmName": "vpce-guard-VpcDeadLetters",
    "AlarmDescription": "Messages that could not be handled.",
    "AWSAccountId": "111122223333",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed: 1 datapoint [2.0 (04/05/26 12:00:00)] was greater ...",
    "StateChangeTime": "2026-05-04T12:01:00.000+0000",
    "Region": "EU (Ireland)",
    "AlarmArn": "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:vpce-guard-VpcDeadLetters",
    "OldStateValue": "OK",
    "Trigger": {"MetricName": "ApproximateNumberOfMessagesVisible"},
}


def of(finding: Finding, attempt: int = 1) -> dict[str, Any]:
    return payload(json.dumps(published_form(finding)), attempt)


def mrkdwn(message: object) -> list[str]:
    """Every text that Slack would interpret."""
    if isinstance(message, dict):
        own = [message["text"]] if isinstance(message.get("text"), str) else []
        if message.get("type") == "plain_text":
            return []
        return own + [text for value in message.values() for text in mrkdwn(value)]
    if isinstance(message, list):
        return [text for value in message for text in mrkdwn(value)]
    return []


def assert_inert(text: str) -> None:
    assert ESCAPED.fullmatch(text), text
    outside = OUR_OWN_BOLD.sub("", text).split("`")[::2]
    assert len(text.split("`")) % 2 == 1, text
    for span in text.split("`")[1::2]:
        assert span
        assert "\n" not in span
    for part in outside:
        assert not set("*_~@#") & set(part), text
        assert not re.search(r":[\w+-]+:|://|\w\.\w", part), text
    for line in "`".join(outside).splitlines():
        assert not line.startswith(("&gt;", ">"))


def assert_sendable(message: dict[str, Any]) -> None:
    assert len(json.dumps(message, ensure_ascii=False)) <= 13_000
    json.dumps(message, ensure_ascii=False).encode()
    [bar] = message["attachments"]
    blocks = Block.parse_all(message["blocks"] + bar["blocks"])
    assert 1 <= len(blocks) <= 50
    for block in blocks:
        block.validate_json()
    for block in message["blocks"] + bar["blocks"]:
        assert_block_limits(block)


def assert_block_limits(block: dict[str, Any]) -> None:
    match block["type"]:
        case "header":
            assert 1 <= len(block["text"]["text"]) <= 150
        case "section" if "fields" in block:
            assert 1 <= len(block["fields"]) <= 10
            assert all(1 <= len(field["text"]) <= 2000 for field in block["fields"])
        case "section":
            assert 1 <= len(block["text"]["text"]) <= 3000
        case "context":
            assert 1 <= len(block["elements"]) <= 10
        case "actions":
            assert 1 <= len(block["elements"]) <= 25
            assert len({button["action_id"] for button in block["elements"]}) == len(
                block["elements"]
            )
            for button in block["elements"]:
                assert 1 <= len(button["text"]["text"]) <= 75
                assert len(button["url"]) <= 3000
        case other:
            pytest.fail(f"a block of type {other}")


@settings(deadline=None)
@given(findings, st.integers(1, 20))
def test_any_finding_is_within_slacks_limits_and_inert(finding: Finding, attempt: int) -> None:
    message = of(finding, attempt)
    assert message["attachments"][0]["color"] != "#8c959f"  # laid out as a finding
    assert_sendable(message)
    for text in mrkdwn(message):
        assert_inert(text)
    assert ESCAPED.fullmatch(message["blocks"][0]["text"]["text"])


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "AlarmName": texts,
            "NewStateValue": st.sampled_from(["ALARM", "OK", "INSUFFICIENT_DATA"]),
        },
        optional={
            name: st.one_of(st.none(), texts)
            for name in (
                "AlarmDescription",
                "NewStateReason",
                "AlarmArn",
                "Region",
                "OldStateValue",
            )
        },
    )
)
def test_any_alarm_is_within_slacks_limits_and_inert(alarm: dict[str, Any]) -> None:
    message = payload(json.dumps(alarm))
    assert "unknown form" not in message["text"]
    assert_sendable(message)
    for text in mrkdwn(message):
        assert_inert(text)


@settings(deadline=None)
@given(st.one_of(texts, st.builds(json.dumps, st.recursive(texts, st.lists))))
def test_anything_else_is_shown_and_inert(body: str) -> None:
    message = payload(body)
    assert_sendable(message)
    for text in mrkdwn(message):
        assert_inert(text)


@given(texts)
def test_prose_reads_as_it_was_written(text: str) -> None:
    shown = prose(text, 100_000)
    assert_inert(shown)
    read = shown.replace("`", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert read == (one_line(text).replace("`", "'") or "-")


@given(texts, st.integers(4, 200))
def test_prose_and_code_keep_to_their_limit(text: str, limit: int) -> None:
    for shown in (prose(text, limit), code(text, limit)):
        assert_inert(shown)
        assert len(shown) <= limit
        assert shown.strip()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Plain words, as they are: (really).", "Plain words, as they are: (really)."),
        ("Ask <!channel> now", "Ask `&lt;!channel&gt;` now"),
        ("see <https://evil.example|here>.", "see `&lt;https://evil.example|here&gt;`."),
        ("(arn:aws:iam::1:role/x)", "(`arn:aws:iam::1:role/x`)"),
        ("*bold words* _and_ ~more~", "`*bold` `words*` `_and_` `~more~`"),
        ("run `rm`", "run `'rm'`"),
        (":smile: at @here", "`:smile`: at `@here`"),
        ("R&D", "`R&amp;D`"),
        ("first\n> second", "first `&gt;` second"),
    ],
)
def test_what_becomes_of_markup(text: str, shown: str) -> None:
    assert prose(text, 1000) == shown


def test_a_long_word_is_cut_and_not_dropped() -> None:
    assert prose("x" * 100, 20).startswith("`xxxxxxxxxx")


@pytest.mark.parametrize("severity", Severity)
def test_severity_shows_in_heading_and_colour(severity: Severity) -> None:
    message = of(bypass(severity=severity))
    assert severity.upper() in message["blocks"][0]["text"]["text"]
    assert severity.upper() in message["text"]
    others = {of(bypass(severity=other))["attachments"][0]["color"] for other in set(Severity)}
    assert len(others) == len(Severity)


def test_a_finding_says_why_what_to_do_and_where_to_read() -> None:
    finding = bypass(done=["Put the policy back."], evidence={"source_ip": "198.51.100.7"})
    text = "\n".join(mrkdwn(of(finding)))
    for expected in (
        "GetSecretValue came from `198.51.100.7` and not through a VPC endpoint.",
        "*What VPCE Guard did*\n• Put the policy back.",
        "*What to do*\n• Ask alice whether it was she.",
        "• source ip: `198.51.100.7`",
        "*Account*\n`111122223333`",
        "*Seen*\nonce, `2026-05-04T12:00:00Z`",
        f"Fingerprint `{finding.fingerprint}`",
        "Runbook `docs/runbooks/bypass.md`",
    ):
        assert expected in text


def test_a_follow_up_says_how_often_and_since_when() -> None:
    message = of(bypass(count=1000))
    assert message["blocks"][0]["text"]["text"].endswith("(seen 1,000 times)")
    assert "1,000 times since `2026-05-04T12:00:00Z`" in "\n".join(mrkdwn(message))


def test_a_long_title_does_not_push_out_how_often() -> None:
    heading = of(bypass(title="long " * 100, count=10))["blocks"][0]["text"]["text"]
    assert heading.endswith("… (seen 10 times)")


def test_several_values_of_evidence_stand_under_each_other() -> None:
    text = "\n".join(mrkdwn(of(bypass(evidence={"event_ids": ["a-1", "b-2"]}))))
    assert "• event ids:\n    ◦ `a-1`\n    ◦ `b-2`" in text.replace(": \n", ":\n")


def test_evidence_without_room_is_counted() -> None:
    text = "\n".join(mrkdwn(of(bypass(evidence={str(n): "x" * 500 for n in range(20)}))))
    assert re.search(r"… \d+ more lines", text)


def test_links_become_buttons_and_only_web_addresses_do() -> None:
    links = {
        "Secret": "https://eu-west-1.console.aws.amazon.com/x",
        "Script": "javascript:alert(1)",
        "Plain": "http://example.com",
        "Space": "https://example.com/a b",
        "None": "https://",
        "Long": "https://example.com/" + "x" * 4000,
    }
    body = published_form(bypass(links=links), Publishing("https://wiki.example/runbooks"))
    [actions] = [
        block
        for block in payload(json.dumps(body))["attachments"][0]["blocks"]
        if block["type"] == "actions"
    ]
    assert [button["text"]["text"] for button in actions["elements"]] == ["Secret", "Runbook"]
    assert "Runbook `" not in "\n".join(mrkdwn(payload(json.dumps(body))))


def test_only_a_later_attempt_says_that_it_may_be_a_repeat() -> None:
    assert "repeat" not in json.dumps(of(bypass()))
    assert "Attempt 2: a repeat if" in json.dumps(of(bypass(), attempt=2))


@pytest.mark.parametrize(
    ("state", "heading"),
    [
        ("ALARM", "🚨 Alarm · vpce-guard-VpcDeadLetters"),
        ("OK", "✅ Alarm over · vpce-guard-VpcDeadLetters"),
        ("INSUFFICIENT_DATA", "⚪ Alarm without data · vpce-guard-VpcDeadLetters"),
    ],
)
def test_an_alarm_is_readable(state: str, heading: str) -> None:
    message = payload(json.dumps({**ALARM, "NewStateValue": state}))
    text = "\n".join(mrkdwn(message))
    assert message["blocks"][0]["text"]["text"] == heading
    assert "Messages that could not be handled." in text
    assert "Threshold Crossed: 1 datapoint" in text
    assert "*Region*\n`eu-west-1`" in text
    assert "#alarmsV2:alarm/vpce-guard-VpcDeadLetters" in json.dumps(message)


COUNTLESS = json.dumps(published_form(bypass(), Publishing()) | {"count": float("inf")})


@pytest.mark.parametrize(
    "body",
    [
        "just words",
        "",
        "[1, 2]",
        "null",
        "{}",
        '{"schema": "vpce-guard/finding/2", "title": "of the future"}',
        '{"schema": "vpce-guard/finding/1"}',
        '{"schema": "vpce-guard/finding/1", "severity": "dire"}',
        '{"AlarmName": "x", "NewStateValue": "MAYBE"}',
        "[" * 100_000,
        COUNTLESS,
    ],
)
def test_what_cannot_be_laid_out_is_shown_as_it_is(body: str) -> None:
    message = payload(body)
    assert_sendable(message)
    [shown] = mrkdwn(message["attachments"])
    assert shown.startswith(f"`{body[:1000] or '-'}")
