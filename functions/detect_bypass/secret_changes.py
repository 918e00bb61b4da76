"""What is published of a change to a secret itself: its resource policy, and copies of it. Pure.

AWS: PutResourcePolicy, DeleteResourcePolicy, ReplicateSecretToRegions and CreateSecret (parameter
AddReplicaRegions) in the Secrets Manager API reference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from detect_bypass.judge.spelling import arn_of, name_of_secret
from guard.cloudtrail.evidence import clip, evidence_of, hashed, links_of, principal, short
from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_id
from guard.cloudtrail.secret_calls import POLICY_CHANGES, copied_to
from guard.findings.finding import SEVERITY, Finding, Kind, Severity
from guard.findings.summary import LISTED, several

if TYPE_CHECKING:
    from detect_bypass.readers import Strangers


def secret_change(
    record: Record, window: int, own_accounts: Collection[str], organization: str = ""
) -> Finding | None:
    """The finding of a policy that was set or deleted, or of a copy in another Region.

    None for any other record, and for a change that AWS refused. Changes by one caller to one
    secret's policy are one alert in `window` seconds, unless one of them is graver: more severe, or
    it lets in somebody whom none before it did.
    """
    if record.failed:
        return None
    if record.event_name in POLICY_CHANGES:
        return _policy_changed(record, window, own_accounts, organization)
    regions = copied_to(record)
    return _copied(record, window, regions) if regions else None


def _policy_changed(
    record: Record, window: int, own_accounts: Collection[str], organization: str
) -> Finding:
    verb = "set" if record.event_name == "PutResourcePolicy" else "deleted"
    found = _let_in(record, own_accounts, organization) if verb == "set" else None
    severity, opened = _weighed(found) if found else (Severity.LOW, "")
    policy = record.request.get("resourcePolicy")
    let_in = [*found.surely, *found.perhaps][:LISTED] if found else []
    finding = _finding(
        record,
        Kind.SECRET_POLICY_CHANGED,
        severity,
        title=f"The resource policy of {short(_secret(record))} was {verb}",
        cause=f"{principal(record)} called {record.event_name}.{opened}",
        todo=_CLOSE if severity.rank >= Severity.MEDIUM.rank else _CHECK,
        evidence={
            **({"policy": policy} if policy else {}),
            **({"let_in": [clip(one) for one in let_in]} if let_in else {}),
        },
        window=window,
    )
    return replace(finding, graver=(*finding.graver, *_words(found))) if found else finding


def _let_in(record: Record, own_accounts: Collection[str], organization: str) -> Strangers:
    from detect_bypass.readers import strangers  # the evaluator: few records need it

    secret = secret_id(record)
    arn = arn_of(secret, record) if secret else ""
    own = {record.account, *own_accounts}
    return strangers(record.request.get("resourcePolicy"), arn, own, organization)


def _weighed(found: Strangers) -> tuple[Severity, str]:
    perhaps = f"{several(found.perhaps)} may read it under its conditions"
    if found.surely:
        also = f"; {perhaps}" if found.perhaps else ""
        return (
            Severity.HIGH,
            f" By the new policy {several(found.surely)} may read its value{also}.",
        )
    if found.unreadable:
        return Severity.MEDIUM, f" Whom it lets in is not known: {found.unreadable}."
    if found.perhaps:
        # Whoever hides a reader behind many who may not read is not taken at their word.
        severity = Severity.HIGH if found.unasked else Severity.MEDIUM
        return severity, f" By the new policy {perhaps}."
    return Severity.LOW, ""


def _words(found: Strangers) -> list[str]:
    """One for each who is let in: a second stranger is as grave as the first one."""
    surely = [f"opens {hashed(one)}" for one in found.surely]
    return [*surely, *(f"perhaps {hashed(one)}" for one in found.perhaps)]


def _secret(record: Record) -> str:
    return clip(secret_id(record) or "a secret the record does not name")


_CHECK = ("Check that the policy still lets in only those who should read the secret.",)
_CLOSE = (
    "If this was not meant, put the policy before back: guardctl suggest-secret-policy helps.",
    "Find out who read the secret since, and rotate it if anybody did who should not.",
)


def _copied(record: Record, window: int, regions: list[str]) -> Finding:
    where = several([clip(region) for region in regions])
    return _finding(
        record,
        Kind.SECRET_REPLICATED,
        Severity.MEDIUM,
        title=f"{short(_secret(record))} was copied to {where}",
        cause=(
            f"{principal(record)} called {record.event_name}. Whoever reads the copy asks in that "
            f"Region, where the guard of {record.region} sees nothing."
        ),
        todo=(
            f"If this is meant to be, deploy VPCE Guard in {where}, too.",
            "If not, remove the copy: aws secretsmanager remove-regions-from-replication.",
        ),
        evidence={"regions": regions[:LISTED]},
        window=window,
        more=regions,
    )


def _finding(
    record: Record,
    kind: Kind,
    severity: Severity,
    *,
    title: str,
    cause: str,
    todo: tuple[str, ...],
    evidence: Mapping[str, Any],
    window: int,
    more: Collection[str] = (),
) -> Finding:
    secret = secret_id(record)
    name = name_of_secret(secret) if secret else record.event_id
    return Finding(
        kind=kind,
        severity=severity,
        account=record.account,
        region=record.region,
        resource=_secret(record),
        title=title,
        cause=cause,
        todo=todo,
        evidence={**evidence_of(record), **evidence},
        links=links_of(record, kind),
        identity=(principal(record), clip(name), *sorted(more)),
        window=window,
        graver=tuple(f"{SEVERITY}{one}" for one in Severity if one.rank <= severity.rank),
        first_seen=record.event_time,
        last_seen=record.event_time,
    )
