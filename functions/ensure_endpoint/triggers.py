"""Which VPCs a message of the VPC queue asks to reconcile.

An event only triggers, so all that is taken from it is ids, who did it and when, and what to call
it. What the guard sends itself carries no facts of events: they have had their effect by then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from aws_lambda_powertools import Logger

from ensure_endpoint.locate import Locator
from ensure_endpoint.network_events import NAMING_SERVICES, PATHS
from ensure_endpoint.rotation.triggers import ROTATION_FAILED, RotationTriggers
from ensure_endpoint.tag_findings import TAGGING, tag_changed
from ensure_endpoint.withdrawal.decide import TEAR_DOWN_SECONDS, TearDown
from guard.cloudtrail import record as records
from guard.cloudtrail import resource_ids
from guard.cloudtrail.record import Record
from guard.findings.finding import Finding
from guard.reconcile.batch import Message
from guard.reconcile.messages import from_message, is_reconcile
from guard.reconcile.request import Key, Request, Trigger
from guard.settings import Settings

# The record names no VPC, and what it names is gone by now: every VPC is reconciled.
NAMELESS = frozenset({"DeleteSubnet", "DeleteVpcEndpoints"})
# Whoever does this may be about to create the endpoint as well.
BUILDING = frozenset({"CreateVpc", "CreateDefaultVpc", "CreateSubnet", "CreateDefaultSubnet"})
# Whoever does this means to use a VPC that was torn down before. A new one was not.
USING = frozenset({"CreateSubnet", "CreateDefaultSubnet", "RotateSecret", "AssociateVpcCidrBlock"})
# These change no DNS attribute of the VPC: what its private DNS vouches for need not be asked.
LEAVES_DNS = PATHS | frozenset(
    {
        "AssociateVpcCidrBlock",
        "CreateDefaultSubnet",
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
# Notes: an endpoint that somebody deleted, and who; a subnet that is being deleted, and since when.
DELETED, LEAVING = "deleted", "leaving"
WHOLE_VPC = "vpc"
MOST_DELETED = 100  # endpoints of one call that are noted; one VPC has 50

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Affected:
    """The VPCs that an event affects.

    `ids` name them, or what is in them; `all_vpcs` says that nothing narrower is known, `unserved`
    that it is those in which no endpoint has the service's name, `rotation` that AWS must be asked
    for the VPC of the record's secret. None of them set: nothing to do, and `reason` says why.
    `facts` are for the trigger.
    """

    reason: str
    ids: frozenset[str] = frozenset()
    all_vpcs: bool = False
    unserved: bool = False
    rotation: bool = False
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Triggers:
    """Reads messages. `guard_roles` are the ARNs of the roles by which the guard writes."""

    settings: Settings
    locator: Locator
    rotation: RotationTriggers
    guard_roles: frozenset[str]
    tags: frozenset[str] = frozenset()
    """Keys of tags that the guard heeds, beside its own prefix."""

    def of(self, message: Message, now: datetime) -> Iterator[Request | Finding]:
        """A request for each VPC, and the findings of a rotation that runs in none, and of tags.

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
        notes: dict[str, tuple[str, ...]] = {}
        if record.identity.type == "AssumedRole" and record.identity.issuer_arn in self.guard_roles:
            trigger = replace(trigger, who="")
        elif record.event_name in TAGGING:
            yield from tag_changed(record, self.settings, self.tags, now)
        elif event.all_vpcs and (ids := resource_ids.endpoint_ids(record)):
            notes = {DELETED: tuple(f"{id_} {trigger.who}" for id_ in ids[:MOST_DELETED])}
        vpc_ids = self._vpc_ids(event, trigger.at, now)
        if vpc_ids or not event.ids:
            logger.info(event.reason, extra={"vpc_ids": sorted(vpc_ids)})
        for vpc_id in vpc_ids:
            key = Key(self.settings.account_id, self.settings.region, "vpc", vpc_id)
            yield Request(key=key, triggers=(trigger,), hops=message.hops, notes=notes)

    def _vpc_ids(self, event: Affected, at: float, now: datetime) -> set[str]:
        vpc_ids = self.locator.vpcs_of(event.ids, at, now)
        if event.all_vpcs:
            vpc_ids.update(self.locator.observer.vpc_ids())
        if event.unserved:
            vpc_ids.update(self.locator.unserved(at, now))
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
    if name == "RotateSecret" or name in ROTATION_FAILED:
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
    naming = record.event_source in NAMING_SERVICES
    if naming or name in PATHS:
        ids = frozenset(resource_ids.network_ids(record))
        unnamed = not ids
        return Affected(
            name, ids, all_vpcs=unnamed and not naming, unserved=unnamed and naming, facts=facts
        )
    if ids := resource_ids.vpc_ids(record) or resource_ids.endpoint_ids(record):
        return Affected(reason=name, ids=frozenset(ids), facts=facts)
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
        ids=frozenset((*vpc_ids, *subnet_ids)),
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


def deleters(request: Request) -> dict[str, str]:
    """Who deleted endpoints, by the endpoint's id."""
    pairs = (text.partition(" ") for text in request.noted(DELETED))
    return {id_: who for id_, _, who in pairs}


def tear_down(request: Request, now: float) -> TearDown:
    """What the triggers say of attempts to delete the VPC or its subnets.

    No later than now, whatever an event says: a tear-down that has yet to come would never end.
    """
    attempts = [one.facts[TORN_DOWN] for one in request.triggers if TORN_DOWN in one.facts]
    named = {id_ for one in attempts for id_ in one.split(",")}
    noted = (text.partition(" ") for text in request.noted(LEAVING))
    tried = {id_: float(at) for id_, _, at in noted if at.isdecimal()}
    leaving = {id_: at for id_, at in tried.items() if at <= now < at + TEAR_DOWN_SECONDS}
    return TearDown(
        at=int(max([latest(request, TORN_DOWN, now), *leaving.values()])),
        subnet_ids=frozenset({*named, *leaving} - {WHOLE_VPC}),
        whole_vpc=WHOLE_VPC in named,
        alone=len(attempts) == len(request.triggers),
        withdrawing=bool(request.noted("withdrawing")),
    )


def leaving_notes(leaving: Mapping[str, int]) -> tuple[str, ...]:
    """Subnets that somebody is deleting, and when that was tried, as `tear_down` reads them."""
    return tuple(f"{id_} {at}" for id_, at in sorted(leaving.items()))
