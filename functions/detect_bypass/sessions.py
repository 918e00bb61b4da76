"""At which address a console session was first seen, to say where it is used from another one.

The guard sees the requests that the console makes to Secrets Manager, and not the sign-in itself:
the first of them from a page stands for it. A session is known by its principal and by when it
began (`sessionContext.attributes.creationDate`, "CloudTrail userIdentity element").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from detect_bypass.judge import Origin, origin
from detect_bypass.judge.predicates import on_console_page
from guard.cloudtrail.record import Record
from guard.table.items import Items

KEPT = timedelta(days=2)  # a console session lasts for 12 hours at most
AT_ONCE = 25  # sessions of which the table is asked in one batch
REMEMBERED = 1_000  # by this process

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Sessions:
    """Remembers sessions in the table. Needs dynamodb:UpdateItem."""

    items: Items
    _known: dict[str, str] = field(default_factory=dict[str, str])

    def addresses(self, records: Sequence[Record], now: datetime) -> dict[str, str]:
        """The address at which its session was first on a page of the console, by event id.

        Only of records with a console session's credentials, and of sessions that are known. Never
        raises for AWS: what is not known is not said.
        """
        in_session = [(key, one) for one in records if (key := session_of(one))]
        in_session.sort(key=lambda pair: (not on_console_page(pair[1]), pair[1].event_time))
        asked: set[str] = set()
        for key, record in in_session:
            if key in self._known or key in asked or len(asked) >= AT_ONCE:
                continue
            asked.add(key)
            try:
                self._ask(key, record, now)
            except (ClientError, BotoCoreError) as error:
                logger.warning("a session is not known", extra={"error": repr(error)})
        return {one.event_id: self._known[key] for key, one in in_session if key in self._known}

    def _ask(self, key: str, record: Record, now: datetime) -> None:
        """Read where the session was first; a page that is the first is remembered."""
        if on_console_page(record) and origin(record) in (Origin.PUBLIC, Origin.PRIVATE):
            values, _ = self.items.put(
                key,
                {"address": record.source_ip},
                expires=now + KEPT,
                when="attribute_not_exists(address)",
            )
        else:
            # DynamoDB answers a condition that fails with the item; there is no right to read one.
            values, _ = self.items.put(key, {"no_such": 1}, when="attribute_exists(no_such)")
        if address := str(values.get("address", "")):
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = address


def session_of(record: Record) -> str:
    """The key of a console session in the table; empty where the record has no such credentials."""
    identity = record.identity
    if not identity.from_console or not identity.session_created:
        return ""
    parts = [identity.arn or identity.principal_id, identity.session_created]
    return f"session#{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]}"
