"""What a log file holds: records, records of other services, and places that cannot be read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Element:
    """One JSON object of a file, and how to find where it begins: line and column."""

    value: dict[str, Any]
    find_position: Callable[[], str]

    @property
    def position(self) -> str:
        return self.find_position()


@dataclass(frozen=True, slots=True)
class Skipped:
    """So many records that are not about Secrets Manager."""

    count: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A place that could not be read, and why."""

    position: str
    reason: str
