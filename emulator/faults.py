"""Faults on purpose: throttling, refusals, and answers that get lost after the write was made."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

When = Literal["before", "after", "lost"]

_STATUS = {
    "RequestLimitExceeded": 503,
    "ThrottlingException": 400,
    "Throttling": 400,
    "InternalError": 500,
    "InternalServiceError": 500,
    "InternalFailure": 500,
    "ServiceUnavailable": 503,
}

_MESSAGES = {
    "RequestLimitExceeded": "Request limit exceeded.",
    "ThrottlingException": "Rate exceeded",
    "Throttling": "Rate exceeded",
    "InternalError": "An internal error has occurred",
    "UnauthorizedOperation": "You are not authorized to perform this operation.",
}


@dataclass(slots=True, kw_only=True)
class Fault:
    """One planned failure.

    `when`: "before" refuses the request, nothing is done; "after" does it and answers with the
    error; "lost" does it and cuts the connection. `times` counts HTTP requests, so boto3's own
    retries use it up too. `function` limits it to calls of one function (logical id).
    """

    service: str
    action: str
    error: str
    times: int
    when: When
    function: str | None
    message: str | None = None

    @property
    def status(self) -> int:
        return _STATUS.get(self.error, 400)

    @property
    def text(self) -> str:
        return self.message or _MESSAGES.get(self.error, f"{self.error} (planned by the test)")


@dataclass(slots=True)
class Faults:
    _planned: list[Fault] = field(default_factory=list[Fault])

    def plan(self, fault: Fault) -> None:
        if fault.when not in ("before", "after", "lost"):
            raise ValueError(f"when: before, after or lost, not {fault.when!r}")
        self._planned.append(fault)

    def take(self, service: str, action: str, function: str | None) -> Fault | None:
        """The first fault planned for such a call, counted down; None if there is none."""
        for fault in self._planned:
            if (fault.service, fault.action) != (service, action) or not fault.times:
                continue
            if fault.function in (None, function):
                fault.times -= 1
                return fault
        return None

    def left(self) -> Iterator[Fault]:
        """Faults that have not (all) happened yet: a test that planned them may want none."""
        return (fault for fault in self._planned if fault.times)

    def clear(self) -> None:
        self._planned.clear()
