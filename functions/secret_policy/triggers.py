"""Which secrets a message of the secret policy queue is about."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from aws_lambda_powertools import Logger

from guard.cloudtrail.record import FROM_CLOUDTRAIL, Record, from_envelope
from guard.cloudtrail.resource_ids import secret_id
from guard.reconcile.batch import Message
from guard.reconcile.messages import from_message, is_reconcile
from guard.reconcile.request import Key, Request, Trigger, asking
from guard.reconcile.requeue import Requeue
from guard.settings import Settings
from secret_policy.observe import Reader
from secret_policy.perimeter import Bound

LOOSENED = "loosened"  # the fact that a call took the secret out of those that are bound
SOURCE_IP = "source_ip"

logger = Logger(child=True)


@dataclass(frozen=True, slots=True)
class Triggers:
    """Reads messages. Needs secretsmanager:ListSecrets and sqs:SendMessage for a schedule's."""

    settings: Settings
    bound: Bound
    reader: Reader
    requeue: Requeue

    def of(self, message: Message, now: datetime) -> Iterable[Request]:
        """The secret of a record, or of one of the guard's own requests.

        A schedule or a deployment names none: a request for each bound secret is sent instead.
        Raises UnreadableRecord, UnreadableMessage, NotSent and boto3's errors.
        """
        if is_reconcile(message.envelope):
            return [from_message(message, "secret", self.settings)]
        if str(message.envelope.get("detail-type", "")).endswith(FROM_CLOUDTRAIL):
            return self._of_record(message, from_envelope(message.envelope))
        reason = f"sweep after {message.envelope.get('detail-type')}"
        arns = self.reader.bound_secrets(self.bound)
        requests = (asking(self._key(arn), reason) for arn in arns)
        self.requeue.fan_out(requests, now, hops=message.hops)
        return []

    def _of_record(self, message: Message, record: Record) -> Iterable[Request]:
        """The secret that the record names, if it is one of this account and Region.

        None for a call that failed: it changed nothing. If it is the guard's own that AWS refused,
        to try again would only have it refused again, without end.
        """
        if record.failed:
            logger.info("a call that failed", extra={"call": record.event_name})
            return []
        named = secret_id(record) or ""
        here = [self.settings.region, self.settings.account_id]
        if not named or (named.startswith("arn:") and named.split(":")[3:5] != here):
            extra = {"secret": named, "call": record.event_name}
            logger.info("names no secret of ours", extra=extra)
            return []
        facts = {SOURCE_IP: record.source_ip}
        if self.bound.loosened_by(record.request):
            facts[LOOSENED] = "true"
        trigger = Trigger.of_event(message, record, **facts)
        return [Request(key=self._key(named), triggers=(trigger,), hops=message.hops)]

    def _key(self, named: str) -> Key:
        return Key(self.settings.account_id, self.settings.region, "secret", named)
