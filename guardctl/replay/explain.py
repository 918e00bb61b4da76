"""How a judgement came about: every predicate's answer, and what it read. Pure."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from detect_bypass.judge.case import Case, Inventory
from detect_bypass.judge.exceptions import Exemption
from detect_bypass.judge.judging import PREDICATES
from detect_bypass.judge.predicates import PERSON_SIGNALS, SERVICE_SIGNALS
from guard.cloudtrail.record import Record

type Predicate = Callable[[Case], bool]

_SHOWN = 120  # characters of a text somebody else chose


class Said(NamedTuple):
    """What one predicate said of a record: its name, its answer, and why in words."""

    name: str
    answer: bool
    reason: str


def explain(
    record: Record, inventory: Inventory, exceptions: Sequence[Exemption] = ()
) -> tuple[Said, ...]:
    """Every predicate's answer with its reason, in the order in which they count.

    Takes what `judge` takes. Total: it never raises.
    """
    case = Case(record, inventory, exceptions)
    return tuple(
        Said(predicate.__name__, predicate(case), _reason(predicate, case))
        for predicate in PREDICATES
    )


def _reason(predicate: Predicate, case: Case) -> str:
    """What the predicate asks, and what it found to answer with."""
    asks = inspect.cleandoc(predicate.__doc__ or predicate.__name__).split("\n\n")[0]
    found = (f"{name} is {FIELDS[name](case)}" for name in READS[predicate.__name__])
    return f"{' '.join(asks.split()).rstrip('.')}? {'; '.join(found)}."


def _field(read: Callable[[Record], str | None]) -> Callable[[Case], str]:
    return lambda case: _shown(read(case.record))


def _shown(text: str | None) -> str:
    if not text:
        return "absent"
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def _signals(predicates: Sequence[Predicate]) -> Callable[[Case], str]:
    return lambda case: ", ".join(p.__name__ for p in predicates if p(case)) or "none"


FIELDS: Mapping[str, Callable[[Case], str]] = {
    "errorCode": _field(lambda record: record.error_code),
    "eventCategory": _field(lambda record: record.event_category),
    "eventName": _field(lambda record: record.event_name),
    "eventType": _field(lambda record: record.event_type),
    "invokedBy": _field(lambda record: record.identity.invoked_by),
    "sessionCredentialFromConsole": _field(lambda r: "true" if r.identity.from_console else None),
    "sessionIssuer.arn": _field(lambda record: record.identity.issuer_arn),
    "sourceIPAddress": _field(lambda record: record.source_ip),
    "accessKeyId": _field(lambda record: record.identity.access_key_id[:4]),  # its kind
    "the caller's account": _field(lambda record: record.identity.account_id),
    "the caller": _field(lambda record: record.identity.name),
    "userAgent": _field(lambda record: record.user_agent),
    "userIdentity.type": _field(lambda record: record.identity.type),
    "vpcEndpointAccountId": _field(lambda record: record.vpc_endpoint_account_id),
    "vpcEndpointId": _field(lambda record: record.vpc_endpoint_id),
    "of a strange type": _field(lambda record: ", ".join(record.strange)),
    "requestParameters": _field(lambda record: ", ".join(map(str, record.request))),
    "inScopeOf": _field(lambda record: record.identity.in_scope_of),
    "the caller's location": lambda case: _shown(
        case.location and f"{case.location.via} in {case.vpc or 'no VPC'}"
    ),
    "read before": lambda case: "true" if case.read_before else "not known",
    "the guard's absence": lambda case: "true" if case.guard_was_away else "not known",
    "the exception": lambda case: _shown(", ".join(one.name for one in case.covering)),
    "for a service": _signals(SERVICE_SIGNALS),
    "for a person": _signals(PERSON_SIGNALS),
}
READS: Mapping[str, tuple[str, ...]] = {
    "was_refused_by_endpoint": ("eventCategory", "eventType", "errorCode"),
    "came_through_known_endpoint": ("vpcEndpointId",),
    "came_through_own_account": ("vpcEndpointId", "vpcEndpointAccountId"),
    "came_through_approved_account": ("vpcEndpointId", "vpcEndpointAccountId"),
    "came_through_other_account": ("vpcEndpointId", "vpcEndpointAccountId"),
    "came_through_unknown_endpoint": ("vpcEndpointId", "vpcEndpointAccountId"),
    "cannot_be_judged": ("of a strange type", "the caller", "sourceIPAddress", "vpcEndpointId"),
    "is_service_event": ("eventType",),
    "caller_is_service": ("userIdentity.type",),
    "was_invoked_by_service": ("invokedBy",),
    "came_from_service": ("sourceIPAddress",),
    "crossed_aws_network": ("vpcEndpointId",),
    "has_service_linked_role": ("userIdentity.type", "sessionIssuer.arn"),
    "is_service_linked": ("sessionIssuer.arn", "sessionCredentialFromConsole", "invokedBy"),
    "came_from_address": ("sourceIPAddress",),
    "has_console_session": ("sessionCredentialFromConsole",),
    "signed_in": ("invokedBy", "sourceIPAddress"),
    "is_console_action": ("eventType",),
    "used_browser": ("userAgent",),
    "was_relayed": ("userIdentity.type", "invokedBy", "sourceIPAddress"),
    "is_on_owners_behalf": ("for a service", "for a person"),
    "is_in_console": (
        "sessionCredentialFromConsole",
        "userAgent",
        "eventType",
        "invokedBy",
        "sourceIPAddress",
    ),
    "is_the_guard": ("sessionIssuer.arn", "eventName"),
    "is_excepted": ("the exception", "the caller"),
    "is_root": ("userIdentity.type",),
    "root_had_value": ("userIdentity.type", "eventName", "errorCode"),
    "was_refused": ("errorCode",),
    "used_lasting_key": (
        "userIdentity.type",
        "accessKeyId",
        "eventName",
        "errorCode",
        "the caller's location",
    ),
    "person_asked_for_value": (
        "userIdentity.type",
        "sessionIssuer.arn",
        "sessionCredentialFromConsole",
        "eventName",
    ),
    "workload_described": ("userIdentity.type", "the caller's account", "eventName"),
    "is_used_elsewhere": ("the caller's location", "sourceIPAddress"),
    "reads_as_ever": ("the caller's location", "read before"),
    "met_the_guards_absence": ("the caller's location", "the guard's absence"),
    "is_rotating": ("inScopeOf", "eventName", "requestParameters"),
    "came_through_aws_endpoint": ("vpcEndpointId", "vpcEndpointAccountId", "sourceIPAddress"),
}
