"""Whoever does what `make deploy` says to do next hears of it once, and is reminded of nothing."""

import shlex
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from emulator import Cloud
from guardctl.deploy.next_steps import After, next_steps
from guardctl.doctor.running import TOPICS

REGULAR = {"digest", "daily-report"}  # what comes by the clock, whatever happens


@pytest.fixture
def first() -> Iterator[Cloud]:
    """A first deployment, which names no parameter."""
    with Cloud.start(parameters={"SlackWebhookParameter": ""}) as cloud:
        cloud.settle()
        yield cloud


def steps(cloud: Cloud, mode: str) -> list[str]:
    heard = dict.fromkeys(TOPICS, mode != "observe")
    after = After(cloud.deployment.outputs, {}, heard, mode, cloud.region)
    text = "\n".join(next_steps(after))
    return [line.strip() for line in text.splitlines() if line.strip().startswith("aws ")]


def run(cloud: Cloud, command: str) -> None:
    """An `aws` command, by boto3."""
    _, service, operation, *words = shlex.split(command)
    given: dict[str, Any] = {}
    for word, value in zip(words, [*words[1:], "--"], strict=True):
        if word.startswith("--"):
            given[word[2:].title().replace("-", "")] = True if value.startswith("--") else value
    given.pop("Region")
    given = {"Endpoint" if key == "NotificationEndpoint" else key: v for key, v in given.items()}
    client = cloud.session("operator").client(service)
    getattr(client, operation.replace("-", "_"))(**given)


def published_after(cloud: Cloud, span: timedelta) -> list[str]:
    """The kinds of what the guard publishes by itself at its next checks, after a time."""
    before = len(cloud.findings)
    cloud.clock.skip(span.total_seconds())
    for rule in ("ScheduleRule", "HeartbeatRule", "DigestRule"):
        cloud.fire_schedule(rule)
        cloud.settle()
    return [one["kind"] for one in cloud.findings[before:] if one["kind"] not in REGULAR]


def test_nothing_nags_after_the_next_steps(first: Cloud):
    for command in steps(first, "observe"):
        run(first, command)
    first.settle()
    assert published_after(first, timedelta(hours=1)) == ["mode-changed"]
    for days in (1, 7, 30):
        assert published_after(first, timedelta(days=days)) == []
