"""Findings as events of the Open Cybersecurity Schema Framework (OCSF), for data lakes. Pure.

What happened is a Detection Finding, the state of something that is guarded a Compliance Finding.
OCSF: schema 1.6.0, classes detection_finding and compliance_finding, profile cloud.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from guard.findings.finding import SCHEMA as FINDING_SCHEMA
from guard.findings.finding import Finding, Kind, Severity

VERSION = "1.6.0"
_FINDINGS = 2  # the category
_CREATE = 1  # the activity: each event is one publication
_NEW, _RESOLVED = 1, 4
_PASS, _WARNING, _FAIL = 1, 2, 3
_CAPTIONS = {_PASS: "Pass", _WARNING: "Warning", _FAIL: "Fail"}
_SEVERITIES = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
}

SUMMARIES = frozenset({Kind.DIGEST, Kind.DAILY_REPORT})
"""Findings that sum up others, and are none of OCSF's."""

COMPLIANCE: Mapping[Kind, int] = {
    **dict.fromkeys(
        (
            Kind.ENDPOINT_CREATED,
            Kind.ENDPOINT_REPAIRED,
            Kind.POLICY_RESTORED,
            Kind.POLICY_ROLLOUT,
            Kind.SECRET_PERIMETER_RESTORED,
        ),
        _PASS,
    ),
    **dict.fromkeys(
        (
            Kind.ENDPOINT_DRIFT,
            Kind.ENDPOINT_NOT_REPAIRABLE,
            Kind.ENDPOINT_DEGRADED,
            Kind.ROTATION_CANNOT_REACH_ENDPOINT,
            Kind.ROTATION_REFUSED_BY_POLICY,
            Kind.POLICY_DRIFT,
            Kind.POLICY_NOT_RESTORABLE,
            Kind.POLICY_ROLLOUT_FAILED,
            Kind.SECRET_PERIMETER_LOST,
            Kind.RULE_BLIND,
            Kind.TRAIL_BLIND,
            Kind.GUARD_DRIFT,
        ),
        _FAIL,
    ),
    **dict.fromkeys(
        (
            Kind.CHANGE_BUDGET_SPENT,
            Kind.COST_LIMIT_REACHED,
            Kind.ENDPOINT_YIELDED,
            Kind.STOOD_DOWN,
            Kind.ROTATION_WITHOUT_VPC,
            Kind.ROTATION_FUNCTION_MISSING,
            Kind.ROTATION_ELSEWHERE,
            Kind.ENFORCEMENT_PAUSED,
            Kind.EXCEPTION_EXPIRED,
            Kind.OPTED_OUT,
        ),
        _WARNING,
    ),
}
"""Kinds that say how something is, and whether that is as it should be."""


def event_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The event of a finding in its published form; None for one that sums up others.

    Raises ValueError, KeyError or TypeError for what is no finding.
    """
    finding = Finding.from_json(body)
    if finding.kind in SUMMARIES:
        return None
    status = COMPLIANCE.get(finding.kind)
    return {
        **(_detection(finding) if status is None else _compliance(finding, status)),
        **_common(finding),
        "finding_info": _info(finding),
        "metadata": _metadata(finding),
        "cloud": _cloud(finding),
        "resources": list(_resources(finding)),
        "remediation": _remediation(finding),
        "unmapped": {"done": [*finding.done], "evidence": {**finding.evidence}},
    }


def _class(uid: int, name: str) -> dict[str, Any]:
    return {
        "class_uid": uid,
        "class_name": name,
        "type_uid": uid * 100 + _CREATE,
        "type_name": f"{name}: Create",
    }


def _detection(finding: Finding) -> dict[str, Any]:
    evidences = list(_evidences(finding.evidence))
    return {
        **_class(2004, "Detection Finding"),
        "status_id": _NEW,
        "status": "New",
        "is_alert": finding.severity.rank > Severity.LOW.rank,
        **({"evidences": evidences} if evidences else {}),
    }


def _compliance(finding: Finding, status: int) -> dict[str, Any]:
    return {
        **_class(2003, "Compliance Finding"),
        "status_id": _RESOLVED if status == _PASS else _NEW,
        "status": "Resolved" if status == _PASS else "New",
        "compliance": {
            "control": finding.kind.value,
            "standards": ["VPCE Guard"],
            "status_id": status,
            "status": _CAPTIONS[status],
            "status_details": [finding.cause],
        },
    }


def _common(finding: Finding) -> dict[str, Any]:
    severity_id, severity = _SEVERITIES[finding.severity]
    return {
        "activity_id": _CREATE,
        "activity_name": "Create",
        "category_uid": _FINDINGS,
        "category_name": "Findings",
        "severity_id": severity_id,
        "severity": severity,
        "time": _milliseconds(finding.last_seen),
        "start_time": _milliseconds(finding.first_seen),
        "end_time": _milliseconds(finding.last_seen),
        "count": finding.count,
        "message": finding.title,
    }


def _info(finding: Finding) -> dict[str, Any]:
    return {
        "uid": finding.fingerprint,
        "title": finding.title,
        "desc": finding.cause,
        "types": [finding.kind.value],
        "created_time": _milliseconds(finding.first_seen),
        "first_seen_time": _milliseconds(finding.first_seen),
        "last_seen_time": _milliseconds(finding.last_seen),
    }


def _metadata(finding: Finding) -> dict[str, Any]:
    return {
        "version": VERSION,
        "profiles": ["cloud"],
        "product": {"name": "VPCE Guard", "vendor_name": "VPCE Guard"},
        "uid": finding.id,
        "event_code": finding.kind.value,
        "log_version": FINDING_SCHEMA,
    }


def _cloud(finding: Finding) -> dict[str, Any]:
    found: dict[str, Any] = {"provider": "AWS"}
    if finding.account:
        found["account"] = {"uid": finding.account, "type_id": 10, "type": "AWS Account"}
    if finding.region:
        found["region"] = finding.region
    return found


def _resources(finding: Finding) -> Iterator[dict[str, Any]]:
    place = {"region": finding.region} if finding.region else {}
    yield {"uid": finding.resource, **place}
    for secret in _texts(finding.evidence.get("secrets")):
        yield {"uid": secret, "type": "AWS::SecretsManager::Secret", **place}


def _remediation(finding: Finding) -> dict[str, Any]:
    links = [link for link in finding.links.values() if link.startswith("https://")]
    desc = "\n".join(finding.todo) or "Nothing is to be done."
    return {"desc": desc, **({"references": links} if links else {})}


def _evidences(evidence: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Who did what, and from where: one for each caller and address, which are not paired."""
    callers = _texts(evidence.get("principals")) or _texts([evidence.get("principal")])
    for caller in callers:
        yield {"actor": {"user": {"uid": caller}}}
    for action in _texts(evidence.get("actions")):
        yield {"api": {"operation": action, "service": {"name": "secretsmanager.amazonaws.com"}}}
    for address in _texts(evidence.get("addresses")):
        yield {"src_endpoint": {"ip" if _is_address(address) else "name": address}}


def _texts(values: Any) -> Sequence[str]:
    listed = values if isinstance(values, list) else []
    return [value for value in listed if value and isinstance(value, str)]


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False  # such as the name of an AWS service


def _milliseconds(when: datetime) -> int:
    return int(when.timestamp() * 1000)
