"""The findings of secret_policy, in the words ops read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from guard.aws.errors import code_of, message_of, readable
from guard.findings.finding import DAY, Finding, Kind, Severity
from guard.findings.subject import Subject, sentence
from guard.reconcile.request import Request, Trigger
from guard.settings import Settings
from secret_policy.perimeter import Secret, warnings
from secret_policy.triggers import SOURCE_IP

CHANGES = ("PutResourcePolicy", "DeleteResourcePolicy", "TagResource", "UntagResource")
PARAMETER = "SecretPerimeter"


@dataclass(frozen=True, slots=True)
class About:
    """What the findings of one secret share. `request` is what led to it.

    `correction` is the corrected policy; empty where there is none, and `hindrance` says why.
    `lacking` says what of the secret's readers could not be read.
    """

    settings: Settings
    now: datetime
    secret: Secret
    request: Request
    gaps: Sequence[str] = ()
    correction: str = ""
    hindrance: str = ""
    lacking: str = ""

    def changed(self) -> datetime:
        """When the policy was changed, as far as known: else now, so that all before is before."""
        times = [one.at for one in self.events if one.name in CHANGES]
        return datetime.fromtimestamp(min(times), UTC) if times else self.now

    @property
    def events(self) -> list[Trigger]:
        """The calls that led to it; none in a sweep."""
        return [one for one in self.request.triggers if one.is_event]

    @property
    def event_ids(self) -> tuple[str, ...]:
        return tuple(one.event_id for one in self.events if one.event_id)

    def seen(self) -> str:
        """Who changed it, or by what it was seen, in a sentence: another call proves nothing."""
        if not self.events:
            return "Found by a sweep: who changed it is not known."
        changes = [one for one in self.events if one.name in CHANGES]
        who = "; ".join(
            f"{one.who} from {one.facts.get(SOURCE_IP, '')} with {one.name}"
            for one in changes or self.events
        )
        return f"Changed by {who}." if changes else f"Seen at another call: by {who}."

    def finding(
        self, kind: Kind, severity: Severity, *, title: str, window: int = 0, **more: Any
    ) -> Finding:
        """A finding about the secret, with what is known in every case.

        A state is reported once a day, by whatever event or sweep it is seen again.
        """
        known = {
            "secret": self.secret.arn,
            "seen": self.seen(),
            "event_ids": list(self.event_ids),
            "gaps": list(self.gaps),
            "policy_before": self.secret.policy,
            "policy_corrected": self.correction,
            "aws_warns": list(warnings(self.secret)) if self.gaps else [],
        }
        identity = (title, *self.gaps) if window else self.event_ids or (self.now.isoformat(),)
        more |= {"title": title, "window": window, "identity": identity}
        subject = Subject(self.settings, self.now, self.secret.arn, known)
        return subject.finding(kind, severity, **more)


def lost(about: About, hindrance: str = "") -> Finding:
    """The policy does not keep the perimeter, and nothing was written."""
    hindrance = hindrance or about.hindrance
    if about.correction:
        put = (
            "read what AWS warns of (evidence: aws_warns), then put what this prints:",
            f"guardctl suggest-secret-policy {about.secret.arn}",
            f"deploy with {PARAMETER}=restore-tagged or restore-all to have it put back by itself",
        )
    else:
        put = (f"there is no corrected policy: {hindrance}",)
    return about.finding(
        Kind.SECRET_PERIMETER_LOST,
        Severity.HIGH,
        title=f"The policy of {about.secret.name} does not keep it inside the perimeter",
        cause=f"{sentence(about.gaps)} {about.seen()}",
        todo=(*([hindrance] if hindrance and about.correction else []), *put),
        window=DAY,
    )


def held_back(about: About, why: Sequence[str]) -> Finding:
    """The corrected policy would cut somebody off who is known to need the gap."""
    return about.finding(
        Kind.SECRET_PERIMETER_LOST,
        Severity.HIGH,
        title=f"The policy of {about.secret.name} is open, and its correction is held back",
        cause=f"{sentence(about.gaps)} {about.seen()} It would cut off: {'; '.join(why)}.",
        todo=(
            "move those readers inside, or approve their network, role or VPC in approved.json",
            "if they are to be cut off, put what this prints:",
            f"guardctl suggest-secret-policy {about.secret.arn}",
        ),
        window=DAY,
        held_back=list(why),
    )


def restored(
    about: About, without: Sequence[str] = (), unread: ClientError | None = None
) -> Finding:
    """The perimeter was put back. `without` are the statements that were taken out: those that let
    everybody in, with which AWS refused the policy.

    `unread`: AWS has refused to show the policy since.
    """
    read = "read it back"
    if unread:
        read = f"could not read it back: {code_of(unread)}: {readable(message_of(unread))}"
    return about.finding(
        Kind.SECRET_PERIMETER_RESTORED,
        Severity.HIGH,
        title=f"The policy of {about.secret.name} keeps it inside the perimeter again",
        cause=f"{sentence(about.gaps)} {about.seen()}",
        done=(
            f"put the corrected policy, and {read}",
            *[f"took out what let everybody in: {', '.join(without)}"][: len(without)],
        ),
        todo=(
            *[about.lacking][: bool(about.lacking)],
            "check for readers that are refused now (evidence: aws_warns)",
            "put the statement into whatever wrote the policy, or it is written again",
        ),
    )


def refused(about: About, error: ClientError) -> Finding:
    """AWS refused the corrected policy for good."""
    return lost(about, f"AWS refused to write it: {code_of(error)}: {readable(message_of(error))}")


def budget_spent(about: About, budget: int) -> Finding:
    """Put back too often within an hour: somebody writes against the guard."""
    return about.finding(
        Kind.CHANGE_BUDGET_SPENT,
        Severity.HIGH,
        title=f"The policy of {about.secret.name} was put back {budget} times in an hour",
        cause=f"It is left alone until the hour is over. {about.seen()}",
        todo=("settle with its owner which policy is right; the next sweep tries again",),
        window=3_600,
    )


def shut_out(about: About) -> Finding:
    """The policy denies reading to all who are inside the perimeter."""
    return about.finding(
        Kind.SECRET_PERIMETER_LOST,
        Severity.MEDIUM,
        title=f"The policy of {about.secret.name} denies reading it to everybody",
        cause=(
            "Its statements deny GetSecretValue to each request from an approved VPC or endpoint."
            f" {about.seen()}"
        ),
        todo=(
            "compare the VPC and endpoint ids in it with those that have an endpoint",
            "find a condition on a key that Secrets Manager does not send: it is always absent",
        ),
        window=DAY,
    )


def unseen(about: About, error: ClientError) -> Finding:
    """The guard may not read it: a policy that denies everything from outside denies it, too."""
    words = readable(message_of(error))
    return about.finding(
        Kind.SECRET_PERIMETER_LOST,
        Severity.LOW,
        title=f"The policy of {about.secret.name} cannot be read",
        cause=f"AWS refused {error.operation_name}: {code_of(error)}: {words}",
        todo=(
            "if the secret's own policy denies it, except the guard's role from all but reading",
            "if not, check for an SCP or permissions boundary on the guard",
        ),
        window=DAY,
    )


def released(about: About) -> Finding:
    """Somebody took the tag away by which the secret was bound, or opted it out."""
    return about.finding(
        Kind.SECRET_PERIMETER_LOST,
        Severity.MEDIUM,
        title=f"{about.secret.name} is no longer bound to the perimeter",
        cause=f"Its tags were changed. {about.seen()}",
        todo=("put the tags back, unless its owner meant it: nobody watches its policy now",),
    )
