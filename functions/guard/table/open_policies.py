"""Endpoints whose policy is not the approved one, and which are opted out: it stays so.

Written by restore_policy each time it leaves such a policy, which the sweep has it do; read by
detect_bypass, to which a request through one of them is not approved.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from guard.table.items import epoch

if TYPE_CHECKING:
    from datetime import datetime

    from guard.table.items import Items

HOLDS = timedelta(hours=7)  # until a sweep later


@dataclass(frozen=True, slots=True)
class OpenPolicies:
    """One item, with an attribute for each endpoint; methods raise ClientError."""

    items: Items

    def note(self, endpoint_id: str, policy: str, now: datetime) -> None:
        """The endpoint is left with this policy. Needs dynamodb:UpdateItem."""
        until = now + HOLDS
        self.items.put(self._key, {endpoint_id: f"{epoch(until)} {digest(policy)}"}, expires=until)

    def read(self, now: datetime) -> dict[str, str]:
        """The digests of their policies, by endpoint. Needs dynamodb:GetItem."""
        noted = {
            name: str(value).partition(" ")
            for name, value in self.items.get(self._key, now).items()
            if name.startswith("vpce-")
        }
        return {
            id_: known
            for id_, (until, _, known) in noted.items()
            if until.isdecimal() and int(until) > now.timestamp()
        }

    @property
    def _key(self) -> str:
        return self.items.name("opted-out", "policies")


def digest(policy: str) -> str:
    """Of a policy's text, as AWS writes it back."""
    return hashlib.sha256(policy.encode()).hexdigest()[:16]
