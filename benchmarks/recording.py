"""What AWS answered in the drill's story, played back at once by a server of its own.

A cold start is measured with real work: of a function's runs in the story the one in the middle, by
the number of its calls, and AWS's answers to them in their order. Nothing of the embedded cloud's
own time is in the figures.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest.mock import patch

from emulator import Cloud
from emulator.deploy import FunctionSpec
from emulator.runtime_inprocess import InProcess
from emulator.server import Gate
from emulator.wire import ApiResponse
from guardctl.drill.play import play
from guardctl.drill.stage import Stage
from guardctl.drill.story import STORY


@dataclass(frozen=True, slots=True)
class Take:
    """One run of a function: what it was given, and what AWS answered it."""

    function: FunctionSpec
    event: Mapping[str, Any]
    answers: list[ApiResponse] = field(default_factory=list[ApiResponse])


def record() -> dict[str, list[Take]]:
    """The runs of the story that went well, by their handler's file name.

    First the one in the middle by its number of calls, then those nearest to it.
    """
    takes: list[Take] = []
    invoke, answer = InProcess.invoke, Gate.answer
    running: list[Take] = []

    def recorded_invoke(self: InProcess, function: FunctionSpec, event: Any) -> Any:
        self.reset()  # what a warm function remembers, a cold one asks
        running.append(Take(function, event))
        outcome = invoke(self, function, event)
        take = running.pop()
        if outcome.error is None and not (outcome.result or {}).get("batchItemFailures"):
            takes.append(take)
        return outcome

    def recorded_answer(self: Gate, environ: dict[str, Any], body: bytes) -> ApiResponse:
        given = answer(self, environ, body)
        if running:
            running[-1].answers.append(given)
        return given

    with (
        patch.object(InProcess, "invoke", recorded_invoke),
        patch.object(Gate, "answer", recorded_answer),
        Cloud.start(parameters={"Mode": "remediate"}) as cloud,
    ):
        for _ in play(Stage(cloud), STORY):
            pass
        slack = cloud.slack.url
    best: dict[str, list[Take]] = {}
    for take in sorted(takes, key=lambda one: -len(one.answers)):
        take.answers[:] = [_with_other_slack(one, slack) for one in take.answers]
        best.setdefault(take.function.handler.removesuffix(".handler"), []).append(take)
    for name, runs in best.items():
        middle = len(runs) // 2
        order = sorted(range(len(runs)), key=lambda place, middle=middle: abs(place - middle))
        best[name] = [runs[place] for place in order]
    return best


SLACK = b"http://localhost:SLACK"


def _with_other_slack(answer: ApiResponse, url: str) -> ApiResponse:
    """The answer with a mark in the place of the embedded Slack's address."""
    scheme, _, rest = url.partition("://")
    address = f"{scheme}://{rest.partition('/')[0]}".encode()
    return ApiResponse(answer.status, answer.headers, answer.body.replace(address, SLACK))


class Playback:
    """Answers requests to AWS in the order recorded, and Slack's with ok. `url` is its address."""

    def __init__(self) -> None:
        self._answers: Iterator[ApiResponse] = iter(())
        playback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                playback._serve(self)

            do_GET = do_PUT = do_POST  # noqa: N815 - the same

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://localhost:{self._server.server_port}"

    def load(self, answers: list[ApiResponse]) -> None:
        self._answers = iter(answers)

    @property
    def unused(self) -> int:
        """How many answers nobody asked for. Takes them away."""
        return sum(1 for _ in self._answers)

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        request.rfile.read(int(request.headers.get("Content-Length") or 0))
        signed = "Credential=" in request.headers.get("Authorization", "")
        answer = next(self._answers, None) if signed else ApiResponse(200, [], b"ok")
        if answer is None:
            answer = ApiResponse(500, [], b"nothing more was recorded")
        body = answer.body.replace(SLACK, self.url.encode())
        request.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() in ("content-type", "x-amzn-requestid", "x-amz-crc32"):
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    @contextmanager
    def running(self) -> Iterator["Playback"]:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
