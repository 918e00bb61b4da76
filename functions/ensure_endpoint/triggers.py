"""Which VPCs a message of the VPC queue is about. Pure: what AWS must be asked for is only named.

An event only triggers, so all that is taken from it is ids, who did it and when, and what to call
it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ensure_endpoint.later import Later
from guard.cloudtrail import record as records
from guard.cloudtrail.record import Record
from guard.reconcile.messages import is_reconcile

# The record names no VPC, and what it names is gone by now: every VPC has to be looked at.
NAMELESS = frozenset({"DeleteSubnet", "DeleteVpcEndpoints"})
# Whoever does this may be about to make the endpoint as well.
BUILDING = frozenset({"CreateVpc", "CreateDefaultVpc", "CreateSubnet"})
# Whoever does this means to use a VPC that was torn down before. A new one was not.
USING = frozenset({"CreateSubnet", "RotateSecret", "AssociateVpcCidrBlock"})
# These change no DNS attribute of the VPC: what its private DNS vouches for need not be asked.
LEAVES_DNS = frozenset(
    {
        "AssociateVpcCidrBlock",
        "CreateSubnet",
        "CreateVpcEndpoint",
        "DeleteSubnet",
        "DeleteVpcEndpoints",
        "ModifyVpcEndpoint",
    }
)
# These fail while an endpoint's network interface or a security group is left.
TEAR_DOWN = frozenset({"DeleteSubnet", "DeleteVpc"})
IN_USE = frozenset({"Client.DependencyViolation", "DependencyViolation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """What one message asks to be looked at.

    `vpc_ids`, `endpoint_ids` and `subnet_ids` name what is concerned, `every_vpc` that nothing
    narrower is known, `is_rotation` that AWS must be asked for the VPC of the `record`'s secret,
    `is_tear_down` that somebody could not delete the subnet or VPC. None of them set: nothing to
    do, and `reason` says why. `is_own`: the guard itself did it. `later` is what a message of the
    guard's own carries.
    """

    reason: str
    record: Record | None = None
    vpc_ids: frozenset[str] = frozenset()
    endpoint_ids: frozenset[str] = frozenset()
    subnet_ids: frozenset[str] = frozenset()
    every_vpc: bool = False
    is_rotation: bool = False
    is_tear_down: bool = False
    is_own: bool = False
    later: Later | None = None

    @property
    def attempt(self) -> int:
        """How many looks at an unfinished change came before; 0 for an event."""
        return self.later.attempt if self.later else 0

    @property
    def reasons(self) -> tuple[str, ...]:
        """What set this off: for a later look, what set the first one off."""
        return (self.later.reasons or (self.reason,)) if self.later else (self.reason,)

    @property
    def who(self) -> tuple[str, ...]:
        """Who did it; nobody for a sweep, or for what the guard did itself."""
        if self.later:
            return self.later.who
        return (self.record.identity.name,) if self.record and not self.is_own else ()

    @property
    def event_ids(self) -> tuple[str, ...]:
        if self.later:
            return self.later.event_ids
        return (self.record.event_id,) if self.record and self.record.event_id else ()

    def when(self, names: frozenset[str]) -> int:
        """Epoch seconds of the event, if it is one of these; else 0."""
        if self.record and self.record.event_name in names:
            return int(self.record.event_time.timestamp())
        return 0


def concern(
    envelope: Mapping[str, Any], service_name: str, guard_roles: frozenset[str] = frozenset()
) -> Concern:
    """Read one envelope; `guard_roles` are the ARNs of the roles by which the guard writes.

    Raises UnreadableRecord if it carries no CloudTrail record, or one that names no VPC although
    its kind does; ValueError if it is a reconcile request that names none.
    """
    if is_reconcile(envelope):
        later = Later.from_detail(envelope["detail"])
        return Concern(reason=later.reason, vpc_ids=frozenset({later.vpc_id}), later=later)
    record = records.from_envelope(envelope)
    identity = record.identity
    is_own = identity.type == "AssumedRole" and identity.issuer_arn in guard_roles
    return replace(_of_record(record, service_name), is_own=is_own)


def _of_record(record: Record, service_name: str) -> Concern:
    name = record.event_name
    if record.failed:
        return _failed(record)
    if name == "RotateSecret":
        return Concern(reason=name, record=record, is_rotation=True)
    if name == "DeleteVpcEndpoints" and records.deleted_nothing(record):
        # A refused deletion of the guard's own would else wake it for ever.
        return Concern(reason=f"{name} deleted nothing", record=record)
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


def _failed(record: Record) -> Concern:
    """A call that failed changed nothing; one that failed because of us may be asking us to go."""
    name = record.event_name
    reason = f"{name} failed: {record.error_code}"
    if name not in TEAR_DOWN or record.error_code not in IN_USE:
        return Concern(reason=reason, record=record)
    vpc_ids, subnet_ids = records.vpc_ids(record), records.subnet_ids(record)
    if not vpc_ids and not subnet_ids:
        raise records.UnreadableRecord(f"{name} names no VPC and no subnet")
    return Concern(
        reason=reason,
        record=record,
        vpc_ids=frozenset(vpc_ids),
        subnet_ids=frozenset(subnet_ids),
        is_tear_down=True,
    )
