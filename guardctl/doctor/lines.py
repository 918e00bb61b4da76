"""One line of what `guardctl doctor` found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from guardctl.words import in_words


class State(StrEnum):
    """How it stands. Only STOP keeps a deployment from being made."""

    OK = "ok"
    INFO = "info"
    UNKNOWN = "not known"
    WARN = "warning"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Line:
    """What was checked, how it stands, and what to do where it is not ok."""

    check: str
    state: State
    text: str
    do: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"check": self.check, "state": self.state, "text": self.text, "do": self.do}


type Check = Callable[[], Sequence[Line]]


def asked(check: str, service: str, ask: Check) -> Sequence[Line]:
    """The lines of a check, or one that says why it cannot be known: no right, no connection."""
    try:
        return ask()
    except (BotoCoreError, ClientError) as error:
        return [unknown(check, error, service)]


def unknown(check: str, error: Exception, service: str) -> Line:
    """`service` is IAM's prefix of the call that failed."""
    words = "; ".join(in_words(error, service).splitlines())
    return Line(check, State.UNKNOWN, words)
