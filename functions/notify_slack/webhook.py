"""One post to a Slack incoming webhook, and what its answer means for the message.

Slack: "Rate limits" (429 with Retry-After, one message a second) and "Sending messages using
incoming webhooks" (its error words). The webhook's URL is a secret: no exception and no log has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache
from http.client import HTTPException
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

if TYPE_CHECKING:
    from notify_slack.rate_limiter import RateLimiter

TIMEOUT_SECONDS = 5
WORDS = 200  # of an answer: enough for Slack's, and little of what a proxy may say instead
ANSWER = 100_000  # of the Web API's, which shows the whole message again

LONGEST_WAIT = 12 * 3600 - 900  # SQS counts its 12 hours from when it handed the message out
FIRST_BACK_OFF, LONGEST_BACK_OFF = 5, 900


class BadWebhook(ValueError):
    """The parameter holds no URL that a webhook could have; what it does hold is not repeated."""


class Fate(Enum):
    """What becomes of a message."""

    POSTED = auto()
    RETRY = auto()  # this message later
    PAUSE = auto()  # this message and all that follow later: Slack said so
    REFUSED = auto()  # never, as it is
    NO_WEBHOOK = auto()  # nothing will get through until somebody repairs the webhook


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slack said. `status` 0: nothing, and `words` names the error."""

    status: int
    words: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Verdict:
    """A message's fate, and after how many seconds to try again; 0: when the queue says."""

    fate: Fate
    wait: int = 0


def is_token(value: str) -> bool:
    """Whether the parameter holds a bot's token, and not a webhook's URL."""
    return value.strip().startswith("xoxb-")


def checked(url: str) -> str:
    """The URL, if it is one to post findings to: https, or http to this very machine.

    Raises BadWebhook.
    """
    url = url.strip()
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BadWebhook("the webhook's URL has characters that a URL cannot have")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise BadWebhook("the webhook's URL cannot be read") from None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))):
        raise BadWebhook("the webhook's URL does not begin with https:// and a host")
    return url


def api_of(partition: str) -> str:
    """Where Slack's Web API is for a bot: GovSlack's in AWS GovCloud (US)."""
    return f"https://{'slack-gov' if partition == 'aws-us-gov' else 'slack'}.com/api/"


def checked_token(token: str, channel: str) -> str:
    """The token, if it has the form of a bot's and there is a `channel`. Raises BadWebhook."""
    if not channel:
        raise BadWebhook("a bot token needs SlackChannel, the id of the channel to post to")
    token = token.strip()
    if not re.fullmatch(r"xoxb-[A-Za-z0-9-]+", token):
        raise BadWebhook("the parameter holds no bot token, which begins with xoxb-")
    return token


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def post(url: str, message: Mapping[str, Any], token: str = "") -> Answer:
    """Post once: no retries here, because a second try in haste may post a second time.

    With a `token` the URL may be a method of the Web API, which takes JSON in the same way. With
    the standard library, which the AWS clients have loaded already: slack_sdk takes as long to
    import as half of botocore, and adds nothing to one POST.
    """
    body = json.dumps(message).encode()
    most = ANSWER if token else WORDS
    try:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = Request(url, body, headers)  # noqa: S310 - checked() has seen the URL
        with _opener(request.type).open(request, timeout=TIMEOUT_SECONDS) as answer:
            return _read(answer.status, answer, most)
    except HTTPError as refusal:
        with refusal:
            return _read(refusal.code, refusal, most)
    except (OSError, HTTPException, UnicodeError, LookupError, ValueError) as error:
        reason = getattr(error, "reason", None)
        return Answer(0, type(reason if isinstance(reason, Exception) else error).__name__)


@cache
def _opener(scheme: str) -> OpenerDirector:
    """What opens such URLs, by a proxy where the environment names one. It follows no redirect: a
    finding goes to the address that was set up, and nowhere else. TLS's certificates take longer
    to load than all else here.
    """
    opener = OpenerDirector()
    for handler in (ProxyHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor):
        opener.add_handler(handler())
    opener.add_handler(HTTPSHandler() if scheme == "https" else HTTPHandler())
    return opener


def _read(status: int, answer: Any, most: int) -> Answer:
    """The beginning of what Slack, or whoever stands in between, said."""
    said = answer.read(4 * most).decode(errors="replace")[:most]
    return Answer(status, said, dict(answer.headers))


def judge(answer: Answer, attempt: int) -> Verdict:
    """What an answer means for a message that was tried for the `attempt`-th time."""
    match answer.status:
        case status if 200 <= status < 300:
            return Verdict(Fate.POSTED if _is_yes(answer.words) else Fate.REFUSED)
        case 429:
            return Verdict(Fate.PAUSE, retry_after(answer.headers) or back_off(attempt))
        case status if status in (0, 408) or status >= 500:
            return Verdict(Fate.RETRY, back_off(attempt))
        case 403 | 404 | 410:
            return Verdict(Fate.NO_WEBHOOK)
        case _:
            return Verdict(Fate.REFUSED)


def back_off(attempt: int) -> int:
    """Seconds: 5, 10, 20 ... up to a quarter of an hour."""
    return min(FIRST_BACK_OFF * 2 ** min(max(attempt, 1) - 1, 20), LONGEST_BACK_OFF)


def _is_yes(words: str) -> bool:
    """Slack says `ok`, a workflow's webhook `{"ok":true}`; a proxy's or login page says neither."""
    try:
        return words.strip() == "ok" or json.loads(words)["ok"] is True
    except (ValueError, LookupError, TypeError):
        return False


def retry_after(headers: Mapping[str, str]) -> int:
    """Whole seconds, within what SQS can wait; 0 where Slack did not say."""
    value = next((headers[name] for name in headers if name.lower() == "retry-after"), "")
    return min(max(int(value), 1), LONGEST_WAIT) if value.isascii() and value.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts each message by an incoming webhook."""

    limiter: RateLimiter

    def send(
        self, _body: str, message: Mapping[str, Any], url: str, number: int
    ) -> tuple[Verdict, Answer]:
        self.limiter.wait()
        answer = post(url, message)
        return judge(answer, number), answer
