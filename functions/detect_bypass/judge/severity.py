"""How much a judged request matters, and the rules that it is weighed by. Pure."""

from collections.abc import Callable
from enum import StrEnum

from detect_bypass.judge.case import Case, Verdict
from detect_bypass.judge.locations import LAMBDA_FUNCTION
from detect_bypass.judge.origin import Origin, origin
from detect_bypass.judge.predicates import (
    came_through_unknown_endpoint,
    has_console_session,
    is_used_elsewhere,
    was_relayed,
)
from guard.cloudtrail.record import Record
from guard.findings.finding import Severity

type Rule = Callable[[Case], bool]


class Reach(StrEnum):
    """What a request is after, as far as its severity goes."""

    VALUE = "value"  # a secret's value travels, in either direction
    CHANGE = "change"
    METADATA = "look"  # part of fingerprints, so its value stays


_WITH_VALUE = frozenset(
    {"GetSecretValue", "BatchGetSecretValue", "PutSecretValue", "CreateSecret", "UpdateSecret"}
)
_READS = ("Describe", "List", "Get", "Validate")


def reach(record: Record) -> Reach:
    """What a request is after. An operation not known here counts as a change unless it reads."""
    if record.event_name in _WITH_VALUE:
        return Reach.VALUE
    return Reach.METADATA if record.event_name.startswith(_READS) else Reach.CHANGE


# What makes it matter more or less.


def is_root(case: Case) -> bool:
    """The caller is the account's root user, or a session that root itself handed out."""
    identity = case.record.identity
    return identity.type == "Root" or identity.issuer_arn.endswith(":root")


def root_had_value(case: Case) -> bool:
    """The root user read a secret's value, or wrote one."""
    return is_root(case) and reach(case.record) is Reach.VALUE and not was_refused(case)


def was_refused(case: Case) -> bool:
    """AWS refused it, or could not do it: nothing was given away."""
    return case.record.failed


def used_lasting_key(case: Case) -> bool:
    """An IAM user's key, which never ends, read a value or changed something from outside our VPCs.

    A role's session ends by itself. Metadata and refusals by such a key weigh what they always did.
    """
    identity = case.record.identity
    key = identity.type == "IAMUser" and identity.access_key_id.startswith("AKIA")
    mattered = reach(case.record) is not Reach.METADATA and not was_refused(case)
    return key and mattered and not case.proven_vpc


def reads_as_ever(case: Case) -> bool:
    """A workload in a VPC of ours reads what it has read before: misconfigured, most likely.

    Its address proves the VPC: a session's name is chosen by whoever assumes the role.
    """
    return bool(case.proven_vpc) and case.read_before and not is_used_elsewhere(case)


def met_the_guards_absence(case: Case) -> bool:
    """The guard itself had taken the endpoint away from the VPC that the caller's address proves.

    Whoever tears a VPC down can bring that about, so a first read weighs more than one as ever.
    """
    return case.guard_was_away and not is_used_elsewhere(case)


def is_rotating(case: Case) -> bool:
    """A function, by AWS's own word, does a step of a rotation: it handles the pending version."""
    record = case.record
    stages = record.request.get("versionStage"), record.request.get("versionStages")
    pending = any(one in (PENDING, [PENDING]) for one in stages)
    moves = record.event_name == "UpdateSecretVersionStage"
    by_function = record.identity.in_scope_of_type == LAMBDA_FUNCTION and not case.not_located
    return by_function and (pending or moves) and not is_used_elsewhere(case)


def came_through_aws_endpoint(case: Case) -> bool:
    """From the internet through an endpoint that no account is named for: AWS's own, as a rule."""
    nobody = not case.record.vpc_endpoint_account_id.isdecimal()
    public = origin(case.record) is Origin.PUBLIC
    return came_through_unknown_endpoint(case) and nobody and public


# Of a refusal by an endpoint's policy: who asked, and what for.


def person_asked_for_value(case: Case) -> bool:
    """A person asked for a value: root, an IAM user, a console or single sign-on session."""
    return _is_person(case) and reach(case.record) is Reach.VALUE


def workload_described(case: Case) -> bool:
    """A role of this account, with no person behind it, only asked to describe or list."""
    identity = case.record.identity
    own = identity.account_id in (case.inventory.accounts or {case.record.account}) - {""}
    workload = identity.type == "AssumedRole" and own and not _is_person(case)
    return workload and reach(case.record) is Reach.METADATA


def _is_person(case: Case) -> bool:
    identity = case.record.identity
    signed_on = ":role/aws-reserved/sso.amazonaws.com/" in identity.issuer_arn
    return identity.type in _PEOPLE or signed_on or has_console_session(case)


PENDING = "AWSPENDING"
_PEOPLE = ("Root", "IAMUser", "SAMLUser", "IdentityCenterUser")

WEIGHTS: tuple[tuple[Rule, int], ...] = (
    (is_root, 1),
    (was_refused, -1),
    (used_lasting_key, 1),
    (reads_as_ever, -1),
    (met_the_guards_absence, -1),
    (is_rotating, -1),
    (came_through_aws_endpoint, -1),
    (was_relayed, -1),
    (is_used_elsewhere, 1),
)
DENIAL_WEIGHTS: tuple[tuple[Rule, int], ...] = (
    (person_asked_for_value, 1),
    (workload_described, -1),
)
# What no verdict that alerts may fall below. Nobody needs root for a secret.
FLOORS: tuple[tuple[Rule, Severity], ...] = (
    (is_root, Severity.MEDIUM),
    (root_had_value, Severity.HIGH),
)
SEVERITY_RULES: tuple[Rule, ...] = tuple(
    dict.fromkeys(rule for rule, _ in (*WEIGHTS, *DENIAL_WEIGHTS, *FLOORS))
)


def severity_of(verdict: Verdict, case: Case) -> Severity:
    """How much it matters: by the way, what the request was after, its outcome and the caller."""
    if not verdict.alerts:
        return Severity.INFO
    floor = max((least.rank for rule, least in FLOORS if rule(case)), default=Severity.LOW.rank)
    rank = max(floor, min(Severity.HIGH.rank, _rank(verdict, case)))
    return list(Severity)[rank]


def _rank(verdict: Verdict, case: Case) -> int:
    """From the way it took or what it is after, up and down by the rules that hold."""
    match verdict:
        case Verdict.FOREIGN_ENDPOINT:
            return Severity.HIGH.rank + _weight(WEIGHTS, case)
        case Verdict.BYPASS:
            return _RANKS[reach(case.record)] + _weight(WEIGHTS, case)
        case Verdict.ENDPOINT_DENIED:
            return Severity.MEDIUM.rank + _weight(DENIAL_WEIGHTS, case)
        case _:  # the console, and what cannot be read
            return Severity.LOW.rank


_RANKS = {Reach.VALUE: 3, Reach.CHANGE: 2, Reach.METADATA: 1}


def _weight(weights: tuple[tuple[Rule, int], ...], case: Case) -> int:
    return sum(weight for rule, weight in weights if rule(case))
