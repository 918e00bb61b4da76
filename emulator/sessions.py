"""boto3 sessions for use in this process, which are cheap.

One loader of models serves all, every client is made once, and requests go to the gate directly:
what boto3 has signed and serialised is handed over as it stands, without a socket in between. Other
processes, and sessions that are not made here, reach the same gate over HTTP.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ConnectionClosedError

from emulator.partition import LOADER
from emulator.server import AnswerLost
from emulator.wire import ApiResponse

type Gate = Callable[[dict[str, Any], bytes], ApiResponse]


class Session(boto3.Session):
    """Gives the same client for the same question: making one costs more than ten calls."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._clients: dict[str, Any] = {}

    def client(self, service_name: str, *args: Any, **settings: Any) -> Any:
        config = settings.get("config")
        options = config._user_provided_options if config else {}
        key = repr((service_name, args, {**settings, "config": options}))
        if key not in self._clients:
            make: Any = super().client
            self._clients[key] = make(service_name, *args, **settings)
        return self._clients[key]


class _Body(BytesIO):
    """What boto3 reads an answer from."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def make_session(
    gate: Gate, access_key: str, region: str, secret_key: str = "embedded", token: str | None = None
) -> Session:
    """A session of these credentials, whose requests `gate` answers."""

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        body: Any = request.body or b""
        if hasattr(body, "read"):
            body = body.read()  # an object's content for S3
        body = body.encode() if isinstance(body, str) else bytes(body)
        try:
            answer = gate(_environ(request, len(body)), body)
        except AnswerLost as lost:
            raise ConnectionClosedError(endpoint_url=request.url) from lost
        content, headers = _Body(answer.body), HeadersDict(answer.headers)
        make: Any = AWSResponse  # its stubs know no other kind of headers and body
        return make(request.url, answer.status, headers, content)

    core = botocore.session.Session()
    core.register_component("data_loader", LOADER)
    core.get_component("event_emitter").register("before-send", send)
    return Session(access_key, secret_key, token, region_name=region, botocore_session=core)


def _environ(request: AWSPreparedRequest, length: int) -> dict[str, Any]:
    """The request as a WSGI server would hand it on (PEP 3333)."""
    url = urlsplit(request.url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path).encode().decode("latin-1"),
        "QUERY_STRING": url.query,
        "RAW_URI": f"{url.path}?{url.query}" if url.query else url.path,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        text = value.decode() if isinstance(value, bytes) else value
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = text
    environ["CONTENT_LENGTH"] = str(length)
    return environ
