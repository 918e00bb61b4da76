"""Who gets what: severity and account choose whether Slack is posted to, and where."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from emulator import Cloud
from emulator.cloud import SLACK_PARAMETER
from emulator.slack import CHANNEL
from guard.findings.finding import Finding, Severity
from guard.publishing.message import entry
from guard.settings import Publishing
from tests.findings import bypass

ONCALL = "C0999999999"
ROUTES = {
    "Mode": "remediate",
    "SlackWebhookParameter": "/vpce-guard/slack-bot",
    "SlackChannel": f"{CHANNEL},{ONCALL}",
    "SlackLeastSeverity": "medium",
    "SlackAccounts": "111122223333",
}


@pytest.fixture(scope="module")
def routed() -> Iterator[Cloud]:
    with Cloud.start(parameters=ROUTES) as cloud:
        yield cloud


@pytest.fixture
def cloud(routed: Cloud) -> Cloud:
    routed.reset()
    return routed


def publish(cloud: Cloud, *findings: Finding) -> None:
    entries = [entry(str(n), one, Publishing()) for n, one in enumerate(findings)]
    cloud.session("alice").client("sns").publish_batch(
        TopicArn=cloud.resource("FindingsTopic"), PublishBatchRequestEntries=entries
    )
    cloud.settle()


def finding(severity: Severity, account: str = "111122223333") -> Finding:
    return replace(bypass(), severity=severity, account=account, title=f"title-{severity}-of")


def shown(cloud: Cloud) -> list[str]:
    """The severities of the findings that were posted."""
    texts = [json.dumps(one).lower() for one in cloud.slack.messages]
    found = [re.search(r"title-(\w+)-of", text) for text in texts]
    return [one[1] for one in found if one]


def posted(cloud: Cloud) -> set[tuple[str, str]]:
    """The channel and the severity of each post."""
    channels = [one["channel"] for one in cloud.slack.messages]
    return set(zip(channels, shown(cloud), strict=True))


def test_what_is_high_goes_to_the_second_channel_and_what_is_below_the_least_nowhere(cloud: Cloud):
    publish(cloud, *[finding(one) for one in Severity])
    assert posted(cloud) == {
        (ONCALL, "high"),
        (CHANNEL, "medium"),
    }


def test_findings_of_other_accounts_go_nowhere(cloud: Cloud):
    publish(cloud, finding(Severity.HIGH, "444455556666"), finding(Severity.MEDIUM, "444455556666"))
    assert posted(cloud) == set()


def test_an_alarm_goes_to_the_second_channel_whatever_is_left_out(cloud: Cloud):
    cloud.session("alice").client("sns").publish(
        TopicArn=cloud.resource("AlarmsTopic"), Message=json.dumps({"AlarmName": "a"})
    )
    cloud.settle()
    assert [one["channel"] for one in cloud.slack.messages] == [ONCALL]


def test_what_becomes_high_is_a_message_of_the_second_channel(cloud: Cloud):
    medium = replace(bypass(), severity=Severity.MEDIUM)
    publish(cloud, medium)
    publish(cloud, replace(medium, severity=Severity.HIGH, count=2))
    assert [one["channel"] for one in cloud.slack.messages] == [CHANNEL, ONCALL]


def test_a_second_url_of_the_webhook_gets_what_is_high():
    with Cloud.start(parameters={"Mode": "remediate"}) as cloud:
        cloud.session("olivia").client("ssm").put_parameter(
            Name=SLACK_PARAMETER,
            Value=f"{cloud.slack.url}\n{cloud.slack.url}?on-call\n",
            Type="SecureString",
            Overwrite=True,
        )
        cloud.lose_events()
        publish(cloud, finding(Severity.HIGH), finding(Severity.INFO))
        assert sorted("?on-call" in path for path in cloud.slack.paths) == [False, True]


@pytest.mark.parametrize(
    ("least", "reach"),
    [("info", {"info", "low", "medium", "high"}), ("low", {"low", "medium", "high"})],
)
def test_the_least_severity_and_those_above_are_posted(least: str, reach: set[str]):
    with Cloud.start(parameters={"Mode": "remediate", "SlackLeastSeverity": least}) as cloud:
        publish(cloud, *[finding(one) for one in Severity])
        assert {*shown(cloud)} == reach


def test_where_only_high_is_posted_nothing_waits_for_the_rest():
    with Cloud.start(parameters={"Mode": "remediate", "SlackLeastSeverity": "high"}) as cloud:
        publish(cloud, *[finding(one) for one in Severity])
        assert {*shown(cloud)} == {"high"}
