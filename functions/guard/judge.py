"""Judge one Secrets Manager record: did the request keep to an approved way, and does it matter?

Pure: a record, what is known of the account (`Inventory`) and the exceptions go in, a `Judgement`
comes out. Each rule is a small predicate with a name, and a judgement holds the answer of every
one, so that `guardctl replay --explain` can show how it came about.

One field never makes a caller an AWS service when another speaks for a person. AWS says so in
several places when it acts on the owner's behalf (`userIdentity.type`, `invokedBy`,
`sourceIPAddress`, the event type), and a person's console session shares some of them: see
"CloudTrail userIdentity element" and "CloudTrail record contents" in the CloudTrail user guide, and
"Forward access sessions" in the IAM user guide.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from guard.exceptions import Exemption
from guard.finding import Severity
from guard.record import Record

SECRETS_MANAGER = "secretsmanager.amazonaws.com"


class Verdict(StrEnum):
    """How a request reached Secrets Manager. The first three raise no alert."""

    APPROVED = "approved"
    SERVICE = "service"
    EXEMPT = "exempt"
    CONSOLE = "console"
    FOREIGN_ENDPOINT = "foreign_endpoint"
    ENDPOINT_DENIED = "endpoint_denied"  # it came as far as an endpoint, whose policy refused it
    BYPASS = "bypass"
    UNREADABLE = "unreadable"

    @property
    def alerts(self) -> bool:
        return self not in (Verdict.APPROVED, Verdict.SERVICE, Verdict.EXEMPT)


class Reach(StrEnum):
    """What a request is after, as far as its severity goes."""

    VALUE = "value"  # a secret's value travels, in either direction
    CHANGE = "change"
    LOOK = "look"


class Origin(StrEnum):
    """What `sourceIPAddress` says. Real records hold more than addresses there."""

    PUBLIC = "public"
    PRIVATE = "private"
    AWS = "aws"  # the name of a service, or "AWS Internal"
    UNCLEAR = "unclear"  # masked, or no address at all
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What is known of the guarded accounts.

    `accounts` are the owner's own; where it is empty, the account a record was delivered to counts
    as own. `nat_addresses` gives the VPC behind a public address. `guard_roles` are the ARNs of the
    roles with which the guard itself asks Secrets Manager.
    """

    accounts: frozenset[str] = frozenset()
    own_endpoints: frozenset[str] = frozenset()
    approved_endpoints: frozenset[str] = frozenset()
    approved_accounts: frozenset[str] = frozenset()
    nat_addresses: Mapping[str, str] = field(default_factory=dict[str, str])
    guard_roles: frozenset[str] = frozenset()

    def knows(self, endpoint_id: str) -> bool:
        """Whether the endpoint is one of ours, or on the approved list."""
        return endpoint_id in self.own_endpoints or endpoint_id in self.approved_endpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What became of one record, and why.

    `cause` is one sentence; `todo` what a person should do, empty where there is no alert;
    `predicates` every rule's name and answer. `exemption` names the exception that was used, and
    `expired` those that would have covered the record had they not expired.
    """

    verdict: Verdict
    alert: bool
    severity: Severity
    cause: str
    todo: tuple[str, ...] = ()
    predicates: tuple[tuple[str, bool], ...] = ()
    exemption: str = ""
    expired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """What the predicates look at."""

    record: Record
    inventory: Inventory
    exceptions: Sequence[Exemption] = ()

    @property
    def vpc(self) -> str:
        """The own VPC the request came out of, if its address is a NAT gateway of ours."""
        return self.inventory.nat_addresses.get(self.record.source_ip, "")

    @property
    def covering(self) -> list[Exemption]:
        return [
            exemption for exemption in self.exceptions if exemption.covers(self.record, self.vpc)
        ]


def judge(record: Record, inventory: Inventory, exceptions: Sequence[Exemption] = ()) -> Judgement:
    """Judge a record of Secrets Manager. Total: it never raises, every record gets a verdict."""
    case = Case(record, inventory, exceptions)
    answers = {predicate.__name__: predicate(case) for predicate in PREDICATES}
    verdict = _verdict(answers)
    covering = case.covering
    valid = [exemption for exemption in covering if exemption.valid_at(record.event_time)]
    used = valid[0] if verdict is Verdict.EXEMPT and not answers["is_the_guard"] else None
    cause = f"{used.reason} ({used.owner})" if used else cause_of(verdict, case)
    expired = tuple(one.name for one in covering if one not in valid) if verdict.alerts else ()
    if expired:
        cause += f" An exception for this has expired: {', '.join(expired)}."
    return Judgement(
        verdict=verdict,
        alert=verdict.alerts,
        severity=severity_of(verdict, record),
        cause=cause,
        todo=todo_of(verdict, case),
        predicates=tuple(answers.items()),
        exemption=used.name if used else "",
        expired=expired,
    )


def _verdict(answers: Mapping[str, bool]) -> Verdict:
    if answers["was_refused_by_endpoint"]:
        return Verdict.EXEMPT if answers["is_excepted"] else Verdict.ENDPOINT_DENIED
    for predicate, verdict in RULES:
        if answers[predicate.__name__]:
            return verdict
    return Verdict.BYPASS


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
    network_activity = case.record.event_category == "NetworkActivity"
    network_activity |= case.record.event_type.startswith("AwsVpceEvent")
    return network_activity and case.record.error_code == "VpceAccessDenied"


# Voices for a service. Only fields that AWS writes: a user agent is what the caller says it is.


def is_service_event(case: Case) -> bool:
    """It is no API call but something the service reports, such as a rotation that succeeded."""
    return case.record.event_type == "AwsServiceEvent"


def caller_is_service(case: Case) -> bool:
    """The caller is a service principal."""
    return case.record.identity.type == "AWSService"


def was_invoked_by_service(case: Case) -> bool:
    """A service made the request with the caller's rights; signing in is what people do."""
    invoked_by = case.record.identity.invoked_by
    return _names_service(invoked_by) and not _names_sign_in(invoked_by)


def came_from_service(case: Case) -> bool:
    """The request came from a service's own hosts."""
    return origin(case.record) is Origin.AWS


def crossed_aws_network(case: Case) -> bool:
    """In place of an endpoint's id there is "AWS Internal" or a service's name."""
    return _names_service(case.record.vpc_endpoint_id)


def has_service_linked_role(case: Case) -> bool:
    """The role is one that only its service can assume; IAM reserves the path for those."""
    identity = case.record.identity
    path = ":role/aws-service-role/"
    return identity.type == "AssumedRole" and path in identity.issuer_arn


# Voices for a person.


def came_from_address(case: Case) -> bool:
    """It came from an address of the internet, or from one that is masked."""
    return origin(case.record) in (Origin.PUBLIC, Origin.UNCLEAR)


def has_console_session(case: Case) -> bool:
    """Its credentials are those of a console session."""
    return case.record.identity.from_console


def signed_in(case: Case) -> bool:
    """It was made by the console's sign-in, on behalf of the person at the browser."""
    identity = case.record.identity
    return _names_sign_in(identity.invoked_by) or _names_sign_in(case.record.source_ip)


def is_console_action(case: Case) -> bool:
    """It is something done in the console that is no API call."""
    return case.record.event_type == "AwsConsoleAction"


def used_browser(case: Case) -> bool:
    """It names a browser as its user agent."""
    return case.record.user_agent.startswith("Mozilla/")


# What follows from them.


def is_on_owners_behalf(case: Case) -> bool:
    """AWS acts on the owner's behalf: two voices say so, or one and none speaks for a person."""
    for_service = sum(voice(case) for voice in SERVICE_VOICES)
    return for_service > 1 or (for_service == 1 and not any(voice(case) for voice in PERSON_VOICES))


def is_service_linked(case: Case) -> bool:
    """A service uses its service-linked role."""
    return has_service_linked_role(case) and not has_console_session(case) and not signed_in(case)


def is_in_console(case: Case) -> bool:
    """A person is in the console: of Secrets Manager, or of a service that asks it for them."""
    through_service = was_invoked_by_service(case) and came_from_address(case)
    return (
        has_console_session(case) or signed_in(case) or is_console_action(case) or through_service
    )


def is_excepted(case: Case) -> bool:
    """A reviewed exception covers it, and had not expired when the request was made."""
    return any(exemption.valid_at(case.record.event_time) for exemption in case.covering)


def is_the_guard(case: Case) -> bool:
    """One of the guard's own functions, which run outside any VPC, asks which function rotates."""
    record = case.record
    own_role = record.identity.type == "AssumedRole" and (
        record.identity.issuer_arn in case.inventory.guard_roles
    )
    return own_role and record.event_name == "DescribeSecret"


def cannot_be_judged(case: Case) -> bool:
    """A field the judgement rests on cannot be read, or nothing says who called and from where."""
    record = case.record
    nobody = record.identity.name == "unknown" and not record.source_ip
    return bool(_unreadable_fields(record)) or (nobody and not record.vpc_endpoint_id)


SERVICE_VOICES: tuple[Callable[[Case], bool], ...] = (
    is_service_event,
    caller_is_service,
    was_invoked_by_service,
    came_from_service,
    crossed_aws_network,
)
PERSON_VOICES: tuple[Callable[[Case], bool], ...] = (
    came_from_address,
    has_console_session,
    signed_in,
    is_console_action,
    used_browser,
)
RULES: tuple[tuple[Callable[[Case], bool], Verdict], ...] = (
    (came_through_known_endpoint, Verdict.APPROVED),
    (came_through_own_account, Verdict.APPROVED),
    (came_through_approved_account, Verdict.APPROVED),
    (cannot_be_judged, Verdict.UNREADABLE),
    (is_service_linked, Verdict.SERVICE),
    (is_on_owners_behalf, Verdict.SERVICE),
    (is_the_guard, Verdict.EXEMPT),
    (is_excepted, Verdict.EXEMPT),
    # The console itself comes through endpoints that AWS owns, and AWS does not name their account.
    (came_through_other_account, Verdict.FOREIGN_ENDPOINT),
    (is_in_console, Verdict.CONSOLE),
    (came_through_unknown_endpoint, Verdict.FOREIGN_ENDPOINT),
)
PREDICATES: tuple[Callable[[Case], bool], ...] = (
    was_refused_by_endpoint,
    *(predicate for predicate, _ in RULES),
    *SERVICE_VOICES,
    has_service_linked_role,
    *PERSON_VOICES,
)


# Severity


def severity_of(verdict: Verdict, record: Record) -> Severity:
    """How much it matters: by the way, what the request was after, its outcome and the caller."""
    match verdict:
        case Verdict.APPROVED | Verdict.SERVICE | Verdict.EXEMPT:
            return Severity.INFO
        case Verdict.CONSOLE | Verdict.UNREADABLE:
            return Severity.LOW
        case Verdict.ENDPOINT_DENIED:
            return Severity.MEDIUM
        case Verdict.FOREIGN_ENDPOINT:
            return Severity.MEDIUM if record.failed else Severity.HIGH
        case Verdict.BYPASS:
            return _bypass_severity(record)


def _bypass_severity(record: Record) -> Severity:
    rank = {Reach.VALUE: 3, Reach.CHANGE: 2, Reach.LOOK: 1}[reach(record)]
    rank += record.identity.type == "Root"
    rank -= record.failed
    return list(Severity)[max(1, min(3, rank))]


_WITH_VALUE = frozenset(
    {"GetSecretValue", "BatchGetSecretValue", "PutSecretValue", "CreateSecret", "UpdateSecret"}
)
_READS = ("Describe", "List", "Get", "Validate")


def reach(record: Record) -> Reach:
    """What a request is after. An operation not known here counts as a change unless it reads."""
    if record.event_name in _WITH_VALUE:
        return Reach.VALUE
    return Reach.LOOK if record.event_name.startswith(_READS) else Reach.CHANGE


# Cause and cure


def cause_of(verdict: Verdict, case: Case) -> str:
    """Why the verdict is what it is, in a sentence. A reviewed exception brings its own reason."""
    record = case.record
    match verdict:
        case Verdict.EXEMPT:
            return "The guard itself asked which function rotates the secret."
        case Verdict.APPROVED:
            return f"It came through {record.vpc_endpoint_id}."
        case Verdict.SERVICE:
            return (
                f"{record.identity.invoked_by or record.identity.name} acts on the owner's behalf."
            )
        case Verdict.CONSOLE:
            return (
                "A person used the console, which never goes through the VPC's endpoint by itself."
            )
        case Verdict.ENDPOINT_DENIED:
            return f"The policy of {record.vpc_endpoint_id or 'an endpoint'} refused the request."
        case Verdict.FOREIGN_ENDPOINT:
            return _foreign_cause(record)
        case Verdict.UNREADABLE:
            fields = ", ".join(_unreadable_fields(record))
            return f"The record cannot be judged: {fields or 'it names neither caller nor origin'}."
        case Verdict.BYPASS:
            return _bypass_cause(case)


def _foreign_cause(record: Record) -> str:
    endpoint, owner = record.vpc_endpoint_id, record.vpc_endpoint_account_id
    if owner:
        return f"It came through {endpoint} of account {owner}, which is not approved."
    if origin(record) is Origin.PUBLIC:
        return f"It came from {record.source_ip} through {endpoint}, AWS's own or a stranger's."
    return f"It came through {endpoint}, which is neither ours nor approved."


def _bypass_cause(case: Case) -> str:
    record = case.record
    if case.vpc:
        return (
            f"It left {case.vpc} through the NAT gateway {record.source_ip}: that VPC has no "
            "endpoint for Secrets Manager, or the caller does not resolve to it."
        )
    if runner := _runner(record):
        return f"{runner} reached Secrets Manager from {_from(record)}, not through a VPC endpoint."
    return f"It came from {_from(record)}, not through a VPC endpoint."


def _from(record: Record) -> str:
    match origin(record):
        case Origin.PUBLIC:
            return f"the public address {record.source_ip}"
        case Origin.PRIVATE:
            return f"the private address {record.source_ip}"
        case Origin.AWS:
            return f"AWS's own network ({record.source_ip})"
        case Origin.UNCLEAR:
            return f"an address that is masked ({record.source_ip})"
        case Origin.ABSENT:
            return "an address the record does not name"


def _runner(record: Record) -> str:
    """The thing that ran with a role, where the record tells: a function, a task, an instance."""
    identity = record.identity
    if identity.in_scope_of:
        kind = identity.in_scope_of_type.removeprefix("AWS::").replace("::", " ")
        return f"{kind or 'The workload'} {identity.in_scope_of}"
    if re.fullmatch(r"i-[0-9a-f]{8,17}", identity.session_name):
        return f"Instance {identity.session_name}"
    return ""


def todo_of(verdict: Verdict, case: Case) -> tuple[str, ...]:
    """What a person should do; nothing where there is no alert."""
    record = case.record
    match verdict:
        case Verdict.APPROVED | Verdict.SERVICE | Verdict.EXEMPT:
            return ()
        case Verdict.CONSOLE:
            return ("Ask the person whether this was them; read values by role through the VPC.",)
        case Verdict.ENDPOINT_DENIED:
            return (
                "If the caller should be let in, have the approved policy changed by review.",
                "If not, find out what it runs and why it asks.",
            )
        case Verdict.FOREIGN_ENDPOINT:
            return (
                f"Find out whose {record.vpc_endpoint_id} is.",
                "If it is yours, add it to ApprovedEndpoints, or its account to ApprovedAccounts.",
                "If not, revoke the caller's credentials and rotate what it read.",
            )
        case Verdict.UNREADABLE:
            return (
                "Look at the record in CloudTrail, and tell the guard's maintainers its shape.",
            )
        case Verdict.BYPASS:
            return _bypass_todo(case)


def _bypass_todo(case: Case) -> tuple[str, ...]:
    record = case.record
    if case.vpc:
        place = f"Check {case.vpc}: endpoint, private DNS, security group and resolver."
    elif record.identity.in_scope_of_type == "AWS::Lambda::Function":
        place = "Attach the function to a VPC that has the endpoint."
    elif _runner(record):
        place = "Check its VPC: endpoint, private DNS, security group and resolver."
    else:
        place = "Find out where the caller runs, and move it behind a VPC endpoint."
    after = {
        Reach.VALUE: "Rotate the secret if the caller is not known.",
        Reach.CHANGE: "Undo the change if the caller is not known.",
        Reach.LOOK: "Revoke the caller's credentials if it is not known.",
    }
    doubt = (
        "Nothing was given away; find out why it tried." if record.failed else after[reach(record)]
    )
    return (place, doubt, "If this is meant to be, add an exception with an owner and an expiry.")


# What single fields say


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
_SIGN_IN = ("signin.amazonaws.com", "signin.aws.amazon.com", "console.amazonaws.com")
_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)


def origin(record: Record) -> Origin:
    """What kind of thing `sourceIPAddress` holds.

    Private means not routable in the internet; Python's own `is_private` also has the networks
    reserved for documentation, which are masks and examples here.
    """
    source = record.source_ip.strip()
    if not source:
        return Origin.ABSENT
    if _names_service(source) and not _names_sign_in(source):
        return Origin.AWS
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return Origin.UNCLEAR
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return Origin.PRIVATE if any(address in network for network in _PRIVATE) else Origin.PUBLIC


def _names_service(text: str) -> bool:
    """Whether a text names an AWS service, or AWS's own network; "AWS Internal;" is real."""
    text = text.strip().rstrip(";").lower()
    if text == "aws internal" or text.startswith("aws internal/"):
        return True
    return bool(re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?", text))


def _names_sign_in(text: str) -> bool:
    return text.strip().rstrip(";").lower() in _SIGN_IN


def _is_endpoint(case: Case) -> bool:
    """Whether it names an endpoint at all; AWS puts other things into the field too."""
    return bool(case.record.vpc_endpoint_id) and not crossed_aws_network(case)


def _approved(case: Case) -> bool:
    return (
        came_through_known_endpoint(case)
        or came_through_own_account(case)
        or came_through_approved_account(case)
    )


def _unreadable_fields(record: Record) -> list[str]:
    return [name for name in record.strange if name in _DECISIVE]
