"""Publish the findings of a batch: equal ones as one, a storm as a few, each alert once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from detect_bypass.findings import collapse
from detect_bypass.storm import Storms

if TYPE_CHECKING:
    from guard.findings.finding import Finding
    from guard.publishing.publish import Published, Publisher
    from guard.table.budgets import Budgets

ONCE = 366 * 86_400  # seconds; who renews an exception gives it another expiry


@dataclass(slots=True)
class Alerts:
    """Decides what is published at once, what waits for the digest, and what is only counted.

    `guardctl replay` uses it too, with a table and a topic in memory. Needs sns:Publish and
    dynamodb:UpdateItem.
    """

    publisher: Publisher
    budgets: Budgets
    storms: Storms = field(default_factory=Storms)
    _known: set[str] = field(default_factory=set[str])

    def publish(self, findings: Sequence[Finding], now: datetime) -> Published:
        """Publish the findings of one batch. Raises what `Publisher.publish` does."""
        return self.publisher.publish(self.storms.gather(collapse(findings), now), now)

    def is_new(self, finding: Finding, now: datetime, *, redelivered: bool = False) -> bool:
        """Whether a finding about an exception is to be published: once for each.

        A message that comes again publishes it again, since the try before may have died on the
        way. Raises StateError, or boto3's ClientError.
        """
        key = finding.fingerprint
        if key in self._known and not redelivered:
            return False
        first = self.budgets.take(f"expired#{key}", 1, ONCE, now)
        self._known.add(key)
        return bool(first) or redelivered
