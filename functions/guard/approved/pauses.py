"""Endpoints whose policy the guard leaves alone for a time, and why.

An item `pause#<account>/<Region>/<endpoint>` of the state table, which ends by itself. It is set by
somebody who rolls a policy back (`guardctl rollback`), and by restore_policy where it would only
fight another automation. A pause is no open door: what lets more pass than the policy that the
endpoint had when it began is put back all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from guard.approved.policies import ApprovedPolicy
from guard.policy import Difference, PolicyError, Risk, compare, overall_risk, parse
from guard.table.items import Item, Items

PAUSED = "enforcement was paused"  # why an endpoint is to be reconciled at the end of a pause
# The request for the end of a pause that lies farther off is left to a sweep to send, once it has
# come so near: waiting for a day would be a chain of 27 messages. Sweeps are six hours apart.
REACH = timedelta(hours=7)


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when, and why, in words; `asked` says that the request for its end was sent.

    `policy` is what the endpoint had when it began; empty where the version before began it.
    """

    until: datetime
    reason: str
    asked: bool = False
    policy: str = ""

    def put_back(self, text: str, found: Sequence[Difference]) -> ApprovedPolicy | None:
        """What to write where a policy lets more pass than it did when the pause began.

        `found` is how it differs from the approved one. None where the change is to be left.
        """
        try:
            kept = parse(self.policy)
        except PolicyError:
            return None
        risks = {overall_risk(found), overall_risk(compare(text, kept))}
        return ApprovedPolicy("before", self.policy, kept) if risks == {Risk.WIDER} else None


@dataclass(frozen=True, slots=True)
class Pauses:
    """The pauses in the table; methods raise ClientError."""

    items: Items

    def of(self, endpoint_id: str, now: datetime) -> Pause | None:
        """The pause that is in force; None if there is none.

        One of the version before, under a name without a place, is moved to its present name.
        """
        found = self.items.get(self._key(endpoint_id), now)
        if not found and (found := self.items.get(_old(endpoint_id), now)):
            # Its end, `expires_at`, is among its attributes.
            self.items.put(self._key(endpoint_id), found)
            self._end_old(endpoint_id, now)
        return self.items.parsed(self._key(endpoint_id), found, _pause)

    def begin(
        self, endpoint_id: str, until: datetime, reason: str, now: datetime, policy: str = ""
    ) -> Pause:
        """Leave the endpoint's policy alone until then. The newest pause replaces any other."""
        values = {"reason": reason, "asked": 0, "policy": policy}
        self.items.put(self._key(endpoint_id), values, expires=until)
        self._end_old(endpoint_id, now)
        return Pause(until, reason, policy=policy)

    def note_asked(self, endpoint_id: str, pause: Pause) -> None:
        """The request for its end is sent: nobody else has to send it."""
        second = int(pause.until.timestamp())
        given: dict[str, int] = {":until": second}
        key = self._key(endpoint_id)
        self.items.put(key, {"asked": 1}, when="expires_at = :until", given=given)

    def end(self, endpoint_id: str, now: datetime) -> None:
        """Go on at once."""
        self.items.put(self._key(endpoint_id), {"reason": "ended"}, expires=now)
        self._end_old(endpoint_id, now)

    def _key(self, endpoint_id: str) -> str:
        return self.items.name("pause", endpoint_id)

    def _end_old(self, endpoint_id: str, now: datetime) -> None:
        """A pause under the old name is in force no more, if there is one."""
        self.items.put(
            _old(endpoint_id), {"reason": "moved"}, expires=now, when="attribute_exists(pk)"
        )


def _old(endpoint_id: str) -> str:
    return f"pause#{endpoint_id}"


def _pause(found: Item) -> Pause:
    until = datetime.fromtimestamp(int(found["expires_at"]), UTC)
    policy = str(found.get("policy", ""))
    return Pause(until, str(found["reason"]), bool(found.get("asked")), policy)
