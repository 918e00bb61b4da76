"""`guardctl exceptions lint` finds what would stop the function, and what is over."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from guardctl.__main__ import app
from guardctl.exceptions import SHIPPED, problems_of

GOOD = {
    "name": "ci",
    "owner": "platform@example.com",
    "reason": "Runners have no VPC yet",
    "expires": "2999-12-31",
    "principal": "arn:aws:iam::111122223333:role/ci-*",
}


def lint(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["exceptions", "lint", *map(str, arguments)])


@pytest.fixture
def written(tmp_path: Path):
    def write(*entries: dict[str, Any]) -> Path:
        path = tmp_path / "exceptions.json"
        path.write_text(json.dumps({"exceptions": entries}))
        return path

    return write


def found(result: Result) -> list[dict[str, str]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_shipped_file_has_no_error():
    assert lint().exit_code == 0
    assert SHIPPED.exists()


def test_a_good_file_says_nothing(written):
    result = lint(written(GOOD))
    assert (result.exit_code, result.stdout) == (0, "")


def test_every_mistake_is_an_error_with_its_place(written):
    result = lint(
        written({**GOOD, "owner": ""}, {**GOOD, "cidr": "0.0.0.0/0"}), "--format", "jsonl"
    )
    assert result.exit_code == 1
    assert [(one["level"], one["exception"]) for one in found(result)] == [
        ("error", "exceptions[0]"),
        ("error", "exceptions[1]"),
    ]
    assert "too wide" in found(result)[1]["text"]


def test_what_is_no_json_is_an_error(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text("{")
    result = lint(path, "--format", "json")
    assert result.exit_code == 1
    assert "JSON" in result.stdout


def test_a_file_that_is_not_there_is_bad_usage(tmp_path):
    result = lint(tmp_path / "none.json")
    assert result.exit_code == 2
    assert "none.json" in result.stderr


def test_what_is_over_is_a_warning_and_fails_nothing(written):
    result = lint(written({**GOOD, "expires": "2020-01-31"}))
    assert result.exit_code == 0
    assert "2020-02-01" in result.stdout


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (datetime(2998, 1, 1, tzinfo=UTC), []),
        (datetime(2999, 12, 20, tzinfo=UTC), ["expires on"]),
        (datetime(3000, 1, 1, tzinfo=UTC) - timedelta(seconds=1), ["expires on"]),
        (datetime(3000, 1, 1, tzinfo=UTC), ["expired on"]),
    ],
)
def test_an_end_is_announced(written, now, words):
    texts = [problem.text for problem in problems_of(written(GOOD), now)]
    assert [text[:10] for text in texts] == words
    assert all("platform@example.com" in text for text in texts if "expires" in text)
