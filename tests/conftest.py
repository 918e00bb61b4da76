"""Fixtures for every suite. One deployment per worker; each test begins just after it."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from emulator import Cloud
from tests.reactions.account import Account
from tests.reactions.fault_matrix import table
from tools.rights.day import PARAMETERS, play

settings.register_profile("default", deadline=None, max_examples=40)
settings.register_profile("nightly", deadline=None, max_examples=400)
settings.load_profile("default")


GARBAGE_THRESHOLD = 50_000
"""New objects before Python searches for garbage. At its own 2,000 a quarter of a run is search."""


def pytest_collection_finish() -> None:
    """What the imports left stays until the end: no search for garbage visits it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


@pytest.fixture(scope="session")
def deployment() -> Iterator[Cloud]:
    """The stack deployed into the embedded cloud, allowed to write, set to use Slack."""
    parameters = {
        "Mode": "remediate",
        "SlackWebhookParameter": "/vpce-guard/slack-webhook",
        "SecretPerimeter": "restore-tagged",
    }
    with Cloud.start(parameters=parameters) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def day() -> Cloud:
    """A day in which every function has every kind of work, the conditional ones, too. It is over:
    what was called and deployed can be read, and nothing can be called any more.
    """
    with Cloud.start(parameters=PARAMETERS) as cloud:
        play(cloud)
    return cloud


@pytest.fixture
def cloud(deployment: Cloud) -> Cloud:
    deployment.reset()
    return deployment


@pytest.fixture
def no_heartbeats(cloud: Cloud) -> None:
    """For tests that wait for days: the heartbeats of each hour prove nothing in them, and cost."""
    cloud.skip_schedule("HeartbeatRule")


@pytest.fixture
def account(cloud: Cloud) -> Account:
    return Account(cloud)


@pytest.fixture
def endpoint_id(cloud: Cloud, account: Account) -> str:
    """A guarded endpoint, settled."""
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (made,) = account.endpoints(vpc_id)
    return made["VpcEndpointId"]


@pytest.fixture
def secret(cloud: Cloud, account: Account) -> str:
    """A secret no event has named: the events of making it are lost."""
    arn = account.secret("prod/db")
    cloud.lose_events()
    return arn


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The fault matrix, if any of it was played."""
    found: dict[str, dict[str, str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            found |= dict(getattr(report, "user_properties", ())).get("fault_matrix", {})
    if found:
        terminalreporter.section("fault matrix")
        for line in table(found):
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """What a test printed or logged may hold half a character, which xdist cannot send."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report
