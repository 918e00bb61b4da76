"""Publishes the digest: the deferred findings, and the alerts whose windows are over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import batched
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools import Logger

from digest.findings import digest, for_digest, items_set_aside, parts
from guard.findings.finding import Severity
from guard.findings.summary import checked
from guard.table.items import SET_ASIDE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from digest.windows import Closed, Windows
    from guard.publishing.topic import Topic
    from guard.settings import Settings
    from guard.table.deferred import Deferred
    from guard.table.items import Item

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
            collected, set_aside = self._collected(ids)
            if set_aside:
                self.topic.publish(items_set_aside(self.settings, now, [*set_aside.values()]))
                self.deferred.remove(set_aside)
            for part in parts([*collected, *summaries]):
                self.topic.publish(digest(self.settings, now, part))
                self._forget(part, over)
                published += len(part)
            summaries = []
        self.windows.forget(one for one in closed if not one.over)
        return published

    def _collected(
        self, ids: Sequence[str]
    ) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
        """What was deferred under these ids, oldest first; and the items that were set aside."""
        bodies = self.deferred.parsed(ids, _body)
        if gone := [id_ for id_ in ids if id_ not in bodies]:
            # Nobody could publish them for two weeks, of which there were alarms; or set aside.
            logger.error("deferred findings are gone", extra={"ids": gone})
            self.deferred.remove(gone)
        set_aside = {id_: one for id_, one in bodies.items() if SET_ASIDE in one}
        # It is removed by the id under which it was found, whatever the body says.
        collected = [{**one, "id": id_} for id_, one in bodies.items() if id_ not in set_aside]
        return sorted(collected, key=itemgetter("first_seen", "id")), set_aside

    def _forget(self, part: Sequence[Mapping[str, Any]], over: Mapping[str, Closed]) -> None:
        """Forget what a message has published."""
        self.deferred.remove([one["id"] for one in part if not one["over"]])
        self.windows.forget(over[one["fingerprint"]] for one in part if one["over"])


def _body(item: Item) -> dict[str, Any]:
    body: Any = json.loads(item["body"])
    if isinstance(body, dict) and SET_ASIDE in body:
        return {str(name): str(value) for name, value in cast(dict[str, Any], body).items()}
    return for_digest(checked(body))


def _gravest_first(summary: Mapping[str, Any]) -> tuple[int, str, str]:
    return -Severity(summary["severity"]).rank, summary["first_seen"], summary["id"]
