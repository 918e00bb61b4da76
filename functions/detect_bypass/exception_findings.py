"""What is published of exceptions: those that are over, and those that were added at run time."""

from collections.abc import Sequence

from detect_bypass.judge import Judgement
from detect_bypass.judge.exceptions import Exemption
from guard.cloudtrail.evidence import principal
from guard.cloudtrail.record import Record
from guard.findings.finding import Finding, Kind, Severity


def expired_exceptions(
    record: Record, judgement: Judgement, exceptions: Sequence[Exemption]
) -> list[Finding]:
    """What to publish of exceptions that would have covered an alert, had they not expired."""
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
            window=0,  # the caller publishes each but once
            first_seen=record.event_time,
            last_seen=record.event_time,
        )
        for one in exceptions
        if one.name in judgement.expired
    ]


def added_exception(
    record: Record, judgement: Judgement, exceptions: Sequence[Exemption]
) -> list[Finding]:
    """What to publish of an exception that was added at run time and covers the request.

    watch_guard publishes who added it. This does not rest on that event: nothing that was added is
    used unnoticed.
    """
    used = next((one for one in exceptions if one.name == judgement.exemption), None)
    if used is None or used.added_at is None:
        return []
    return [
        Finding(
            kind=Kind.EXCEPTION_USED,
            severity=Severity.MEDIUM,
            account=record.account,
            region=record.region,
            resource=f"exception {used.name}",
            title=f"The exception {used.name}, added at run time, covers {record.event_name}",
            cause=(
                f"It was added on {used.added_at:%Y-%m-%d %H:%M} UTC and ends on "
                f"{used.expires:%Y-%m-%d %H:%M} UTC. {principal(record)} would be an alert without "
                f"it. Its reason is: {used.reason}"
            ),
            todo=(
                f"Ask {used.owner} whether it is meant.",
                f"If not: guardctl exceptions remove {used.name}",
                "If it is to last, have it reviewed and put into exceptions.json.",
            ),
            evidence={"owner": used.owner, "events": [record.event_id] if record.event_id else []},
            identity=(used.name, used.added_at.isoformat(), used.expires.isoformat()),
            window=0,  # the caller publishes each but once
            first_seen=record.event_time,
            last_seen=record.event_time,
        )
    ]
