"""Faults on purpose: throttling, refusals, requests and answers that get lost, answers that
are out of date, functions that are killed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

When = Literal["before", "after", "unserved", "lost", "killed", "stale"]

_STATUS = {
    "RequestLimitExceeded": 503,
    "ThrottlingException": 400,
    "Throttling": 400,
    "InternalError": 500,
    "InternalServiceError": 500,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "InsufficientAddressCapacity": 500,
    "InsufficientCapacity": 500,
    "ServerInternal": 500,
    "ServiceUnavailable": 503,
    "Unavailable": 503,
}

_MESSAGES = {
    "RequestLimitExceeded": "Request limit exceeded.",
    "ThrottlingException": "Rate exceeded",
    "Throttling": "Rate exceeded",
    "InternalError": "An internal error has occurred",
    "UnauthorizedOperation": "You are not authorized to perform this operation.",
}

_READS = ("Describe", "Get", "List")
_REQUEST_ID = re.compile(rb"<requestId>.*?</requestId>|<RequestId>.*?</RequestId>")


@dataclass(slots=True, kw_only=True)
class Fault:
    """One planned failure.

    `when`: "before" refuses the request, nothing is done; "after" does it and answers with the
    error; "unserved" cuts the connection and does nothing; "lost" does it and cuts the connection;
    "killed" does it, and the function gets to do nothing more; "stale" answers as the same question
    was answered the last time, where the answer is another now (`error` is used by the first two
    alone). `times` counts HTTP requests, so boto3's own retries use it up too. `function` limits it
    to calls of one function (logical id).
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
    _answered: dict[str, Any] = field(default_factory=dict[str, Any])

    def plan(self, fault: Fault) -> None:
        if fault.when not in get_args(When):
            raise ValueError(f"when: one of {', '.join(get_args(When))}, not {fault.when!r}")
        self._planned.append(fault)

    def take(self, service: str, action: str, function: str | None) -> Fault | None:
        """The first fault planned for such a call, counted down; None if there is none."""
        return self._take(service, action, function, stale=False)

    def out_of_date(
        self,
        service: str,
        action: str,
        params: Mapping[str, Any],
        function: str | None,
        answer: bytes,
        response: Any,
    ) -> Any:
        """The answer to a function's read: an earlier one, if that is planned and differs."""
        if function is None or not action.startswith(_READS):
            return response
        key = json.dumps([function, service, action, params], sort_keys=True, default=str)
        body = _REQUEST_ID.sub(b"", answer)
        earlier = self._answered.get(key)
        self._answered[key] = (body, response)
        if earlier is None or earlier[0] == body:
            return response
        return earlier[1] if self._take(service, action, function, stale=True) else response

    def _take(
        self, service: str, action: str, function: str | None, *, stale: bool
    ) -> Fault | None:
        for fault in self._planned:
            if (fault.service, fault.action) != (service, action) or not fault.times:
                continue
            if fault.function in (None, function) and (fault.when == "stale") is stale:
                fault.times -= 1
                return fault
        return None

    def left(self) -> Iterator[Fault]:
        """Faults that have not (all) happened yet: a test that planned them may want none."""
        return (fault for fault in self._planned if fault.times)

    def clear(self) -> None:
        self._planned.clear()
        self._answered.clear()
