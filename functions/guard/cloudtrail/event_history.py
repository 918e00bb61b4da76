"""Who called what of late: CloudTrail's event history, which needs no trail.

LookupEvents in the CloudTrail API reference: management events of 90 days in this Region, newest
first, fifty in a page, two requests a second for an account and Region. An event is there some
minutes after the call.
"""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from guard.cloudtrail.record import Record, UnreadableRecord, parse

MOST_PAGES = 10
SECONDS_BETWEEN = 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """Calls, newest first. `lacking` says in words what of the time asked for was not read."""

    records: tuple[Record, ...] = ()
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class EventHistory:
    """Needs cloudtrail:LookupEvents. Never raises: what could not be read is said in the answer."""

    client: Any

    def calls(self, event_name: str, since: datetime) -> Seen:
        """The calls of this name since then, as many as there are in a few pages."""
        found: list[Record] = []
        asked: Any = {
            "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": event_name}],
            "StartTime": since,
            "MaxResults": 50,
        }
        for page in range(MOST_PAGES):
            if page:
                time.sleep(SECONDS_BETWEEN)
            try:
                answer = self.client.lookup_events(**asked)
            except (ClientError, BotoCoreError) as error:
                why = f"CloudTrail's event history could not be read: {error}"
                return Seen(tuple(found), why)
            found += _records(answer)
            if not (token := answer.get("NextToken")):
                return Seen(tuple(found))
            asked["NextToken"] = token
        lacking = f"only the last {len(found):,} calls of {event_name} were read"
        return Seen(tuple(found), lacking)


def _records(answer: Any) -> list[Record]:
    found: list[Record] = []
    for event in answer.get("Events", []):
        try:
            found.append(parse(json.loads(event.get("CloudTrailEvent", ""))))
        except (ValueError, UnreadableRecord):
            continue
    return found
