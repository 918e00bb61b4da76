"""Reconcile one secret: compare its policy with what keeps the perimeter, and correct it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from guard.aws.errors import code_of, refused
from guard.findings.finding import Finding
from guard.reconcile.batch import Message
from guard.reconcile.outbox import Entry
from guard.reconcile.request import Key, Request
from guard.reconcile.result import Outcome, Result
from guard.settings import Settings
from guard.table.budgets import Budgets
from secret_policy import findings as findings_of
from secret_policy.act import Correction, Put, Writer
from secret_policy.correction import NotCorrectable, corrections
from secret_policy.dependents import Dependents
from secret_policy.findings import About
from secret_policy.observe import Reader
from secret_policy.perimeter import Bound, Perimeter, Secret, gaps, shuts_everybody_out
from secret_policy.shares import later, over_share
from secret_policy.triggers import LOOSENED, Triggers

BUDGET_WINDOW_SECONDS = 3_600

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class ChangeBudget:
    """How often within an hour the policy of one secret is corrected."""

    budgets: Budgets
    about: About
    most: int

    @property
    def key(self) -> str:
        return f"secret-policy#{self.about.secret.arn}"

    def refuse(self, now: datetime) -> Finding | None:
        """Take one correction out; the finding if none is left."""
        if self.budgets.take(self.key, self.most, BUDGET_WINDOW_SECONDS, now).allowed:
            return None
        return findings_of.budget_spent(self.about, self.most)

    def give_back(self, outcome: Outcome, now: datetime) -> None:
        """Put it back if nothing was written."""
        if not outcome.done:
            self.budgets.return_(self.key, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPolicy:
    """The reaction, as the kernel calls it. `restores`: policies are corrected, and not only
    reported.
    """

    settings: Settings
    bound: Bound
    budgets: Budgets
    reader: Reader
    writer: Writer
    dependents: Dependents
    sources: Triggers
    restores: bool
    change_budget: int

    def triggers(self, message: Message, now: datetime) -> Iterable[Request]:
        """See `Triggers.of`."""
        return self.sources.of(message, now)

    def observe(
        self, requests: Sequence[Request], now: datetime
    ) -> Mapping[Key, Perimeter | Exception]:
        """What is inside the perimeter, read once for the batch; `reconcile` reads the secret.

        What is over the share of its caller backs off, as if AWS had throttled it.
        """
        inside, late = self.reader.perimeter(), over_share(requests)
        return {one.key: later() if one in late else inside for one in requests}

    def reconcile(
        self, request: Request, state: Perimeter, entries: Sequence[Entry], now: datetime
    ) -> Result:
        """Correct the policy of a bound secret that can be read from outside, or report it."""
        named, checked = request.key.id, {"SecretsChecked": 1.0}
        loosened = any(LOOSENED in one.facts for one in request.triggers)
        try:
            secret = self.reader.secret(named, lambda tags: loosened or self.bound.holds(tags))
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return Result(metrics=checked)
            if not refused(error):
                raise
            about = About(self.settings, now, Secret(named, named, {}), request)
            return Result(findings=(findings_of.unseen(about, error),), metrics=checked)
        about = About(self.settings, now, secret, request)
        if not self.bound.holds(secret.tags):
            released = (findings_of.released(about),) if loosened else ()
            return Result(findings=released, metrics=checked)
        open_ways = gaps(secret.policy, secret.arn, state)
        logger.info("compared", extra={"secret": secret.arn, "gaps": open_ways})
        shut = shuts_everybody_out(secret.policy, secret.arn, state)
        shut_out = (findings_of.shut_out(about),) if shut else ()
        if not open_ways:
            # What is still unpublished was made by an attempt that was cut short.
            return Result(
                findings=shut_out,
                late=tuple(entries),
                then=partial(self.dependents.note_whole, secret, now) if self.restores else None,
                metrics={**checked, "SecretPoliciesWhole": 1.0},
            )
        result = self._corrected(replace(about, gaps=open_ways), state, entries)
        return replace(result, findings=(*shut_out, *result.findings), metrics=checked)

    def _corrected(self, about: About, inside: Perimeter, entries: Sequence[Entry]) -> Result:
        """The correction, or the report that there is none, it is left out, or held back."""
        secret = about.secret
        try:
            if secret.is_replica:
                raise NotCorrectable(f"its policy comes from {secret.primary_region}")
            policies = corrections(secret.policy, secret.arn, inside)
        except NotCorrectable as error:
            return Result(findings=(findings_of.lost(replace(about, hindrance=str(error))),))
        about = replace(about, correction=policies[0].text)
        lost = findings_of.lost(about)
        if not self.restores:
            return Result(findings=(lost,))
        held = self.dependents.of(secret, inside, about.changed(), about.now)
        if held.why:
            return Result(findings=(findings_of.held_back(about, held.why),), late=tuple(entries))
        about = replace(about, lacking=held.lacking)
        change = Correction(
            kind="correct",
            announcement=findings_of.restored(about),
            drift=(lost,),
            limit=ChangeBudget(self.budgets, about, self.change_budget),
            earlier=tuple(entries),
            about=about,
            inside=inside,
            policies=policies,
        )
        return Result(changes=(change,))

    def act(self, change: Correction, now: datetime) -> Outcome:
        """See `Writer.put`."""
        return self.writer.put(change)

    def complete(
        self, request: Request, change: Correction, outcome: Outcome, now: datetime
    ) -> Result:
        """Report the corrected policy, or that AWS refused it."""
        if outcome.refused:
            finding = findings_of.refused(change.about, outcome.refused)
            return Result(findings=(finding,), metrics={"SecretPoliciesNotRestorable": 1.0})
        put: Put = outcome.evidence
        about = replace(change.about, correction=put.policy.text)
        return Result(
            findings=(findings_of.restored(about, put.policy.without, put.unread),),
            then=partial(self.dependents.note_whole, about.secret, now),
            metrics={"SecretPoliciesRestored": 1.0},
        )

    def complete_late(self, request: Request, entry: Entry, now: datetime) -> Result:
        """Report a correction of an attempt that was cut short."""
        return Result(findings=(entry.late(now),))
