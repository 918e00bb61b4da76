"""Why a request went the way it went, and what a person should do about it. Pure."""

from datetime import UTC, datetime

from detect_bypass.judge.case import Case, Verdict
from detect_bypass.judge.host import other_name
from detect_bypass.judge.locations import CallerLocation, function_of, instance_of
from detect_bypass.judge.origin import Origin, origin
from detect_bypass.judge.predicates import (
    has_console_session,
    is_used_elsewhere,
    unreadable_fields,
    used_client,
    was_relayed,
)
from detect_bypass.judge.severity import Reach, reach
from guard.cloudtrail.record import Record


def cause_of(verdict: Verdict, case: Case) -> str:
    """Why the verdict is what it is, in a sentence. A reviewed exception brings its own reason."""
    cause = _cause_of(verdict, case)
    if verdict.alerts and case.console_address:
        cause += f" The same session was first in the console at {case.console_address}."
    return cause


def _cause_of(verdict: Verdict, case: Case) -> str:
    record = case.record
    match verdict:
        case Verdict.EXEMPT:
            return "The guard itself checks secrets; it never reads their values."
        case Verdict.APPROVED:
            return f"It came through {record.vpc_endpoint_id}."
        case Verdict.SERVICE:
            service = record.identity.invoked_by or record.identity.name
            who = record.event_source if service == "unknown" else service
            return f"{who} acts on the owner's behalf."
        case Verdict.CONSOLE:
            return (
                "A person used the console, which never goes through the VPC's endpoint by itself."
            )
        case Verdict.ENDPOINT_DENIED:
            return f"The policy of {record.vpc_endpoint_id or 'an endpoint'} refused the request."
        case Verdict.FOREIGN_ENDPOINT:
            return _foreign_cause(record)
        case Verdict.UNREADABLE:
            fields = ", ".join(unreadable_fields(record))
            return f"The record cannot be judged: {fields or 'it names neither caller nor origin'}."
        case Verdict.BYPASS:
            return _bypass_cause(case)


def reason_of(verdict: Verdict, case: Case) -> str:
    """The kind of cause in a few words, without what differs from one such request to the next."""
    moved = ", not from the console's address" if verdict.alerts and case.console_address else ""
    return f"{_reason_of(verdict, case)}{moved}"


def _reason_of(verdict: Verdict, case: Case) -> str:
    if verdict is not Verdict.BYPASS:
        return verdict
    if was_relayed(case):
        return f"relayed by {_relay(case.record)}"
    if is_used_elsewhere(case):
        return USED_ELSEWHERE
    parts = ["console credentials"] if has_console_session(case) and used_client(case) else []
    if case.vpc:
        broken = " whose endpoint is broken" if case.location and case.location.broken else ""
        parts.append(f"{case.vpc}{broken}")
    if other := other_name(case.record):
        parts.append(other.kind)
    if case.guard_was_away:
        parts.append("the guard had taken the endpoint away")
    if case.not_located:
        parts.append("address not known")
    return ", ".join(parts) or "no endpoint"


USED_ELSEWHERE = "credentials used elsewhere"


def _foreign_cause(record: Record) -> str:
    endpoint, owner = record.vpc_endpoint_id, record.vpc_endpoint_account_id
    if owner:
        return f"It came through {endpoint} of account {owner}, which is not approved."
    if origin(record) is Origin.PUBLIC:
        return f"It came from {record.source_ip} through {endpoint}, of AWS or another customer."
    return f"It came through {endpoint}, which is neither ours nor approved."


def _bypass_cause(case: Case) -> str:
    record = case.record
    if was_relayed(case):
        return (
            f"It came from the hosts of {_relay(record)} with the identity {record.identity.name}: "
            "whoever writes what runs there chose this request, and not the service."
        )
    if has_console_session(case) and used_client(case):
        return f"{_console_credentials(record)} {_way_there(case)}"
    return _way_there(case)


def _relay(record: Record) -> str:
    return record.identity.invoked_by or record.source_ip


def _console_credentials(record: Record) -> str:
    """CloudTrail marks the credentials; the user agent says what used them."""
    if "exec-env/CloudShell" in record.user_agent:
        return "By its user agent it is AWS CloudShell, with the credentials of a console session."
    return (
        "A command line or SDK used the credentials of a console session, which the console itself "
        "keeps in the browser."
    )


def _way_there(case: Case) -> str:
    record, location = case.record, case.location
    if location and is_used_elsewhere(case):
        return (
            f"It has the credentials of {location.via} in {location.vpc_id}, and the address "
            f"{record.source_ip}, which nothing in this account has: either that VPC's traffic "
            "leaves by somebody else's gateway or proxy, or the credentials are used elsewhere."
        )
    other = other_name(record)
    if location and location.vpc_id and case.not_located:
        return (
            f"It has the credentials of {location.via} in {location.vpc_id}; whether "
            f"{record.source_ip} is an address of ours is not known: {case.not_located}."
        )
    if location and case.guard_was_away:
        since = datetime.fromtimestamp(case.inventory.absences[case.proven_vpc].start, UTC)
        return (
            f"It came out of {case.proven_vpc} ({location.via}), from which the guard itself had"
            f" taken its endpoint at {since:%Y-%m-%d %H:%M} UTC: the caller had no other way."
        )
    if location and location.vpc_id:
        why = location.trouble or "the VPC has no endpoint, or the caller does not resolve to it"
        return f"It came out of {location.vpc_id} ({location.via}): {other.why if other else why}."
    start = f"{_runner(record)} reached Secrets Manager" if _runner(record) else "It came"
    cause = f"{start} from {_from(record)}, not through a VPC endpoint."
    if other:
        cause += f" {other.why[0].upper()}{other.why[1:]}."
    if location:
        cause += f" {location.via} is in no VPC."
    elif case.not_located:
        cause += f" Whether that is a VPC of ours is not known: {case.not_located}."
    return cause


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
    """The thing that ran with a role, where the record says: a function, a task, an instance."""
    identity = record.identity
    if identity.in_scope_of:
        kind = identity.in_scope_of_type.removeprefix("AWS::").replace("::", " ")
        return f"{kind or 'The workload'} {identity.in_scope_of}"
    if instance := instance_of(record):
        return f"Instance {instance}"
    if function := function_of(record):
        return f"Function {function}"
    return ""


def todo_of(verdict: Verdict, case: Case) -> tuple[str, ...]:
    """What a person should do; nothing where there is no alert."""
    record = case.record
    match verdict:
        case Verdict.APPROVED | Verdict.SERVICE | Verdict.EXEMPT:
            return ()
        case Verdict.CONSOLE:
            if case.console_address:
                both = f"{case.console_address} and {record.source_ip}"
                return (f"Ask the person whether {both} are theirs; if not, revoke the sessions.",)
            return ("Ask the person whether this was them; read values by role through the VPC.",)
        case Verdict.ENDPOINT_DENIED:
            return (
                "If the caller should be let in, have the approved policy changed by review.",
                "If not, find out what it runs and why it asks.",
            )
        case Verdict.FOREIGN_ENDPOINT:
            return (
                f"Find out whose {record.vpc_endpoint_id} is.",
                "If it is yours, add it to approved.json, or its account to ApprovedAccounts.",
                "If not, revoke the caller's credentials and rotate what it read.",
            )
        case Verdict.UNREADABLE:
            return (
                "Read the record in CloudTrail, and report its shape to the guard's maintainers.",
            )
        case Verdict.BYPASS:
            return _bypass_todo(case)


def _bypass_todo(case: Case) -> tuple[str, ...]:
    record = case.record
    if case.guard_was_away and not is_used_elsewhere(case):
        return (
            "See the VPC's finding stood-down or endpoint-yielded: the caller need not change.",
            "Rotate the secret if the caller is not known.",
        )
    location = _where_to_check(case, case.location)
    after = {
        Reach.VALUE: "Rotate the secret if the caller is not known.",
        Reach.CHANGE: "Undo the change if the caller is not known.",
        Reach.METADATA: "Revoke the caller's credentials if it is not known.",
    }
    doubt = (
        "Nothing was given away; find out why it tried." if record.failed else after[reach(record)]
    )
    return location, doubt


def _where_to_check(case: Case, location: CallerLocation | None) -> str:
    record = case.record
    if location and is_used_elsewhere(case):
        return (
            f"Find out whether {location.vpc_id} reaches the internet by {record.source_ip}; if "
            f"not, treat the credentials of {location.via} as stolen and revoke the role's "
            "sessions."
        )
    if was_relayed(case):
        return f"Ask the owner of {record.identity.name} what runs in {_relay(record)} with it."
    if has_console_session(case) and used_client(case):
        return "Ask the person whether this was them; if not, revoke the sessions of the role."
    if other := other_name(record):
        return other.todo
    if location and location.vpc_id and location.trouble and not location.broken:
        name = record.host or "the name of Secrets Manager"
        return (
            f"Find out how the caller in {location.vpc_id} resolves {name}: its DNS servers, a "
            "proxy, hosts files."
        )
    if location and location.vpc_id:
        return f"Check {location.vpc_id}: endpoint, private DNS, security group and resolver."
    if function_of(record):
        return "Attach the function to a VPC that has the endpoint."
    if _runner(record):
        return "Check its VPC: endpoint, private DNS, security group and resolver."
    return "Find out where the caller runs, and move it behind a VPC endpoint."
