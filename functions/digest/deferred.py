"""Publishes the digest: the deferred findings, and the alerts whose windows are over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import batched
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from digest.findings import digest, for_digest, parts
from guard.findings.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from digest.windows import Closed, Windows
    from guard.publishing.topic import Topic
    from guard.settings import Settings
    from guard.table.deferred import Deferred

AT_ONCE = 200  # findings read, published and removed before the next are read

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Digest:
    """What is deferred is removed only after SNS accepted the message that has it: a run that dies
    repeats, and never loses.
    """

    settings: Settings
    topic: Topic
    deferred: Deferred
    windows: Windows

    def publish(self, now: datetime) -> int:
        """Publish all that waits, in one message if it fits; how many findings and alerts.

        Raises PublishError or ClientError.
        """
        closed = self.windows.over(now)
        over = {one.fingerprint: one for one in closed if one.over}
        summaries = sorted((one.over.summary for one in closed if one.over), key=_gravest_first)
        published = 0
        for ids in list(batched(self.deferred.ids(), AT_ONCE, strict=False)) or [()]:
            for part in parts([*self._collected(ids), *summaries]):
                self.topic.publish(digest(self.settings, now, part))
                self._forget(part, over)
                published += len(part)
            summaries = []
        self.windows.forget(one for one in closed if not one.over)
        return published

    def _collected(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """What was deferred under these ids, oldest first."""
        bodies = {id_: json.loads(one["body"]) for id_, one in self.deferred.bodies(ids).items()}
        if gone := [id_ for id_ in ids if id_ not in bodies]:
            # Only where nobody could publish them for two weeks, of which there were alarms.
            logger.error("findings were deferred for too long", extra={"ids": gone})
            self.deferred.remove(gone)
        return sorted(map(for_digest, bodies.values()), key=itemgetter("first_seen", "id"))

    def _forget(self, part: Sequence[Mapping[str, Any]], over: Mapping[str, Closed]) -> None:
        """Forget what a message has published."""
        self.deferred.remove([one["id"] for one in part if not one["over"]])
        self.windows.forget(over[one["fingerprint"]] for one in part if one["over"])


def _gravest_first(summary: Mapping[str, Any]) -> tuple[int, str, str]:
    return -Severity(summary["severity"]).rank, summary["first_seen"], summary["id"]
