"""Is the guard as it was deployed? What is wrong, from what was read. Pure.

Each check is a pure function from what was read to findings; none of them knows the others.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from guard.findings.finding import DAY, ONCE, Finding, Kind, Severity, here, iso
from guard.settings import Settings
from heartbeat.trails import Seen
from heartbeat.wiring import Part

SEES_READS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
_MONTH = 30 * DAY
_MOST_PARTS, _LONGEST = 10, 600  # of what a finding shows of a drift


def blind_rules(
    states: Mapping[str, str], deployed: Mapping[str, str], settings: Settings, now: datetime
) -> list[Finding]:
    """Rules that do not see what they were deployed to see.

    Both map rules' names to states; a rule that is in `deployed` alone is gone.
    """
    return [
        _finding(
            Kind.RULE_BLIND,
            Severity.HIGH,
            name,
            f"The rule {name} does not see what it should",
            f"Its state is {states.get(name, 'unknown: the rule is gone')}, and was deployed as"
            f" {state}. {_loss(state)}",
            ("Find out in CloudTrail who changed it.", _put_back(name, states, state)),
            {"rule": name, "state": states.get(name), "deployed": state},
            settings,
            now,
        )
        for name, state in sorted(deployed.items())
        if states.get(name) != state
    ]


def _loss(state: str) -> str:
    if state == SEES_READS:
        return "No other state lets a rule see reads, so secrets are read unseen."
    return "What it stands for goes unseen until the next sweep, or for good."


def _put_back(name: str, states: Mapping[str, str], state: str) -> str:
    if name not in states:
        return (
            "Make it again: the runbook says how, as a deployment without a change to it does not."
        )
    if state == SEES_READS:
        return f"Put its state back to {state}: the runbook has the command."
    return f"Put it back: aws events enable-rule --name {name}"


def blind_trails(seen: Sequence[Seen], settings: Settings, now: datetime) -> list[Finding]:
    """Nothing, if a trail logs reads here; else one finding, also of what is not known. Of trails
    that log reads and were all stopped lately, each pause is published.
    """
    reading = [one for one in seen if one.reads]
    if reading:
        paused = all(one.stopped is not None for one in reading)
        return [_paused(one, settings, now) for one in reading] if paused else []
    each = "; ".join(f"{one.arn or 'the list of trails'}: {one.hindrance}" for one in seen)
    if any(one.reads is None for one in seen):
        if all(one.passing for one in seen if one.reads is None):
            return []  # the next heartbeat asks again
        return [_trails_not_known(seen, each, settings, now)]
    return [
        _finding(
            Kind.TRAIL_BLIND,
            Severity.HIGH,
            "CloudTrail",
            f"No trail in {settings.region} logs management events that read",
            f"EventBridge is sent only what a trail logs. {each or 'There is no trail here'}.",
            ("Start the trail, or let it log read management events: secrets are read unseen.",),
            {"trails": [one.arn for one in seen]},
            settings,
            now,
        )
    ]


def _paused(one: Seen, settings: Settings, now: datetime) -> Finding:
    """A trail that logs again: what happened while it did not is on no bus and in no log file."""
    since, until = (iso(when) if when else "unknown" for when in (one.stopped, one.started))
    return _finding(
        Kind.TRAIL_BLIND,
        Severity.HIGH,
        one.arn,
        f"The trail {one.arn.rpartition('/')[2]} did not log from {since} to {until}",
        "It logs again. EventBridge was sent nothing of what happened meanwhile.",
        (
            "Find StopLogging in CloudTrail's event history: who did it?",
            "The event history, which needs no trail, has the account's management events of then.",
        ),
        {"trails": [one.arn], "stopped": since, "started": until},
        settings,
        now,
        window=_MONTH,
        identity=("paused", since),
    )


def _trails_not_known(
    seen: Sequence[Seen], each: str, settings: Settings, now: datetime
) -> Finding:
    """It is the rule where an organization's trail is all there is, so it is published once."""
    return _finding(
        Kind.TRAIL_BLIND,
        Severity.LOW,
        "CloudTrail",
        f"It is not known whether a trail logs reads in {settings.region}",
        f"EventBridge is sent only what a trail logs. {each}.",
        (
            "Nothing, while HeartbeatAlarm is OK: each heartbeat is a read that a trail logged.",
            "If the alarm rings, check the trail in its home Region: the runbook has the commands.",
        ),
        {
            "trails": [one.arn for one in seen if one.arn],
            "not_known": {one.arn: one.hindrance for one in seen if one.reads is None},
        },
        settings,
        now,
        window=_MONTH,
        identity=("not known",),
    )


def changed_mode(
    mode: str | None, deployed: str, settings: Settings, now: datetime
) -> list[Finding]:
    """The mode in force is not the one that the template was deployed with."""
    if mode == deployed:
        return []
    parameter = settings.mode_parameter
    stopped = mode != "remediate"
    # Switched on by the command in the outputs, it was meant: once is enough. Stopped, daily.
    severity, window = (Severity.MEDIUM, DAY) if stopped else (Severity.LOW, ONCE)
    return [
        _finding(
            Kind.MODE_CHANGED,
            severity,
            parameter,
            f"The guard's mode is {mode or 'missing'}, and was deployed as {deployed}",
            "Nothing is repaired while it is so."
            if stopped
            else "The guard repairs what it finds.",
            (
                f"If that is meant to last, deploy with Mode={mode or deployed}.",
                f"If not: aws ssm put-parameter --name {parameter} --overwrite --value {deployed}",
            ),
            {"mode": mode, "deployed": deployed},
            settings,
            now,
            window=window,
            identity=(mode or "missing",),  # what is published once hides no other mode
        )
    ]


def dead_letters(depths: Mapping[str, int], settings: Settings, now: datetime) -> list[Finding]:
    """Queues of what was given up that hold something; `depths` are by the queues' names."""
    return [
        _finding(
            Kind.DEAD_LETTERS,
            Severity.MEDIUM,
            name,
            f"{depth:,} messages wait in the dead-letter queue {name}",
            "They could not be handled, and are kept for 14 days. What an outage may have kept from"
            " being handled is put back by itself, five times in more than a day.",
            (f"guardctl redrive {name} shows what they are and why, and puts them back.",),
            {"queue": name, "messages": depth},
            settings,
            now,
        )
        for name, depth in sorted(depths.items())
        if depth
    ]


def put_back(counts: Mapping[str, int], settings: Settings, now: datetime) -> list[Finding]:
    """Dead letters that were put back; `counts` are by the queues' names."""
    return [
        _finding(
            Kind.DEAD_LETTERS,
            Severity.LOW,
            name,
            f"{count:,} messages of the dead-letter queue {name} were put back",
            "They could not be handled before, perhaps because a service of AWS or Slack was down.",
            ("Nothing. What fails again waits longer each time, and after the fifth stays.",),
            {"queue": name, "messages": count},
            settings,
            now,
            window=0,
            identity=("put back",),
        )
        for name, count in sorted(counts.items())
        if count
    ]


def drift(
    differences: Sequence[tuple[Part, Any, Any]], settings: Settings, now: datetime
) -> list[Finding]:
    """Parts of the guard that are not as the template made them: one finding for a resource.

    Each difference is a part with what it should be and what it is, in order of the resources.
    """
    found: list[Finding] = []
    for logical_id, group in groupby(differences, key=lambda one: one[0][0]):
        parts = [(part[1], should, seen) for part, should, seen in group]
        names = ", ".join(name for name, _, _ in parts)
        found.append(
            _finding(
                Kind.GUARD_DRIFT,
                Severity.HIGH,
                logical_id,
                f"The guard's {logical_id} is not as it was deployed: {names}",
                "Somebody changed it past the stack's template, so events or findings may be lost,"
                " or be read by somebody else.",
                (
                    "Find out in CloudTrail who changed it.",
                    "Put it back as the runbook says: a deployment without changes does not.",
                ),
                {
                    "parts": [
                        {"part": name, "deployed": _clipped(should), "now": _clipped(seen)}
                        for name, should, seen in parts[:_MOST_PARTS]
                    ],
                    "differences": len(parts),
                },
                settings,
                now,
                identity=tuple(name for name, _, _ in parts),
            )
        )
    return found


def _clipped(value: Any) -> str | None:
    if value is None:
        return None
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _finding(
    kind: Kind,
    severity: Severity,
    resource: str,
    title: str,
    cause: str,
    todo: Sequence[str],
    evidence: Mapping[str, object],
    settings: Settings,
    now: datetime,
    window: int = DAY,
    identity: Sequence[str] = (),
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        resource=resource,
        title=title,
        cause=cause,
        todo=todo,
        evidence=evidence,
        window=window,
        identity=identity,
        **here(settings, now),
    )
