"""One ministack, and the stack deployed there by SAM CLI, for all tests of this folder in order."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from emulator.slack import Slack
from tests.second.ministack import BUILT, MINISTACK, SAM, Second, running, until
from tests.template.stack import ACCOUNT, REGION, Stack

WEBHOOK = "/vpce-guard/slack-webhook"
PARAMETERS = {
    "AlertEmail": "ops@example.com",
    "GraceMinutes": "0",
    "Mode": "remediate",
    "SlackWebhookParameter": WEBHOOK,
    "SlackAccounts": ACCOUNT,  # ministack evaluates no Fn::Join in a condition: never "empty"
}


@pytest.fixture(scope="session")
def slack() -> Iterator[Slack]:
    slack = Slack()
    slack.start()
    yield slack
    slack.stop()


@pytest.fixture(scope="session")
def second(slack: Slack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    """The second emulator with the stack in it. What is missing is an error, not a skip."""
    for path in (MINISTACK, SAM, BUILT):
        assert path.exists(), f"{path} is missing: run make second"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        with running(tmp_path_factory.mktemp("ministack")) as second:
            second.client("ssm").put_parameter(Name=WEBHOOK, Value=slack.url, Type="SecureString")
            second.deploy(**PARAMETERS)
            yield second


@pytest.fixture(scope="session")
def template() -> Stack:
    """What the template says for these parameters, but for the alarms by a query."""
    stack = Stack(PARAMETERS)
    for name, one in stack.of_type("AWS::CloudWatch::Alarm").items():
        if "Metrics" in one:
            del stack.resources[name]
    return stack


class Listener:
    """A queue of ops that hears both topics; what came stays in `heard`."""

    def __init__(self, second: Second) -> None:
        self._second = second
        self._url = second.client("sqs").create_queue(QueueName="ops")["QueueUrl"]
        self.heard: list[dict[str, Any]] = []
        for topic in ("FindingsTopic", "AlarmsTopic"):
            second.client("sns").subscribe(
                TopicArn=second.resources[topic],
                Protocol="sqs",
                Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:ops",
                Attributes={"RawMessageDelivery": "true"},
            )

    def finding(self, kind: str, about: str = "") -> dict[str, Any]:
        """The next finding of a kind that has a text in it. Raises AssertionError if none comes."""

        def found() -> dict[str, Any] | None:
            self.heard += [json.loads(one["Body"]) for one in self._second.waiting(self._url)]
            for one in self.heard:
                if one.get("kind") == kind and about in json.dumps(one):
                    self.heard.remove(one)
                    return one
            return None

        return until(f"finding {kind} about {about or 'anything'}", found)


@pytest.fixture(scope="session")
def ops(second: Second) -> Listener:
    return Listener(second)
