"""Waiting, with a limit: AWS delivers events after minutes, shows new resources after seconds."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from botocore.exceptions import ClientError

from guard.aws.errors import code_of
from guardctl.acceptance.stop import Stop

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 3.0, 15.0, 1.5
# How AWS's services say that something is not there, or not yet.
ABSENT = ("NotFound", "NotFoundException", "NoSuchEntity", "NonExistentQueue", "QueueDoesNotExist")


def absent(error: ClientError) -> bool:
    """Whether AWS says that the thing is not there."""
    return code_of(error).endswith(ABSENT)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check showed: whether the claim holds, and the state in words."""

    holds: bool
    words: str


@dataclass(frozen=True, slots=True)
class Polling:
    """The run's clock and its waits."""

    stop: Stop

    def now(self) -> float:
        """Seconds, from any beginning."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Raises Stopped."""
        self.stop.wait(seconds)

    def until(
        self, check: Callable[[], Seen], minutes: float, report: Callable[[float], None]
    ) -> Seen:
        """Check until it holds, or for so many minutes; returns what was seen last.

        What is not there yet does not hold. Raises Stopped, and any other error of AWS.
        """
        began, pause = self.now(), FIRST_PAUSE
        while True:
            seen = _checked(check)
            elapsed = self.now() - began
            report(elapsed)
            if seen.holds or elapsed >= 60 * minutes:
                return seen
            self.wait(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE)

    def patiently[T](self, call: Callable[[], T], *codes: str, seconds: float = 120) -> T:
        """Call again while AWS answers one of these codes: what was just made is not known yet.

        Raises the last error, and any other at once.
        """
        end = self.now() + seconds
        while self.now() < end:
            with suppress(_OneOf):
                return _tried(call, codes)
            self.wait(FIRST_PAUSE)
        return call()


class _OneOf(Exception):
    """One of the codes that are worth another call."""


def _tried[T](call: Callable[[], T], codes: tuple[str, ...]) -> T:
    try:
        return call()
    except ClientError as error:
        if code_of(error) in codes:
            raise _OneOf from error
        raise


def _checked(check: Callable[[], Seen]) -> Seen:
    try:
        return check()
    except ClientError as error:
        if absent(error):
            return Seen(holds=False, words=f"not there: {code_of(error)}")
        raise
