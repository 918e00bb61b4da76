"""The switch that stops all writes at once: `observe` or `remediate`, an SSM parameter.

Read at run time and cached for at most a minute, so that ops need no deployment to stop the guard.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from guard.aws.parameters import Parameters, ParameterUnreadable
from guard.findings.finding import HOUR, Finding, Kind, Severity, here
from guard.settings import Settings

MAX_AGE_SECONDS = 60


class Mode(StrEnum):
    OBSERVE = "observe"
    REMEDIATE = "remediate"


@dataclass(frozen=True, slots=True)
class ModeRead:
    """The mode in force; `problem` says why it is `observe` although nobody asked for it."""

    mode: Mode
    problem: str = ""


def read_mode(parameters: Parameters, name: str) -> ModeRead:
    """The mode that the parameter `name` holds.

    Never raises: what cannot be read or understood means `observe`, because a guard that does not
    know whether it may write must not, and `problem` then carries the reason for the finding.
    """
    try:
        value = parameters.get(name, max_age=MAX_AGE_SECONDS).strip().lower()
    except ParameterUnreadable as error:
        return ModeRead(Mode.OBSERVE, f"the SSM parameter {name} could not be read: {error}")
    if value not in list(Mode):
        return ModeRead(Mode.OBSERVE, f"the SSM parameter {name} holds {value!r}")
    return ModeRead(Mode(value))


def unreadable(settings: Settings, now: datetime, read: ModeRead) -> Finding:
    """The finding for a `read` with a problem: nobody chose observe mode, yet it is in force."""
    return Finding(
        kind=Kind.MODE_UNREADABLE,
        severity=Severity.HIGH,
        resource=settings.mode_parameter,
        title="The guard's mode cannot be read: it changes nothing until it can",
        cause=read.problem,
        todo=(f"put observe or remediate into the SSM parameter {settings.mode_parameter}",),
        window=HOUR,
        **here(settings, now),
    )
