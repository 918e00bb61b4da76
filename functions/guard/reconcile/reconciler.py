"""What a reaction is to the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from guard.findings.finding import Finding
    from guard.reconcile.batch import Message
    from guard.reconcile.outbox import Entry
    from guard.reconcile.request import Key, Request
    from guard.reconcile.result import Outcome, Result


class Reconciler(Protocol):
    """What a reaction is. `now` is the same for a whole batch; a change is the reaction's own."""

    def triggers(self, message: Message, now: datetime) -> Iterable[Request | Finding]:
        """The resources that a message concerns; may ask AWS which they are.

        Raises UnreadableMessage or UnreadableRecord, and boto3's errors.
        """
        ...

    def observe(self, requests: Sequence[Request], now: datetime) -> Mapping[Key, Any]:
        """The present state of each resource; none for one that needs nothing: it is gone, or the
        trigger is the guard's own change. An exception as a state fails that resource alone.
        """
        ...

    def reconcile(
        self, request: Request, state: Any, entries: Sequence[Entry], now: datetime
    ) -> Result:
        """Compare with what is desired. `entries` are unpublished changes of earlier attempts."""
        ...

    def act(self, change: Any, now: datetime) -> Outcome:
        """Carry out a change, and verify it by reading it.

        Raises NotVerified, or what ends the attempt.
        """
        ...

    def complete(self, request: Request, change: Any, outcome: Outcome, now: datetime) -> Result:
        """What follows a change, or AWS's refusal: its finding, and what is to be remembered."""
        ...

    def complete_late(self, request: Request, entry: Entry, now: datetime) -> Result:
        """The same for a change of an earlier attempt, which may have completed it already."""
        ...
