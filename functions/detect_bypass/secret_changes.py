"""What ops are told of a change to a secret itself: its resource policy, and copies of it. Pure.

AWS: PutResourcePolicy, DeleteResourcePolicy, ReplicateSecretToRegions and CreateSecret (parameter
AddReplicaRegions) in the Secrets Manager API reference.
"""

from collections.abc import Collection, Mapping
from typing import Any

from detect_bypass.judge.exceptions import name_of_secret
from guard.cloudtrail.evidence import clip, evidence_of, links_of, principal, short
from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_id
from guard.cloudtrail.secret_calls import POLICY_CHANGES, copied_to
from guard.findings.finding import Finding, Kind, Severity


def secret_change(record: Record, window: int, own_accounts: Collection[str]) -> Finding | None:
    """The finding of a policy that was set or deleted, or of a copy in another Region.

    None for any other record, and for a change that AWS refused. Changes by one caller to one
    secret's policy are one alert in `window` seconds, unless one of them is graver.
    """
    if record.failed:
        return None
    if record.event_name in POLICY_CHANGES:
        return _policy_changed(record, window, own_accounts)
    regions = copied_to(record)
    return _copied(record, window, regions) if regions else None


def _policy_changed(record: Record, window: int, own_accounts: Collection[str]) -> Finding:
    secret = secret_id(record) or "a secret the record does not name"
    verb = "set" if record.event_name == "PutResourcePolicy" else "deleted"
    severity, opened, todo = Severity.LOW, "", _CHECK
    if verb == "set":
        severity, opened = _weighed(record, secret, own_accounts)
        todo = _CLOSE if severity.rank >= Severity.MEDIUM.rank else _CHECK
    policy = record.request.get("resourcePolicy")
    return _finding(
        record,
        Kind.SECRET_POLICY_CHANGED,
        severity,
        title=f"The resource policy of {short(clip(secret))} was {verb}",
        cause=f"{principal(record)} called {record.event_name}.{opened}",
        todo=todo,
        evidence={"policy": policy} if policy else {},
        window=window,
    )


def _weighed(record: Record, secret: str, own_accounts: Collection[str]) -> tuple[Severity, str]:
    from detect_bypass.readers import strangers  # the evaluator: few records need it

    own = {record.account, *own_accounts}
    found = strangers(record.request.get("resourcePolicy"), secret, own)
    if found.surely:
        who = ", ".join(found.surely[:5])
        return Severity.HIGH, f" By the new policy {who} may read its value."
    if found.unreadable:
        return Severity.MEDIUM, f" Whom it lets in is not known: {found.unreadable}."
    if found.perhaps:
        who = ", ".join(found.perhaps[:5])
        return Severity.MEDIUM, f" By the new policy {who} may read it under its conditions."
    return Severity.LOW, ""


_CHECK = ("Check that the policy still lets in only those who should read the secret.",)
_CLOSE = (
    "If this was not meant, put the policy before back: guardctl suggest-secret-policy helps.",
    "Find out who read the secret since, and rotate it if anybody did who should not.",
)


def _copied(record: Record, window: int, regions: list[str]) -> Finding:
    secret = secret_id(record) or "a secret the record does not name"
    where = ", ".join(clip(region) for region in regions[:20])
    return _finding(
        record,
        Kind.SECRET_REPLICATED,
        Severity.MEDIUM,
        title=f"{short(clip(secret))} was copied to {where}",
        cause=(
            f"{principal(record)} called {record.event_name}. Whoever reads the copy asks in that "
            f"Region, where the guard of {record.region} sees nothing."
        ),
        todo=(
            f"If this is meant to be, deploy VPCE Guard in {where}, too.",
            "If not, remove the copy: aws secretsmanager remove-regions-from-replication.",
        ),
        evidence={"regions": regions[:20]},
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
        resource=clip(secret or "a secret the record does not name"),
        title=title,
        cause=cause,
        todo=todo,
        evidence={**evidence_of(record), **evidence},
        links=links_of(record, kind),
        identity=(principal(record), clip(name), *sorted(more)),
        window=window,
        graver=tuple(f"severity {one}" for one in Severity if one.rank <= severity.rank),
        first_seen=record.event_time,
        last_seen=record.event_time,
    )
