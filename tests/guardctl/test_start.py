"""A command starts without what only others need."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("heavy", ["emulator", "moto", "jinja2"])
def test_no_command_pays_for_another(heavy: str):
    look = f"import guardctl.__main__, sys; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
