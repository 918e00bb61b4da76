"""The finding about a change to the guard itself. Pure."""

import re
from collections.abc import Sequence
from dataclasses import replace

from guard.cloudtrail.evidence import clip, hashed, principal
from guard.cloudtrail.record import Record
from guard.findings.finding import HOUR, Finding, Kind, Severity, here
from guard.findings.links import console_links
from guard.settings import Settings
from watch_guard.changes import TRAIL, Part

_API_VERSION = re.compile(r"20\d{6}(v\d+)?$")  # Lambda's: UpdateFunctionCode20150331v2


def guard_changed(record: Record, parts: Sequence[Part], settings: Settings) -> Finding:
    """The finding: one for a caller, a call and what it was about, published once an hour."""
    who, what = principal(record), _API_VERSION.sub("", record.event_name)
    called = ", ".join(one.logical_id for one in parts)
    title = f"{_short(who)} called {what} on the guard's {called}"
    cause = "It was not done by a deployment of the stack."
    if not parts:
        title = f"{_short(who)} called {what}, perhaps on the guard"
        cause = "CloudTrail does not say what the call was about, so it may be a part of the guard."
    elif parts[0].type == TRAIL:
        title = f"{_short(who)} called {what} on the trail {_short(parts[0].physical_id)}"
        cause = "EventBridge, and so the guard, is sent only what a trail logs."
    failed = record.failed
    return Finding(
        kind=Kind.GUARD_CHANGED,
        severity=Severity.MEDIUM if failed or not parts else Severity.HIGH,
        resource=parts[0].physical_id if parts else record.event_source,
        title=f"Blocked: {title}" if failed else title,
        cause=cause + (f" AWS refused it: {record.error_code}." if failed else ""),
        todo=(
            f"Ask {_short(who)} whether it was meant, and why not by a deployment.",
            "If not: revoke the credentials, then undo the change as the runbook says.",
        ),
        evidence={
            key: value
            for key, value in {
                "principal": record.identity.name,
                "action": record.event_name,
                "parts": [one.physical_id for one in parts],
                "source_ip": record.source_ip,
                "user_agent": record.user_agent[:500],
                "invoked_by": record.identity.invoked_by,
                "error": record.error_code,
                "event_ids": [record.event_id],
            }.items()
            if value
        },
        links=console_links(settings.partition, settings.region, event=record.event_id),
        identity=(who, record.event_name, "failed" if failed else "done"),
        window=HOUR,
        **here(settings, record.event_time),
    )


def exception_changed(record: Record, part: Part, text: str, settings: Settings) -> Finding:
    """The finding about an exception of run time: each text of it is published, whoever wrote it.

    `text` is what it says now, or why that is not known.
    """
    name = part.physical_id.rpartition("/")[2]
    changed = guard_changed(record, [part], settings)
    removed = record.event_name.startswith("Delete")
    return replace(
        changed,
        cause="Requests that it covered are alerts again within five minutes."
        if removed
        else "Requests that it covers raise no alert until it expires or is removed."
        + (f" AWS refused it: {record.error_code}." if record.failed else ""),
        todo=(
            f"Ask {_short(principal(record))} whether it was meant.",
            "If not: revoke the credentials, and add it again with guardctl exceptions add."
            if removed
            else f"If not: revoke the credentials, then guardctl exceptions remove {name}",
        ),
        evidence={**changed.evidence, **({} if removed else {"exception": clip(text)})},
        identity=(*changed.identity, hashed(text)),
    )


def guard_deployed(record: Record, parts: Sequence[Part], settings: Settings) -> Finding:
    """The finding about a deployment of the stack: who did it."""
    changed = guard_changed(record, parts, settings)
    who = _short(principal(record))
    return replace(
        changed,
        severity=Severity.INFO,
        title=f"{who} {'tried to deploy' if record.failed else 'deployed'}"
        + (" the guard's stack" if parts else " a stack that may be the guard's"),
        cause=f"CloudFormation was asked for {record.event_name}."
        + (f" AWS refused it: {record.error_code}." if record.failed else ""),
        todo=(f"Nothing, if {who} was to deploy. Name who may in DeployingRoles.",),
        window=0,
    )


def _short(name: str) -> str:
    return name.split(":", 5)[5] if name.count(":") >= 5 else name
