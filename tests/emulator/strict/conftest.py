from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from moto import mock_aws

from emulator.strict import Options, options, strict

from .account import Account


@pytest.fixture(autouse=True)
def _no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    # moto would make 1,300 machine images for each new account, half a second's work.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")


@pytest.fixture(autouse=True)
def _no_other_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    # One that another suite keeps running in this process sends every client to its own server.
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.fixture(autouse=True)
def _strict_moto() -> Iterator[None]:
    # Neither reset nor removed: a cloud of another suite may be running on the same moto.
    mock = mock_aws(config={"lambda": {"use_docker": False}})
    with strict():
        mock.start(reset=False)
        yield
        mock.stop(remove_data=False)


@pytest.fixture
def account() -> Iterator[Account]:
    with time_machine.travel(datetime(2026, 3, 2, 9, tzinfo=UTC), tick=False) as clock:
        yield Account(clock)


@pytest.fixture
def playing() -> Options:
    """The options of the strict layer, for this test to change."""
    return options
