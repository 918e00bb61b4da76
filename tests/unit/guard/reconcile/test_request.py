"""The guard's own messages say when they were written."""

import json
from datetime import UTC, datetime

import pytest

from guard.reconcile.messages import asked_at, envelope
from tests.builders import SETTINGS

NOON = datetime(2026, 5, 4, 12, 0, 1, 500_000, tzinfo=UTC)


def test_to_the_second():
    assert asked_at(json.loads(envelope(SETTINGS, NOON, {}))) == int(NOON.timestamp())


@pytest.mark.parametrize(
    "message", [{}, {"time": None}, {"time": "soon"}, {"time": 12}, {"time": "0001-01-01T00:00:00"}]
)
def test_what_cannot_be_read_was_never(message):
    assert asked_at(message) <= 0
