"""The loop that reactions stand on: from a batch of messages to findings, once for all of them.

Open the batch; turn messages into requests; leave to the queue what is not due; merge requests for
one resource; observe all resources at once; reconcile each, and carry out the change that it asks
for; requeue; publish; say which messages go back. Each message and each resource fails alone.

Needs, beside what the reaction does: dynamodb:GetItem and dynamodb:UpdateItem, sns:Publish,
ssm:GetParameter, sqs:SendMessage and sqs:ChangeMessageVisibility (its own queue).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.denials import may_not_look
from guard.findings.finding import Finding
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
        for message in run.batch.messages:
            run.read(message)
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
        try:
            self._read(message)
        except Exception as error:  # noqa: BLE001 - each message fails alone
            self._observe_failed(error, frozenset())
            self.invocation.hand_back([message], error)

    def _read(self, message: Message) -> None:
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

    def reconcile(self) -> None:
        """Observe all resources, and reconcile each."""
        for key, state in self._observe([one.request for one in self.attempts.values()]).items():
            self.attempts[key].run(state)

    def _observe(self, requests: Sequence[Request]) -> Mapping[Key, Any]:
        """The state of each; where something in one of them breaks the others, of each alone."""
        if not requests:
            return {}
        messages = [one for it in requests for one in self.attempts[it.key].messages]
        try:
            return self.invocation.kernel.reconciler.observe(requests, self.invocation.now)
        except (ClientError, BotoCoreError) as error:
            vpc_ids = frozenset(one.key.id for one in requests if one.key.kind == "vpc")
            self._observe_failed(error, vpc_ids)
            self.invocation.hand_back(messages, error)
        except Exception as error:  # noqa: BLE001 - each resource fails alone
            if len(requests) > 1:
                return {k: state for one in requests for k, state in self._observe([one]).items()}
            self.invocation.hand_back(messages, error)
        return {}

    def _observe_failed(self, error: Exception, vpc_ids: frozenset[str]) -> None:
        """Report what the guard may not read."""
        settings, now = self.invocation.kernel.settings, self.invocation.now
        self.invocation.findings += may_not_look(settings, now, error, vpc_ids)

    def publish(self) -> None:
        """Publish what the batch found, then mark its changes published.

        Where publishing fails, the messages that led to findings go back, and their next attempt
        finds the changes in the outbox.
        """
        attempts, own, kernel = self.attempts.values(), self.invocation, self.invocation.kernel
        findings = [*own.findings, *(finding for one in attempts for finding in one.findings)]
        try:
            published = kernel.publish(findings, own.now)
        except Exception as error:
            logger.exception("findings were not published")
            for one in attempts:
                if one.findings or own.findings:
                    self.batch.fail(one.messages, repr(error))
            if own.findings:
                self.batch.fail(self.batch.messages, repr(error))
            return
        measure({"FindingsPublished": published.published})
        try:
            closed = [entry for one in attempts for entry in one.published]
            kernel.outbox.mark_published(closed, own.now)
        except (ClientError, BotoCoreError) as error:
            # What stays open because the table fails is at worst published twice.
            logger.warning("published, but open", extra={"error": repr(error)})
