"""The rules of the judgement: each a small named question to a record and what is known. Pure."""

from collections.abc import Callable

from detect_bypass.judge.case import Case
from detect_bypass.judge.locations import address_of, function_of, instance_of
from detect_bypass.judge.origin import (
    Origin,
    names_aws_page,
    names_internal,
    names_relay,
    names_service,
    origin,
)
from guard.cloudtrail.record import Record
from guard.partitions import names_sign_in

# The way a request took. Ids are compared with what is known: a present id proves nothing.


def came_through_known_endpoint(case: Case) -> bool:
    """Its endpoint is ours or on the approved list."""
    return case.inventory.knows(case.record.vpc_endpoint_id)


def came_through_own_account(case: Case) -> bool:
    """Its endpoint belongs to the owner's account: perhaps deleted since, or not listed yet."""
    own = case.inventory.accounts or {case.record.account}
    return _is_endpoint(case) and case.record.vpc_endpoint_account_id in own - {""}


def came_through_approved_account(case: Case) -> bool:
    """Its endpoint belongs to an account whose endpoints are approved."""
    approved = case.inventory.approved_accounts
    return _is_endpoint(case) and case.record.vpc_endpoint_account_id in approved


def came_through_other_account(case: Case) -> bool:
    """Its endpoint belongs to somebody else's account, by AWS's own word."""
    owner = case.record.vpc_endpoint_account_id
    ours = case.inventory.accounts | case.inventory.approved_accounts | {case.record.account}
    return _is_endpoint(case) and owner.isdecimal() and owner not in ours and not _approved(case)


def came_through_unknown_endpoint(case: Case) -> bool:
    """It came through an endpoint, and that is none we approve."""
    return _is_endpoint(case) and not _approved(case)


def was_refused_by_endpoint(case: Case) -> bool:
    """A network activity event says that an endpoint's policy refused it."""
    return case.record.refused_by_endpoint


# Signals for a service. Only fields that AWS writes: a user agent is what the caller says it is.


def is_service_event(case: Case) -> bool:
    """It is no API call but something the service reports, such as a rotation that succeeded."""
    return case.record.event_type == "AwsServiceEvent"


def caller_is_service(case: Case) -> bool:
    """The caller is a service principal."""
    return case.record.identity.type == "AWSService"


def was_invoked_by_service(case: Case) -> bool:
    """A service made the request with the caller's rights; signing in is what people do."""
    invoked_by = case.record.identity.invoked_by
    return names_service(invoked_by) and not names_sign_in(invoked_by)


def came_from_service(case: Case) -> bool:
    """The request came from a service's own hosts."""
    return origin(case.record) is Origin.AWS


def crossed_aws_network(case: Case) -> bool:
    """In place of an endpoint's id there is "AWS Internal" or a service's name."""
    return names_service(case.record.vpc_endpoint_id)


def has_service_linked_role(case: Case) -> bool:
    """The role is one that only its service can assume; IAM reserves the path for those."""
    identity = case.record.identity
    path = ":role/aws-service-role/"
    return identity.type == "AssumedRole" and path in identity.issuer_arn


# Signals for a person.


def came_from_address(case: Case) -> bool:
    """It came from an address of the internet, or from one that is masked."""
    return origin(case.record) in (Origin.PUBLIC, Origin.UNCLEAR)


def has_console_session(case: Case) -> bool:
    """Its credentials are those of a console session."""
    return case.record.identity.from_console


def signed_in(case: Case) -> bool:
    """It was made by the console's sign-in, on behalf of the person at the browser."""
    identity = case.record.identity
    return names_sign_in(identity.invoked_by) or names_sign_in(case.record.source_ip)


def is_console_action(case: Case) -> bool:
    """It is something done in the console that is no API call."""
    return case.record.event_type == "AwsConsoleAction"


def used_browser(case: Case) -> bool:
    """It names a browser as its user agent."""
    return case.record.user_agent.startswith("Mozilla/")


def used_client(case: Case) -> bool:
    """It names a user agent that is neither a browser nor one of AWS's own hosts.

    `sessionCredentialFromConsole` marks credentials. Whoever takes them out of the browser uses
    them with a command line or an SDK, and so does AWS CloudShell.
    """
    return _is_client(case.record)


def on_console_page(record: Record) -> bool:
    """Whether it has a console session's credentials and comes from one of the console's pages."""
    return record.identity.from_console and not _is_client(record)


def _is_client(record: Record) -> bool:
    agent = record.user_agent
    return bool(agent) and not agent.startswith("Mozilla/") and not names_aws_page(agent)


SERVICE_SIGNALS: tuple[Callable[[Case], bool], ...] = (
    is_service_event,
    caller_is_service,
    was_invoked_by_service,
    came_from_service,
    crossed_aws_network,
)
PERSON_SIGNALS: tuple[Callable[[Case], bool], ...] = (
    came_from_address,
    has_console_session,
    signed_in,
    is_console_action,
    used_browser,
)


# What follows from them.


def was_relayed(case: Case) -> bool:
    """A person's or workload's identity asks from a service's hosts, so the service did not choose.

    Their users write the calls that these services make: Step Functions, EventBridge Scheduler and
    Systems Manager Automation with a role of their choice (`invokedBy` names the service),
    AppStream with its fleet's role (nothing but the source names the service). A service that acts
    by itself has an identity of its own, and one that acts for its caller (a forward access
    session) is named in `invokedBy`.
    """
    identity, source = case.record.identity, case.record.source_ip
    nobody = identity.type == "AWSService" or not (identity.type or identity.arn)
    if nobody or has_service_linked_role(case):
        return False
    by_relay = names_relay(identity.invoked_by) or names_relay(source)
    on_its_hosts = names_service(source) and not names_internal(source)
    return by_relay or (on_its_hosts and not identity.invoked_by)


def is_on_owners_behalf(case: Case) -> bool:
    """AWS acts on the owner's behalf: two signals say so, or one and none speaks for a person."""
    if was_relayed(case):
        return False
    for_service = sum(signal(case) for signal in SERVICE_SIGNALS)
    return for_service > 1 or (
        for_service == 1 and not any(signal(case) for signal in PERSON_SIGNALS)
    )


def is_service_linked(case: Case) -> bool:
    """A service uses its service-linked role."""
    return has_service_linked_role(case) and not has_console_session(case) and not signed_in(case)


def is_in_console(case: Case) -> bool:
    """A person is in the console: of Secrets Manager, or of a service that asks it for them."""
    by_service = was_invoked_by_service(case) and came_from_address(case)
    through_service = by_service and not _is_client(case.record)
    return (
        on_console_page(case.record)
        or signed_in(case)
        or is_console_action(case)
        or through_service
    )


def is_excepted(case: Case) -> bool:
    """A reviewed exception covers it, and had not expired when the request was made."""
    return any(exemption.valid_at(case.record.event_time) for exemption in case.covering)


# To find rotation functions, and to watch secrets' resource policies: nothing that shows a value.
GUARD_CALLS = ("DescribeSecret", "ListSecrets", "GetResourcePolicy", "PutResourcePolicy")


def is_the_guard(case: Case) -> bool:
    """One of the guard's own functions, which run outside any VPC, does what it is there for."""
    record = case.record
    own_role = record.identity.type == "AssumedRole" and (
        record.identity.issuer_arn in case.inventory.guard_roles
    )
    return own_role and record.event_name in GUARD_CALLS


def cannot_be_judged(case: Case) -> bool:
    """A field the judgement rests on cannot be read, or nothing says who called and from where."""
    record = case.record
    nobody = record.identity.name == "unknown" and not record.source_ip
    silent = nobody and not record.vpc_endpoint_id and not is_service_event(case)
    return bool(unreadable_fields(record)) or silent


# Where its credentials are.


def is_used_elsewhere(case: Case) -> bool:
    """It has the credentials of something in a VPC of ours, and an address of nothing of ours."""
    known = case.location is not None and case.location.vpc_id != ""
    workload = bool(instance_of(case.record) or function_of(case.record))
    return known and workload and address_of(case.record) in case.inventory.strangers


def _is_endpoint(case: Case) -> bool:
    """Whether it names an endpoint at all; AWS puts other things into the field too."""
    return bool(case.record.vpc_endpoint_id) and not crossed_aws_network(case)


def _approved(case: Case) -> bool:
    return (
        came_through_known_endpoint(case)
        or came_through_own_account(case)
        or came_through_approved_account(case)
    )


_DECISIVE = (
    "userIdentity",
    "userIdentity.type",
    "userIdentity.arn",
    "userIdentity.invokedBy",
    "userIdentity.sessionContext",
    "userIdentity.sessionContext.sessionIssuer",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "sourceIPAddress",
    "vpcEndpointId",
    "vpcEndpointAccountId",
    "eventType",
    "eventCategory",
    "errorCode",
    "sessionCredentialFromConsole",
)


def unreadable_fields(record: Record) -> list[str]:
    return [name for name in record.strange if name in _DECISIVE]
