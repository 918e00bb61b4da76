"""Which VPCs a message of the VPC queue asks to reconcile.

An event only triggers, so all that is taken from it is ids, who did it and when, and what to call
it. What the guard sends itself carries no facts of events: they have had their effect by then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from aws_lambda_powertools import Logger

from ensure_endpoint.rotation.triggers import RotationTriggers
from ensure_endpoint.withdrawal.decide import TearDown
from guard.cloudtrail import record as records
from guard.cloudtrail import resource_ids
from guard.cloudtrail.record import Record
from guard.endpoint.observe import Observer
from guard.findings.finding import Finding
from guard.reconcile.batch import Message
from guard.reconcile.messages import from_message, is_reconcile
from guard.reconcile.request import Key, Request, Trigger
from guard.settings import Settings

# The record names no VPC, and what it names is gone by now: every VPC is reconciled.
NAMELESS = frozenset({"DeleteSubnet", "DeleteVpcEndpoints"})
# Whoever does this may be about to create the endpoint as well.
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

# Facts of a trigger.
BUILT, USED, DNS_UNCHANGED, TORN_DOWN = "built", "used", "dns_unchanged", "torn_down"
WHOLE_VPC = "vpc"

logger = Logger(child=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """The VPCs that an event affects.

    `vpc_ids`, `endpoint_ids` and `subnet_ids` name them, `all_vpcs` says that nothing narrower is
    known, `rotation` that AWS must be asked for the VPC of the record's secret. None of them set:
    nothing to do, and `reason` says why. `facts` are for the trigger.
    """

    reason: str
    vpc_ids: frozenset[str] = frozenset()
    endpoint_ids: frozenset[str] = frozenset()
    subnet_ids: frozenset[str] = frozenset()
    all_vpcs: bool = False
    rotation: bool = False
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Triggers:
    """Reads messages. `guard_roles` are the ARNs of the roles by which the guard writes."""

    settings: Settings
    observer: Observer
    rotation: RotationTriggers
    guard_roles: frozenset[str]

    def of(self, message: Message, now: datetime) -> Iterator[Request | Finding]:
        """A request for each VPC, and the findings of a rotation that runs in none.

        Raises UnreadableMessage or UnreadableRecord for a message that names no VPC although its
        kind does, and boto3's errors.
        """
        if is_reconcile(message.envelope):
            yield own_request(message, self.settings)
            return
        record = records.from_envelope(message.envelope)
        event = affected(record, self.settings.service_name)
        if event.rotation:
            yield from self.rotation.of(message, record, {USED: "true"}, now)
            return
        trigger = replace(Trigger.of_event(message, record, **event.facts), name=event.reason)
        if record.identity.type == "AssumedRole" and record.identity.issuer_arn in self.guard_roles:
            trigger = replace(trigger, who="")
        vpc_ids = self._vpc_ids(event)
        logger.info(event.reason, extra={"vpc_ids": sorted(vpc_ids)})
        for vpc_id in vpc_ids:
            key = Key(self.settings.account_id, self.settings.region, "vpc", vpc_id)
            yield Request(key=key, triggers=(trigger,), hops=message.hops)

    def _vpc_ids(self, event: Affected) -> set[str]:
        vpc_ids = set(event.vpc_ids)
        if event.all_vpcs:
            vpc_ids.update(self.observer.vpc_ids())
        if event.endpoint_ids:
            vpc_ids.update(self.observer.vpcs_of_endpoints(event.endpoint_ids))
        if event.subnet_ids:
            vpc_ids.update(self.observer.vpcs_of_subnets(event.subnet_ids))
        return vpc_ids


def own_request(message: Message, settings: Settings) -> Request:
    """A request that the guard or a person sent. Raises UnreadableMessage."""
    request = from_message(message, "vpc", settings)
    logger.info(request.reason, extra={"vpc_id": request.key.id, "attempt": request.attempt})
    triggers = (replace(one, facts={}, is_event=False) for one in request.triggers)
    return replace(request, triggers=tuple(triggers))


def affected(record: Record, service_name: str) -> Affected:
    """What one event affects. Pure.

    Raises UnreadableRecord for a record that names no VPC although its kind does.
    """
    name = record.event_name
    if record.failed:
        return _failed(record)
    if name == "RotateSecret":
        return Affected(reason=name, rotation=True)
    if name == "DeleteVpcEndpoints" and resource_ids.deleted_nothing(record):
        # A refused deletion of the guard's own would else trigger it for ever.
        return Affected(reason=f"{name} deleted nothing")
    if name in NAMELESS:
        return Affected(reason=name, all_vpcs=True, facts={DNS_UNCHANGED: "true"})
    service = resource_ids.service_name(record)
    if service not in (None, service_name):
        return Affected(reason=f"an endpoint of {service}, not ours to guard")
    facts = {
        fact: "true"
        for fact, names in ((BUILT, BUILDING), (USED, USING), (DNS_UNCHANGED, LEAVES_DNS))
        if name in names
    }
    if vpc_ids := resource_ids.vpc_ids(record):
        return Affected(reason=name, vpc_ids=frozenset(vpc_ids), facts=facts)
    if endpoint_ids := resource_ids.endpoint_ids(record):
        return Affected(reason=name, endpoint_ids=frozenset(endpoint_ids), facts=facts)
    raise records.UnreadableRecord(f"{name} names no VPC and no endpoint")


def _failed(record: Record) -> Affected:
    """A call that failed changed nothing; one that failed because of us may be asking us to go."""
    name = record.event_name
    reason = f"{name} failed: {record.error_code}"
    if name not in TEAR_DOWN or record.error_code not in IN_USE:
        return Affected(reason=reason)
    vpc_ids, subnet_ids = resource_ids.vpc_ids(record), resource_ids.subnet_ids(record)
    if not vpc_ids and not subnet_ids:
        raise records.UnreadableRecord(f"{name} names no VPC and no subnet")
    facts = {TORN_DOWN: WHOLE_VPC if name == "DeleteVpc" else ",".join(sorted(subnet_ids))}
    return Affected(
        reason=reason,
        vpc_ids=frozenset(vpc_ids),
        subnet_ids=frozenset(subnet_ids),
        facts=facts | ({DNS_UNCHANGED: "true"} if name in LEAVES_DNS else {}),
    )


def dns_unchanged(request: Request) -> bool:
    """Whether nothing speaks of the VPC's DNS attributes: of any VPC, or of something else.

    The guard's own requests do: they are there to find what had no event.
    """
    return all(DNS_UNCHANGED in one.facts for one in request.triggers)


def latest(request: Request, fact: str, now: float) -> int:
    """When the last event with this fact was, in epoch seconds and no later than `now`; or 0."""
    return int(min(max((one.at for one in request.triggers if fact in one.facts), default=0), now))


def tear_down(request: Request, now: float) -> TearDown:
    """What the triggers say of attempts to delete the VPC or its subnets.

    No later than now, whatever an event says: a tear-down that has yet to come would never end.
    """
    attempts = [one.facts[TORN_DOWN] for one in request.triggers if TORN_DOWN in one.facts]
    named = {id_ for one in attempts for id_ in one.split(",")}
    return TearDown(
        at=latest(request, TORN_DOWN, now),
        subnet_ids=frozenset(named - {WHOLE_VPC}),
        whole_vpc=WHOLE_VPC in named,
        alone=len(attempts) == len(request.triggers),
        withdrawing=bool(request.noted("withdrawing")),
    )
