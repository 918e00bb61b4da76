"""Endpoints whose policy the guard leaves alone for a time, and why.

An item `pause#<endpoint>` of the state table, which ends by itself. It is set by somebody who rolls
a policy back (`guardctl rollback`), and by restore_policy where it would only fight another
automation.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from guard.table.items import Items, Values


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when, and why, in words; `asked` says that the look at its end was asked for."""

    until: datetime
    reason: str
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Pauses:
    """The pauses in the table; methods raise ClientError."""

    items: Items

    def of(self, endpoint_id: str, now: datetime) -> Pause | None:
        """The pause that is in force; None if there is none."""
        found = self.items.get(_key(endpoint_id), now)
        if not found:
            return None
        until = datetime.fromtimestamp(int(found["expires_at"]), UTC)
        return Pause(until, str(found["reason"]), bool(found.get("asked")))

    def begin(self, endpoint_id: str, until: datetime, reason: str) -> Pause:
        """Leave the endpoint's policy alone until then. The newest pause replaces any other."""
        self.items.put(_key(endpoint_id), {"reason": reason, "asked": 0}, expires=until)
        return Pause(until, reason)

    def note_asked(self, endpoint_id: str, pause: Pause) -> None:
        """The look at its end is on its way: nobody else has to ask for it."""
        second = int(pause.until.timestamp())
        given: Values = {":until": second}
        self.items.put(_key(endpoint_id), {"asked": 1}, when="expires_at = :until", given=given)

    def end(self, endpoint_id: str, now: datetime) -> None:
        """Go on at once."""
        self.items.put(_key(endpoint_id), {"reason": "ended"}, expires=now)


def _key(endpoint_id: str) -> str:
    return f"pause#{endpoint_id}"
