"""moto's server on a loopback port, behind a gate that knows every call.

The gate names the caller and the call, makes planned faults happen, counts calls, and writes
CloudTrail records. What moto cannot serve is a bug of the emulator: the caller sees `EmulatorBug`,
and so does whoever reads the cloud next.
"""

import socket
import threading
import traceback
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.test import run_wsgi_app

from emulator import cloudtrail, lineage, profiles
from emulator.callers import Callers, Identity
from emulator.faults import Fault, Faults
from emulator.text_rules import Refused, check
from emulator.wire import ApiRequest, ApiResponse, error_response, identify

type StartResponse = Callable[[str, list[tuple[str, str]]], Any]
type Environ = dict[str, Any]


class EmulatorBug(AssertionError):
    """The embedded cloud could not do what AWS does. Never the fault of the code under test."""


@dataclass(frozen=True, slots=True)
class Call:
    """One API call. `function` is the logical id of the function that made it, if one did."""

    principal: str
    function: str | None
    service: str
    action: str
    error: str | None
    params: dict[str, Any]
    when: datetime
    region: str

    @property
    def iam_action(self) -> str:
        """The IAM action that allows the call: for a batch, that of the single call."""
        name = f"{self.service}:{self.action}"
        return _IAM_ACTIONS.get(name, name)


_IAM_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:ListObjectsV2": "s3:ListBucket",
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}


@dataclass(slots=True)
class Ledger:
    """What happened at the gate."""

    calls: list[Call] = field(default_factory=list[Call])
    records: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    bugs: list[str] = field(default_factory=list[str])

    def raise_bugs(self) -> None:
        """Raise EmulatorBug if moto failed anywhere since the last call."""
        if self.bugs:
            bugs, self.bugs = self.bugs, []
            raise EmulatorBug("\n\n".join(bugs))


@dataclass(slots=True)
class Gate:
    """WSGI middleware between the socket and moto.

    `on_records` is given new CloudTrail records, `on_answer` of every successful call.
    """

    callers: Callers
    faults: Faults
    ledger: Ledger
    now: Callable[[], datetime]
    on_records: Callable[[list[dict[str, Any]]], None]
    on_answer: Callable[[ApiRequest, dict[str, Any]], None]
    _moto: DomainDispatcherApplication = field(
        default_factory=lambda: _Dispatcher(create_backend_app)
    )
    _book: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            response = self.answer(environ, body)
        except (AnswerLost, FunctionKilled):
            # A function in a process of its own outlives this: only those in this one are killed.
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("the answer is lost, as planned") from None
        start_response(f"{response.status} Answered", response.headers)
        return [response.body]

    def answer(self, environ: Environ, body: bytes) -> ApiResponse:
        """Serve one request. Raises AnswerLost or FunctionKilled where such a fault was planned."""
        request, identity, request_id = None, None, str(uuid.uuid4())
        try:
            request = identify(environ, body)
            if request is None:
                response = self._serve(environ, body)
            else:
                identity = self.callers.of(request.access_key, self.now())
                response = self._answer(request, identity, environ, body, request_id)
        except AnswerLost:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: whatever moto raises is reported as a bug
            response = self._bug(environ, request, identity, error, request_id)
        return response

    def _answer(
        self,
        request: ApiRequest,
        identity: Identity,
        environ: Environ,
        body: bytes,
        request_id: str,
    ) -> ApiResponse:
        fault = self.faults.take(request.service, request.action, identity.function)
        if fault and fault.when == "unserved":
            raise AnswerLost
        if fault and fault.when == "before":
            response = _refusal(request, fault, request_id)
        elif refused := self._refused_for_its_text(request, identity):
            response = error_response(request, 400, refused.code, refused.message, request_id)
        else:
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = identity.account
            response = (
                profiles.serve(request, identity.account)
                if request.service == profiles.SERVICE
                else self._serve(environ, body)
            )
            if response.status < 300:
                response = self.faults.out_of_date(
                    request.service,
                    request.action,
                    request.params,
                    identity.function,
                    response.body,
                    response,
                )
        self._enter(request, identity, response, request_id, fault)
        if fault and fault.when == "lost":
            raise AnswerLost
        if fault and fault.when == "killed":
            raise FunctionKilled
        return _refusal(request, fault, request_id) if fault and fault.when == "after" else response

    def _refused_for_its_text(self, request: ApiRequest, identity: Identity) -> Refused | None:
        """What AWS says to a text that it documents as refused. Raises NoRule."""
        if identity.unrecorded:
            return None
        ours = identity.function is not None or not self.callers.registered(request.access_key)
        shape = request.operation.input_shape
        return check(request.service, request.action, shape, request.params, ours=ours)

    def _serve(self, environ: Environ, body: bytes) -> ApiResponse:
        environ = {**environ, "wsgi.input": BytesIO(body)}
        with lineage.serving(environ):
            chunks, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        response = ApiResponse(int(status.split(" ", 1)[0]), list(headers), b"".join(chunks))
        if response.status >= 500 and b"<html" in response.body.lower():
            raise EmulatorBug(response.body.decode(errors="replace"))
        return response

    def _enter(
        self,
        request: ApiRequest,
        identity: Identity,
        response: ApiResponse,
        request_id: str,
        fault: Fault | None,
    ) -> None:
        """Into the books: the call, its records, and what follows from a success."""
        if identity.unrecorded:
            return
        recorded = cloudtrail.is_recorded(request.service, request.action)
        failed = response.status >= 300
        listened = (request.service, request.action) in LISTENED
        answer = response.parsed(request) if recorded or failed or listened else {}
        error = answer.get("Error", {}).get("Code") if failed else None
        seen = error or (fault.error if fault and fault.when != "before" else None)
        with self._book:
            self.ledger.calls.append(
                Call(
                    identity.arn,
                    identity.function,
                    request.service,
                    request.action,
                    seen,
                    request.params,
                    self.now(),
                    request.region,
                )
            )
            if recorded:
                records = cloudtrail.records_of(request, answer, identity, self.now(), request_id)
                self.ledger.records.extend(records)
                self.on_records(records)
            if not failed:
                self.on_answer(request, answer)

    def _bug(
        self,
        environ: Environ,
        request: ApiRequest | None,
        identity: Identity | None,
        error: Exception,
        request_id: str,
    ) -> ApiResponse:
        what = f"{request.service} {request.action}" if request else environ.get("PATH_INFO", "?")
        who = identity.name if identity else "unknown caller"
        trace = "".join(traceback.format_exception(error))
        self.ledger.bugs.append(
            f"the embedded cloud cannot serve {what} (called by {who}):\n{trace}"
        )
        message = f"{what}: {type(error).__name__}: {error}"
        if request is None:
            return ApiResponse(400, [("Content-Type", "text/plain")], message.encode())
        # 400, so that boto3 does not try again what cannot succeed.
        return error_response(request, 400, "EmulatorBug", message, request_id)


LISTENED = {
    ("sns", "Publish"),
    ("sns", "PublishBatch"),
    ("events", "PutEvents"),
    ("sts", "AssumeRole"),
}
"""Calls whose answers the cloud wants to see although they are not recorded."""


class _Dispatcher(DomainDispatcherApplication):
    """moto's, which tries some 150 patterns for each request, with a memory."""

    def __init__(self, create_app: Callable[[Any], Any]) -> None:
        super().__init__(create_app)
        self._known: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._known:
            self._known[host] = super().get_backend_for_host(host)
        return self._known[host]


class AnswerLost(Exception):
    """The connection is to be cut, whether or not the request was served."""


class FunctionKilled(BaseException):
    """The request was served, and the function that made it is to be ended at once.

    No Exception, so that nothing in the function catches it.
    """


def _refusal(request: ApiRequest, fault: Fault, request_id: str) -> ApiResponse:
    return error_response(request, fault.status, fault.error, fault.text, request_id)


class _Handler(MotoRequestHandler):
    """Connections stay open, and nothing is logged: the ledger has it all."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        pass


class Server:
    """A WSGI application on a free loopback port, in threads of this process."""

    def __init__(self, app: Callable[[Environ, StartResponse], Iterable[bytes]]) -> None:
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", 0, app, threaded=True, request_handler=_Handler
        )
        self._server.daemon_threads = True  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="embedded cloud",
            daemon=True,
        )

    @property
    def url(self) -> str:
        # SAM CLI takes the URL for a local one only by this name.
        return f"http://localhost:{self._server.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
