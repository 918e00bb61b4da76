"""The VPC that a secret's rotation asks to reconcile, or a finding that says why there is none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ensure_endpoint.rotation import findings
from ensure_endpoint.rotation.function import FAILED, locate
from guard.cloudtrail.record import Record, UnreadableRecord
from guard.cloudtrail.resource_ids import rotation_function_arn, secret_id
from guard.findings.finding import Finding
from guard.reconcile.batch import Message
from guard.reconcile.request import Key, Request, Trigger
from guard.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient


# Secrets Manager's own events: nobody called, so that its words are all there is.
ROTATION_FAILED = frozenset({"RotationFailed", "RotationAbandoned", "TestRotationFailed"})


@dataclass(frozen=True, slots=True)
class RotationTriggers:
    """Finds the VPC of a rotation's function.

    A rotation that failed is published: with the verdict on its VPC, or why it runs in none.

    Needs secretsmanager:DescribeSecret and lambda:GetFunctionConfiguration.
    """

    settings: Settings
    secretsmanager: "SecretsManagerClient"
    functions: "LambdaClient"

    def of(
        self, message: Message, record: Record, facts: Mapping[str, str], now: datetime
    ) -> Iterator[Request | Finding]:
        """A request for the VPC, with these facts and those of the rotation; or a finding.

        Raises UnreadableRecord for a record that names no secret, and boto3's errors of what may
        pass.
        """
        secret = secret_id(record)
        if not secret:
            raise UnreadableRecord(f"{record.event_name} names no secret")
        found = locate(
            secret,
            rotation_function_arn(record) or "",
            account_id=self.settings.account_id,
            region=self.settings.region,
            secretsmanager=self.secretsmanager,
            functions=self.functions,
        )
        trigger = Trigger.of_event(message, record)
        failed = record.event_name in ROTATION_FAILED
        words = record.error_message or "AWS gave no reason"
        if failed and not found.vpc_id and (found.problem or found.secret_arn):
            why = found.cause or "AWS rotates the secret itself, without a function of yours"
            yield findings.failed(self.settings, now, trigger, found, words, why)
        elif found.cure:
            yield findings.unreadable(self.settings, now, trigger, found)
        elif found.problem:
            yield findings.unserved(self.settings, now, trigger, found, found.problem)
        elif found.vpc_id:
            key = Key(self.settings.account_id, self.settings.region, "vpc", found.vpc_id)
            given = {FAILED: words} if failed else facts
            trigger = replace(trigger, facts={**given, **found.to_facts()})
            secrets = {"secrets": (secret,)}
            yield Request(key=key, triggers=(trigger,), notes=secrets, hops=message.hops)
