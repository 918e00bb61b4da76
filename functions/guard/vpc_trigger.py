"""Which VPCs a message of the VPC queue is about. Pure: what AWS must be asked for is only named.

An event only triggers, so all that is taken from it is ids, who did it, and what to call it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guard import record as records
from guard.reconcile import is_reconcile
from guard.record import Record

# The record names no VPC, and what it names is gone by now: every VPC has to be looked at.
NAMELESS = frozenset({"DeleteSubnet", "DeleteVpcEndpoints"})
ROTATION = frozenset({"RotateSecret", "CancelRotateSecret"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """What one message asks to be looked at.

    `vpc_ids` and `endpoint_ids` name what is concerned, `every_vpc` that nothing narrower is known,
    `is_rotation` that AWS must be asked for the VPC of the `record`'s secret. None of them set:
    nothing to do, and `reason` says why. `attempt` counts the follow-ups of one reconcile.
    """

    reason: str
    record: Record | None = None
    vpc_ids: frozenset[str] = frozenset()
    endpoint_ids: frozenset[str] = frozenset()
    every_vpc: bool = False
    is_rotation: bool = False
    attempt: int = 0

    @property
    def who(self) -> str:
        """Who did it; empty for a sweep or follow-up."""
        return self.record.identity.name if self.record else ""

    @property
    def event_id(self) -> str:
        return self.record.event_id if self.record else ""


def concern(envelope: Mapping[str, Any], service_name: str) -> Concern:
    """Read one envelope.

    Raises UnreadableRecord if it carries no CloudTrail record, or one that names no VPC although
    its kind does; ValueError if it is a reconcile request that names none.
    """
    if is_reconcile(envelope):
        return _asked_for(envelope["detail"])
    record = records.from_envelope(envelope)
    name = record.event_name
    if record.failed:
        return Concern(reason=f"{name} failed: {record.error_code}", record=record)
    if name in ROTATION:
        return Concern(reason=name, record=record, is_rotation=True)
    if name in NAMELESS:
        return Concern(reason=name, record=record, every_vpc=True)
    service = records.service_name(record)
    if service not in (None, service_name):
        return Concern(reason=f"an endpoint of {service}, not ours to guard", record=record)
    if vpc_ids := records.vpc_ids(record):
        return Concern(reason=name, record=record, vpc_ids=frozenset(vpc_ids))
    if endpoint_ids := records.endpoint_ids(record):
        return Concern(reason=name, record=record, endpoint_ids=frozenset(endpoint_ids))
    raise records.UnreadableRecord(f"{name} names no VPC and no endpoint")


def _asked_for(detail: Mapping[str, Any]) -> Concern:
    vpc_id, attempt = detail.get("vpcId"), detail.get("attempt", 0)
    if not isinstance(vpc_id, str) or not isinstance(attempt, int):
        raise ValueError("a reconcile request needs a vpcId, and its attempt must be a number")
    reason = str(detail.get("reason", "sweep"))
    return Concern(reason=reason, vpc_ids=frozenset({vpc_id}), attempt=attempt)
