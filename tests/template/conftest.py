"""One transformed stack for all tests of the template, and one day on the embedded cloud."""

import pytest

from emulator import Cloud
from guardctl.rights.day import play
from tests.template.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The stack with everything switched on that a parameter can switch on."""
    return Stack()


@pytest.fixture(scope="module")
def day(deployment: Cloud) -> Cloud:
    """A day in which every reaction has every kind of work."""
    deployment.reset()
    play(deployment)
    return deployment
