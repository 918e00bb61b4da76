"""With a bot token, one alert is one message that is brought up to date."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from emulator import Cloud
from emulator.slack import CHANNEL
from guard.findings.finding import Finding, Kind
from guard.publishing.message import entry
from guard.settings import Publishing
from tests.findings import bypass

BOT = {
    "Mode": "remediate",
    "SlackWebhookParameter": "/vpce-guard/slack-bot",
    "SlackChannel": CHANNEL,
}


@pytest.fixture(scope="module")
def with_bot() -> Iterator[Cloud]:
    with Cloud.start(parameters=BOT) as cloud:
        yield cloud


@pytest.fixture
def cloud(with_bot: Cloud) -> Cloud:
    with_bot.reset()
    return with_bot


def publish(cloud: Cloud, findings: Sequence[Finding]) -> None:
    sns = cloud.session("alice").client("sns")
    for finding in findings:
        sns.publish_batch(
            TopicArn=cloud.resource("FindingsTopic"),
            PublishBatchRequestEntries=[entry("0", finding, Publishing())],
        )
        cloud.settle()


def shown(cloud: Cloud) -> list[str]:
    """The headings that the channel shows."""
    return [one["blocks"][0]["text"]["text"] for one in cloud.slack.channel.values()]


def test_follow_ups_are_folded_into_one_message_with_the_count(cloud):
    publish(cloud, [bypass(count=count) for count in (1, 10, 100)])
    [heading] = shown(cloud)
    assert heading.endswith("(seen 100 times)")
    assert cloud.slack.posts == 3


def test_a_late_follow_up_does_not_turn_the_count_back(cloud):
    publish(cloud, [bypass(count=100), bypass(count=10)])
    [heading] = shown(cloud)
    assert heading.endswith("(seen 100 times)")
    assert cloud.slack.posts == 1


def test_another_window_is_another_message(cloud):
    later = bypass().first_seen + timedelta(hours=2)
    publish(cloud, [bypass(), bypass(first_seen=later, last_seen=later)])
    assert len(shown(cloud)) == 2


def test_a_change_that_comes_again_is_published_in_the_thread(cloud):
    first = bypass(kind=Kind.POLICY_RESTORED, window=0)
    later = first.first_seen + timedelta(minutes=5)
    again = bypass(kind=Kind.POLICY_RESTORED, window=0, first_seen=later, last_seen=later)
    publish(cloud, [first, again, again])
    names = list(cloud.slack.channel)
    assert [one.get("thread_ts") for one in cloud.slack.channel.values()] == [
        None,
        names[0],
        names[0],
    ]


def test_a_message_that_somebody_deleted_is_posted_anew(cloud):
    publish(cloud, [bypass()])
    cloud.slack.channel.clear()
    publish(cloud, [bypass(count=10)])
    [heading] = shown(cloud)
    assert heading.endswith("(seen 10 times)")


def test_bringing_up_to_date_twice_changes_nothing(cloud):
    publish(cloud, [bypass()])
    cloud.slack.answer_next(200, lost=True)
    publish(cloud, [bypass(count=10)])
    [heading] = shown(cloud)
    assert heading.endswith("(seen 10 times)")


def test_a_lost_answer_may_repeat_a_new_message_which_says_so(cloud):
    cloud.slack.answer_next(200, lost=True)
    publish(cloud, [bypass()])
    first, second = cloud.slack.channel.values()
    assert "Attempt" not in json.dumps(first)
    assert "Attempt 2: a repeat if" in json.dumps(second)


def test_429_is_obeyed(cloud):
    cloud.slack.answer_next(429, headers={"Retry-After": "30"})
    before = cloud.clock.now()
    publish(cloud, [bypass()])
    assert len(shown(cloud)) == 1
    assert (cloud.clock.now() - before).total_seconds() >= 30


def test_an_alarm_is_a_message_of_its_own(cloud):
    cloud.ring_alarm("VpcDeadLetterAlarm")
    cloud.settle()
    assert len(cloud.slack.channel) == 1


def test_a_refused_token_loses_nothing_and_is_never_logged(cloud):
    ssm = cloud.session("alice").client("ssm")
    name = BOT["SlackWebhookParameter"]
    good = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    change = {"Name": name, "Type": "SecureString", "Overwrite": True}
    ssm.put_parameter(Value="xoxb-revoked", **change)
    cloud.lose_events()  # watch_guard would publish it, in Slack too
    cloud.clock.skip_to(cloud.clock.now() + timedelta(minutes=6))
    try:
        publish(cloud, [bypass()])
    finally:
        ssm.put_parameter(Value=good, **change)
    assert len(cloud.dead_letters("NotifyQueue")) == 1
    output = "\n".join(line for run in cloud.invocations for line in run.output)
    assert "invalid_auth" in output
    assert "xoxb-" not in output
