"""What is to be published of one write call: whether it is about the guard, and who made it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from guard.aws.denials import may_not_look, reading_refused
from guard.aws.parameters import ParameterUnreadable
from watch_guard.changes import (
    changed_exceptions,
    changed_parts,
    changes_stack,
    may_be_ours,
    named_like_ours,
)
from watch_guard.findings import exception_changed, guard_changed, guard_deployed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from guard.aws.parameters import Parameters
    from guard.cloudtrail.record import Record
    from guard.findings.finding import Finding
    from guard.settings import Settings
    from watch_guard.changes import Deployers, Part
    from watch_guard.stack import Stack

logger = Logger(child=True)


@dataclass(slots=True)
class Watch:
    """Where AWS refuses for good to say what belongs to the guard, or whether it was being
    deployed, that is published, and the call is taken for the worse.

    Needs cloudformation:DescribeStackEvents, cloudformation:ListStackResources and, on the
    exceptions of run time, ssm:GetParameter.
    """

    settings: Settings
    stack: Stack
    deployers: Deployers
    owners: Sequence[Part]
    parameters: Parameters

    def findings(self, record: Record, now: datetime) -> list[Finding]:
        """What is to be published of a record. Raises ClientError, but for what is refused."""
        refused: list[Finding] = []
        found = [
            exception_changed(record, one, self._text_of(one), self.settings)
            for one in changed_exceptions(record, self.settings.stack_name)
        ]
        parts = self._changed(record, now, refused)
        if parts or (may_be_ours(record) and not found):
            found += self._of_guard(record, parts, now, refused)
        return [*found, *refused]

    def _of_guard(
        self, record: Record, parts: list[Part], now: datetime, refused: list[Finding]
    ) -> list[Finding]:
        names = [part.logical_id for part in parts]
        what = {"event_id": record.event_id, "event_name": record.event_name, "parts": names}
        if not self.deployers.made(record, lambda: self._operating(record, now, refused)):
            who = {"principal": record.identity.name}
            logger.warning("the guard was changed", extra=what | who)
            return [guard_changed(record, parts, self.settings)]
        if changes_stack(record):
            logger.info("a deployment", extra=what)
            return [guard_deployed(record, parts, self.settings)]
        logger.info("part of a deployment", extra=what)
        return []

    def _changed(self, record: Record, now: datetime, refused: list[Finding]) -> list[Part]:
        try:
            known = [*self.stack.parts(time.monotonic()), *self.owners]
        except ClientError as error:
            refused += self._refusal(error, now)
            known = [*self.owners, *named_like_ours(record, self.settings)]
        return changed_parts(record, known, self.settings.stack_id)

    def _operating(self, record: Record, now: datetime, refused: list[Finding]) -> bool:
        try:
            return self.stack.operating(record.event_time)
        except ClientError as error:
            refused += self._refusal(error, now)
            return False

    def _refusal(self, error: ClientError, now: datetime) -> list[Finding]:
        if not may_not_look(error):
            raise error
        return reading_refused(self.settings, now, error)

    def _text_of(self, exception: Part) -> str:
        """What the parameter holds now; why that is not known, where it is not."""
        try:
            return self.parameters.get(exception.physical_id, max_age=0)
        except ParameterUnreadable as error:
            return str(error)
