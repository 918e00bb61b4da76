"""Secret values and tokens out of text that people or logs will see.

The guard never asks for a secret's value, and repeats no request or answer of a record. But callers
can put a token into a user agent or a session's name, and AWS's error messages quote what a
parameter held ("Value '...' at 'secretString' failed to satisfy constraint"). What looks like that
is replaced wherever text leaves the guard: findings, logs, the state table.

Slack: "Token types"; GitHub: "Token formats"; RFC 7519 (JWT); RFC 7468 (PEM).
"""

import json
import re
import traceback
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, cast

REDACTED = "[redacted]"

# Each shape, beside words of which every text that holds it has at least one (in lower case and
# without underscores): most texts have none, and plain words are found some twenty times faster.
# Callers choose the texts, so no pattern may go over the same characters again and again.
SHAPES = {
    ("xox",): r"\bxox[a-z]-[A-Za-z0-9-]{8,}",  # Slack tokens
    ("xapp-",): r"\bxapp-[A-Za-z0-9-]{8,}",
    ("/services/",): r"(?<=/services/)[A-Za-z0-9_]+(?:/[A-Za-z0-9_]+)+",  # Slack webhooks
    ("ghp", "gho", "ghu", "ghs", "ghr"): r"\bgh[pousr]_[A-Za-z0-9]{20,}",  # GitHub tokens
    ("eyj",): (  # JSON web tokens; their header is short
        r"\beyJ[A-Za-z0-9_-]{8,1000}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"
    ),
    ("-----begin",): r"-----BEGIN[^-]{0,40}PRIVATE\ KEY-----.*?(?:-----END[^-]{0,40}-----|$)",
    ("value '",): r"(?<=value\ ')[^']*(?='\ at\ ')",  # AWS's validation errors
    ("value at '",): r"(?<=value\ at\ ')[^']*(?='\ failed)",
    ("@",): r"""(?:(?<=://)|(?<=\\/\\/))[^\s/:@"']+:[^\s/@"']+(?=@)""",  # user:password@host
    (
        *("secretstring", "secretbinary", "secretaccesskey", "sessiontoken", "password", "passwd"),
        *("passphrase", "privatekey", "apikey", "accesstoken", "authtoken", "clientsecret"),
        "bearer",
    ): r"""
        (?P<name>
          (?:secret_?(?:string|binary|access_?key)|session_?token|pass(?:word|wd|phrase)
            |private_?key|api_?key|access_?token|auth_?token|client_?secret|bearer)
          \\?["']?(?:\s*+[:=]\s*+|\s++)\\?["']?
        )(?P<value>[^\s"',;&}\\]+)
    """,
}
_ANY_SHAPE = re.compile(
    "|".join(SHAPES.values()), re.VERBOSE | re.IGNORECASE | re.DOTALL | re.ASCII
)
_HINTS = tuple(hint for hints in SHAPES for hint in hints)


class HandlerFailed(RuntimeError):
    """Raised in the place of an error whose words held a secret; its message is the trace."""


def redacted(text: str) -> str:
    """The text with every secret that can be told by its shape or by its name replaced."""
    plain = text.lower().replace("_", "")
    return _ANY_SHAPE.sub(_replacement, text) if any(hint in plain for hint in _HINTS) else text


def _replacement(found: re.Match[str]) -> str:
    return f"{found['name']}{REDACTED}" if found["name"] else REDACTED


def redacted_json(value: Any) -> Any:
    """A JSON value, its texts redacted; names of members too, as anybody may have chosen them."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        members = cast(Mapping[str, Any], value)
        return {redacted(str(key)): redacted_json(one) for key, one in members.items()}
    if isinstance(value, list | tuple):
        return [redacted_json(one) for one in cast(list[Any], value)]
    return value


def log_line(entry: Mapping[str, Any]) -> str:
    """A log entry as one line of JSON, for Powertools' `Logger(json_serializer=...)`."""
    return json.dumps(redacted_json(entry), default=lambda value: redacted(str(value)))


def sealed[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
    """Have what a handler raises hold no secret: Lambda writes it to the log as it is.

    Errors without one pass through as they are; else HandlerFailed is raised.
    """

    @wraps(handler)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except Exception as error:
            trace = "".join(traceback.format_exception(error))
            clean = redacted(trace)
            if clean == trace:
                raise
        raise HandlerFailed(clean)

    return run
