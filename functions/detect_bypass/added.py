"""The exceptions that were added at run time, as they were some minutes ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from detect_bypass.judge.exceptions import ExceptionsError, Exemption, parse_added
from guard.approved.added import read_added

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_ssm import SSMClient

MAX_AGE = timedelta(minutes=5)

logger = Logger(child=True)


@dataclass(slots=True)
class AddedExceptions:
    """Reads them where something would be an alert without: most batches need none.

    Needs ssm:GetParametersByPath.
    """

    ssm: SSMClient
    stack_name: str
    _usable: tuple[Exemption, ...] = ()
    _read_at: datetime | None = None

    def read(self, now: datetime) -> Sequence[Exemption]:
        """Those that can be used. If SSM does not answer, those that it gave the last time: none
        where there was none, and then the requests are alerts.
        """
        if self._read_at is None or now - self._read_at >= MAX_AGE:
            self._read_at = now
            try:
                self._usable = tuple(self._parsed())
            except (ClientError, BotoCoreError) as error:
                logger.warning("added exceptions are not read", extra={"error": repr(error)})
        return self._usable

    def _parsed(self) -> list[Exemption]:
        usable: list[Exemption] = []
        for one in read_added(self.ssm, self.stack_name):
            try:
                usable.append(parse_added(one))
            except ExceptionsError as error:
                said = {"exception": one.name, "why": str(error)}
                logger.warning("an added exception is not used", extra=said)
        return usable
