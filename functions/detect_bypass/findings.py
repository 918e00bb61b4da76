"""From judged records to findings: what is published, and what counts as the same thing.

One occurrence is one alert. A finding's fingerprint holds the caller, the way, and what the caller
was after, but not the secret: a BatchGetSecretValue writes one GetSecretValue for each secret it
returns, and with filters does not name them. The secrets, events and addresses are in the evidence.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from detect_bypass.judge import Judgement, Origin, Reach, Verdict, origin, reach
from detect_bypass.judge.cause import USED_ELSEWHERE
from detect_bypass.judge.locations import network_of
from detect_bypass.judge.spelling import which_secret
from detect_bypass.merging import united
from detect_bypass.proposal import command_for, proposed
from detect_bypass.secret_changes import secret_change
from detect_bypass.storm import ELSEWHERE
from guard.cloudtrail.callers import tool_of
from guard.cloudtrail.evidence import clip, evidence_of, hashed, links_of, principal, short
from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_ids
from guard.findings.finding import (
    FIRST_CHANGE,
    FIRST_READ,
    SEVERITY,
    Finding,
    Kind,
    Severity,
    bounded,
    fingerprint_of,
)

KINDS = {
    Verdict.BYPASS: Kind.BYPASS,
    Verdict.CONSOLE: Kind.CONSOLE_ACCESS,
    Verdict.FOREIGN_ENDPOINT: Kind.FOREIGN_ENDPOINT,
    Verdict.ENDPOINT_DENIED: Kind.ENDPOINT_DENIED,
    Verdict.UNREADABLE: Kind.UNREADABLE_RECORD,
}

_NOT_NAMED = "not named"  # CloudTrail left the request out, or a filter chose the secrets
_POLICY_CLIPPED = 6_000  # of a policy's 20,480, so that a finding stays far below SNS's 256 KB


def findings(
    record: Record,
    judgement: Judgement,
    window: int,
    *,
    done: Sequence[str] = (),
    policy: str = "",
    policy_name: str = "",
    own_accounts: Collection[str] = (),
    organization: str = "",
) -> list[Finding]:
    """What to publish of one record: how it came, if that is an alert, and a secret's change.

    `window` is the number of seconds in which equal findings are one alert, `done` what the guard
    did about it, `policy` the one of the endpoint it came through, as far as that is known, and
    `policy_name` the approved policy that it is. A policy of a secret may let principals of
    `own_accounts` and of our `organization` in.
    """
    found: list[Finding] = []
    if judgement.alert:
        way = _way(record, judgement, window)
        policies = _policy(policy, policy_name) if way.kind is Kind.ENDPOINT_DENIED else {}
        found.append(replace(way, done=done, evidence={**way.evidence, **policies}))
    change = secret_change(record, window, own_accounts, organization)
    # The guard's own findings say what it changed, but not whom the policy lets in.
    by_guard = dict(judgement.predicates).get("is_the_guard", False)
    if change and not (by_guard and change.severity.rank < Severity.HIGH.rank):
        found.append(change)
    return found


def unreadable(
    detail: object, why: str, *, account: str, region: str, seen: datetime, window: int
) -> Finding:
    """What to publish of something that should be a record and cannot be read as one."""
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
        todo=("Find the event in CloudTrail, and report its shape to the guard's maintainers.",),
        evidence={key: clip(str(value)) for key, value in known.items()},
        identity=(why,),
        window=window,
        first_seen=seen,
        last_seen=seen,
    )


def fingerprint(record: Record, judgement: Judgement) -> str:
    """The fingerprint of a record's way, also where it is no alert."""
    kind, resource, identity = _what(record, judgement)
    verdict = () if judgement.alert else (judgement.verdict,)
    return fingerprint_of(kind, record.account, record.region, resource, (*verdict, *identity))


def collapse(found: Sequence[Finding]) -> list[Finding]:
    """Equal findings as one, with the highest severity and everything their evidence lists."""
    by_fingerprint: dict[str, list[Finding]] = {}
    for finding in found:
        by_fingerprint.setdefault(finding.fingerprint, []).append(finding)
    return [united(equal) for equal in by_fingerprint.values()]


def _way(record: Record, judgement: Judgement, window: int) -> Finding:
    kind, resource, identity = _what(record, judgement)
    return Finding(
        kind=kind,
        severity=judgement.severity,
        account=record.account,
        region=record.region,
        resource=resource,
        title=_title(kind, record),
        cause=judgement.cause,
        todo=(*judgement.todo, *_way_to_except(record, judgement)),
        evidence=evidence_of(record) | ({"vpc": judgement.vpc_id} if judgement.vpc_id else {}),
        links=links_of(record, kind, judgement.vpc_id),
        identity=identity,
        window=window,
        graver=_graver(judgement),
        novel=_novel(record, judgement),
        first_seen=record.event_time,
        last_seen=record.event_time,
    )


def _what(record: Record, judgement: Judgement) -> tuple[Kind, str, tuple[str, ...]]:
    """Kind, resource and identity of its finding: what makes two records one occurrence."""
    kind = KINDS.get(judgement.verdict, Kind.BYPASS)
    by_endpoint = kind in (Kind.FOREIGN_ENDPOINT, Kind.ENDPOINT_DENIED)
    caller = principal(record)
    resource = (record.vpc_endpoint_id if by_endpoint else "") or caller
    return kind, resource, (caller, reach(record), _outcome(record), _place(record, judgement))


def _way_to_except(record: Record, judgement: Judgement) -> tuple[str, ...]:
    """The command that adds an exception for this, where one is proposed."""
    entry = proposed(record, judgement)
    if not entry:
        return ()
    return (f"If this is meant to be, give the reason: {command_for(entry, record.event_time)}",)


def _place(record: Record, judgement: Judgement) -> str:
    """Where the caller is, as far as it makes an occurrence another one.

    A function outside any VPC comes from another address at each start, so there AWS's word for
    what it is (`inScopeOf`, which the caller cannot write) takes the address's place. Whatever is
    in a VPC, or perhaps is, has an address: there another one may be a thief's.
    """
    if judgement.reason.startswith(USED_ELSEWHERE):
        return f"{ELSEWHERE}{record.source_ip}"
    if judgement.roams:
        return record.identity.in_scope_of
    if origin(record) is Origin.AWS:
        return record.identity.invoked_by or record.source_ip
    return record.source_ip if origin(record) is Origin.PUBLIC else origin(record).value


def _graver(judgement: Judgement) -> tuple[str, ...]:
    """What is graver about it than about an equal one: a severity that is higher, another cause."""
    reached = [one for one in Severity if one.rank <= judgement.severity.rank]
    return (*(f"{SEVERITY}{one}" for one in reached), f"cause {hashed(judgement.reason)}")


def _novel(record: Record, judgement: Judgement) -> tuple[str, ...]:
    """What is new in kind the first time: a lasting key, another tool, the first read of a secret
    or the first change of this sort to it, for a caller whose address changes an address far from
    the others.

    A request that was refused, described or listed gave nothing away: its secrets are not new.
    Of secrets that the record does not name, the first time is new.
    """
    tool = tool_of(record.user_agent), "exec-env/AWS_Lambda_" in record.user_agent
    words = [f"tool {tool[0]}{' in Lambda' if tool[1] else ''}"]
    if dict(judgement.predicates).get("used_lasting_key"):
        words.append(f"key {record.identity.access_key_id}")
    if judgement.roams:
        words.append(f"address {network_of(record)}")
    if reach(record) is not Reach.METADATA and not record.failed:
        named = [which_secret(one, record) for one in secret_ids(record)]
        secrets = named or [_NOT_NAMED]
        words += [_first_use(record.event_name, one) for one in secrets]
    return bounded(words)


def _first_use(action: str, secret: str) -> str:
    """A read, whichever call read it, is not a change, and a change hides no other one."""
    if action.endswith("GetSecretValue"):
        return f"{FIRST_READ}{hashed(secret)}"
    return f"{FIRST_CHANGE}{hashed(f'{action} {secret}')}"


def _outcome(record: Record) -> str:
    return "failed" if record.failed else "done"


def _title(kind: Kind, record: Record) -> str:
    who, what = short(principal(record)), clip(record.event_name)
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
            title = f"{what} by {who} bypassed the VPC endpoint"
    return f"Blocked: {title}" if record.failed else title


def _policy(policy: str, name: str) -> dict[str, str]:
    """The policy that refused: its text is cut, so the digest says which it is."""
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
