"""The pictures in docs/messages are those of the messages that would be sent today."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from emulator.slack import faults_of_blocks
from guard.findings.finding import Kind
from notify_slack.payload import payload
from tools.messages.__main__ import app
from tools.messages.command import DOCS, pictures
from tools.messages.examples import examples
from tools.messages.picture import WIDTH, Word, broken, words

EXAMPLES = examples(DOCS / "runbooks")


def test_the_pictures_are_up_to_date() -> None:
    done = CliRunner().invoke(app, ["--check"])
    assert (done.exit_code, done.output) == (0, ""), "run make messages"


def test_every_kind_has_one() -> None:
    names = {path.stem for path in (DOCS / "messages").glob("*.svg")}
    assert {kind.value for kind in Kind} <= names
    assert {"follow-up", "possible-repeat", "alarm", "alarm-over", "unknown-form"} <= names


def test_a_picture_that_is_old_is_reported(tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["--folder", str(tmp_path)]).exit_code == 0
    (tmp_path / "bypass.svg").write_text("old")
    (tmp_path / "gone.svg").write_text("left over")
    done = runner.invoke(app, ["--folder", str(tmp_path), "--check"])
    assert done.exit_code == 1
    assert done.output == "out of date: bypass.svg\nout of date: gone.svg\n"
    assert runner.invoke(app, ["--folder", str(tmp_path)]).exit_code == 0
    assert not (tmp_path / "gone.svg").exists()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_one_that_slack_takes(name: str) -> None:
    body, attempt = EXAMPLES[name]
    message = payload(body, attempt)
    blocks = [*message["blocks"], *message["attachments"][0]["blocks"]]
    assert list(faults_of_blocks(blocks)) == []
    assert ("unknown form" in message["text"]) is (name == "unknown-form")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_picture_shows_the_words_of_its_message(name: str) -> None:
    svg = pictures()[f"{name}.svg"]
    root = ET.fromstring(svg)  # noqa: S314 - our own
    shown = "".join("".join(root.itertext()).split())
    body, attempt = EXAMPLES[name]
    header = payload(body, attempt)["blocks"][0]["text"]["text"]
    assert "".join(header.split()) in shown
    if body.startswith("{"):
        cause = json.loads(body).get("cause", "")
        assert "".join(cause.split()).replace("`", "'")[:40] in shown


def test_lines_break_where_there_is_no_more_room() -> None:
    pieces = words("some *bold* words and `code&amp;more` " * 20)
    lines = broken(pieces, 300)
    assert len(lines) > 1
    assert all(sum(word.width for word in line) <= 320 for line in lines)
    joined = "".join(word.text for line in lines for word in line)
    assert joined.replace(" ", "") == ("someboldwordsandcode&more" * 20)


def test_a_word_wider_than_the_picture_is_broken_within() -> None:
    lines = broken([Word("x" * 1000, "code")], WIDTH)
    assert len(lines) > 5
    assert sum(len(word.text) for line in lines for word in line) == 1000
