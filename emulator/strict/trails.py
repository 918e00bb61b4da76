"""What a trail logs by default, told by GetEventSelectors.

moto answers nothing for a trail whose selectors were never set. AWS answers the default: all
management events, read and write ("By default, trails created without specific event selectors are
configured to log all read and write management events": CloudTrail API reference, EventSelector).
"""

from typing import Any

from moto.cloudtrail.models import Trail

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
