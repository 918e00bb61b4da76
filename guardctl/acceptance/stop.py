"""Ctrl-C and SIGTERM: heard between two calls, so that no call is cut off in the middle.

A signal only sets a mark. The run ends at the next call or in the present wait, and what it made
is then removed. A resource whose creation was cut off could otherwise appear after the clean-up.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
HEARD = b"\nStopping after the present call. What the run made is removed then.\n"


class Stopped(Exception):
    """Somebody asked the run to end. Raised before a call or in a wait."""


@dataclass(slots=True)
class Stop:
    """Whether somebody asked the run to end."""

    _asked: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within, SIGINT and SIGTERM ask for the end. Call it in the main thread."""
        before = {one: signal.signal(one, self._hear) for one in SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def check(self, **_: Any) -> None:
        """A handler of botocore's event `before-call`. Raises Stopped."""
        if self._asked.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Raises Stopped, at once when the end is asked for."""
        self._asked.wait(seconds)
        self.check()

    def forget(self) -> None:
        """Listen anew: the clean-up begins, and only a second signal ends that."""
        self._asked.clear()

    def _hear(self, *_: Any) -> None:
        self._asked.set()
        os.write(2, HEARD)  # print() may not be entered again within itself
