"""What an HTTP request to AWS asks, and answers in AWS's words, for every protocol that moto
serves.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException

# Signing names that differ from the name of the service's model.
_MODELS = {
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "email": "ses",
    "servicequotas": "service-quotas",
}

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One API call as it arrived. `form` holds the raw pairs of the query protocols."""

    service: str
    action: str
    region: str
    access_key: str
    protocol: str
    params: dict[str, Any]
    form: tuple[tuple[str, str], ...]
    user_agent: str

    @property
    def operation(self) -> OperationModel:
        return get_service_model(self.service).operation_model(self.action)


@dataclass(frozen=True, slots=True)
class ApiResponse:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def parsed(self, request: ApiRequest) -> dict[str, Any]:
        """The answer as boto3 would return it; errors are under `Error`, with Code and Message."""
        parser = create_parser(request.protocol)
        answer = {
            "status_code": self.status,
            "headers": HeadersDict(self.headers),
            "body": self.body,
        }
        shape: Any = request.operation.output_shape  # None where there is nothing to read
        return parser.parse(answer, shape)


def identify(environ: Mapping[str, Any], body: bytes) -> ApiRequest | None:
    """Read a WSGI request. None for one that is not signed, or whose operation no model knows."""
    signature = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if signature is None:
        return None
    access_key, region, signing_name = signature.groups()
    service = _MODELS.get(signing_name, signing_name)
    request = Request({**environ, "wsgi.input": BytesIO(body)})
    model = get_service_model(service)
    protocol = determine_request_protocol(model, request.content_type)
    form: tuple[tuple[str, str], ...] = ()
    uri_params: Any = {}
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        action = target.rsplit(".", 1)[-1]
    elif protocol in ("query", "ec2"):
        form = tuple(parse_qsl(body.decode(), keep_blank_values=True))
        action = dict(form).get("Action", "")
    else:
        try:
            operation, uri_params = get_service_router(service).match(request)
        except HTTPException:
            return None
        action = operation.name
    if action not in model.operation_names:
        return None
    parser = PROTOCOL_PARSERS[protocol](model.operation_model(action), map_type=dict)
    params = parser.parse(
        {
            "method": request.method,
            "values": dict(form) if form else request.values,
            "headers": request.headers,
            "body": body,
            "url_path": request.path,
            "url_params": uri_params,
        }
    )
    agent = environ.get("HTTP_USER_AGENT", "")
    return ApiRequest(service, action, region, access_key, protocol, params, form, agent)


def error_response(
    request: ApiRequest, status: int, code: str, message: str, request_id: str
) -> ApiResponse:
    """An error as the service would send it."""
    if request.protocol in ("json", "rest-json"):
        headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("x-amzn-RequestId", request_id),
            ("x-amzn-ErrorType", code),
        ]
        return ApiResponse(
            status, headers, json.dumps({"__type": code, "message": message}).encode()
        )
    code, message = escape(code), escape(message)
    if request.protocol == "ec2":
        text = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            f"</Errors><RequestID>{request_id}</RequestID></Response>"
        )
    elif request.service == "s3":
        text = (
            f"<Error><Code>{code}</Code><Message>{message}</Message>"
            f"<RequestId>{request_id}</RequestId></Error>"
        )
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
            f"<Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return ApiResponse(status, [("Content-Type", "text/xml")], text.encode())
