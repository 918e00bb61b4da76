"""One transformed stack for all tests of the template, and one day on the embedded cloud."""

from collections.abc import Iterator

import pytest

from emulator import Cloud
from tests.template.stack import Stack
from tools.rights.day import PARAMETERS, play


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The stack with everything switched on that a parameter can switch on."""
    return Stack()


@pytest.fixture(scope="module")
def day() -> Iterator[Cloud]:
    """A day in which every function has every kind of work, the conditional ones, too."""
    with Cloud.start(parameters=PARAMETERS) as cloud:
        play(cloud)
        yield cloud
