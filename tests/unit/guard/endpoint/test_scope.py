"""Which VPCs the guard protects."""

from dataclasses import replace

import pytest

from guard.endpoint.scope import Scope
from guard.settings import SettingsError
from tests.builders import vpc


@pytest.mark.parametrize(
    ("scope", "changes", "rotates", "left_out"),
    [
        ("all", {"is_default": True}, False, False),
        ("tagged", {}, True, True),
        ("tagged", {"tags": {"mine": ""}}, False, False),
        ("not-default", {"is_default": True}, True, True),
        ("not-default", {}, False, False),
        ("rotation", {}, False, True),
        ("rotation", {}, True, False),
    ],
)
def test_scope(scope, changes, rotates, left_out):
    why = Scope.of(scope, "mine").why_excluded(replace(vpc(), **changes), lambda: rotates)
    assert bool(why) is left_out


def test_a_scope_that_does_not_exist_is_refused_at_cold_start():
    with pytest.raises(SettingsError, match="some"):
        Scope.of("some", "mine")
