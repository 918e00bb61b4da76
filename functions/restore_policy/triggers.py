"""Which endpoints a message of the policy queue is about."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from guard.cloudtrail import record as records
from guard.cloudtrail import resource_ids
from guard.cloudtrail.callers import Caller
from guard.cloudtrail.record import Record
from guard.cloudtrail.tagging import tags_in
from guard.endpoint.state import fips_name
from guard.reconcile.batch import Message
from guard.reconcile.messages import from_message, is_reconcile
from guard.reconcile.request import Key, Request, Trigger
from guard.settings import Settings

TAGGING = frozenset({"CreateTags", "DeleteTags"})
CALLER = "caller"  # who changed the policy, as JSON; not of a call of the guard's own
WRITTEN = "written"  # the policy that one of the guard's own calls wrote
TRIAL = "trial"  # the note that the endpoint tries a new version of its policy
TAGGED = "tagged"  # the keys of tags of the endpoint or its VPC that somebody changed, by line
FIRST = "first"  # the note that the policy is enforced for the first time, and held elsewhere


def requests(
    message: Message,
    settings: Settings,
    guard_roles: frozenset[str],
    in_vpcs: Callable[[Collection[str]], Iterable[str]],
) -> list[Request]:
    """The endpoints that a message names; none where there is nothing to do.

    `in_vpcs` asks AWS for the endpoints of VPCs, as a call on tags may name those. Raises
    UnreadableRecord if it carries no CloudTrail record, or one that names no endpoint;
    UnreadableMessage if it is a request that names none.
    """
    if is_reconcile(message.envelope):
        return [from_message(message, "endpoint", settings)]
    record = records.from_envelope(message.envelope)
    if record.failed:
        return []
    service = resource_ids.service_name(record)
    if service not in (None, settings.service_name, fips_name(settings.service_name)):
        return []
    if record.event_name in TAGGING:
        endpoint_ids, facts = _tagged(record, in_vpcs), {TAGGED: "\n".join(tags_in(record))}
    else:
        endpoint_ids = sorted(set(resource_ids.endpoint_ids(record)))
        facts = _facts(record, guard_roles)
    if not endpoint_ids and record.event_name not in TAGGING:
        raise records.UnreadableRecord(f"{record.event_name} names no endpoint")
    trigger = Trigger.of_event(message, record, **facts)
    keys = (Key(settings.account_id, settings.region, "endpoint", id_) for id_ in endpoint_ids)
    return [Request(key=key, triggers=(trigger,), hops=message.hops) for key in keys]


def _tagged(record: Record, in_vpcs: Callable[[Collection[str]], Iterable[str]]) -> list[str]:
    """The endpoints that were tagged, and those in VPCs that were."""
    ids = resource_ids.network_ids(record)
    vpc_ids = {one for one in ids if one.startswith("vpc-")}
    found = {one for one in ids if one.startswith("vpce-")}
    return sorted(found.union(in_vpcs(vpc_ids) if vpc_ids else ()))


def _facts(record: Record, guard_roles: frozenset[str]) -> Mapping[str, str]:
    is_own = record.identity.type == "AssumedRole" and record.identity.issuer_arn in guard_roles
    if is_own:
        return {WRITTEN: resource_ids.policy_document(record) or ""}
    return {CALLER: json.dumps(Caller.of(record).to_json())}


def callers(triggers: Iterable[Trigger]) -> list[Caller]:
    """Who changed it, in order. What the guard wrote is nobody's change."""
    texts: list[Any] = [json.loads(one.facts[CALLER]) for one in triggers if CALLER in one.facts]
    return [Caller.from_json(one) for one in texts]
