"""Long answers of EC2 come in pages, with a token that asks for the next."""

import base64
import binascii
from typing import Any

from moto.ec2.exceptions import InvalidNextToken

PAGE = 1_000


def page(found: list[Any], request: Any) -> tuple[list[Any], str | None]:
    """What a request's NextToken and MaxResults ask for, and the token for the rest."""
    start = _position(request._get_param("NextToken"))
    end = start + min(request._get_param("MaxResults") or PAGE, PAGE)
    return found[start:end], _token(end) if end < len(found) else None


def _token(position: int) -> str:
    return base64.urlsafe_b64encode(str(position).encode()).decode()


def _position(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error) as error:
        raise InvalidNextToken(token) from error
