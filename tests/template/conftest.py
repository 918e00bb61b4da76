"""One transformed stack for all tests of the template."""

import pytest

from tests.template.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The stack with everything switched on that a parameter can switch on."""
    return Stack()
