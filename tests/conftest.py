"""Fixtures for every suite. One deployment per worker; each test begins just after it."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from emulator import Cloud

settings.register_profile("default", deadline=None)
settings.load_profile("default")


@pytest.fixture(scope="session")
def deployment() -> Iterator[Cloud]:
    """The stack deployed into the embedded cloud, allowed to write, told to use Slack."""
    parameters = {
        "Mode": "remediate",
        "SlackWebhookParameter": "/vpce-guard/slack-webhook",
        "RestoreSecretPolicies": "true",
    }
    with Cloud.start(parameters=parameters) as cloud:
        yield cloud


@pytest.fixture
def cloud(deployment: Cloud) -> Cloud:
    deployment.reset()
    return deployment
