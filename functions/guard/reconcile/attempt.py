"""One resource in one invocation: have happen what the reaction decides about it.

An error is one of three. AWS throttled a call: before a change was recorded, the messages are
replaced by copies for later; after that, the request is requeued, for a slot of the rate limiter
where the change writes an endpoint. AWS refused the change for good: the outcome says so, and the
reaction reports it. Anything else: the messages go back, and in the end to the dead-letter queue.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from guard import alone
from guard.aws.denials import may_not_look, reading_refused
from guard.aws.errors import throttled
from guard.findings.finding import Finding
from guard.reconcile.measuring import measure
from guard.reconcile.mode import Mode, unreadable
from guard.reconcile.outbox import Entry, entry_of
from guard.reconcile.rate_limiter import RateLimited, RateLimiter
from guard.reconcile.requeue import EARLY_SECONDS, MOST_THROTTLES, back_off
from guard.reconcile.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from guard.reconcile.batch import Batch, Message
    from guard.reconcile.kernel import Kernel
    from guard.reconcile.request import Key, Request
    from guard.reconcile.result import Change, Result

MOST_ATTEMPTS = 10  # follow-ups of one unfinished change
LOOKS = 4  # of the 5 times that the queue hands a message out

logger = Logger(child=True)


@dataclass(slots=True)
class Invocation:
    """What the attempts of one invocation share. `findings` are of no single resource."""

    kernel: Kernel
    batch: Batch
    now: datetime
    findings: list[Finding] = field(default_factory=list[Finding])
    limiter: RateLimiter = field(init=False)
    _mode_reported: bool = False

    def __post_init__(self) -> None:
        self.limiter = RateLimiter(self.kernel.slots, self.now)

    def observes_only(self) -> bool:
        """Whether the mode in force is observe; reports one that nobody chose."""
        mode = self.kernel.mode()
        if mode.problem and not self._mode_reported:
            self._mode_reported = True
            self.findings.append(unreadable(self.kernel.settings, self.now, mode))
        return mode.mode is Mode.OBSERVE

    def not_seen(self, error: Exception, *keys: Key) -> None:
        """Report what the guard may not read, and of which VPCs."""
        vpc_ids = frozenset(one.id for one in keys if one.kind == "vpc")
        self.findings += reading_refused(self.kernel.settings, self.now, error, vpc_ids)

    def hand_back(
        self, messages: Sequence[Message], error: Exception, *, keep: bool = False
    ) -> None:
        """What AWS throttled is replaced by copies for later; anything else goes back.

        Where AWS has refused `LOOKS` times to show what the guard reads, that is published, and
        a later event or sweep reads again: it is no dead letter, unless there is more to `keep`.
        """
        if not throttled(error):
            logger.warning("messages go back", exc_info=error)
        if may_not_look(error) and not keep:
            messages = [one for one in messages if one.receives < LOOKS]
        self.kernel.requeue.back_off(messages, self.batch, error)


@dataclass(slots=True)
class Attempt:
    """One resource: what asked for it, and what came of it.

    `open` are entries that are not published, `published` those that are with this batch.
    `recorded`: this attempt has recorded a change; `limited`: one that writes an endpoint.
    """

    invocation: Invocation
    request: Request
    messages: list[Message]
    findings: list[Finding] = field(default_factory=list[Finding])
    open: list[Entry] = field(default_factory=list[Entry])
    published: list[Entry] = field(default_factory=list[Entry])
    recorded: bool = False
    limited: bool = False

    @property
    def now(self) -> datetime:
        return self.invocation.now

    @property
    def kernel(self) -> Kernel:
        return self.invocation.kernel

    def run(self, state: Any) -> None:
        """Reconcile the resource. Whatever fails in it harms no other resource."""
        alone.each([state], self._reconcile, lambda _, error: self._failed(error))

    def _reconcile(self, state: Any) -> None:
        self.open = self.kernel.outbox.unpublished(self.request, self.now)
        if isinstance(state, Exception):
            raise state
        entries = tuple(self.open)
        reconcile = self.kernel.reconciler.reconcile
        self._apply(reconcile(self.request, state, entries, self.now))

    def _apply(self, result: Result, instead_of: Entry | None = None) -> None:
        """Have happen what the reaction asks for. `instead_of` is an entry of nothing done."""
        self.findings += result.findings
        self.request = self.request.noting(result.notes)
        measure(result.metrics)
        self._publish_late(result.late)
        self._send(result.requests)
        if result.then:
            result.then()
        if result.requeue_after is not None:
            self._follow_up(result.requeue_after)
        for change in result.changes:
            if change.own or not self.invocation.observes_only():
                self._carry_out(change, instead_of)
                break
            self.findings += change.drift
            self._publish_late(change.earlier)

    def _publish_late(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.finding.done:
                late = self.kernel.reconciler.complete_late(self.request, entry, self.now)
                self._close(entry)
                self._apply(late)

    def _close(self, *entries: Entry) -> None:
        """These entries are published with this batch."""
        keys = {one.key for one in entries}
        self.published += entries
        self.open = [one for one in self.open if one.key not in keys]

    def _carry_out(self, change: Change, instead_of: Entry | None) -> None:
        """Record a change, carry it out within its limits, and complete it."""
        if change.not_before > self.now.timestamp() + EARLY_SECONDS:
            logger.info("has a slot already", extra={"resource": str(self.request.key)})
            self._publish_late(change.earlier)
            return
        if change.writes_endpoint:
            self.invocation.limiter.check(self.request.key)
        if change.limit and (refusal := change.limit.refuse(self.now)):
            self.findings.append(refusal)
            self._publish_late(change.earlier)
            return
        entry = entry_of(self.request, change)
        outcome = self._act(change, entry, instead_of)
        self.request = self.request.noting(outcome.notes)
        if outcome.failed:
            raise outcome.failed
        if outcome.retry_after is not None:
            self._follow_up(outcome.retry_after)
            return
        result = self.kernel.reconciler.complete(self.request, change, outcome, self.now)
        self._close(entry, *change.earlier, *change.supersedes)
        # What AWS refused was not done: what follows from the refusal is recorded in its place.
        self._apply(result, entry if outcome.refused and not outcome.done else None)

    def _act(self, change: Change, entry: Entry, instead_of: Entry | None) -> Outcome:
        """Send its requests, record the change and carry it out; limits and record then have what
        came of it.
        """
        outbox, recorded = self.kernel.outbox, False
        try:
            self._send(change.requests)
            outbox.record(entry, self.now, instead_of=instead_of)
            recorded = self.recorded = True
            self.limited = change.writes_endpoint
            self.open = [*(one for one in self.open if one.key != entry.key), entry]
            outcome = self.kernel.reconciler.act(change, self.now)
        except Exception as error:  # noqa: BLE001 - raised again by `_carry_out`
            outcome = Outcome(failed=error)
        if change.limit:
            change.limit.give_back(outcome, self.now)
        ended = outcome.retry_after is not None or (outcome.failed and throttled(outcome.failed))
        if recorded and ended and (outcome.partial or not outcome.done):
            # The rest was not done, and somebody else may do it before the next attempt.
            outbox.replace(entry, outcome.partial, self.now)
        return outcome

    def _send(self, requests: Sequence[Request]) -> None:
        """Send requests that follow from this one."""
        requeue, hops = self.kernel.requeue, self.request.hops
        for due in dict.fromkeys(one.not_before for one in requests):
            some = [replace(one, hops=hops) for one in requests if one.not_before == due]
            if len(some) == 1:
                requeue.requeue(some[0], self.now)
            else:
                requeue.fan_out(some, self.now, hops=hops, delay=due - self.now.timestamp())

    def _follow_up(self, after: timedelta) -> None:
        """Requeue an unfinished change as another attempt, so many times."""
        if self.request.attempt >= MOST_ATTEMPTS:
            logger.warning("not reconciled again", extra={"resource": str(self.request.key)})
            return
        due = int((self.now + after).timestamp())
        again = replace(self._again("follow-up", due), attempt=self.request.attempt + 1)
        self.kernel.requeue.requeue(again, self.now)

    def _again(self, reason: str, due: int) -> Request:
        """The request as it is requeued: with the entries that are still open."""
        items = tuple(dict.fromkeys(one.item for one in self.open))
        return replace(self.request, reason=reason, not_before=due, entries=items)

    def _failed(self, error: Exception) -> None:
        """Back off from what AWS throttled; else the messages go back."""
        slow = throttled(error)
        if may_not_look(error):
            self.invocation.not_seen(error, self.request.key)
        try:
            if isinstance(error, RateLimited) or (slow and self.recorded):
                self._back_off(error, self.request.throttled + slow)
            elif self.recorded:
                raise error
            else:
                self.invocation.hand_back(self.messages, error, keep=bool(self.open))
        except Exception as second:
            logger.exception("messages go back")
            self.invocation.batch.fail(self.messages, repr(second))

    def _back_off(self, error: Exception, throttles: int) -> None:
        """Requeue the request, so many times: for its slot where it writes an endpoint."""
        if throttles > MOST_THROTTLES:
            raise error
        if isinstance(error, RateLimited) or self.limited:
            due = self.invocation.limiter.take_slot(self.request.key)
            if self.kernel.slot_taken:
                self.kernel.slot_taken(self.request, due, self.now)
        else:
            due = int(self.now.timestamp()) + back_off(throttles)
        again = replace(self._again("AWS has capacity again", due), throttled=throttles)
        # Not left to a sweep: a slot is taken, and a change may be half done.
        self.kernel.requeue.requeue(again, self.now, must=True)
        extra = {"resource": str(self.request.key), "throttled": throttles, "not_before": due}
        logger.info("backed off", extra=extra)
