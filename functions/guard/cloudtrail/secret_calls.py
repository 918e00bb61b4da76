"""Which calls change who can read a secret, or where: its resource policy, and copies of it. Pure.

AWS: PutResourcePolicy, DeleteResourcePolicy, ReplicateSecretToRegions and CreateSecret (parameter
AddReplicaRegions) in the Secrets Manager API reference.
"""

from collections.abc import Mapping
from typing import Any, cast

from guard.cloudtrail.record import Record

POLICY_CHANGES = ("PutResourcePolicy", "DeleteResourcePolicy")
COPY = "ReplicateSecretToRegions"  # and any other call that names Regions to copy to


def changes_secret(record: Record) -> bool:
    """Whether a call sets or deletes a secret's policy or copies it, refused or not."""
    return record.event_name in POLICY_CHANGES or bool(copied_to(record))


def copied_to(record: Record) -> list[str]:
    """The Regions that a call copies a secret to; as CloudTrail writes the request's members."""
    listed = record.request.get("addReplicaRegions")
    members = cast("list[Any]", listed) if isinstance(listed, list) else [listed]
    regions = [
        cast("Mapping[str, Any]", one).get("region") for one in members if isinstance(one, Mapping)
    ]
    named = [region for region in regions if isinstance(region, str) and region]
    if record.event_name == COPY:
        return named or ["a Region the record does not name"]
    return named
