"""Put a corrected resource policy on a secret, and read it back.

PutResourcePolicy in the Secrets Manager API reference. BlockPublicPolicy has AWS refuse a policy
that lets the public in. What lets everybody in is left out then: it is never meant for a secret
that is kept inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.errors import code_of, refused
from guard.reconcile.result import Change, NotVerified, Outcome
from secret_policy.correction import Corrected
from secret_policy.findings import About
from secret_policy.observe import Reader
from secret_policy.perimeter import Perimeter, gaps

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

PUBLIC = "PublicPolicyException"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction(Change):
    """The corrected policies, in the order in which they are tried; `inside` is the perimeter."""

    about: About
    inside: Perimeter
    policies: Sequence[Corrected]


@dataclass(frozen=True, slots=True)
class Put:
    """The policy that was put, and AWS's refusal to show it."""

    policy: Corrected
    unread: ClientError | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """Needs secretsmanager:PutResourcePolicy, and what reading a secret needs."""

    client: "SecretsManagerClient"
    reader: Reader

    def put(self, change: Correction) -> Outcome:
        """Put the first policy that AWS takes. The outcome has its refusal, or what was put.

        Raises ClientError or BotoCoreError where it is not known to be put.
        """
        refusal = None
        for policy in change.policies:
            try:
                self.client.put_resource_policy(
                    SecretId=change.about.secret.arn,
                    ResourcePolicy=policy.text,
                    BlockPublicPolicy=True,
                )
            except ClientError as error:
                refusal = error
                if code_of(error) == PUBLIC:
                    continue
                if not refused(error):
                    raise
                break
            return self._read_back(change, policy)
        return Outcome(refused=refusal)

    def _read_back(self, change: Correction, policy: Corrected) -> Outcome:
        done, arn = tuple(change.announcement.done), change.about.secret.arn
        try:
            shown = self.reader.secret(arn)
        except ClientError as error:
            return (
                Outcome(done=done, evidence=Put(policy, error))
                if refused(error)
                else Outcome(done=done, failed=error)
            )
        except BotoCoreError as error:
            return Outcome(done=done, failed=error)
        if left := gaps(shown.policy, arn, change.inside):
            why = f"{arn} does not show the policy that was put: {left[0]}"
            return Outcome(done=done, failed=NotVerified(why))
        return Outcome(done=done, evidence=Put(policy))
