"""What all commands have in common: help with examples, one form of errors, exit codes."""

import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from guardctl.__main__ import app
from guardctl.commands import COMMANDS, load
from guardctl.errors import Failed, next_step


def leaves() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in COMMANDS:
        command = load(name)
        inner = getattr(command, "commands", None)
        named = {f"{name} {one}": each for one, each in inner.items()} if inner else {name: command}
        found |= named
    return found


LEAVES = leaves()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_has_each_commands_first_sentence(name: str):
    first = " ".join((load(name).help or "").split())
    assert first.startswith(COMMANDS[name][1])
    assert COMMANDS[name][1] in " ".join(CliRunner().invoke(app, ["--help"]).output.split())


@pytest.mark.parametrize("name", LEAVES)
def test_each_help_has_examples_of_options_that_exist(name: str):
    shown = CliRunner().invoke(app, [*name.split(), "--help"], terminal_width=100).output
    lines = re.search(r"\n  Examples:\n((?:    .+\n)+)", shown)
    assert lines, shown
    known = {one for param in LEAVES[name].params for one in (*param.opts, *param.secondary_opts)}
    for line in lines[1].splitlines():
        command = line.strip().rpartition("| ")[2]
        assert command.startswith(f"guardctl {name}"), line
        words = shlex.split(re.sub(r"[<>]", " ", command).replace("(", "").replace(")", ""))
        assert {one for one in words if one.startswith("--")} <= known, line


def test_the_version_and_completion():
    assert re.fullmatch(r"guardctl \d+\.\d+\.\d+\n", CliRunner().invoke(app, ["--version"]).output)
    for words, expected in (("guardctl repl", "replay"), ("guardctl replay --sin", "--since")):
        environment = {
            "_GUARDCTL_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        found = CliRunner().invoke(app, [], env=environment)
        assert found.output.split() == [expected]
    # Which shell it is, is found out from the processes above.
    shown = ["bash", "-c", f"{sys.executable} -m guardctl --show-completion; exit $?"]
    assert "complete -o" in subprocess.run(shown, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["repay"], "guardctl: No such command 'repay'. Did you mean 'replay'?"),
        (["--nonsense"], "guardctl: No such option: --nonsense"),
        (["replay"], "guardctl replay: Missing argument 'PATH...'."),
        (["replay", "x", "--since", "soon"], "guardctl replay: Invalid value: not a date"),
        (["policies", "compare", "x"], "guardctl policies compare: Missing argument 'approved'."),
        (["policies", "lint", "/none"], "guardctl policies lint: there are no policies in /none"),
        (["exceptions", "lint", "/none"], "guardctl exceptions lint: cannot read /none"),
        (["preflight", "nothing", "x"], "guardctl preflight: nothing: no such file"),
        (["doctor", "--config-env", "x"], "guardctl doctor: samconfig.toml has no environment x"),
    ],
)
def test_errors_have_one_form(arguments: list[str], says: str):
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 2
    first, *more = found.stderr.splitlines()
    assert first.startswith(says), found.stderr
    assert all(line.startswith("  ") for line in more)
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    "command",
    [["audit"], ["history", "vpce-0a"], ["redrive"], ["upgrade"], ["suggest-secret-policy", "db"]],
)
def test_without_credentials_the_next_step_is_a_profile_or_a_sign_in(
    command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    found = CliRunner().invoke(app, [*command, "--region", "eu-west-1"])
    assert found.exit_code == 2, found.output
    assert found.stderr.startswith(f"guardctl {command[0]}: ")
    assert "  next: name a profile with --profile, or sign in: aws sso login" in found.stderr


def test_the_next_step_is_found_in_the_cause():
    class SSOTokenLoadError(Exception):
        pass

    error = Failed("no")
    error.__cause__ = SSOTokenLoadError()
    assert "aws sso login" in next_step(error)
    assert next_step(Failed("no", "do")) == "do"
    assert next_step(ValueError()) == ""


def test_a_fault_of_ours_is_no_bad_usage(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("guardctl.rollback.resume", lambda endpoint="": 1 / 0)
    found = CliRunner().invoke(app, ["resume"])
    assert isinstance(found.exception, ZeroDivisionError)
