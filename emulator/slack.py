"""Slack on a loopback port: an incoming webhook and two methods of the Web API, with its limits.

Limits: "Block Kit" reference (50 blocks, 3,000 characters in a section, 10 fields of 2,000, 150 in
a header, 10 elements in a context) and "Rate limits" (429 with Retry-After). That a message of more
than some 13,000 characters is refused as `msg_blocks_too_long` stands nowhere, but is so.
"""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_real_sleep = time.sleep  # a function that runs in this process skips the virtual clock instead

PATH = "/services/T00000000/B00000000/madeUpWebhookToken"

API = "/api/"
TOKEN = "xoxb-made-up-bot-token"
CHANNEL = "C0123456789"
MESSAGE_CHARACTERS = 13_200

TEXT_LIMITS = {"section": 3000, "header": 150}


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slack says to one post. `cut` closes the connection without an answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str | None = None
    delay: float = 0.0
    cut: bool = False
    taken: bool = False
    refused: bool = False


_BODIES = {200: "ok", 404: "no_service", 410: "channel_is_archived", 429: "rate_limited"}


def no_trouble() -> Answer | None:
    """Slack as it is on a good day. Another function may answer in its stead, or return None."""


class Slack:
    """`messages` holds the accepted posts (their JSON), `paths` where they went, `posts` counts
    every attempt, `times` says when those were made. `channel` holds what the channel shows by
    `ts`, in the order it came.
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.channel: dict[str, dict[str, Any]] = {}
        self.times: list[float] = []
        self.paths: list[str] = []
        self.posts = 0
        self.trouble: Callable[[], Answer | None] = no_trouble
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

    @property
    def api(self) -> str:
        """The address before the name of a Web API method."""
        return f"http://127.0.0.1:{self._server.server_port}{API}"

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
        lost: bool = False,
    ) -> None:
        """Answer the next posts like this: after `delay` real seconds, or not at all (`cut`); with
        `lost`, the message was taken before the connection was cut.
        """
        answer = Answer(status, headers or {}, body, delay, cut or lost, lost)
        self._answers.extend([answer] * times)

    def reset(self) -> None:
        self.messages.clear()
        self.channel.clear()
        self.times.clear()
        self.paths.clear()
        self._answers.clear()
        self.trouble = no_trouble
        self.posts = 0

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        text = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.posts += 1
        self.times.append(time.time())
        own = self._judge(handler, text)
        planned = self._answers.popleft() if self._answers else self.trouble()
        answer = planned or own
        _real_sleep(answer.delay)
        if answer.taken or (
            answer.status == 200 and not answer.cut and own.status == 200 and not own.refused
        ):
            answer = self._take(handler.path, json.loads(text), answer)
        if answer.cut:
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        body = (answer.body or _BODIES.get(answer.status, "server_error")).encode()
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _take(self, path: str, message: dict[str, Any], answer: Answer) -> Answer:
        """Show a message; the answer says under which name, where the Web API was asked."""
        self.paths.append(path)
        if not path.startswith(API):
            self.messages.append(message)
            return answer
        known = message.get("ts")
        if path.endswith("chat.update") and known not in self.channel:
            return replace(answer, body='{"ok": false, "error": "message_not_found"}')
        self.messages.append(message)
        ts = known or f"1700000000.{len(self.messages):06d}"
        self.channel[ts] = message
        return replace(answer, body=answer.body or json.dumps({"ok": True, "ts": ts}))

    def _judge(self, handler: BaseHTTPRequestHandler, text: bytes) -> Answer:
        if not handler.path.startswith(API):
            here = handler.path.partition("?")[0] == PATH
            return self._judge_message(text) if here else Answer(404)
        if handler.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer(200, body='{"ok": false, "error": "invalid_auth"}', refused=True)
        answer = self._judge_message(text)
        if answer.status == 200:
            return answer
        error = json.dumps({"ok": False, "error": answer.body})
        return Answer(200, body=error, refused=True)

    def _judge_message(self, text: bytes) -> Answer:
        try:
            message = json.loads(text)
        except ValueError:
            return Answer(400, body="invalid_payload")
        if not isinstance(message, dict) or not (message.get("text") or message.get("blocks")):
            return Answer(400, body="no_text")
        if len(json.dumps(message, ensure_ascii=False)) > MESSAGE_CHARACTERS:
            return Answer(400, body="msg_blocks_too_long")
        bars = [one.get("blocks", []) for one in message.get("attachments", [])]
        blocks = [*message.get("blocks", []), *(block for bar in bars for block in bar)]
        if next(faults_of_blocks(blocks), None) is not None:
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
