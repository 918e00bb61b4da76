"""Secret values and tokens out of text that people or logs will see.

The guard never asks for a secret's value, and repeats no request or answer of a record. But callers
can put a token into a user agent or a session's name, and AWS's error messages quote what a
parameter held ("Value '...' at 'secretString' failed to satisfy constraint"). What can be known to
be one is replaced wherever text leaves the guard: findings, logs, the state table. In doubt where
a value ends, too much is replaced.

Slack: "Token types"; GitHub: "Token formats"; RFC 7519 (JWT); RFC 7468 (PEM).
"""

import json
import re
import traceback
from collections.abc import Callable, Mapping
from functools import cache, lru_cache, wraps
from typing import Any, cast

REDACTED = "[redacted]"

_NAMES = r"""
    (?:secret[ _-]?(?:string|binary|(?:access[ _-]?)?key)
      |(?:session|security|access|auth|refresh|vault)[ _-]?token
      |pass[ _-]?(?:word|phrase)|passwd|(?:private|api)[ _-]?key|client[ _-]?secret
      |authorization|bearer)
"""
# Between a name and its value: `=`, `: `, ` => ` and their like. Where there is only white space,
# what follows may be prose: the name must be a command line's option, or the value stand in quotes
# or have a digit.
_GAP = r"""
    (?:\s*+(?:[:=]{1,2}>?|%3[AD])\s*+(?:(?:bearer|basic)\s++)?
      |\s++(?(option)|(?:(?=\\{0,15}["'])|(?!arn:)(?=\S{6})(?=[^\s\d]{0,200}\d))))
"""
# A value in quotes ends at the same quote behind as many backslashes, however deep in JSON it is;
# one that is followed by a letter is an apostrophe. Without an end it goes on to the text's end.
_QUOTED = r"""
    (?:[^\\"']++|(?P=back)\\(?:(?P=open)|(?P=back)\\|.)|(?!(?P=open)(?!\w)).)*+
"""
# Without quotes: to the last bracket, or a word, without the punctuation behind it.
_BARE = r"""
    \[redacted\]|[{\[](?:.*[}\]]|.*)
    |(?:[^\s"&\\,;}\]).']++|\\(?!\\{0,15}["'])|"(?=\w)|[,;}\]).']++(?=[^\s"&\\]))++
"""

# Who called is never hidden: people may choose any of the characters that IAM takes for a name
# (RoleSessionName, UserName: STS and IAM API references). In an ARN, or as its last part alone.
_WHO = r"""
    \barn:aws[a-z-]{0,12}:(?:sts|iam)::\d{12}:
      (?:assumed-role|federated-user|role|user)/[\w+=,.@/-]{1,700}+
    |(?<![\w/])assumed-role/[\w+=,.@-]{1,64}+/[\w+=,.@-]{2,64}+(?!/)
    |(?<![\w/])(?:federated-user|user)/[\w+=,.@-]{1,64}+(?!/)
"""
_SESSION = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)

# Each shape, beside words of which every text that holds it has at least one (in lower case, and
# without underscores, hyphens and spaces): most texts have none, and plain words are found some
# twenty times faster. What a shape calls `secret` is replaced. Callers choose the texts, so no
# pattern may go over the same characters again and again: where the end of a value is searched
# in vain, the rest is taken too, as it is.
SHAPES = {
    # AWS's validation errors, and one that was cut off within the value
    ("value'", "valueat'"): r"""
        (?P<aws>(?:detected:|satisfy\ constraint:[^;]{0,300}+;)\ )?
        value\ (?:at\ )?'(?:
          (?P<secret>.*?)(?='(?:\ at\ '[^']{1,200}')?\ failed)
          |(?(aws)(?P<cut>.++)|(?:[^d]++|(?!detected:\ value\ ')d)*+)
        )
    """,
    ("xox",): r"\b(?P<secret>xox[a-z]-[A-Za-z0-9-]{8,})",  # Slack tokens
    ("xapp",): r"\b(?P<secret>xapp-[A-Za-z0-9-]{8,})",
    ("/services/",): r"(?<=/services/)(?P<secret>[A-Za-z0-9_]+(?:/[A-Za-z0-9_]+)+)",  # its webhooks
    ("/workflows/", "/triggers/"): r"""
        (?:(?<=/workflows/)|(?<=/triggers/))(?P<secret>(?-i:[TE][A-Z0-9]+)/\w+/[\w/]+)
    """,
    ("hooks.slack",): r"""
        hooks\.slack[a-z.-]{0,40}(?:\\{0,15}/|%2F)(?:services|workflows|triggers)(?:\\{0,15}/|%2F)
        (?P<secret>(?:[\w%.~/-]|\\{1,15}/)+)
    """,
    ("ghp", "gho", "ghu", "ghs", "ghr", "githubpat"): (  # GitHub tokens
        r"\b(?P<secret>(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{20,})"
    ),
    ("eyj",): (  # JSON web tokens; their header is short
        r"\b(?P<secret>eyJ[A-Za-z0-9_-]{8,1000}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)"
    ),
    ("privatekey",): r"""
        (?P<secret>
          -----BEGIN[^-]{0,40}PRIVATE\ KEY(?:\ BLOCK)?-----.*?(?:-----END[^-]{0,40}-----|$)
        )
    """,
    ("@",): (  # user:password@host
        r"""(?:(?<=://)|(?<=\\/\\/))(?P<secret>[^\s/:@"']*:[^\s/"']+)(?=@)"""
    ),
    # The secret part beside an access key's id; a session's token by how all of them begin
    ("akia", "asia"): r"""
        \bA[KS]IA[A-Z0-9]{16}[^A-Za-z0-9/+]{1,8}+(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])
    """,
    ("iqojb3jpz2lu", "fwogzxivyxdz"): (
        r"\b(?P<secret>(?:IQoJb3JpZ2lu|FwoGZXIvYXdz)[A-Za-z0-9/+=%]{16,})"
    ),
    ("signature=",): r"(?<=signature=)(?P<secret>[0-9a-f]{64})",
    # By a name, which in an ARN is none
    (
        *("secretstring", "secretbinary", "secretkey", "secretaccesskey", "token", "password"),
        *("passwd", "passphrase", "privatekey", "apikey", "clientsecret", "authorization"),
        "bearer",
    ): rf"""
        {_WHO}
        |\barn:aws[a-z-]{{0,12}}(?::[a-z0-9-]{{0,40}}){{3}}:[\w/+.@:*-]{{0,1000}}+(?!=)
        |(?P<option>--(?:[a-z]{{1,12}}-){{0,3}})?{_NAMES}\d{{0,2}}(?:\\{{0,15}}["'])?{_GAP}
        (?P<open>(?P<back>\\{{0,15}})["'])?(?P<secret>(?(open){_QUOTED}|(?:{_BARE})))
    """,
}
_BY_NAME = next(reversed(SHAPES.values()))
_HINTS = tuple(dict.fromkeys(hint for hints in SHAPES for hint in hints))
_LONGEST_NAME = 40
_SHORTEST = 24  # each shape has a character that is no letter or digit, or is longer


class HandlerFailed(RuntimeError):
    """Raised in the place of an error whose words held a secret; its message is the trace."""


def _plain(text: str) -> str:
    """The text as hints are spelled."""
    return text.lower().replace("_", "").replace("-", "").replace(" ", "")


def _is_suspect(plain: str) -> bool:
    """Whether a text may hold a secret at all."""
    return any(map(plain.__contains__, _HINTS))


def _is_one_word(text: str) -> bool:
    """Whether it is too short a word for any shape, such as an access key's id."""
    return len(text) <= _SHORTEST and text.isalnum()


def redacted(text: str, *, by_name: bool = True) -> str:
    """The text with every secret that can be known by its shape or by its name replaced."""
    if not text or not _is_suspect(plain := _plain(text)):
        return text
    for hints, shape in SHAPES.items():
        if (by_name or shape is not _BY_NAME) and any(hint in plain for hint in hints):
            text = compiled(shape).sub(_replacement, text)
    return text


@cache
def compiled(shape: str) -> re.Pattern[str]:
    """The pattern of a shape; compiled when it is first needed, which is rare."""
    return re.compile(shape, re.VERBOSE | re.IGNORECASE | re.DOTALL | re.ASCII)


def _replacement(found: re.Match[str]) -> str:
    group = "cut" if "cut" in found.re.groupindex and found["cut"] else "secret"
    if not found[group]:
        return found[0]
    start, end = (place - found.start() for place in found.span(group))
    return f"{found[0][:start]}{REDACTED}{found[0][end:]}"


def redacted_json(value: Any) -> Any:
    """A JSON value, its texts redacted; names of members too, as anybody may have chosen them."""
    # Most values hold nothing, which all their texts together show at once.
    texts: list[str] = []
    copy = _copied(value, texts)
    return _redacted(value) if _is_suspect(_plain("\n".join(texts))) else copy


def _copied(value: Any, texts: list[str]) -> Any:
    """The value as JSON has it; its texts that may hold a secret are added to `texts`."""
    if isinstance(value, str):
        if not _is_one_word(value):
            texts.append(value)
        return value
    if isinstance(value, Mapping):
        members = cast(Mapping[str, Any], value)
        names = [str(key) for key in members]
        texts += names
        return {
            name: _copied(one, texts) for name, one in zip(names, members.values(), strict=True)
        }
    if isinstance(value, list | tuple):
        return [_copied(one, texts) for one in cast(list[Any], value)]
    return value


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        members = cast(Mapping[str, Any], value)
        return {redacted(str(key)): _member(str(key), one) for key, one in members.items()}
    if isinstance(value, list | tuple):
        return [_redacted(one) for one in cast(list[Any], value)]
    return value


def _member(name: str, value: Any) -> Any:
    """A member's value; none of it where the name says what it is. A session's name is kept."""
    if name == "session" and isinstance(value, str) and _SESSION.fullmatch(value):
        return redacted(value, by_name=False)
    if value and value is not True and _names_a_secret(name[-_LONGEST_NAME:]):
        return REDACTED
    return _redacted(value)


@lru_cache(maxsize=1024)
def _names_a_secret(name: str) -> bool:
    return compiled(rf"{_NAMES}\d{{0,2}}\Z").search(name) is not None


def log_line(entry: Mapping[str, Any]) -> str:
    """A log entry as one line of JSON, for Powertools' `Logger(json_serializer=...)`."""
    return json.dumps(redacted_json(entry), default=lambda value: redacted(str(value)))


def redact_errors[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
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
