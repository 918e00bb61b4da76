"""Which mode is in force: only the two words count, and anything else stops all writes."""

from typing import Any

import pytest

from guard.aws.parameters import ParameterUnreadable
from guard.reconcile.mode import Mode, ModeRead, read_mode


class Held:
    """The parameter, or the error that reading it gives."""

    def __init__(self, value: str | Exception) -> None:
        self.value = value

    def get(self, name: str, *, max_age: float) -> str:
        assert name == "mode"
        assert max_age <= 60
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def read(value: str | Exception) -> ModeRead:
    held: Any = Held(value)
    return read_mode(held, "mode")


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        ("remediate", Mode.REMEDIATE),
        (" Remediate\n", Mode.REMEDIATE),
        ("observe", Mode.OBSERVE),
        ("OBSERVE", Mode.OBSERVE),
    ],
)
def test_the_two_words_are_understood(value: str, mode: Mode) -> None:
    assert read(value) == ModeRead(mode)


@pytest.mark.parametrize("value", ["", "true", "remediat", "remediate!", "remediate,observe"])
def test_an_unknown_mode_stops_all_writes_and_is_said(value: str) -> None:
    known = read(value)
    assert known.mode is Mode.OBSERVE
    assert repr(value) in known.problem


def test_a_mode_that_cannot_be_read_stops_all_writes_and_is_said() -> None:
    known = read(ParameterUnreadable("ThrottlingException"))
    assert known.mode is Mode.OBSERVE
    assert "ThrottlingException" in known.problem
