"""What AWS answered in the drill's story, played back at once by a server of its own.

A cold start is measured with real work: of a function's runs in the story the one in the middle, by
the number of its calls, and AWS's answers to them in their order. Nothing of the embedded cloud's
own time is in the figures. Times in the answers are moved along: what was a second ahead in the
story is a second ahead when it is played.
"""

import re
import threading
import time
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
    """One run of a function: what it was given, and what AWS answered it and when."""

    function: FunctionSpec
    event: Mapping[str, Any]
    answers: list["Answer"] = field(default_factory=list["Answer"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What AWS answered, and when: epoch seconds of the story."""

    response: ApiResponse
    when: float


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
            running[-1].answers.append(Answer(given, time.time()))
        return given

    with (
        patch.object(InProcess, "invoke", recorded_invoke),
        patch.object(Gate, "answer", recorded_answer),
    ):
        with Cloud.start(parameters={"Mode": "remediate"}) as cloud:
            for _ in play(Stage(cloud), STORY):
                pass
            slack = cloud.slack.url
        of_story = len(takes)
        with Cloud.start(parameters={"Mode": "remediate", "TrailBucket": BUCKET}) as cloud:
            # What the story has no trail for; its later runs depend on the time of day.
            cloud.invoke(JOB, {"detail-type": "Scheduled Event"})
        takes[of_story:] = [one for one in takes[of_story:] if one.function.logical_id == JOB]
    best: dict[str, list[Take]] = {}
    for take in sorted(takes, key=lambda one: -len(one.answers)):
        take.answers[:] = [_with_other_slack(one, slack) for one in take.answers]
        best.setdefault(take.function.handler.removesuffix(".app.handler"), []).append(take)
    for name, runs in best.items():
        middle = len(runs) // 2
        order = sorted(range(len(runs)), key=lambda place, middle=middle: abs(place - middle))
        best[name] = [runs[place] for place in order]
    return best


BUCKET, JOB = "trail-logs", "FindMissedFunction"
SLACK = b"http://localhost:SLACK"


def _with_other_slack(answer: Answer, url: str) -> Answer:
    """The answer with a mark in the place of the embedded Slack's address."""
    scheme, _, rest = url.partition("://")
    address = f"{scheme}://{rest.partition('/')[0]}".encode()
    said = answer.response
    response = ApiResponse(said.status, said.headers, said.body.replace(address, SLACK))
    return Answer(response, answer.when)


_EPOCH = re.compile(rb"(?<![\d.])\d{10}(?:\d{3})?(?![\d.])")  # in seconds or milliseconds
_NEAR = 30 * 86_400  # seconds; any other number of so many digits is no time


def _moved(body: bytes, since: float, until: float) -> bytes:
    """The text with its times moved as far as from one time to the other."""

    def moved(found: re.Match[bytes]) -> bytes:
        unit = 1000 if len(found[0]) == len("1234567890123") else 1
        if abs(int(found[0]) / unit - since) > _NEAR:
            return found[0]
        return str(int(found[0]) + int((until - since) * unit)).encode()

    return _EPOCH.sub(moved, body)


class Playback:
    """Answers requests to AWS in the order recorded, and Slack's with ok. `url` is its address."""

    def __init__(self) -> None:
        self._answers: Iterator[Answer] = iter(())
        self._too_many = 0
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

    def load(self, answers: list[Answer]) -> None:
        self._answers = iter(answers)
        self._too_many = 0

    @property
    def as_recorded(self) -> bool:
        """Whether just the answers loaded were asked for, by now. Takes those left away."""
        return not sum(1 for _ in self._answers) and not self._too_many

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        request.rfile.read(int(request.headers.get("Content-Length") or 0))
        signed = "Credential=" in request.headers.get("Authorization", "")
        now = time.time()
        ok = Answer(ApiResponse(200, [], b"ok"), now)
        recorded = next(self._answers, None) if signed else ok
        if recorded is None:
            self._too_many += 1
            recorded = Answer(ApiResponse(500, [], b"nothing more was recorded"), now)
        answer = recorded.response
        body = _moved(answer.body, recorded.when, now).replace(SLACK, self.url.encode())
        request.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() in ("content-type", "x-amzn-requestid"):
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
