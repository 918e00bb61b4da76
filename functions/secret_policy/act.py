"""Put a corrected resource policy on a secret, and read it back.

PutResourcePolicy in the Secrets Manager API reference. BlockPublicPolicy has AWS refuse a policy
that lets the public in.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.errors import refused
from guard.reconcile.result import Change, NotVerified, Outcome
from secret_policy.findings import About
from secret_policy.observe import Reader
from secret_policy.perimeter import Perimeter, gaps

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction(Change):
    """The corrected policy, in `about`; `inside` is the perimeter that it is to keep."""

    about: About
    inside: Perimeter


@dataclass(frozen=True, slots=True)
class Writer:
    """Needs secretsmanager:PutResourcePolicy, and what reading a secret needs."""

    client: "SecretsManagerClient"
    reader: Reader

    def put(self, change: Correction) -> Outcome:
        """Put the policy. The outcome has AWS's refusal to take it, or to show it as evidence.

        Raises ClientError or BotoCoreError where it is not known to be put.
        """
        try:
            self.client.put_resource_policy(
                SecretId=change.about.secret.arn,
                ResourcePolicy=change.about.correction,
                BlockPublicPolicy=True,
            )
        except ClientError as error:
            if not refused(error):
                raise
            return Outcome(refused=error)
        return self._read_back(change)

    def _read_back(self, change: Correction) -> Outcome:
        done, arn = tuple(change.announcement.done), change.about.secret.arn
        try:
            shown = self.reader.secret(arn)
        except ClientError as error:
            return (
                Outcome(done=done, evidence=error)
                if refused(error)
                else Outcome(done=done, failed=error)
            )
        except BotoCoreError as error:
            return Outcome(done=done, failed=error)
        if left := gaps(shown.policy, arn, change.inside):
            why = f"{arn} does not show the policy that was put: {left[0]}"
            return Outcome(done=done, failed=NotVerified(why))
        return Outcome(done=done)
