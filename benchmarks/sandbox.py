"""One cold start: a new process of AWS's Runtime Interface Emulator, and its first invocation."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.runtime_lambda import find_rie

ROOT = Path(__file__).parents[1]


class Failed(RuntimeError):
    """The first invocation did not return: a figure of it would mean nothing."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """What Lambda would unpack and start. `path` are the folders that hold Python packages."""

    task: Path
    handler: str
    path: Sequence[Path]
    environment: Mapping[str, str]


def first_invocation(artefact: Artefact, event: Mapping[str, Any], runtime: Path) -> float:
    """Seconds from the request until the answer, the start of Python included. Raises Failed."""
    port, api = _free_port(), _free_port()
    command = [
        str(find_rie(ROOT)),
        "--log-level",
        "error",
        "--runtime-interface-emulator-address",
        f"127.0.0.1:{port}",
        "--runtime-api-address",
        f"127.0.0.1:{api}",
        sys._base_executable,  # type: ignore[attr-defined]  # noqa: SLF001
        "-S",  # none of this environment's packages
        "-m",
        "awslambdaric",
        artefact.handler,
    ]
    process = subprocess.Popen(  # noqa: S603 - the command is all ours
        command,
        cwd=artefact.task,
        env=_environment(artefact, runtime),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        _wait_for(port)
        began = time.perf_counter()
        answer = _post(port, event)
        seconds = time.perf_counter() - began
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        output = process.communicate()[0].decode(errors="replace")
    if "errorType" in answer or answer.startswith("Task timed out"):
        raise Failed(f"{artefact.handler}: {answer}\n{output}")
    return seconds


def _environment(artefact: Artefact, runtime: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "HOME": str(runtime),
        "TZ": ":UTC",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "LAMBDA_TASK_ROOT": str(artefact.task),
        "LAMBDA_RUNTIME_DIR": str(runtime),
        "PYTHONPATH": os.pathsep.join(map(str, (artefact.task, *artefact.path, runtime))),
        "PYTHONDONTWRITEBYTECODE": "1",  # as on Lambda, whose folders are read-only
        **artefact.environment,
    }


def _post(port: int, event: Mapping[str, Any]) -> str:
    url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    request = urllib.request.Request(url, json.dumps(event).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=90) as answer:  # noqa: S310 - loopback
        return answer.read().decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(port: int) -> None:
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Failed("the Runtime Interface Emulator did not listen")
