"""The findings of restore_policy, in the words ops read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, override

from botocore.exceptions import ClientError

from guard.approved.pauses import Pause
from guard.approved.policies import ApprovedPolicy
from guard.aws.errors import code_of, encoded_in, message_of, readable, steady
from guard.cloudtrail.callers import MOST, Caller, in_words
from guard.endpoint.state import AttachedPolicy
from guard.findings.finding import DAY, Finding, Kind, Severity
from guard.findings.subject import Subject
from guard.policy import Difference, Risk, overall_risk
from guard.reconcile.request import Request
from restore_policy.fights import Fight
from restore_policy.triggers import callers


@dataclass(frozen=True, slots=True)
class About(Subject):
    """What the findings of one endpoint share."""

    attached: AttachedPolicy
    request: Request

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The CloudTrail records that led to it; none for a sweep."""
        return tuple(one.event_id for one in self.request.triggers if one.is_event)

    @property
    def callers(self) -> tuple[Caller, ...]:
        """Who changed it; of many, the last ones."""
        return tuple(callers(self.request.triggers)[-MOST:])

    def who(self) -> str:
        """Who changed it, from where and with what, in words."""
        return in_words(self.callers) or "unknown: found by a sweep, not by an event"

    @override
    def resource(self) -> str:
        return self.attached.endpoint_id

    @override
    def evidence(self, *, found: Sequence[Difference] = (), **more: Any) -> dict[str, Any]:
        return {
            "vpc_id": self.attached.vpc_id,
            "changed_by": self.who(),
            "callers": [one.to_json() for one in self.callers],
            "event_ids": list(self.event_ids),
            "difference": [one.to_json() for one in found],
            "policy_before": self.attached.text,
            **more,
        }

    @override
    def identity(self, title: str, cause: str, window: int) -> Sequence[str]:
        return (cause,) if window else self.event_ids


def restored(
    about: About, wanted: ApprovedPolicy, found: Sequence[Difference], fight: Fight | None = None
) -> Finding:
    """The approved policy was put back; the second time within an hour weighs more."""
    severity = Severity.HIGH if overall_risk(found) is Risk.WIDER else Severity.MEDIUM
    title = f"Endpoint policy of {about.attached.endpoint_id} restored"
    todo = ["if the change was meant, have it reviewed and deploy it as an approved policy"]
    if fight and fight.reverts > 1:
        severity = Severity.HIGH
        title = f"{title} {fight.reverts} times within an hour"
        todo.insert(0, "settle with whoever changes it which policy is right")
    return about.finding(
        Kind.POLICY_RESTORED,
        severity,
        title=title,
        cause=f"The policy was not the approved one. Changed by {about.who()}.",
        done=[f"wrote the approved policy {wanted.name} and read it back"],
        todo=todo,
        found=found,
        policy_after=wanted.text,
        reverts_within_an_hour=fight.reverts if fight else 1,
    )


def paused(about: About, wanted: ApprovedPolicy, fight: Fight, pause: Pause) -> Finding:
    """Restored so often within an hour that somebody must be writing against the guard."""
    endpoint_id = about.attached.endpoint_id
    who = in_words(fight.callers) or about.who()
    return about.finding(
        Kind.ENFORCEMENT_PAUSED,
        Severity.HIGH,
        title=f"{endpoint_id} was restored {fight.reverts} times in an hour: left alone for now",
        cause=f"Its policy keeps being changed by {who}.",
        done=[
            f"put the approved policy {wanted.name} back once more",
            f"will not do so again before {_clock(pause)}, whatever is written meanwhile",
        ],
        todo=(
            "settle with its owner which policy is right, and take it out of the other's hands",
            f"to go on sooner: guardctl resume {endpoint_id}",
        ),
        paused_until=_clock(pause),
        fought_by=[one.to_json() for one in fight.callers],
    )


def drift_while_paused(
    about: About, wanted: ApprovedPolicy, found: Sequence[Difference], pause: Pause
) -> Finding:
    """The policy is not the approved one, and the guard was told to leave it so for a while."""
    endpoint_id = about.attached.endpoint_id
    return about.finding(
        Kind.ENFORCEMENT_PAUSED,
        Severity.LOW,
        title=f"Endpoint policy of {endpoint_id} is not the approved one, and is left so for now",
        cause=f"Enforcement is paused until {_clock(pause)}: {pause.reason}.",
        todo=(
            f"nothing: the approved policy {wanted.name} is put back after that",
            f"to have it done now: guardctl resume {endpoint_id}",
        ),
        found=found,
        window=DAY,
        identity=("drift",),
        paused_until=_clock(pause),
    )


def _clock(pause: Pause) -> str:
    return f"{pause.until:%Y-%m-%d %H:%M} UTC"


def drift(about: About, wanted: ApprovedPolicy, found: Sequence[Difference]) -> Finding:
    """Observe mode: what would have been restored."""
    return about.finding(
        Kind.POLICY_DRIFT,
        Severity.HIGH,
        title=f"Endpoint policy of {about.attached.endpoint_id} is not the approved one",
        cause=f"The policy differs from {wanted.name}. Changed by {about.who()}.",
        todo=(
            f"would write the approved policy {wanted.name}",
            f"set the SSM parameter {about.settings.mode_parameter} to remediate to have it done",
        ),
        found=found,
        window=DAY,
    )


def refused(about: About, found: Sequence[Difference], error: ClientError) -> Finding:
    """AWS refused the approved policy for good."""
    words = message_of(error)
    return about.finding(
        Kind.POLICY_NOT_RESTORABLE,
        Severity.HIGH,
        title=f"Endpoint policy of {about.attached.endpoint_id} could not be restored",
        cause=f"AWS refused to write it: {code_of(error)}: {readable(words)}",
        todo=(
            "if it is a matter of rights, look for an SCP or permissions boundary on the guard",
            "if it is the document, mend the approved policy and deploy it",
        ),
        found=found,
        window=DAY,
        identity=(code_of(error), steady(words)),
        encoded_message=encoded_in(words),
    )


def no_approved_policy(about: About, problem: str) -> Finding:
    """The approved policy cannot be loaded: the endpoint is left as it is."""
    return about.finding(
        Kind.POLICY_NOT_RESTORABLE,
        Severity.HIGH,
        title="There is no approved endpoint policy to enforce",
        cause=problem,
        todo=("mend the approved policy or the template's parameters, and deploy",),
        window=DAY,
    )
