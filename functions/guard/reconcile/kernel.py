"""The loop that reactions stand on: from a batch of messages to findings, once for all of them.

Open the batch; make requests of messages; leave to the queue what is not due; merge requests for
one resource; observe all resources at once; reconcile each, and carry out the change that it asks
for; requeue; publish; say which messages go back. Each message and each resource fails alone.

Needs, beside what the reaction does: dynamodb:GetItem and dynamodb:UpdateItem, sns:Publish,
ssm:GetParameter, sqs:SendMessage and sqs:ChangeMessageVisibility (its own queue).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from guard import alone
from guard.aws.denials import is_denial, may_not_look
from guard.aws.errors import at_fault, code_of, throttled
from guard.findings.finding import Finding
from guard.publishing.topic import PublishError
from guard.reconcile.attempt import Attempt, Invocation
from guard.reconcile.batch import Batch
from guard.reconcile.measuring import measure
from guard.reconcile.requeue import EARLY_SECONDS

if TYPE_CHECKING:
    from guard.publishing.publish import Published
    from guard.reconcile.batch import Message
    from guard.reconcile.mode import ModeRead
    from guard.reconcile.outbox import Outbox
    from guard.reconcile.reconciler import Reconciler
    from guard.reconcile.request import Key, Request
    from guard.reconcile.requeue import Requeue
    from guard.settings import Settings
    from guard.table.slots import Slots

logger = Logger(child=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A reaction with its collaborators.

    `mode` is asked before each change. `slot_taken` is called when a request was given a slot of
    the rate limiter, with the slot's time in epoch seconds.
    """

    reconciler: Reconciler
    settings: Settings
    slots: Slots
    outbox: Outbox
    requeue: Requeue
    publish: Callable[[Sequence[Finding], datetime], Published]
    mode: Callable[[], ModeRead]
    clock: Callable[[], datetime]
    slot_taken: Callable[[Request, int, datetime], None] | None = None

    def run(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Reconcile what the SQS event asks for; Lambda's partial batch response."""
        run = _Run(Invocation(self, Batch.open(event), self.clock()))
        alone.each(run.batch.messages, run.read, run.not_read)
        run.reconcile()
        run.publish()
        run.batch.log_failures(logger)
        return run.batch.response()


@dataclass(slots=True)
class _Run:
    """One invocation, with an attempt for each resource."""

    invocation: Invocation
    attempts: dict[Key, Attempt] = field(default_factory=dict["Key", Attempt])

    @property
    def batch(self) -> Batch:
        return self.invocation.batch

    def read(self, message: Message) -> None:
        """Find out which resources a message concerns. One that is not due waits in the queue."""
        kernel, now = self.invocation.kernel, self.invocation.now
        found = list(kernel.reconciler.triggers(message, now))
        requests = [one for one in found if not isinstance(one, Finding)]
        due = max(message.not_before, *(one.not_before for one in requests), 0)
        if due > now.timestamp() + EARLY_SECONDS:
            kernel.requeue.wait(message, due, now, self.batch)
            return
        self.invocation.findings += (one for one in found if isinstance(one, Finding))
        for request in requests:
            if attempt := self.attempts.get(request.key):
                attempt.request = attempt.request.merged(request)
                attempt.messages.append(message)
            else:
                self.attempts[request.key] = Attempt(self.invocation, request, [message])

    def not_read(self, message: Message, error: Exception) -> None:
        self.invocation.not_seen(error)
        self.invocation.hand_back([message], error)

    def reconcile(self) -> None:
        """Observe all resources, in as few calls as possible, and reconcile each."""
        states: dict[Key, Any] = {}
        observe, now = self.invocation.kernel.reconciler.observe, self.invocation.now
        requests = [one.request for one in self.attempts.values()]
        if requests:
            alone.together(
                requests,
                lambda some: states.update(observe(some, now)),
                self._not_observed,
                _concerns_all,
            )
        for key, state in states.items():
            self.attempts[key].run(state)

    def _not_observed(self, request: Request, error: Exception) -> None:
        if not may_not_look(error):
            self.invocation.not_seen(error, request.key)
        # As if the reconcile had failed: what an earlier attempt recorded is not dropped.
        self.attempts[request.key].run(error)

    def publish(self) -> None:
        """Publish what the batch found, then mark its changes published.

        Where publishing fails, the messages that led to findings go back, and their next attempt
        finds the changes in the outbox.
        """
        attempts, own, kernel = self.attempts.values(), self.invocation, self.invocation.kernel
        findings = [*own.findings, *(finding for one in attempts for finding in one.findings)]
        try:
            published = kernel.publish(findings, own.now)
            measure({"FindingsPublished": published.published})
            lost = frozenset[str]()
        except PublishError as error:
            lost = error.failed
            self._not_published(error, lost)
        except Exception as error:  # noqa: BLE001 - nothing is known to be published
            self._not_published(error, frozenset(one.fingerprint for one in findings))
            return
        try:
            well = (one for one in attempts if lost.isdisjoint(_fingerprints(one.findings)))
            closed = [entry for one in well for entry in one.published]
            kernel.outbox.mark_published(closed, own.now)
        except (ClientError, BotoCoreError) as error:
            # What stays open because the table fails is at worst published twice.
            logger.warning("published, but not marked as published", extra={"error": repr(error)})

    def _not_published(self, error: Exception, lost: frozenset[str]) -> None:
        """The messages that led to these findings go back."""
        logger.error("findings were not published", exc_info=error)
        for one in self.attempts.values():
            if not lost.isdisjoint(_fingerprints(one.findings)):
                self.batch.fail(one.messages, repr(error))
        if not lost.isdisjoint(_fingerprints(self.invocation.findings)):
            self.batch.fail(self.batch.messages, repr(error))


def _concerns_all(error: Exception) -> bool:
    """Whether the call would fail for any resource: AWS is slow or ill, or the guard may not."""
    denied = isinstance(error, ClientError) and is_denial(code_of(error))
    return denied or throttled(error) or at_fault(error)


def _fingerprints(findings: Iterable[Finding]) -> set[str]:
    return {one.fingerprint for one in findings}
