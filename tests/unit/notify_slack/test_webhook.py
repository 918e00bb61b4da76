"""What Slack's answers mean, and which URLs may be posted to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify_slack.webhook import (
    LONGEST_WAIT,
    Answer,
    BadWebhook,
    Fate,
    Verdict,
    back_off,
    checked,
    judge,
)


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (Answer(200, "ok"), Fate.POSTED),
        (Answer(200, '{"ok":true}'), Fate.POSTED),
        (Answer(200, "<html>Please sign in</html>"), Fate.REFUSED),
        (Answer(200, '{"ok":false,"error":"invalid_auth"}'), Fate.REFUSED),
        (Answer(200, "7"), Fate.REFUSED),
        (Answer(400, "invalid_blocks"), Fate.REFUSED),
        (Answer(413, ""), Fate.REFUSED),
        (Answer(403, "action_prohibited"), Fate.NO_WEBHOOK),
        (Answer(404, "no_service"), Fate.NO_WEBHOOK),
        (Answer(410, "channel_is_archived"), Fate.NO_WEBHOOK),
        (Answer(408, ""), Fate.RETRY),
        (Answer(500, "rollup_error"), Fate.RETRY),
        (Answer(503, ""), Fate.RETRY),
        (Answer(0, "TimeoutError"), Fate.RETRY),
        (Answer(429, "rate_limited"), Fate.PAUSE),
    ],
)
def test_each_answer_has_its_fate(answer: Answer, fate: Fate) -> None:
    assert judge(answer, 1).fate is fate


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
def test_the_wait_is_what_slack_asked_for(name: str) -> None:
    assert judge(Answer(429, "", {name: "37"}), 4) == Verdict(Fate.PAUSE, 37)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", 1),
        ("999999", LONGEST_WAIT),
        ("soon", 20),
        ("", 20),
        ("-3", 20),
        ("²", 20),
        ("1.5", 20),
    ],
)
def test_a_wait_that_sqs_could_not_keep_is_bounded_or_replaced(value: str, wait: int) -> None:
    assert judge(Answer(429, "", {"Retry-After": value}), 3).wait == wait


@given(st.integers(0, 599), st.text(), st.dictionaries(st.text(), st.text()), st.integers(1, 1000))
def test_a_message_that_comes_back_has_a_time_that_sqs_accepts(
    status: int, words: str, headers: dict[str, str], attempt: int
) -> None:
    verdict = judge(Answer(status, words, headers), attempt)
    assert 0 <= verdict.wait <= 43_200 - 600
    assert (verdict.wait > 0) == (verdict.fate in (Fate.RETRY, Fate.PAUSE))


def test_the_back_off_doubles_up_to_a_quarter_of_an_hour() -> None:
    assert [back_off(n) for n in range(1, 11)] == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/services/T000/B000/xyz",
        " https://hooks.slack.com/services/T000/B000/xyz\n",
        "http://127.0.0.1:8080/x",
        "http://[::1]/x",
        "http://localhost/x",
    ],
)
def test_urls_to_post_to(url: str) -> None:
    assert checked(url) == url.strip()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "http://hooks.slack.com/services/hunter2",
        "http://127.0.0.1.evil.example/hunter2",
        "ftp://127.0.0.1/hunter2",
        "file:///hunter2",
        "https://",
        "https:///hunter2",
        "https://hooks.slack.com/hunter2 x",
        "https://hooks.slack.com/hunter2\nX: y",
        "https://[hunter2",
        "https://hooks.slack.com/hünter2",
    ],
)
def test_urls_not_to_post_to_are_not_repeated_in_the_error(url: str) -> None:
    with pytest.raises(BadWebhook) as error:
        checked(url)
    assert "nter2" not in repr(error.value)
    assert error.value.__cause__ is None
