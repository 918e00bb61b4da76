"""A Slack incoming webhook on a loopback port, with Slack's answers and Slack's limits.

Limits: "Block Kit" reference (50 blocks, 3,000 characters in a section, 10 fields of 2,000, 150 in
a header, 10 elements in a context) and "Rate limits" (429 with Retry-After).
"""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_real_sleep = time.sleep  # a function that runs in this process skips the virtual clock instead

PATH = "/services/T00000000/B00000000/madeUpWebhookToken"

TEXT_LIMITS = {"section": 3000, "header": 150}


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slack says to one post. `cut` closes the connection without an answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str | None = None
    delay: float = 0.0
    cut: bool = False


_BODIES = {200: "ok", 404: "no_service", 410: "channel_is_archived", 429: "rate_limited"}


class Slack:
    """`messages` holds the accepted posts (their JSON), `posts` counts every attempt."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.posts = 0
        self._answers: deque[Answer] = deque()
        slack = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                slack._serve(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the same
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{PATH}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def answer_next(
        self,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        body: str | None = None,
        delay: float = 0.0,
        cut: bool = False,
    ) -> None:
        """Answer the next posts like this: after `delay` real seconds, or not at all (`cut`)."""
        self._answers.extend([Answer(status, headers or {}, body, delay, cut)] * times)

    def reset(self) -> None:
        self.messages.clear()
        self._answers.clear()
        self.posts = 0

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        text = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.posts += 1
        answer = self._answers.popleft() if self._answers else self._judge(handler.path, text)
        _real_sleep(answer.delay)
        if answer.cut:
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        if answer.status == 200:
            self.messages.append(json.loads(text))
        body = (answer.body or _BODIES.get(answer.status, "server_error")).encode()
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _judge(self, path: str, text: bytes) -> Answer:
        if path != PATH:
            return Answer(404)
        try:
            message = json.loads(text)
        except ValueError:
            return Answer(400, body="invalid_payload")
        if not isinstance(message, dict) or not (message.get("text") or message.get("blocks")):
            return Answer(400, body="no_text")
        if next(faults_of_blocks(message.get("blocks", [])), None) is not None:
            return Answer(400, body="invalid_blocks")
        return Answer(200)


def faults_of_blocks(blocks: list[dict[str, Any]]) -> Iterator[str]:
    """What Slack would refuse in a message's blocks; nothing when they are fine."""
    if len(blocks) > 50:
        yield f"{len(blocks)} blocks"
    for block in blocks:
        kind = block.get("type")
        if kind not in ("section", "header", "context", "divider", "actions", "rich_text", "image"):
            yield f"unknown block {kind}"
        if kind in TEXT_LIMITS:
            yield from _fault_of_text(kind, block, TEXT_LIMITS[kind])
        if kind == "section" and len(block.get("fields", [])) > 10:
            yield "more than 10 fields"
        for inner in block.get("fields", []):
            if not 0 < len(inner.get("text", "")) <= 2000:
                yield "field of a wrong length"
        elements = block.get("elements", [])
        if kind == "context" and not 0 < len(elements) <= 10:
            yield f"{len(elements)} elements in a context"
        if kind == "actions":
            yield from _faults_of_actions(elements)


def _fault_of_text(kind: str, block: dict[str, Any], limit: int) -> Iterator[str]:
    text = block.get("text")
    if text is None:
        if kind == "header" or not block.get("fields"):
            yield f"{kind} without text"
        return
    if not 0 < len(text.get("text", "")) <= limit:
        yield f"{kind} text of a wrong length"
    if kind == "header" and text.get("type") != "plain_text":
        yield "header that is not plain text"


def _faults_of_actions(elements: list[dict[str, Any]]) -> Iterator[str]:
    if not 0 < len(elements) <= 25:
        yield f"{len(elements)} elements in actions"
    for element in elements:
        if len(element.get("text", {}).get("text", "")) > 75:
            yield "button text over 75 characters"
        if len(element.get("url", "")) > 3000:
            yield "URL over 3,000 characters"
