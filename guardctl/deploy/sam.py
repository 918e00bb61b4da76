"""SAM CLI, from its own environment: it uploads the build and makes the change set.

Where `sam deploy` is to show a change set first it asks [y/N], so that Enter deploys nothing. So it
makes the change set only. The parameters are handed over as a file, which knows no quotes.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardctl import BUNDLED, ROOT
from guardctl.errors import Failed

SAM = ROOT / ".venv-sam" / "bin" / "sam"
BUILD = ROOT / ".aws-sam" / "build" / "template.yaml"


class SamFailed(Failed):
    """SAM CLI, or AWS through it, refused; the message says why."""

    code = 1


@dataclass(frozen=True, slots=True)
class Target:
    """Where to: the names are those of SAM CLI's options, and empty ones are left out."""

    stack_name: str
    region: str
    profile: str = ""
    config_env: str = "default"

    @property
    def options(self) -> list[str]:
        named = {
            "--stack-name": self.stack_name,
            "--region": self.region,
            "--profile": self.profile,
            "--config-env": self.config_env,
        }
        return [word for name, value in named.items() if value for word in (name, value)]


def make_change_set(
    target: Target,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    further: Sequence[str] = (),
) -> str:
    """The ARN of a change set that waits to be executed, "" where nothing would change.

    A parameter that is not named keeps the value that the stack has, or has the default. `further`
    are options of `sam deploy`. Raises SamFailed.
    """
    with _as_file(parameters) as overrides:
        options = [
            "--no-execute-changeset",
            "--no-confirm-changeset",
            "--no-fail-on-empty-changeset",
            "--output",
            "json",
            *target.options,
            *(["--parameter-overrides", f"file://{overrides}"] if parameters else []),
            *(["--tags", *map(_tag, tags.items())] if tags else []),
            *further,
        ]
        lines = _run("deploy", *options)
    said = [one for one in map(_json, lines) if one.get("type") == "result"]
    result = said[-1] if said else {}
    match result.get("status"):
        case "changeset_created":
            return str(result["changeset_id"])
        case "no_changes":
            return ""
        case _:
            raise SamFailed(result.get("error", {}).get("message") or "\n".join(lines[-5:]))


def require_repository() -> None:
    """Raises SamFailed where guardctl was installed from its wheel, which holds no build."""
    if BUNDLED:
        todo = "run `make deploy` or `make delete` in a clone of the repository"
        raise SamFailed("the installed guardctl has nothing to deploy with", todo, code=2)


def delete(target: Target) -> None:
    """Deletes the stack and what was uploaded for it. Raises SamFailed."""
    command = [str(_sam()), "delete", "--no-prompts", *target.options]
    done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603 - our own SAM CLI
    if done.returncode:
        raise SamFailed("sam delete failed: see above")


def _sam() -> Path:
    if not SAM.exists():
        raise SamFailed("SAM CLI is not set up yet", "make build")
    return SAM


def _run(command: str, *options: str) -> list[str]:
    """What SAM CLI prints, but for empty lines; with --output json, a JSON object on some."""
    if not BUILD.exists():
        raise SamFailed("there is no build", "make build")
    done = subprocess.run(  # noqa: S603 - our own SAM CLI
        [str(_sam()), command, *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return [line for line in done.stdout.splitlines() if line.strip()]


def _json(line: str) -> dict[str, Any]:
    """The object of a line; progress bars and warnings are none."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _as_file(parameters: Mapping[str, str]) -> Iterator[Path]:
    """The parameters as a YAML file, which JSON is; SAM CLI takes no .json."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parameters.yaml"
        path.write_text(json.dumps(dict(parameters)), encoding="utf-8")
        yield path


def _tag(pair: tuple[str, str]) -> str:
    return '"{}"="{}"'.format(*pair)
