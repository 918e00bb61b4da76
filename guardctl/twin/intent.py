"""What should become of a request: must it pass, must it be stopped, or has nobody said. Pure.

It follows the judgement of `detect_bypass`. What a policy cannot distinguish, but the
judgement does, is undecided until somebody names it: a service that asks with a role of its own has
neither aws:PrincipalIsAWSService nor aws:ViaAWSService ("AWS global condition context keys" in the
IAM User Guide), so that a perimeter denies it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from detect_bypass.judge import Judgement, Origin, Verdict, origin
from detect_bypass.judge.exceptions import Exemption
from detect_bypass.judge.locations import function_of, instance_of
from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_id
from guardctl.twin.scope import Kind, Scope, has_no_secret

_NAME_IT = "--pass ARN or --stop ARN"
_IDENTITY = re.compile(r":(role|user)/")
_OF_PERSONS = ("IAMUser", "Root", "FederatedUser")


class Intent(StrEnum):
    PASS = "pass"
    STOP = "stop"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Excepted:
    """The principals and networks by which a policy lets pass what an exception does."""

    name: str
    ends: datetime
    principals: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Meant:
    """What should become of a request, and why; `todo` is what decides it, where nothing does.

    `forwarded`: a service asks with the caller's own rights. `exception` is what a policy has to
    name for the request to pass.
    """

    intent: Intent
    why: str
    todo: str = ""
    forwarded: bool = False
    exception: Excepted | None = None


def principal_arn(record: Record) -> str:
    """What aws:PrincipalArn is of the caller: of a role's session, the role."""
    identity = record.identity
    return identity.issuer_arn if identity.type == "AssumedRole" else identity.arn


def meant(
    record: Record, judgement: Judgement, scope: Scope, exceptions: Sequence[Exemption] = ()
) -> Meant:
    """What should become of the request in a record. Total."""
    if scope.kind is Kind.ENDPOINT:
        return _meant_at_endpoint(record, scope)
    arn = principal_arn(record)
    over_internet = not record.vpc_endpoint_id
    if scope.names(arn) or (over_internet and scope.has_address(record.source_ip)):
        return Meant(Intent.PASS, "named, or a service-linked role")
    found = _meant(record, judgement, scope)
    if used := next((one for one in exceptions if one.name == judgement.exemption), None):
        found = _excepted(used, record)
    if found.intent is Intent.UNDECIDED and scope.is_stopped(arn, record.identity.name):
        return Meant(Intent.STOP, f"named to be stopped: {found.why}")
    return found


def _meant(record: Record, judgement: Judgement, scope: Scope) -> Meant:
    match judgement.verdict:
        case Verdict.APPROVED:
            return _through_endpoint(record, scope)
        case Verdict.EXEMPT:
            return Meant(Intent.PASS, "the guard itself")
        case Verdict.SERVICE:
            return _by_service(record, scope)
        case Verdict.CONSOLE:
            return Meant(Intent.STOP, "a person in the console")
        case Verdict.FOREIGN_ENDPOINT:
            return Meant(Intent.STOP, "an endpoint that is not approved")
        case Verdict.BYPASS:
            return _bypass(record, scope)
        case Verdict.UNREADABLE | Verdict.ENDPOINT_DENIED:
            return Meant(Intent.UNDECIDED, "the record cannot be judged", _NAME_IT)


def _through_endpoint(record: Record, scope: Scope) -> Meant:
    endpoint = record.vpc_endpoint_id
    if endpoint in scope.vpc_of:
        return Meant(Intent.PASS, "an own or approved endpoint")
    todo = f"--endpoint-vpc {endpoint}=VPC, or --endpoints FILE"
    return Meant(Intent.UNDECIDED, f"{endpoint} is approved, and its VPC is not known", todo)


def _by_service(record: Record, scope: Scope) -> Meant:
    identity = record.identity
    if identity.type == "AWSService" or not (identity.type or identity.arn):
        return Meant(Intent.PASS, "AWS by its own principal")
    if identity.invoked_by and _asks_for_caller(record, scope):
        return Meant(Intent.PASS, "a forward access session", forwarded=True)
    return _service_role(record, "--forwarded ARN, " * bool(identity.invoked_by))


def _asks_for_caller(record: Record, scope: Scope) -> bool:
    """Whether a service asks with its caller's rights, which CloudTrail does not say of a role.

    No service has a user, or a role of IAM Identity Center, as a role of its own.
    """
    arn = record.identity.issuer_arn
    persons = record.identity.type in _OF_PERSONS or ":role/aws-reserved/sso.amazonaws" in arn
    return persons or scope.is_forwarded(arn, record.identity.name)


def _service_role(record: Record, besides: str = "") -> Meant:
    where = record.identity.invoked_by or record.source_ip or record.vpc_endpoint_id
    why = f"a role that is used by {where}: a policy denies it, where it is the service's own role"
    return Meant(Intent.UNDECIDED, why, f"{besides}{_NAME_IT}")


def _bypass(record: Record, scope: Scope) -> Meant:
    source = origin(record)
    if source is Origin.AWS or (record.vpc_endpoint_id and source is not Origin.PUBLIC):
        return _service_role(record)
    runner = record.identity.in_scope_of or instance_of(record) or function_of(record)
    own = scope.is_own_address(record.source_ip) or source is Origin.PRIVATE
    if runner or own:
        why = f"a workload of yours ({runner or record.source_ip}), past the endpoint"
        return Meant(Intent.UNDECIDED, why, f"repair its VPC first; {_NAME_IT}")
    return Meant(Intent.STOP, "the public way")


def _meant_at_endpoint(record: Record, scope: Scope) -> Meant:
    """Through an endpoint of ours pass our own callers to our own secrets."""
    if strangers := sorted(set(_accounts_in(record)) - scope.known_accounts):
        why = f"through an endpoint of yours, of account {' and '.join(strangers)}"
        if scope.is_stopped(principal_arn(record), record.identity.name, *strangers):
            return Meant(Intent.STOP, f"named to be stopped: {why}")
        return Meant(Intent.UNDECIDED, why, "--account ID, --approved-account ID, or --stop ID")
    return Meant(Intent.PASS, "own and approved accounts only")


def _accounts_in(record: Record) -> Iterator[str]:
    if record.identity.account_id:
        yield record.identity.account_id
    named = secret_id(record) or ""
    if not has_no_secret(record.event_name) and named.count(":") >= 6:
        yield named.split(":")[4]


def _excepted(exemption: Exemption, record: Record) -> Meant:
    """An exception for a principal alone, or for a network alone, is one that a policy can have.

    Any other asks for more at once, and a policy that named a part of it would let in more than was
    reviewed.
    """
    asked = [
        name
        for name in ("principal", "cidr", "vpc", "endpoint", "secret", "action", "account")
        if getattr(exemption, name)
    ]
    arn, why = principal_arn(record), f"exception {exemption.name}"
    principals = frozenset({arn}) if asked == ["principal"] and _IDENTITY.search(arn) else None
    networks = frozenset(map(str, exemption.cidr)) if asked == ["cidr"] else None
    if principals is None and networks is None:
        why += " is narrower than what a policy can let pass"
        return Meant(Intent.UNDECIDED, why, _NAME_IT)
    named = Excepted(
        exemption.name, exemption.expires, principals or frozenset(), networks or frozenset()
    )
    return Meant(Intent.PASS, why, exception=named)
