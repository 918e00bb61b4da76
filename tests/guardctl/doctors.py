"""The lines of guardctl doctor, for its tests."""

import json
from typing import Any

from typer.testing import CliRunner

from guardctl.__main__ import app


def doctor(*arguments: str, code: int = 0) -> dict[str, Any]:
    """The lines by check."""
    found = CliRunner().invoke(app, ["doctor", "--format", "json", *arguments])
    assert found.exit_code == code, found.output + repr(found.exception)
    return {line["check"]: line for line in json.loads(found.stdout)}
