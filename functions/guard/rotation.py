"""Which VPC a secret's rotation runs in, or why it runs in none of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from guard.aws_errors import code_of
from guard.finding import Kind

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(frozen=True, slots=True)
class Rotation:
    """Where a rotation runs: a VPC of ours, or the kind of finding and the words for why not.

    Neither is set for managed rotation, which uses no function and thus no endpoint.
    """

    secret_id: str
    function_arn: str = ""
    vpc_id: str = ""
    problem: Kind | None = None
    cause: str = ""


def locate(
    secret_id: str,
    function_arn: str,
    *,
    account_id: str,
    region: str,
    secretsmanager: "SecretsManagerClient",
    functions: "LambdaClient",
) -> Rotation:
    """Find the VPC of a secret's rotation function.

    `function_arn` is what the RotateSecret record named; empty where it named none, and then the
    secret's stored setting is read (RotateSecret without settings repeats the stored ones).
    Raises ClientError for anything but a secret or function that does not exist.
    """
    if not _is_here(secret_id, account_id, region):
        cause = f"the secret {secret_id} is not in account {account_id}, Region {region}"
        return Rotation(secret_id, function_arn, problem=Kind.ROTATION_ELSEWHERE, cause=cause)
    arn = function_arn or _stored_function(secret_id, secretsmanager)
    if not arn:
        return Rotation(secret_id)
    if not _is_here(arn, account_id, region):
        cause = f"the rotation function {arn} is not in account {account_id}, Region {region}"
        return Rotation(secret_id, arn, problem=Kind.ROTATION_ELSEWHERE, cause=cause)
    try:
        config: Mapping[str, Any] = functions.get_function_configuration(FunctionName=arn)
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        cause = f"the rotation function {arn} does not exist"
        return Rotation(secret_id, arn, problem=Kind.ROTATION_FUNCTION_MISSING, cause=cause)
    vpc_id = config.get("VpcConfig", {}).get("VpcId", "")
    if not vpc_id:
        cause = (
            f"the rotation function {arn} runs outside any VPC: its requests take the public way"
        )
        return Rotation(secret_id, arn, problem=Kind.ROTATION_WITHOUT_VPC, cause=cause)
    return Rotation(secret_id, arn, vpc_id)


def _stored_function(secret_id: str, secretsmanager: "SecretsManagerClient") -> str:
    try:
        return secretsmanager.describe_secret(SecretId=secret_id).get("RotationLambdaARN", "")
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        return ""  # deleted since: there is nothing left to rotate


def _is_here(arn: str, account_id: str, region: str) -> bool:
    parts = arn.split(":")
    # A bare name, which both APIs accept too, means the caller's own account and Region.
    return len(parts) < 5 or (parts[3], parts[4]) == (region, account_id)
