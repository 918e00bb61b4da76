"""The loopback Slack answers as Slack's webhooks do."""

import json
import time

import pytest
from slack_sdk.http_retry import default_retry_handlers
from slack_sdk.webhook import WebhookClient

from emulator.slack import TOKEN, Slack
from notify_slack import webhook

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}
LONG = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3000}}


@pytest.fixture
def slack():
    slack = Slack()
    slack.start()
    yield slack
    slack.stop()


def post(slack, **message):
    client = WebhookClient(slack.url, timeout=2, retry_handlers=[])
    return client.send(**message)


def test_a_message_is_accepted(slack):
    answer = post(slack, text="hello", blocks=[SECTION])
    assert (answer.status_code, answer.body) == (200, "ok")
    assert slack.messages == [{"text": "hello", "blocks": [SECTION]}]


def test_rate_limits_say_when_to_come_back(slack):
    slack.answer_next(429, headers={"Retry-After": "3"}, times=2)
    answers = [post(slack, text="hello") for _ in range(3)]
    assert [one.status_code for one in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "3"
    assert len(slack.messages) == 1
    assert slack.posts == 3


def test_a_server_error(slack):
    slack.answer_next(500)
    assert post(slack, text="hello").status_code == 500


def test_a_cut_connection(slack):
    slack.answer_next(200, cut=True)
    with pytest.raises(OSError, match=r"closed|reset"):
        post(slack, text="hello")
    assert slack.messages == []
    assert default_retry_handlers()


def test_a_slow_answer(slack):
    slack.answer_next(200, delay=0.2)
    began = time.monotonic()
    post(slack, text="hello")
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize(
    "blocks",
    [
        [SECTION] * 51,
        [{"type": "section"}],
        [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}],
        [{"type": "section", "text": {"type": "mrkdwn", "text": ""}}],
        [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}],
        [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}],
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
        [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}],
        [{"type": "context", "elements": []}],
        [{"type": "actions", "elements": [{"type": "button"}] * 26}],
        [{"type": "marquee"}],
    ],
    ids=lambda blocks: str(blocks)[:50],
)
def test_blocks_over_slacks_limits_are_refused(slack, blocks):
    answer = post(slack, text="hello", blocks=blocks)
    assert (answer.status_code, answer.body) == (400, "invalid_blocks")
    assert slack.messages == []


def test_blocks_at_the_limits_are_accepted(slack):
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "x" * 150}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3000}},
        {
            "type": "section",
            "fields": [
                {"type": "mrkdwn", "text": "x" * 2000},
                *[{"type": "mrkdwn", "text": "x" * 500}] * 9,
            ],
        },
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 10},
        {"type": "divider"},
    ]
    assert post(slack, text="hello", blocks=blocks).status_code == 200


def test_a_message_that_is_too_long_in_all_is_refused(slack):
    answer = post(slack, text="hello", blocks=[{**SECTION, "fields": []}] * 5 + [LONG] * 5)
    assert (answer.status_code, answer.body) == (400, "msg_blocks_too_long")


def test_what_stands_beside_a_bar_is_held_to_the_limits_too(slack):
    answer = post(slack, text="hello", attachments=[{"blocks": [SECTION] * 51}])
    assert (answer.status_code, answer.body) == (400, "invalid_blocks")


def web_api(slack, method, token=TOKEN, **message):
    answer = webhook.post(f"{slack.api}{method}", {"text": "hello", **message}, token)
    assert answer.status == 200
    return json.loads(answer.words)


def test_the_web_api_names_a_message_and_brings_it_up_to_date(slack):
    ts = web_api(slack, "chat.postMessage")["ts"]
    assert web_api(slack, "chat.update", ts=ts, text="again")["ok"] is True
    assert [one["text"] for one in slack.channel.values()] == ["again"]
    assert web_api(slack, "chat.update", ts="1.1")["error"] == "message_not_found"


def test_the_web_api_wants_the_token(slack):
    assert web_api(slack, "chat.postMessage", token="xoxb-another") == {
        "ok": False,
        "error": "invalid_auth",
    }
    assert slack.channel == {}


def test_a_message_without_words_is_refused(slack):
    assert post(slack, text="").body == "no_text"


def test_a_webhook_that_is_not_there(slack):
    client = WebhookClient(slack.url + "x", retry_handlers=[])
    answer = client.send(text="hello")
    assert (answer.status_code, answer.body) == (404, "no_service")
