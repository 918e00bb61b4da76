"""Functions run in this process: fast, debuggable, on virtual time.

Each function gets a world of its own, as in its own Lambda sandbox: its modules are imported anew,
its environment variables hold while it runs, and the default sessions of boto3 and botocore have
the credentials of its role. `time.sleep` skips virtual time, and a run that goes past its timeout
in virtual time is cut short.
"""

import dataclasses
import importlib
import io
import json
import os
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
import botocore.session
from aws_lambda_powertools import Metrics

from emulator import quick
from emulator.clock import Clock
from emulator.deploy import FunctionSpec
from emulator.runtime import Outcome, lambda_environment
from emulator.server import FunctionKilled
from emulator.sessions import Gate, make_session


class _TimedOut(BaseException):
    """Lambda stops the function; nothing in it may catch that."""


@dataclass(slots=True)
class LambdaContext:
    """The handler's second argument ("Using the Lambda context object", Python)."""

    function: FunctionSpec
    deadline: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    log_stream_name: str = "emulated"
    identity: None = None
    client_context: None = None

    @property
    def function_name(self) -> str:
        return self.function.name

    @property
    def invoked_function_arn(self) -> str:
        return self.function.arn

    @property
    def memory_limit_in_mb(self) -> str:
        return str(self.function.memory)

    @property
    def log_group_name(self) -> str:
        return f"/aws/lambda/{self.function.name}"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.time()) * 1000))


@dataclass(slots=True)
class _Sandbox:
    """A warm function: its handler, its modules and its default session."""

    handler: Callable[[Any, Any], Any]
    modules: dict[str, ModuleType]
    session: boto3.Session


class _Output(io.TextIOBase):
    """Where functions write. One for the process: loggers keep the stream they were made with."""

    def __init__(self) -> None:
        self._text: list[str] = []

    def write(self, text: str) -> int:
        self._text.append(text)
        return len(text)

    def take(self) -> list[str]:
        lines = "".join(self._text).splitlines()
        self._text.clear()
        return lines


_OUTPUT = _Output()


class InProcess:
    """A Runtime. `credentials` gives the keys of a function's role."""

    def __init__(
        self,
        root: Path,
        region: str,
        clock: Clock,
        credentials: Callable[[FunctionSpec], Mapping[str, str]],
        gate: Gate,
    ) -> None:
        self._root = root
        self._region = region
        self._clock = clock
        self._credentials = credentials
        self._gate = gate
        self._warm: dict[str, _Sandbox] = {}
        self._sessions: dict[str, boto3.Session] = {}
        self._code = root / "functions"
        self._own = {
            path.stem for path in self._code.iterdir() if path.suffix == ".py" or path.is_dir()
        }

    def invoke(self, function: FunctionSpec, event: Mapping[str, Any]) -> Outcome:
        """Run a function on a copy of the event; what it raises becomes the outcome."""
        payload = json.loads(json.dumps(event))
        _OUTPUT.take()
        try:
            with self._environment(function), redirect_stdout(_OUTPUT):
                sandbox = self._warm.get(function.logical_id) or self._cold_start(function)
                world = self._world(sandbox.modules, sandbox.session)
                with world, self._time_limit(function) as deadline:
                    returned = sandbox.handler(payload, LambdaContext(function, deadline))
                    if time.time() > deadline:
                        raise _TimedOut
            return Outcome(result=json.loads(json.dumps(returned)), output=_OUTPUT.take())
        except _TimedOut:
            self._warm.pop(function.logical_id, None)
            message = f"Task timed out after {function.timeout:.2f} seconds"
            return Outcome(error=message, error_type="Sandbox.Timedout", output=_OUTPUT.take())
        except FunctionKilled:
            self._warm.pop(function.logical_id, None)
            message = "RequestId: emulated Error: Runtime exited with error: signal: killed"
            return Outcome(error=message, error_type="Runtime.ExitError", output=_OUTPUT.take())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - Lambda reports any of them
            trace = "".join(traceback.format_exception(error))
            kind = type(error).__name__
            return Outcome(error=str(error), error_type=kind, trace=trace, output=_OUTPUT.take())

    def reset(self) -> None:
        self._warm.clear()

    def close(self) -> None:
        self._warm.clear()

    @contextmanager
    def _environment(self, function: FunctionSpec) -> Iterator[None]:
        variables = lambda_environment(function, self._region, self._credentials(function))
        policies = self._root / "layers" / "approved_policies" / "endpoint_policies"
        variables["APPROVED_POLICIES_DIR"] = str(policies)
        with patch.dict(os.environ, variables):
            yield

    def _cold_start(self, function: FunctionSpec) -> _Sandbox:
        """Import the handler into a world without any of the project's modules."""
        session = self._session(function)
        module_name, attribute = function.handler.rsplit(".", 1)
        inside: dict[str, ModuleType] = {}
        once = patch.object(dataclasses, "exec", quick.execute, create=True)
        with self._world(inside, session), once:
            module = importlib.import_module(module_name)
        sandbox = _Sandbox(getattr(module, attribute), inside, session)
        self._warm[function.logical_id] = sandbox
        return sandbox

    def _session(self, function: FunctionSpec) -> boto3.Session:
        """The default session. It outlives the sandbox: clients keep nothing of a run."""
        if function.logical_id not in self._sessions:
            self._sessions[function.logical_id] = self._make_session(function)
        return self._sessions[function.logical_id]

    def _make_session(self, function: FunctionSpec) -> boto3.Session:
        keys = self._credentials(function)
        return make_session(
            self._gate,
            keys["AccessKeyId"],
            self._region,
            keys["SecretAccessKey"],
            keys["SessionToken"],
        )

    @contextmanager
    def _world(self, modules: dict[str, ModuleType], session: boto3.Session) -> Iterator[None]:
        """What `import` finds of the project: these modules; those it loads are added to them."""
        outside = self._take_own_modules()
        sys.modules.update(modules)
        sys.path.insert(0, str(self._code))
        try:
            with _default_session(session), _metrics_of_its_own():
                yield
        finally:
            sys.path.remove(str(self._code))
            modules.update(self._take_own_modules())
            sys.modules.update(outside)

    def _take_own_modules(self) -> dict[str, ModuleType]:
        own = [name for name in sys.modules if name.split(".", 1)[0] in self._own]
        return {name: sys.modules.pop(name) for name in own}

    @contextmanager
    def _time_limit(self, function: FunctionSpec) -> Iterator[float]:
        deadline = time.time() + function.timeout
        runner, real_sleep = threading.get_ident(), time.sleep

        def sleep(seconds: float) -> None:
            if threading.get_ident() != runner:
                real_sleep(seconds)
                return
            left = deadline - time.time()
            self._clock.skip(max(0.0, min(seconds, left)))
            if seconds >= left:
                raise _TimedOut

        with patch.object(time, "sleep", sleep):
            yield deadline


@contextmanager
def _metrics_of_its_own() -> Iterator[None]:
    """Powertools keeps one store for the process; what somebody else left there is not measured."""
    store = Metrics()
    with (
        patch.dict(store.metric_set, clear=True),
        patch.dict(store.dimension_set, clear=True),
        patch.dict(store.metadata_set, clear=True),
    ):
        yield


@contextmanager
def _default_session(session: boto3.Session) -> Iterator[None]:
    core = SimpleNamespace(create_client=session.client)
    with (
        patch.object(boto3, "DEFAULT_SESSION", session),
        patch.object(botocore.session, "get_session", lambda: core),
    ):
        yield
