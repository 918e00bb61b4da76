"""Which VPCs have rotation functions: read only where the guard covers no others."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from guard.aws.errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

REMEMBERED_SECONDS = 300


@dataclass(slots=True)
class RotatingVpcs:
    """Lists the secrets that rotate and asks for the VPC of each function, at most once in a while.

    Needs secretsmanager:ListSecrets and lambda:GetFunctionConfiguration.
    """

    secretsmanager: "SecretsManagerClient"
    functions: "LambdaClient"
    prefix: str
    """How the ARN of a function of this account and Region begins."""
    _vpc_ids: frozenset[str] = field(default_factory=frozenset[str])
    _until: float = 0

    def __contains__(self, vpc_id: object) -> bool:
        if time.time() >= self._until:
            self._vpc_ids = frozenset(filter(None, map(self._vpc_of, self._function_arns())))
            self._until = time.time() + REMEMBERED_SECONDS
        return vpc_id in self._vpc_ids

    def _function_arns(self) -> set[str]:
        pages = self.secretsmanager.get_paginator("list_secrets").paginate()
        return {
            secret["RotationLambdaARN"]
            for page in pages
            for secret in page["SecretList"]
            if secret.get("RotationEnabled") and "RotationLambdaARN" in secret
        }

    def _vpc_of(self, arn: str) -> str:
        if arn.startswith("arn:") and not arn.startswith(self.prefix):
            return ""  # another account's function runs in another account's VPC
        try:
            config: Any = self.functions.get_function_configuration(FunctionName=arn)
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            return ""
        return config.get("VpcConfig", {}).get("VpcId", "")
