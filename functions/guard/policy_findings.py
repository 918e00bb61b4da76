"""The findings of restore_policy, in the words ops read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from guard.approved import ApprovedPolicy
from guard.aws_errors import code_of, message_of
from guard.finding import Finding, Kind, Severity
from guard.policy import Difference, Risk, overall_risk
from guard.policy_trigger import Concern
from guard.record import Record
from guard.settings import Settings
from guard.vpc import AttachedPolicy

DAY = 86_400


@dataclass(frozen=True, slots=True)
class About:
    """What the findings of one endpoint share."""

    settings: Settings
    now: datetime
    attached: AttachedPolicy
    concerns: tuple[Concern, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """The CloudTrail records that set this off; none for a sweep."""
        return tuple(one.record for one in self.concerns if one.record)

    def who(self) -> str:
        """Who changed it and from where, in words."""
        callers = dict.fromkeys(
            f"{record.identity.name} from {record.source_ip} with {record.event_name}"
            for record in self.records
        )
        return "; ".join(callers) or "unknown: found by a sweep, not by an event"

    def finding(
        self,
        kind: Kind,
        severity: Severity,
        *,
        title: str,
        cause: str,
        done: Sequence[str] = (),
        todo: Sequence[str] = (),
        found: Sequence[Difference] = (),
        window: int = 0,
    ) -> Finding:
        event_ids = tuple(record.event_id for record in self.records)
        evidence: dict[str, Any] = {
            "vpc_id": self.attached.vpc_id,
            "changed_by": self.who(),
            "user_agent": list(dict.fromkeys(record.user_agent for record in self.records)),
            "event_ids": list(event_ids),
            "difference": [one.to_json() for one in found],
            "policy_before": self.attached.text,
        }
        return Finding(
            kind=kind,
            severity=severity,
            account=self.settings.account_id,
            region=self.settings.region,
            resource=self.attached.endpoint_id,
            title=title,
            cause=cause,
            done=tuple(done),
            todo=tuple(todo),
            evidence={key: value for key, value in evidence.items() if value},
            identity=(cause,) if window else event_ids,
            window=window,
            first_seen=self.now,
            last_seen=self.now,
        )


def restored(about: About, wanted: ApprovedPolicy, found: Sequence[Difference]) -> Finding:
    """The approved policy was put back."""
    return about.finding(
        Kind.POLICY_RESTORED,
        Severity.HIGH if overall_risk(found) is Risk.WIDER else Severity.MEDIUM,
        title=f"Endpoint policy of {about.attached.endpoint_id} restored",
        cause=f"The policy was not the approved one. Changed by {about.who()}.",
        done=[f"wrote the approved policy {wanted.name} and read it back"],
        todo=("if the change was meant, have it reviewed and deploy it as an approved policy",),
        found=found,
    )


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
    return about.finding(
        Kind.POLICY_NOT_RESTORABLE,
        Severity.HIGH,
        title=f"Endpoint policy of {about.attached.endpoint_id} could not be restored",
        cause=f"AWS refused to write it: {code_of(error)}: {message_of(error)}",
        todo=(
            "if it is a matter of rights, look for an SCP or permissions boundary on the guard",
            "if it is the document, mend the approved policy and deploy it",
        ),
        found=found,
        window=DAY,
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


def budget_spent(about: About, found: Sequence[Difference], budget: int) -> Finding:
    """Restored too often within an hour: somebody writes against the guard."""
    return about.finding(
        Kind.CHANGE_BUDGET_SPENT,
        Severity.HIGH,
        title=f"{about.attached.endpoint_id} was restored {budget} times in an hour: left alone",
        cause=f"Its policy is not the approved one and keeps being changed by {about.who()}.",
        todo=("settle with its owner which policy is right; the next sweep tries again",),
        found=found,
        window=3_600,
    )
