"""A command starts without what only others need."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("emulator", "moto", "jinja2", "boto3", "botocore", "rich", "msgspec", "yaml", "guard")
IMPORTED = """
import json, sys
from guardctl.__main__ import app
try:
    app(sys.argv[1:])
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""


def imported(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["nonsense"]])
def test_help_imports_no_command(arguments: list[str]):
    assert imported(*arguments) & {*HEAVY} == set()


@pytest.mark.parametrize(
    ("arguments", "needless"),
    [
        (["exceptions", "lint"], {"boto3", "botocore", "rich", "msgspec", "moto", "emulator"}),
        (
            ["policies", "lint", "--offline"],
            {"boto3", "msgspec", "moto", "emulator", "samtranslator"},
        ),
        (["twin", "--help"], {"boto3", "botocore", "duckdb", "rich", "msgspec"}),
        (["twin", "prove", "FOLDER", "LOG", "--offline"], {"boto3", "moto", "duckdb", "jinja2"}),
        (["replay", "LOG"], {"boto3", "rich", "jinja2", "moto", "emulator", "duckdb"}),
        (["athena", "--help"], {"boto3", "botocore", "duckdb", "rich", "sqlglot", "msgspec"}),
        (["audit", "--help"], {"jinja2", "msgspec", "moto", "emulator", "samtranslator"}),
    ],
)
def test_a_command_imports_what_it_needs_alone(
    arguments: list[str], needless: set[str], tmp_path: Path
):
    log = tmp_path / "log.json"
    log.write_text('{"Records": []}')
    found = imported(*(str(log) if one == "LOG" else one for one in arguments))
    assert found & needless == set()
