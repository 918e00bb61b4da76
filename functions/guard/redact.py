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

_SHAPES = re.compile(
    r"""
      \bxox[a-z]-[A-Za-z0-9-]{8,}                                     # Slack tokens
    | \bxapp-[A-Za-z0-9-]{8,}
    | (?<=/services/)[A-Za-z0-9_]+(?:/[A-Za-z0-9_]+)+                  # Slack webhooks
    | \bgh[a-z]_[A-Za-z0-9]{20,}                                      # GitHub tokens
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?   # JSON web tokens
    | -----BEGIN[^-]{0,40}PRIVATE\ KEY-----.*?(?:-----END[^-]{0,40}-----|$)
    | (?<=value\ ')[^']*(?='\ at\ ')                                   # AWS's validation errors
    | (?<=value\ at\ ')[^']*(?='\ failed)
    | (?:(?<=://)|(?<=\\/\\/))[^\s/:@"']+:[^\s/@"']+(?=@)              # user:password@host
    | (?P<name>
        (?:secret_?(?:string|binary|access_?key)|session_?token|pass(?:word|wd|phrase)
          |private_?key|api_?key|access_?token|auth_?token|client_?secret|bearer)
        \\?["']?\s*[:=\ ]\s*\\?["']?
      )(?P<value>[^\s"',;&}\\]+)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


class HandlerFailed(RuntimeError):
    """Raised in the place of an error whose words held a secret; its message is the trace."""


def redacted(text: str) -> str:
    """The text with every secret that can be told by its shape or by its name replaced."""
    return _SHAPES.sub(_replacement, text)


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
