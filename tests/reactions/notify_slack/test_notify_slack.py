"""From the topic to a real HTTP server that behaves like Slack, whatever it answers."""

import json
import logging
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from emulator.slack import Slack
from guard.findings.finding import Finding, Severity
from guard.publishing.message import entry
from guard.settings import Publishing
from notify_slack import webhook
from notify_slack.webhook import Answer
from tests.findings import bypass

FUNCTION = "NotifySlackFunction"


@pytest.fixture
def slack(cloud) -> Slack:
    return cloud.slack


def publish(cloud, findings: Sequence[Finding]) -> None:
    sns = cloud.session("alice").client("sns")
    for finding in findings:
        sns.publish_batch(
            TopicArn=cloud.resource("FindingsTopic"),
            PublishBatchRequestEntries=[entry("0", finding, Publishing())],
        )


def numbered(count: int) -> list[Finding]:
    return [bypass(title=f"finding {n}", resource=str(n)) for n in range(count)]


def titles(slack: Slack) -> list[str]:
    """The numbers of the findings in Slack, in the order they came."""
    return [message["text"].split("finding ")[1].split()[0] for message in slack.messages]


def runs(cloud) -> list[dict]:
    return [one for one in cloud.invocations if one.function == FUNCTION]


def waits(cloud) -> list[int]:
    """What the function asked SQS to wait, in order."""
    return [
        call.params["VisibilityTimeout"]
        for call in cloud.calls
        if call.function == FUNCTION and call.action == "ChangeMessageVisibility"
    ]


def counted(cloud, metric: str) -> int:
    """The sum of a metric over all runs, from the EMF lines that CloudWatch would read."""
    lines = [json.loads(line) for run in runs(cloud) for line in run.output if '"_aws"' in line]
    return sum(sum(line.get(metric, [])) for line in lines)


def test_a_finding_arrives(cloud, slack):
    publish(cloud, [bypass()])
    cloud.settle()
    [message] = slack.messages
    assert "was read over the internet" in message["text"]
    assert "repeat" not in json.dumps(message)
    assert cloud.queue_depth("NotifyQueue") == 0


def test_an_alarm_arrives(cloud, slack):
    cloud.ring_alarm("VpcDeadLetterAlarm")
    cloud.settle()
    assert any("Alarm" in message["text"] for message in slack.messages)


def test_a_batch_is_posted_a_second_apart(cloud, slack):
    publish(cloud, numbered(6))
    before = cloud.clock.now()
    cloud.settle()
    assert len(slack.messages) == 6
    assert (cloud.clock.now() - before).total_seconds() >= 5


def test_slack_saying_wait_is_obeyed_and_nothing_is_lost_or_doubled(cloud, slack):
    publish(cloud, numbered(5))
    slack.answer_next(200, body="ok")
    slack.answer_next(429, headers={"Retry-After": "30"})
    before = cloud.clock.now()
    cloud.settle()
    assert sorted(titles(slack)) == ["0", "1", "2", "3", "4"]
    assert (cloud.clock.now() - before).total_seconds() >= 30
    assert slack.posts == 6  # one refusal only: what followed it was not even tried
    assert waits(cloud) == [30, 31, 32, 33]
    assert cloud.dead_letters("NotifyQueue") == []
    assert (counted(cloud, "MessagesPosted"), counted(cloud, "MessagesRetried")) == (5, 4)


def test_while_slack_has_us_wait_a_later_batch_does_not_ask(cloud, slack):
    publish(cloud, numbered(1))
    slack.answer_next(429, headers={"Retry-After": "600"})
    cloud.settle(until=cloud.clock.now().replace(microsecond=0))
    publish(cloud, [bypass(title="finding 9", resource="9")])
    cloud.settle()
    assert sorted(titles(slack)) == ["0", "9"]
    assert slack.posts == 3


def test_what_slack_could_not_answer_is_tried_again_later_and_later(cloud, slack):
    publish(cloud, numbered(1))
    slack.answer_next(503, times=3)
    cloud.settle()
    assert titles(slack) == ["0"]
    assert waits(cloud) == [5, 10, 20]


def test_one_failure_does_not_post_its_neighbours_twice(cloud, slack):
    publish(cloud, numbered(4))
    slack.answer_next(200)
    slack.answer_next(500)
    cloud.settle()
    assert sorted(titles(slack)) == ["0", "1", "2", "3"]


def test_a_lost_answer_may_repeat_and_the_message_says_so(cloud, slack):
    publish(cloud, numbered(1))
    slack.answer_next(200, cut=True)
    cloud.settle()
    [message] = slack.messages
    assert "Attempt 2: a repeat if" in json.dumps(message)


def test_a_message_that_slack_refuses_ends_as_a_dead_letter_alone(cloud, slack):
    publish(cloud, numbered(1))
    slack.answer_next(400, body="invalid_blocks", times=100)
    cloud.settle()
    assert slack.messages == []
    assert len(cloud.dead_letters("NotifyQueue")) == 1
    slack.reset()
    publish(cloud, numbered(2))
    cloud.settle()
    assert len(slack.messages) == 2


def test_slacks_words_are_logged_and_the_url_never(cloud, slack):
    publish(cloud, numbered(1))
    slack.answer_next(400, body="invalid_blocks")
    slack.answer_next(429, headers={"Retry-After": "1"})
    slack.answer_next(404)
    slack.answer_next(500, cut=True)
    cloud.settle()
    output = "\n".join(line for run in runs(cloud) for line in run.output)
    assert "invalid_blocks" in output
    assert "rate_limited" in output
    assert "no_service" in output
    assert slack.url not in output
    assert "madeUpWebhookToken" not in output


def test_a_new_webhook_is_found_at_once_when_the_old_one_is_gone(cloud, slack):
    publish(cloud, numbered(1))
    cloud.settle()
    slack.answer_next(410)
    cloud.session("alice").client("ssm").put_parameter(
        Name="/vpce-guard/slack-webhook",
        Value=f"{slack.url}?new",
        Type="SecureString",
        Overwrite=True,
    )
    cloud.lose_events()  # watch_guard would publish it, in Slack too
    slack.answer_next(200)
    publish(cloud, [bypass(title="finding 1", resource="1")])
    cloud.settle()
    assert titles(slack) == ["0", "1"]
    assert len(runs(cloud)) == 2


def test_a_webhook_that_is_gone_costs_one_post_a_batch(cloud, slack):
    publish(cloud, numbered(5))
    slack.answer_next(404)
    cloud.settle()
    assert sorted(titles(slack)) == ["0", "1", "2", "3", "4"]
    assert slack.posts == 6


def test_an_unreadable_parameter_loses_nothing(cloud, slack):
    publish(cloud, numbered(3))
    cloud.fault(service="ssm", action="GetParameter", error="ThrottlingException", times=2)
    cloud.settle()
    assert sorted(titles(slack)) == ["0", "1", "2"]


def test_any_sequence_of_troubles_delivers_or_buries_every_finding_once(cloud, slack):
    chance = random.Random(7)  # noqa: S311
    publish(cloud, numbered(40))
    for _ in range(30):
        match chance.randrange(5):
            case 0:
                slack.answer_next(429, headers={"Retry-After": str(chance.randrange(1, 20))})
            case 1:
                slack.answer_next(500)
            case 2:
                slack.answer_next(0, cut=True)
            case 3:
                slack.answer_next(400, body="invalid_blocks")
            case _:
                slack.answer_next(200)
    cloud.settle()
    buried = [json.loads(one["body"])["resource"] for one in cloud.dead_letters("NotifyQueue")]
    seen = Counter(titles(slack) + buried)
    assert seen == Counter(map(str, range(40)))


def test_what_is_refused_for_ever_is_buried_and_nothing_else(cloud, slack):
    publish(cloud, numbered(3))
    slack.answer_next(200)
    slack.answer_next(400, body="invalid_blocks", times=100)
    cloud.settle()
    assert len(titles(slack)) == 1
    assert len(cloud.dead_letters("NotifyQueue")) == 2


# One post, without the cloud.


@pytest.fixture
def server() -> Iterator[Slack]:
    server = Slack()
    server.start()
    yield server
    server.stop()


def test_a_post(server):
    answer = webhook.post(server.url, {"text": "hello"})
    assert (answer.status, answer.words) == (200, "ok")
    assert server.messages == [{"text": "hello"}]


def test_a_slow_slack_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.2)
    server.answer_next(200, delay=0.5)
    assert webhook.post(server.url, {"text": "hello"}) == Answer(0, "TimeoutError")
    time.sleep(0.6)  # let the server find out that nobody listens, while its words are captured


def test_a_cut_connection_is_posted_once_and_no_more(server):
    server.answer_next(200, cut=True)
    assert webhook.post(server.url, {"text": "hello"}).status == 0
    assert server.posts == 1


def test_no_slack_at_all(server):
    server.stop()
    assert webhook.post(server.url, {"text": "hello"}) == Answer(0, "ConnectionRefusedError")


@pytest.mark.parametrize(("status", "words"), [(400, "invalid_blocks"), (404, "no_service")])
def test_slacks_words_come_with_its_status(server, status, words):
    server.answer_next(status, body=words)
    answer = webhook.post(server.url, {"text": "hello"})
    assert (answer.status, answer.words) == (status, words)


def test_nothing_is_logged_even_at_debug_level(server, caplog):
    caplog.set_level(logging.DEBUG)
    webhook.post(server.url, {"text": "hello"})
    server.answer_next(500, cut=True)
    webhook.post(server.url, {"text": "hello"})
    assert "madeUpWebhookToken" not in caplog.text


def test_a_redirect_is_not_followed(slack):
    slack.answer_next(302, headers={"Location": f"{slack.url}/elsewhere"})
    assert webhook.post(slack.url, {"text": "x"}).status == 302
    assert slack.posts == 1


def test_https_is_never_plain(slack):
    answer = webhook.post(slack.url.replace("http://", "https://"), {"text": "x"})
    assert answer.status == 0
    assert "SSL" in answer.words
    assert slack.posts == 0


def test_what_is_high_waits_behind_nothing_of_less_weight(cloud, slack):
    low = [replace(one, severity=Severity.LOW) for one in numbered(200)]
    grave = bypass(title="finding grave", resource="grave", severity=Severity.HIGH)
    publish(cloud, [*low, grave])
    cloud.settle()
    shown = titles(slack)
    assert len(shown) == 201
    assert shown.index("grave") <= 20  # behind what was being posted, and nothing else
    assert cloud.dead_letters("NotifyQueue") == []


def test_each_finding_is_in_one_of_the_two_queues(cloud):
    for severity in Severity:
        publish(cloud, [bypass(resource=severity.value, severity=severity)])
    depths = cloud.queue_depth("NotifyUrgentQueue"), cloud.queue_depth("NotifyQueue")
    assert depths == (1, len(Severity) - 1)
