"""Which endpoints a message of the policy queue is about, and what it says of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guard.cloudtrail import record as records
from guard.cloudtrail.record import Record
from guard.endpoint.state import fips_name
from guard.reconcile.batch import is_count
from guard.reconcile.messages import asked_at, is_reconcile


@dataclass(frozen=True, slots=True)
class Concern:
    """What one message asks to be looked at; no endpoints: nothing to do, and `reason` says why.

    `record` is who did what, for the finding; a sweep has none. `asked_at` is when the guard itself
    asked, `not_before` when to look (both epoch seconds). `written` is the policy that one of the
    guard's own calls wrote, `is_own` says that it was such a call. `trial` says that the endpoint
    tries a new version of its policy.
    """

    reason: str
    endpoint_ids: frozenset[str] = frozenset()
    record: Record | None = None
    asked_at: float = 0
    not_before: int = 0
    written: str = ""
    trial: bool = False
    is_own: bool = False


def concern(
    envelope: Mapping[str, Any], service_name: str, guard_roles: frozenset[str] = frozenset()
) -> Concern:
    """Read one envelope.

    Raises UnreadableRecord if it carries no CloudTrail record, or one that names no endpoint;
    ValueError if it is a reconcile request that names none.
    """
    if is_reconcile(envelope):
        return _asked_for(envelope["detail"], asked_at(envelope))
    record = records.from_envelope(envelope)
    if record.failed:
        return Concern(f"{record.event_name} failed: {record.error_code}")
    service = records.service_name(record)
    if service not in (None, service_name, fips_name(service_name)):
        return Concern(f"an endpoint of {service}, not ours to guard")
    endpoint_ids = frozenset(records.endpoint_ids(record))
    if not endpoint_ids:
        raise records.UnreadableRecord(f"{record.event_name} names no endpoint")
    is_own = record.identity.type == "AssumedRole" and record.identity.issuer_arn in guard_roles
    written = (records.policy_document(record) or "") if is_own else ""
    return Concern(record.event_name, endpoint_ids, record, written=written, is_own=is_own)


def _asked_for(detail: Mapping[str, Any], when: float) -> Concern:
    endpoint_id, not_before = detail.get("vpcEndpointId"), detail.get("notBefore", 0)
    if not isinstance(endpoint_id, str):
        raise ValueError("a reconcile request on the policy queue needs a vpcEndpointId")
    if not is_count(not_before):
        raise ValueError("the notBefore of a reconcile request is a number of seconds")
    reason = str(detail.get("reason", "sweep"))
    trial = detail.get("trial") is True
    return Concern(
        reason, frozenset({endpoint_id}), asked_at=when, not_before=not_before, trial=trial
    )
