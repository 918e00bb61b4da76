"""What a trail logs by default, as GetEventSelectors returns it.

moto answers nothing for a trail whose selectors were never set. AWS answers the default: all
management events, read and write ("By default, trails created without specific event selectors are
configured to log all read and write management events": CloudTrail API reference, EventSelector).

A trail of all Regions is shown in each of them, and is to be asked in its home Region alone: by its
ARN, another Region answers CloudTrailARNInvalidException (aws-sdk-java issue 1309), by its name
TrailNotFoundException. GetTrailStatus is the exception: "To get the status of a shadow trail (a
replication of the trail in another Region), you must specify its ARN".
"""

import json
import time
from datetime import datetime
from typing import Any

from moto.cloudtrail.exceptions import TrailNotFoundException
from moto.cloudtrail.models import CloudTrailBackend, Trail
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import JsonRESTError

from emulator.moto_patches import hooks

from .patching import Patches

patches = Patches()

HISTORY = 90 * 86_400  # seconds for which the event history has an event
HISTORY_DELAY = 300  # "within an average of about 5 minutes of an API call"
_ATTRIBUTES = {"EventName": "eventName", "EventSource": "eventSource", "EventId": "eventID"}

DEFAULT = {
    "ReadWriteType": "All",
    "IncludeManagementEvents": True,
    "DataResources": [],
    "ExcludeManagementEventSources": [],
}


def selectors_of(trail: Trail) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A trail's event selectors and advanced event selectors; of the two, it has one kind."""
    basic, advanced = trail.event_selectors, trail.advanced_event_selectors
    return ([], advanced) if advanced else (basic or [dict(DEFAULT)], [])


@patches.method(Trail)
def get_event_selectors(moto: Any, trail: Trail) -> Any:
    return selectors_of(trail)


@patches.method(Trail)
def put_event_selectors(moto: Any, trail: Trail, basic: Any, advanced: Any) -> None:
    """Either kind replaces whatever was set; moto keeps advanced ones beside later basic ones."""
    trail.event_selectors, trail.advanced_event_selectors = basic or [], advanced or []


@patches.method(CloudTrailBackend)
def get_trail(moto: Any, backend: Any, name_or_arn: str) -> Trail:
    _require_home(backend, name_or_arn)
    return moto(backend, name_or_arn)


@patches.method(CloudTrailBackend)
def get_trail_status(moto: Any, backend: Any, name: str) -> Any:
    if not name.startswith("arn:") and name not in backend.trails:
        raise TrailNotFoundException(account_id=backend.account_id, name=name)
    return moto(backend, name)


@patches.method(CloudTrailResponse)
def lookup_events(moto: None, response: Any) -> str:
    """The event history, which needs no trail: management events of 90 days, newest first."""
    asked = json.loads(response.body)
    size = asked.get("MaxResults", 50)
    if not 1 <= size <= 50:
        raise JsonRESTError("InvalidMaxResultsException", "MaxResults must be from 1 to 50.")
    earliest = max(asked.get("StartTime", 0), time.time() - HISTORY)
    latest = min(asked.get("EndTime", HISTORY * 10**4), time.time() - HISTORY_DELAY)
    if asked.get("StartTime", 0) > asked.get("EndTime", HISTORY * 10**4):
        raise JsonRESTError("InvalidTimeRangeException", "The start time is after the end time.")
    asked_for = {one["AttributeKey"]: one["AttributeValue"] for one in asked["LookupAttributes"]}
    if len(asked["LookupAttributes"]) > 1 or asked_for.keys() - _ATTRIBUTES.keys():
        raise JsonRESTError("InvalidLookupAttributesException", "One attribute can be asked for.")
    found = [
        one
        for one in reversed(hooks.records() if hooks.records else [])
        if one.get("managementEvent")
        and earliest <= datetime.fromisoformat(one["eventTime"]).timestamp() <= latest
        and all(one.get(_ATTRIBUTES[key]) == value for key, value in asked_for.items())
    ]
    start = int(asked.get("NextToken", 0))
    answer: dict[str, Any] = {
        "Events": [
            {
                "EventId": one["eventID"],
                "EventName": one["eventName"],
                "EventSource": one["eventSource"],
                "EventTime": datetime.fromisoformat(one["eventTime"]).timestamp(),
                "CloudTrailEvent": json.dumps(one),
            }
            for one in found[start : start + size]
        ]
    }
    if len(found) > start + size:
        answer["NextToken"] = str(start + size)
    return json.dumps(answer)


def _require_home(backend: Any, name_or_arn: str) -> None:
    arn = name_or_arn.split(":")
    if len(arn) > 3 and arn[3] != backend.region_name:
        raise JsonRESTError(
            "CloudTrailARNInvalidException",
            "Region in ARN is wrong, you can only access resources in region"
            f" {backend.region_name}.",
        )
