"""What a trail logs by default, told by GetEventSelectors.

moto answers nothing for a trail whose selectors were never set. AWS answers the default: all
management events, read and write ("By default, trails created without specific event selectors are
configured to log all read and write management events": CloudTrail API reference, EventSelector).

A trail of all Regions is shown in each of them, and is to be asked in its home Region alone: by its
ARN, another Region answers CloudTrailARNInvalidException (aws-sdk-java issue 1309), by its name
TrailNotFoundException. GetTrailStatus is the exception: "To get the status of a shadow trail (a
replication of the trail in another Region), you must specify its ARN".
"""

from typing import Any

from moto.cloudtrail.exceptions import TrailNotFoundException
from moto.cloudtrail.models import CloudTrailBackend, Trail
from moto.core.exceptions import JsonRESTError

from .patching import Patches

patches = Patches()

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


def _require_home(backend: Any, name_or_arn: str) -> None:
    arn = name_or_arn.split(":")
    if len(arn) > 3 and arn[3] != backend.region_name:
        raise JsonRESTError(
            "CloudTrailARNInvalidException",
            "Region in ARN is wrong, you can only access resources in region"
            f" {backend.region_name}.",
        )
