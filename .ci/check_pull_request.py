"""What action.yml runs: each check that its inputs name, as SARIF into one folder.

Ends with the highest exit code of all checks: 1 for an error found, 2 for a check that could not
be made.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def main() -> int:
    folder = Path(os.environ["RUNNER_TEMP"], "vpce-guard", "sarif")
    folder.mkdir(parents=True, exist_ok=True)
    with Path(os.environ["GITHUB_OUTPUT"]).open("a") as outputs:
        outputs.write(f"sarif={folder}\n")
    # Logs hold other people's texts: no line of them is a command of the workflow.
    mark = secrets.token_hex()
    print(f"::stop-commands::{mark}", flush=True)
    worst = max((check(folder, arguments) for arguments in asked()), default=0)
    print(f"::{mark}::")
    return worst


def asked() -> Iterator[list[str]]:
    """The arguments of guardctl for each input that is given."""
    if policies := os.environ["POLICIES"]:
        yield ["policies", "lint", policies]
    if exceptions := os.environ["EXCEPTIONS"]:
        yield ["exceptions", "lint", exceptions]
    if policy := os.environ["PREFLIGHT"]:
        yield ["preflight", policy, *lines("LOGS"), *lines("OPTIONS")]
    if proposal := os.environ["TWIN"]:
        yield ["twin", "prove", proposal, *lines("LOGS")]


def lines(name: str) -> list[str]:
    return list(filter(None, map(str.strip, os.environ[name].splitlines())))


def check(folder: Path, arguments: list[str]) -> int:
    """Run one command, keep its log, and print what it found."""
    print(f"guardctl {' '.join(arguments)}", flush=True)
    # Not -m, which would take a guardctl of the folder that is checked.
    guardctl = Path(sys.executable).with_name("guardctl")
    command = [guardctl, *arguments, "--format", "sarif"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.stdout:  # a command that could not begin has said why on standard error
        (folder / f"{arguments[0]}.sarif").write_text(done.stdout)
        for one in json.loads(done.stdout)["runs"][0]["results"]:
            place = one["locations"][0]["physicalLocation"]
            where = f"{place['artifactLocation']['uri']}:{place['region']['startLine']}"
            print(f"  {one['level']} {where}: {one['message']['text']}", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
