"""docs/trying.md, step by step: who has no AWS account deploys, breaks something, and undoes it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.second.ministack import BUILT, MINISTACK, until
from tests.template.stack import ROOT
from tools.playground import command

type Run = Callable[..., str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs a module in the environment whose lines `make playground` prints."""
    for path in (MINISTACK, BUILT):
        assert path.exists(), f"{path} is missing: run make second"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("playground") / "log"
    given = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "tools.playground", "start", "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=given | {"PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=output,
            # As a shell does for what it runs in the background, such as a nightly job.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
    try:
        yield _runner(log, given, port)
    finally:
        process.send_signal(2)  # Ctrl-C
        process.wait(30)


def _runner(log: Path, given: dict[str, str], port: int) -> Run:
    until("what to export", lambda: "make deploy" in log.read_text())
    exports = dict(re.findall(r"export (\w+)=(\S+)", log.read_text()))
    assert exports["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with socket.socket() as tried:
            return not tried.connect_ex(("127.0.0.1", port))

    assert answers()  # it says what to run only when that can be run

    def run(module: str, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=given | exports,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    return run


def test_the_story_of_the_page(run: Run):
    shown = run("tools.playground", "sweep", code=2)
    assert "there is no stack vpce-guard, or it is not complete\n  next: make deploy" in shown
    shown = run("guardctl", "deploy", "--yes")
    assert "vpce-guard is CREATE_COMPLETE." in shown

    shown = run("tools.playground", "vpc")
    assert "what to do:" in shown
    assert "- the guard would create the endpoint" in shown
    assert "is not known" not in shown
    assert not re.search("vpce-[0-9a-f]", shown)  # observe mode
    run("tools.playground", "mode", "remediate")
    shown = run("tools.playground", "sweep")
    endpoint = re.findall(r"^(vpce-\w+) in vpc-\w{17}", shown, re.MULTILINE)[0]

    assert "ALERT, high: GetSecretValue by user/alice" in run("tools.playground", "read")
    shown = run("tools.playground", "open", endpoint)
    assert f"ALERT, high: Endpoint policy of {endpoint} restored" in shown
    assert "aws:PrincipalAccount" in run("tools.playground", "policy", endpoint)

    assert "restored" in run("guardctl", "history", endpoint)
    run("guardctl", "rollback", endpoint, "--before", "2", code=2)  # asks for --yes
    run("guardctl", "rollback", endpoint, "--before", "2", "--yes")
    assert '"Action": "*"' in run("tools.playground", "policy", endpoint)
    assert "is guarded again" in run("guardctl", "resume", endpoint)
    shown = run("tools.playground", "alerts")
    assert f"Endpoint policy of {endpoint} restored" in shown
    assert "is well" not in run("guardctl", "audit", code=1)  # for want of a trail

    # By its description: the emulator forgets it where a change set made the stack.
    assert "vpce-guard is deleted" in run("guardctl", "delete", "--discard-history", "--yes")


def test_an_alert_of_before_is_not_taken_for_the_next_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    finding = {"severity": "high", "title": "of before", "cause": "why", "todo": ["this"]}
    asked: list[str] = []

    def heard(url: str) -> list[dict[str, Any]]:
        asked.append(url)
        return [finding | {"kind": "bypass"}]

    monkeypatch.setattr(command, "_listens", lambda: "queue")
    monkeypatch.setattr(command, "_heard", heard)
    command._settle()
    shown = capsys.readouterr().out
    assert asked == ["queue"]
    assert shown.startswith("before this command came:\n\nALERT, high: of before")
    assert "  what to do:\n  - this\n" in shown


def test_it_breaks_nothing_in_a_real_account(monkeypatch: pytest.MonkeyPatch):
    from guardctl.errors import Failed
    from tools.playground.command import vpc

    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(Failed, match="AWS_ENDPOINT_URL is not set"):
        vpc()
