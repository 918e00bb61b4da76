"""Slack takes one message a second: all copies of the function share its slots."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from guard.table.items import StateError

if TYPE_CHECKING:
    from guard.table.slots import Slots

LIMIT = "slack"
SECONDS_BETWEEN_POSTS = 1.0
LONGEST_WAIT = 3.0  # seconds to wait for a slot; what would wait longer goes back to the queue
GAP_MS = int(SECONDS_BETWEEN_POSTS * 1000)

logger = Logger(child=True)


@dataclass(slots=True)
class RateLimiter:
    """What this execution environment knows of Slack's limit, in epoch seconds.

    Needs dynamodb:UpdateItem. No method raises what the table says: without it, the environment
    keeps its own rate, and Slack itself says when it is too fast.
    """

    slots: Slots
    _last_post: float = 0.0
    _paused_until: float = 0.0
    _slot: float = 0.0
    """When the next post may be made: a slot that was taken and not used yet stays good."""

    def pause_left(self) -> int:
        """For how many seconds Slack makes us wait; 0 if it does not."""
        return max(0, math.ceil(self._paused_until - time.time()))

    def seconds_to_wait(self) -> int:
        """After how many seconds the next post may be made; 0 if that is soon enough to `wait`.

        Takes a slot, if there is none that was not used.
        """
        if self._slot < time.time() - SECONDS_BETWEEN_POSTS:
            self._slot = self._next_slot()
        wait = self._slot - time.time()
        return math.ceil(wait) if wait > LONGEST_WAIT else 0

    def _next_slot(self) -> float:
        now = time.time()
        idle = self._last_post < now - SECONDS_BETWEEN_POSTS
        try:
            ends = self.slots.next(LIMIT, GAP_MS, datetime.now(UTC), expect_idle=idle)
        except (ClientError, BotoCoreError, StateError) as error:
            logger.warning("no slot from the table", extra={"error": repr(error)})
            return now
        return ends / 1000 - SECONDS_BETWEEN_POSTS

    def wait(self) -> None:
        """Wait for the slot, and for a second to have passed since this environment's last post."""
        wait = max(self._last_post + SECONDS_BETWEEN_POSTS, self._slot) - time.time()
        if 0 < wait <= LONGEST_WAIT:
            time.sleep(wait)
        self._last_post = time.time()
        self._slot = 0.0

    def pause(self, seconds: int) -> None:
        """Slack makes us wait: have every copy of the function wait as long."""
        self._paused_until = time.time() + seconds
        try:
            self.slots.pause_until(LIMIT, datetime.fromtimestamp(self._paused_until, UTC))
        except (ClientError, BotoCoreError) as error:
            logger.warning("the others do not know of the pause", extra={"error": repr(error)})
