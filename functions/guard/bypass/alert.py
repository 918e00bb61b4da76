"""From judged records to findings: what ops are told, and what counts as the same thing.

One occurrence is one alert. A finding's fingerprint holds the caller, the way, and what the caller
was after, but not the secret: a BatchGetSecretValue writes one GetSecretValue for each secret it
returns, and with filters does not name them. The secrets, events and addresses are in the evidence.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from guard.events.record import Record, secret_id, secret_ids
from guard.finding import Finding, Kind, Severity, merge_equal
from guard.judge import Judgement, Origin, Verdict, origin, reach
from guard.judge.exceptions import Exemption, name_of_secret
from guard.links import console_links
from guard.partitions import partition_in

KINDS = {
    Verdict.BYPASS: Kind.BYPASS,
    Verdict.CONSOLE: Kind.CONSOLE_ACCESS,
    Verdict.FOREIGN_ENDPOINT: Kind.FOREIGN_ENDPOINT,
    Verdict.ENDPOINT_DENIED: Kind.ENDPOINT_DENIED,
    Verdict.UNREADABLE: Kind.UNREADABLE_RECORD,
}
POLICY_CHANGES = ("PutResourcePolicy", "DeleteResourcePolicy")

_LISTED = 20  # of secrets, events or addresses in one finding's evidence
_POLICY_CLIPPED = 6_000  # of a policy's 20,480, so that a finding stays far below SNS's 256 KB
_CLIPPED = 1_000  # characters of a text somebody else chose


def findings(
    record: Record,
    judgement: Judgement,
    window: int,
    *,
    done: Sequence[str] = (),
    policy: str = "",
    policy_name: str = "",
) -> list[Finding]:
    """What to tell of one record: how it came, if that is an alert, and a secret's changed policy.

    `window` is the number of seconds in which equal findings are one alert, `done` what the guard
    did about it, `policy` the one of the endpoint it came through, as far as that is known, and
    `policy_name` the approved policy that it is.
    """
    told: list[Finding] = []
    if judgement.alert:
        way = _way(record, judgement, window)
        found = _policy(policy, policy_name) if way.kind is Kind.ENDPOINT_DENIED else {}
        told.append(replace(way, done=done, evidence={**way.evidence, **found}))
    by_guard = dict(judgement.predicates).get("is_the_guard", False)  # whose finding tells it
    if record.event_name in POLICY_CHANGES and not record.failed and not by_guard:
        told.append(_policy_changed(record, window))
    return told


def expired_exceptions(
    record: Record, judgement: Judgement, exceptions: Sequence[Exemption]
) -> list[Finding]:
    """What to tell of exceptions that would have covered an alert, had they not expired."""
    return [
        Finding(
            kind=Kind.EXCEPTION_EXPIRED,
            severity=Severity.MEDIUM,
            account=record.account,
            region=record.region,
            resource=f"exception {one.name}",
            title=f"The exception {one.name} has expired and is still needed",
            cause=(
                f"It expired on {one.expires:%Y-%m-%d %H:%M} UTC, and {principal(record)} called "
                f"{record.event_name} after that. Its reason was: {one.reason}"
            ),
            todo=(
                f"Ask {one.owner} whether the reason still holds.",
                "If it does, prolong the exception by review; if not, remove it from the file.",
            ),
            evidence={"owner": one.owner, "events": [record.event_id] if record.event_id else []},
            identity=(one.name, one.expires.isoformat()),
            window=0,  # the caller tells each but once
            first_seen=record.event_time,
            last_seen=record.event_time,
        )
        for one in exceptions
        if one.name in judgement.expired
    ]


def reader(record: Record) -> str:
    """Who reads what: 24 hexadecimal digits, equal for the same caller and the same secrets."""
    parts = [principal(record), *sorted(name_of_secret(one) for one in secret_ids(record))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def unreadable(
    detail: object, why: str, *, account: str, region: str, seen: datetime, window: int
) -> Finding:
    """What to tell of something that should be a record and cannot be read as one."""
    some: Mapping[str, Any] = cast(Mapping[str, Any], detail) if isinstance(detail, Mapping) else {}
    known = {key: some[key] for key in ("eventID", "eventName", "eventSource") if key in some}
    return Finding(
        kind=Kind.UNREADABLE_RECORD,
        severity=Severity.LOW,
        account=account,
        region=region,
        resource="CloudTrail",
        title="A CloudTrail record could not be read",
        cause=f"{why[0].upper()}{why[1:]}.",
        todo=("Look for the event in CloudTrail, and tell the guard's maintainers its shape.",),
        evidence={key: _clip(str(value)) for key, value in known.items()},
        identity=(why,),
        window=window,
        first_seen=seen,
        last_seen=seen,
    )


def fingerprint(record: Record, judgement: Judgement) -> str:
    """The fingerprint of a record's way, also where it is no alert."""
    finding = _way(record, judgement, window=0)
    if judgement.alert:
        return finding.fingerprint
    return replace(finding, identity=(judgement.verdict, *finding.identity)).fingerprint


def once[T](things: Iterable[T], record_of: Callable[[T], Record]) -> list[T]:
    """The things without those whose record comes again: delivered twice, or to two accounts.

    The copies of one call in two accounts share an id (`sharedEventID`). A call's management event
    and its network activity event may share one too, and are not the same news.
    """
    seen: set[tuple[str, ...]] = set()
    first: list[T] = []
    for thing in things:
        ids = calls(record_of(thing))
        if not ids & seen:
            first.append(thing)
        seen |= ids
    return first


def calls(record: Record) -> set[tuple[str, ...]]:
    """What two records of one call have in common, see `once`; nothing where it has no ids."""
    ids = set[tuple[str, ...]]()
    if record.event_id:
        ids.add(("event", record.event_id))
    if record.shared_event_id:
        ids.add(("shared", record.shared_event_id, record.event_category))
    return ids


def collapse(told: Sequence[Finding]) -> list[Finding]:
    """Equal findings as one, with the highest severity and everything their evidence lists."""
    by_fingerprint: dict[str, list[Finding]] = {}
    for finding in told:
        by_fingerprint.setdefault(finding.fingerprint, []).append(finding)
    return [_as_one(equal) for equal in by_fingerprint.values()]


def _as_one(equal: Sequence[Finding]) -> Finding:
    if len(equal) == 1:
        return equal[0]
    merged = merge_equal(equal)[0]
    worst = max(equal, key=lambda finding: finding.severity.rank)
    evidence = dict(merged.evidence)
    for key, value in evidence.items():
        if isinstance(value, list):
            lists = [cast(list[str], one.evidence[key]) for one in equal]
            evidence[key] = list(dict.fromkeys(text for some in lists for text in some))[:_LISTED]
    return replace(merged, severity=worst.severity, evidence=evidence)


def _way(record: Record, judgement: Judgement, window: int) -> Finding:
    kind = KINDS.get(judgement.verdict, Kind.BYPASS)
    by_endpoint = kind in (Kind.FOREIGN_ENDPOINT, Kind.ENDPOINT_DENIED)
    caller = principal(record)
    return Finding(
        kind=kind,
        severity=judgement.severity,
        account=record.account,
        region=record.region,
        resource=(record.vpc_endpoint_id if by_endpoint else "") or caller,
        title=_title(kind, record),
        cause=judgement.cause,
        todo=judgement.todo,
        evidence=_evidence(record) | ({"vpc": judgement.vpc_id} if judgement.vpc_id else {}),
        links=_links(record, kind, judgement.vpc_id),
        identity=(caller, reach(record), _outcome(record), _place(record)),
        window=window,
        first_seen=record.event_time,
        last_seen=record.event_time,
    )


def _policy_changed(record: Record, window: int) -> Finding:
    """A change is told once, however often and by whichever rule its event comes."""
    secret = secret_id(record) or "a secret the record does not name"
    verb = "set" if record.event_name == "PutResourcePolicy" else "deleted"
    policy = record.request.get("resourcePolicy")
    return Finding(
        kind=Kind.SECRET_POLICY_CHANGED,
        severity=Severity.LOW,
        account=record.account,
        region=record.region,
        resource=_clip(secret),
        title=f"The resource policy of {_short(secret)} was {verb}",
        cause=f"{principal(record)} called {record.event_name}.",
        todo=("Check that the policy still lets in only those who should read the secret.",),
        evidence=_evidence(record) | ({"policy": policy} if policy else {}),
        links=_links(record, Kind.SECRET_POLICY_CHANGED),
        identity=(record.event_id or record.event_time.isoformat(), record.event_name),
        window=window,
        first_seen=record.event_time,
        last_seen=record.event_time,
    )


def principal(record: Record) -> str:
    """Who called, without what changes from session to session.

    A role's sessions are one caller, except where the session is the person: IAM Identity Center.
    """
    identity = record.identity
    person = "AWSReservedSSO_" in identity.issuer_arn
    return _clip((identity.issuer_arn if not person else "") or identity.name)


def _place(record: Record) -> str:
    """Where the caller is, as far as it makes an occurrence another one.

    A function outside any VPC comes from another address at each start, so there AWS's word for
    what it is (`inScopeOf`, which the caller cannot write) takes the address's place.
    """
    if record.identity.in_scope_of:
        return record.identity.in_scope_of
    return record.source_ip if origin(record) is Origin.PUBLIC else origin(record).value


def _outcome(record: Record) -> str:
    return "failed" if record.failed else "done"


def _title(kind: Kind, record: Record) -> str:
    who, what = _short(principal(record)), _clip(record.event_name)
    endpoint = record.vpc_endpoint_id or "an endpoint"
    match kind:
        case Kind.CONSOLE_ACCESS:
            title = f"{who} used the console for {what}"
        case Kind.FOREIGN_ENDPOINT:
            title = f"{what} by {who} came through {endpoint}, which is not approved"
        case Kind.ENDPOINT_DENIED:
            return f"{endpoint} refused {what} by {who}"
        case Kind.UNREADABLE_RECORD:
            return f"{what} by {who} cannot be judged"
        case _:
            title = f"{what} by {who} went round the VPC endpoint"
    return f"Blocked: {title}" if record.failed else title


def _evidence(record: Record) -> dict[str, Any]:
    """Lists hold what may differ between equal findings: they are united when those are merged."""
    identity = record.identity
    some = {
        "principal": identity.name,
        "principal_type": identity.type,
        "access_key_id": identity.access_key_id,
        "session": identity.session_name,
        "runs_as": identity.in_scope_of,
        "invoked_by": identity.invoked_by,
        "vpc_endpoint_id": record.vpc_endpoint_id,
        "vpc_endpoint_account": record.vpc_endpoint_account_id,
        "user_agent": record.user_agent,
        "error": record.error_code,
        "error_message": record.error_message,
    }
    lists = {
        "actions": [record.event_name],
        "secrets": list(secret_ids(record)),
        "addresses": [record.source_ip],
        "events": [record.event_id],
    }
    clipped = {key: [_clip(text) for text in texts if text] for key, texts in lists.items()}
    return {key: _clip(text) for key, text in some.items() if text} | {
        key: texts[:_LISTED] for key, texts in clipped.items()
    }


def _policy(policy: str, name: str) -> dict[str, str]:
    """What is said of the policy that refused: its text is cut, so the digest tells which it is."""
    if not policy:
        return {}
    return {
        "endpoint_policy_name": name or "none of the approved policies",
        "endpoint_policy": _compact(policy)[:_POLICY_CLIPPED],
        "endpoint_policy_sha256": hashlib.sha256(policy.encode()).hexdigest(),
    }


def _compact(policy: str) -> str:
    """A policy without the blanks that AWS sets it with."""
    try:
        return json.dumps(json.loads(policy), separators=(",", ":"))
    except ValueError:
        return policy


def _links(record: Record, kind: Kind, vpc_id: str = "") -> dict[str, str]:
    """Console pages of what is in the owner's account; a foreign endpoint is not."""
    return console_links(
        partition_in(record.identity.arn, record.region),
        record.region,
        event=record.event_id,
        secret=secret_id(record),
        endpoint=record.vpc_endpoint_id if kind is Kind.ENDPOINT_DENIED else None,
        vpc=vpc_id or None,
    )


def _short(name: str) -> str:
    """An ARN's last part, which is what people call the thing."""
    return name.split(":", 5)[5] if name.count(":") >= 5 else name


def _clip(text: str) -> str:
    return text if len(text) <= _CLIPPED else f"{text[:_CLIPPED]}..."
