"""What is said of a record in a finding's evidence, and how its caller is called. Pure."""

import hashlib
from typing import Any

from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_id, secret_ids
from guard.findings.finding import Kind
from guard.findings.links import console_links
from guard.findings.summary import most_listed
from guard.partitions import partition_in

_CLIPPED = 1_000  # characters of a text somebody else chose


def principal(record: Record) -> str:
    """Who called, without what changes from session to session.

    A role's sessions are one caller, except where the session is the person: IAM Identity Center.
    """
    identity = record.identity
    person = "AWSReservedSSO_" in identity.issuer_arn
    return clip((identity.issuer_arn if not person else "") or identity.name)


def evidence_of(record: Record) -> dict[str, Any]:
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
    clipped = {key: [clip(text) for text in texts if text] for key, texts in lists.items()}
    return {key: clip(text) for key, text in some.items() if text} | {
        key: texts[: most_listed(key)] for key, texts in clipped.items()
    }


def links_of(record: Record, kind: Kind, vpc_id: str = "") -> dict[str, str]:
    """Console pages of what is in the owner's account; a foreign endpoint is not."""
    return console_links(
        partition_in(record.identity.arn, record.region),
        record.region,
        event=record.event_id,
        secret=secret_id(record),
        endpoint=record.vpc_endpoint_id if kind is Kind.ENDPOINT_DENIED else None,
        vpc=vpc_id or None,
    )


def short(name: str) -> str:
    """An ARN's last part, which is what people call the thing."""
    return name.split(":", 5)[5] if name.count(":") >= 5 else name


def clip(text: str) -> str:
    return text if len(text) <= _CLIPPED else f"{text[:_CLIPPED]}..."


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
