"""The findings of restore_policy, in the words ops read. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from guard.approved.pauses import Pause
from guard.approved.policies import ApprovedPolicy
from guard.approved.refusals import CONSENT, NOBODY, Refusals
from guard.aws.errors import code_of, encoded_in, message_of, readable, steady
from guard.cloudtrail.callers import MOST, Caller, in_words
from guard.endpoint.state import AttachedPolicy
from guard.findings.finding import DAY, HOUR, Finding, Kind, Severity, digits
from guard.findings.subject import Subject
from guard.policy import Difference, Risk, overall_risk
from guard.reconcile.request import Request
from guard.settings import Settings
from guard.table.neighbours import Neighbour
from restore_policy.fights import Fight
from restore_policy.new_endpoint import is_new_with_default
from restore_policy.triggers import TAGGED, callers


@dataclass(frozen=True, slots=True)
class About:
    """What the findings of one endpoint share."""

    settings: Settings
    now: datetime
    attached: AttachedPolicy
    request: Request
    left: tuple[Caller, ...] = ()
    """Who changed it in a pause, where no event of this request says who did."""
    chosen_by: str = ""
    """The tag that chooses the policy, and who set it; empty where the stack's parameter does."""
    refuses: Refusals = NOBODY
    """Whom the policy cuts off, where it is enforced for the first time."""
    neighbour: Neighbour | None = None
    """The other guard that changed it, if nobody else did."""

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The CloudTrail records that led to it; none for a sweep."""
        return tuple(one.event_id for one in self.request.triggers if one.is_event)

    @property
    def callers(self) -> tuple[Caller, ...]:
        """Who changed it; of many, the last ones."""
        return tuple(callers(self.request.triggers)[-MOST:]) or self.left[-MOST:]

    def who(self) -> str:
        """Who changed it, from where and with what, in words."""
        tagged = any(TAGGED in one.facts for one in self.request.triggers)
        found = "found when a tag was changed" if tagged else "found by a sweep, not by an event"
        guard = f"the guard of the stack {self.neighbour.stack}: " if self.neighbour else ""
        return guard + (in_words(self.callers) or f"unknown: {found}")

    def desired(self, policy: ApprovedPolicy) -> str:
        """The name of a policy, and the tag that chooses it."""
        return f"{policy.name} (by {self.chosen_by})" if self.chosen_by else policy.name

    def refused(self) -> tuple[str, ...]:
        """Whom the policy refuses, as a sentence; none for nobody."""
        named = "; ".join(self.refuses.named)
        return (f"It refuses what was seen within a week: {named}.",) if named else ()

    def of_two_guards(self) -> tuple[str, ...]:
        """What ends it that two guards want different policies."""
        other = self.neighbour.stack if self.neighbour else ""
        return (
            f"keep {self.settings.stack_name} or {other}, or deploy both with the same policies",
            "while one replaces the other, deploy one of the two with Mode=observe",
        )

    def to_remediate(self) -> str:
        return f"set the SSM parameter {self.settings.mode_parameter} to remediate to have it done"

    def finding(
        self, kind: Kind, severity: Severity, *, found: Sequence[Difference] = (), **more: Any
    ) -> Finding:
        """A finding about the endpoint, with what is known in every case."""
        known = {
            "vpc_id": self.attached.vpc_id,
            "changed_by": self.who(),
            "callers": [one.to_json() for one in self.callers],
            "event_ids": list(self.event_ids),
            "difference": [one.to_json() for one in found],
            "policy_before": self.attached.text,
            "chosen_by": self.chosen_by,
            "would_refuse": list(self.refuses.named),
        }
        endpoint_id = self.attached.endpoint_id
        subject = Subject(self.settings, self.now, endpoint_id, known, self.event_ids)
        return subject.finding(kind, severity, **more)


def restored(
    about: About, desired: ApprovedPolicy, found: Sequence[Difference], fight: Fight | None = None
) -> Finding:
    """The approved policy was put back; the second time within an hour weighs more."""
    severity = Severity.HIGH if overall_risk(found) is Risk.WIDER else Severity.MEDIUM
    title = f"Endpoint policy of {about.attached.endpoint_id} restored"
    cause = f"The policy was not the approved one. Changed by {about.who()}."
    todo = ["if the change was meant, have it reviewed and deploy it as an approved policy"]
    if is_new_with_default(about):
        severity = Severity.LOW
        title = f"The new endpoint {about.attached.endpoint_id} got the approved policy"
        cause = f"It was made with AWS's default policy by {about.who()}."
        todo = ["name the approved policy where it is made, or leave policies to the guard"]
    if fight and fight.reverts > 1:
        severity = Severity.HIGH
        title = f"{title} {fight.reverts} times within an hour"
        todo.insert(0, "settle with whoever changes it which policy is right")
    more: dict[str, Any] = {}
    if other := about.neighbour:  # it goes on by itself: once a day is enough
        title = f"{title}: the guard of the stack {other.stack} had written its own"
        todo = list(about.of_two_guards())
        more = {"window": DAY, "identity": (other.stack,), "other_guard": asdict(other)}
    return about.finding(
        Kind.POLICY_RESTORED,
        severity,
        title=title,
        cause=" ".join((cause, *about.refused())),
        done=[f"wrote the approved policy {about.desired(desired)} and read it back"],
        todo=todo,
        found=found,
        policy_after=desired.text,
        reverts_within_an_hour=fight.reverts if fight else 1,
        **more,
    )


def restored_in_pause(
    about: About, kept: ApprovedPolicy, found: Sequence[Difference], pause: Pause
) -> Finding:
    """The policy let more pass than the one that the pause leaves: that is put back at once.

    Whoever goes on for hours is published once an hour, and each time somebody else does it or
    another policy is written.
    """
    endpoint_id = about.attached.endpoint_id
    finding = about.finding(
        Kind.POLICY_RESTORED,
        Severity.HIGH,
        title=f"Endpoint policy of {endpoint_id} restored in a pause: it let more pass",
        cause=f"The policy let more pass than before the pause. Changed by {about.who()}.",
        done=["wrote the policy of when the pause began, and read it back"],
        todo=(
            "settle with whoever changes it which policy is right",
            f"nothing else is put back before {_clock(pause)}: {pause.reason}",
        ),
        found=found,
        window=HOUR,
        identity=("in a pause",),
        policy_after=kept.text,
        paused_until=_clock(pause),
    )
    return replace(finding, graver=(digits([about.attached.text]), *_names(about)))


def open_in_pause(restored: Finding, about: About) -> Finding:
    """Observe mode: what would have been restored in the pause."""
    return replace(
        restored,
        kind=Kind.POLICY_DRIFT,
        title=f"Endpoint policy of {about.attached.endpoint_id} lets more pass than in its pause",
        done=(),
        todo=("the guard would write the policy of when the pause began", about.to_remediate()),
    )


def _names(about: About) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.principal for one in about.callers))


def paused(about: About, desired: ApprovedPolicy, fight: Fight, pause: Pause) -> Finding:
    """Restored so often within an hour that somebody must be writing against the guard."""
    endpoint_id = about.attached.endpoint_id
    who = in_words(fight.callers) or about.who()
    return about.finding(
        Kind.ENFORCEMENT_PAUSED,
        Severity.HIGH,
        title=f"{endpoint_id} was restored {fight.reverts} times in an hour: left alone for now",
        cause=f"Its policy keeps being changed by {who}.",
        done=[
            f"put the approved policy {desired.name} back once more",
            f"until {_clock(pause)} puts back only what lets more pass than that policy",
        ],
        todo=(
            "agree with its owner which policy is right, and make only one of the two write it",
            f"to go on sooner: guardctl resume {endpoint_id}",
        ),
        paused_until=_clock(pause),
        fought_by=[one.to_json() for one in fight.callers],
    )


def drift_while_paused(
    about: About, desired: ApprovedPolicy, found: Sequence[Difference], pause: Pause
) -> Finding:
    """The policy is not the approved one, and is left so for a while.

    Each further author is published at once. A pause of the version before protects no policy: what
    lets more pass is then left, and weighs the more.
    """
    endpoint_id = about.attached.endpoint_id
    open_ = not pause.policy and overall_risk(found) is Risk.WIDER
    finding = about.finding(
        Kind.ENFORCEMENT_PAUSED,
        Severity.HIGH if open_ else Severity.LOW,
        title=f"Endpoint policy of {endpoint_id} is not the approved one, and is left so for now",
        cause=f"Enforcement is paused until {_clock(pause)}: {pause.reason}."
        f" Changed by {about.who()}.",
        todo=(
            f"nothing: the approved policy {desired.name} is put back after that",
            f"to have it done now: guardctl resume {endpoint_id}",
        ),
        found=found,
        window=DAY,
        identity=("open",) if open_ else ("drift",),
        paused_until=_clock(pause),
    )
    return replace(finding, graver=_names(about))


def _clock(pause: Pause) -> str:
    return f"{pause.until:%Y-%m-%d %H:%M} UTC"


def drift(about: About, desired: ApprovedPolicy, found: Sequence[Difference]) -> Finding:
    """Observe mode: what would have been restored."""
    cause = f"The policy differs from {desired.name}. Changed by {about.who()}."
    return about.finding(
        Kind.POLICY_DRIFT,
        Severity.MEDIUM if is_new_with_default(about) else Severity.HIGH,
        title=f"Endpoint policy of {about.attached.endpoint_id} is not the approved one",
        cause=" ".join((cause, *about.refused())),
        todo=(
            f"the guard would write the approved policy {about.desired(desired)}",
            about.to_remediate(),
            *[CONSENT][: bool(about.refuses.who)],
            *about.refuses.lacking,
        ),
        found=found,
        window=DAY,
        identity=(cause, *about.refuses.who),
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
            "if it is a matter of rights, check for an SCP or permissions boundary on the guard",
            "if it is the document, correct the approved policy and deploy it",
        ),
        found=found,
        window=DAY,
        identity=(code_of(error), steady(words)),
        encoded_message=encoded_in(words),
    )


def opted_out(
    about: About, desired: ApprovedPolicy, found: Sequence[Difference], who: str, came: Refusals
) -> Finding:
    """The policy is not the approved one, and the opt-out tag has the guard leave it so.

    No event of a request through an endpoint of ours reaches the guard, so `came` is named here.
    """
    refused = f" With what that refuses came: {'; '.join(came.who)}." if came.who else ""
    others = f" Others that came: {'; '.join(came.agreed)}." if came.agreed else ""
    endpoint_id, tag = about.attached.endpoint_id, about.settings.opt_out_tag
    finding = about.finding(
        Kind.OPTED_OUT,
        Severity.MEDIUM,
        title=f"Endpoint policy of {endpoint_id} is not the approved one: it is opted out",
        cause=f"The endpoint or its VPC carries {tag}, by the tag that was set by {who}."
        f" Its policy differs from {desired.name}. Changed by {about.who()}. No request through the"
        f" endpoint is an alert: who came within a week is named here.{refused}{others}",
        todo=(
            f"ask whoever set the tag; take {tag} away to have the policy put back",
            "give the tag an end: a date in its value, such as until 2027-01-31",
            *came.lacking,
        ),
        found=found,
        window=DAY,
        identity=("policy",),
        came_through=[*came.who, *came.agreed],
    )
    return replace(finding, graver=(digits([about.attached.text]), *_names(about), *came.who))
