"""Functions run as built: `sam build`'s artefacts under AWS's Lambda Runtime Interface Emulator.

One process per function, started when it is first called, one call at a time (the emulator panics
on a second one). The function sees what Lambda gives it and nothing of this environment: its code,
its layers, its variables, Python's standard library and AWS's runtime client. Its clock follows the
embedded cloud's. The emulator comes with SAM CLI ("Testing Lambda container images locally").
"""

import atexit
import importlib.util
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator import lineage
from emulator.deploy import FunctionSpec
from emulator.runtime import Outcome, lambda_environment
from emulator.templates import parse as parse_template

START_SECONDS = 20
GRACE_SECONDS = (
    20  # for a cold start, which AWS does not count against the timeout, and for slow hosts
)

# What the runtime itself consists of, and the library that lets its clock follow ours.
_RUNTIME_MODULES = (
    "awslambdaric",
    "simplejson",
    "snapshot_restore_py",
    "runtime_client",
    "time_machine",
    "_time_machine",
)


class NotBuilt(RuntimeError):
    """There is nothing to run, or nothing to run it with; the message says what makes it."""


@dataclass(slots=True)
class _Process:
    """A function's sandbox: the emulator, and the Python process that it starts."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    read: int = 0

    def output(self) -> list[str]:
        """What was written since the last call."""
        text = self.log.read_bytes()[self.read :]
        self.read += len(text)
        return text.decode(errors="replace").splitlines()

    def kill(self) -> None:
        # The group: on a panic the emulator leaves its Python child behind.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class LambdaRuntime:
    """A Runtime. Raises NotBuilt when it is made without a build to run."""

    def __init__(
        self,
        root: Path,
        region: str,
        credentials: Callable[[FunctionSpec], Mapping[str, str]],
        *,
        rie: Path | None = None,
    ) -> None:
        self._region = region
        self._credentials = credentials
        self._build = root / ".aws-sam" / "build"
        self._rie = rie or find_rie(root)
        template = self._build / "template.yaml"
        if not template.exists():
            raise NotBuilt(f"{template} is missing: run make build")
        self._template: dict[str, Any] = parse_template(template.read_text())
        self._processes: dict[str, _Process] = {}
        self._refuse_a_stale_build(root / "functions")
        modules = [_module_path(name) for name in _RUNTIME_MODULES]
        self._folder = tempfile.TemporaryDirectory(prefix="vpce-guard-lambda-")
        self._clock = Path(self._folder.name) / "clock"
        self._trace = Path(self._folder.name) / "trace"
        self._make_runtime_folder(modules)
        atexit.register(self.close)

    def invoke(self, function: FunctionSpec, event: Mapping[str, Any]) -> Outcome:
        """Run a function once. What it raises, a timeout and a crash become the outcome."""
        self._clock.write_text(repr(time.time() - _real_time()))
        self._trace.write_text(function.environment.get(lineage.VARIABLE, ""))
        sandbox = self._processes.get(function.logical_id)
        if sandbox is None:
            sandbox = self._processes[function.logical_id] = self._start(function)
        url = f"http://127.0.0.1:{sandbox.port}/2015-03-31/functions/function/invocations"
        request = urllib.request.Request(url, json.dumps(event).encode(), method="POST")
        try:
            wait = function.timeout + GRACE_SECONDS
            with urllib.request.urlopen(request, timeout=wait) as answer:  # noqa: S310 - loopback
                body, status = answer.read().decode(), answer.status
        except urllib.error.HTTPError as error:
            body, status = error.read().decode(), error.code
        except OSError as error:
            body, status = f"no answer: {error}", 0
        outcome = read_answer(status, body, sandbox.output())
        if outcome.error_type in ("Sandbox.Timedout", "Sandbox.Crashed"):
            self._processes.pop(function.logical_id).kill()
        return outcome

    def reset(self) -> None:
        for process in self._processes.values():
            process.kill()
        self._processes.clear()

    def close(self) -> None:
        self.reset()
        atexit.unregister(self.close)
        self._folder.cleanup()

    def _refuse_a_stale_build(self, source: Path) -> None:
        """What is run must be what is in the folder: an older build would prove nothing."""
        expected = {path.relative_to(source): path.read_bytes() for path in source.rglob("*.py")}
        for logical_id, resource in self._template["Resources"].items():
            if resource["Type"] != "AWS::Serverless::Function":
                continue
            built = self._path(self._properties(logical_id)["CodeUri"])
            there = {path.relative_to(built): path.read_bytes() for path in built.rglob("*.py")}
            if there != expected:
                raise NotBuilt(f"the build of {logical_id} is not of this code: run make build")

    # --- sandboxes --------------------------------------------------------------------------------

    def _start(self, function: FunctionSpec) -> _Process:
        port, api_port = _free_port(), _free_port()
        task = self._path(self._properties(function.logical_id)["CodeUri"])
        opt = self._opt(function.logical_id)
        runtime = Path(self._folder.name) / "runtime"
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "HOME": self._folder.name,
            **lambda_environment(function, self._region, self._credentials(function)),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
            "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "LAMBDA_TASK_ROOT": str(task),
            "LAMBDA_RUNTIME_DIR": str(runtime),
            "APPROVED_POLICIES_DIR": str(opt / "endpoint_policies"),
            "PYTHONPATH": os.pathsep.join(map(str, (task, opt / "python", runtime))),
            # As on Lambda, whose folders are read-only: the bytecode in the artefact must do.
            "PYTHONDONTWRITEBYTECODE": "1",
            "EMULATOR_CLOCK": str(self._clock),
            "EMULATOR_TRACE": str(self._trace),
        }
        log = Path(self._folder.name) / f"{function.logical_id}.log"
        command = [
            str(self._rie),
            "--log-level",
            "error",
            "--runtime-interface-emulator-address",
            f"127.0.0.1:{port}",
            "--runtime-api-address",
            f"127.0.0.1:{api_port}",
            # Not the environment's Python: its packages would hide what is missing in a layer.
            sys._base_executable,  # type: ignore[attr-defined]
            "-S",
            str(runtime / "bootstrap.py"),
            function.handler,
        ]
        with log.open("ab") as stream:
            process = subprocess.Popen(  # noqa: S603 - the command is all ours
                command,
                cwd=task,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        sandbox = _Process(process, port, log)
        try:
            _wait_for(port, process)
        except BaseException:
            sandbox.kill()
            raise
        return sandbox

    def _properties(self, logical_id: str) -> dict[str, Any]:
        shared = self._template.get("Globals", {}).get("Function", {})
        own = self._template["Resources"][logical_id]["Properties"]
        layers = [*shared.get("Layers", []), *own.get("Layers", [])]
        return {**shared, **own, "Layers": layers}

    def _path(self, uri: str) -> Path:
        return (self._build / uri).resolve()

    def _opt(self, logical_id: str) -> Path:
        """The function's /opt: the content of its layers, in order."""
        opt = Path(self._folder.name) / f"{logical_id}.opt"
        if opt.exists():
            return opt
        opt.mkdir()
        for layer in self._properties(logical_id)["Layers"]:
            content = self._template["Resources"][layer["Ref"]]["Properties"]["ContentUri"]
            for entry in self._path(content).iterdir():
                (opt / entry.name).symlink_to(entry)
        return opt

    def _make_runtime_folder(self, modules: Sequence[Path]) -> None:
        """Link the runtime's modules out of the environment, and nothing else of it."""
        folder = Path(self._folder.name) / "runtime"
        folder.mkdir()
        for module in modules:
            (folder / module.name).symlink_to(module)
        (folder / "bootstrap.py").symlink_to(Path(__file__).with_name("lambda_bootstrap.py"))


def _module_path(name: str) -> Path:
    """A module's file or a package's folder. Raises NotBuilt."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise NotBuilt(f"the module {name} is missing: run make setup")
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin


def read_answer(status: int, body: str, output: list[str]) -> Outcome:
    """The outcome in the emulator's answer. It says 200 also for errors and timeouts."""
    try:
        answer = json.loads(body) if body else None
    except ValueError:
        answer = None
        if status == 200 or "timed out" in body:
            kind = "Sandbox.Timedout" if "timed out" in body else "Sandbox.Crashed"
            return Outcome(error=body.strip(), error_type=kind, output=output)
    if isinstance(answer, dict) and "errorMessage" in answer and "errorType" in answer:
        trace = "".join(answer.get("stackTrace") or [])
        return Outcome(
            error=answer["errorMessage"],
            error_type=answer["errorType"],
            trace=trace,
            output=output,
        )
    if status != 200:
        return Outcome(error=f"{status}: {body}", error_type="Sandbox.Crashed", output=output)
    return Outcome(result=answer, output=output)


def find_rie(root: Path) -> Path:
    """SAM CLI's Runtime Interface Emulator for this host. Raises NotBuilt."""
    machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    pattern = f".venv-sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"
    found = next(iter(sorted(root.glob(pattern))), None)
    if found is None:
        raise NotBuilt("SAM CLI's aws-lambda-rie is missing: run make build")
    if not os.access(found, os.X_OK):
        found.chmod(found.stat().st_mode | 0o111)
    return found


def _real_time() -> float:
    """The host's time, whatever the embedded cloud's clock says."""
    from time_machine import escape_hatch

    return escape_hatch.time.time()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    began = time.monotonic()
    while time.monotonic() - began < START_SECONDS:
        if process.poll() is not None:
            raise RuntimeError(f"the Runtime Interface Emulator ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"the Runtime Interface Emulator did not listen within {START_SECONDS} s")
