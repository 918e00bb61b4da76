"""Which VPC a secret's rotation runs in, or why it runs in none of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from guard.aws.denials import action_of, cure
from guard.aws.errors import code_of, message_of, readable, refused
from guard.findings.finding import Kind

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient


FAILED = "failed"  # the fact of a trigger that holds AWS's words on a rotation that failed


@dataclass(frozen=True, slots=True)
class Rotation:
    """Where a rotation runs: a VPC of ours, or the kind of finding and the words for why not.

    `cure` is what to do where AWS refuses to say.

    `secret_arn` is empty where the secret could not be described. Neither VPC nor problem is set
    for a secret that is deleted since, or that AWS rotates itself, which needs no endpoint.
    """

    secret_id: str
    function_arn: str = ""
    vpc_id: str = ""
    problem: Kind | None = None
    cause: str = ""
    cure: str = ""
    secret_arn: str = ""
    role_arn: str = ""
    subnet_ids: frozenset[str] = frozenset()
    group_ids: frozenset[str] = frozenset()

    def to_facts(self) -> dict[str, str]:
        """A rotation that runs in a VPC, as facts of a trigger; `from_facts` reads them."""
        return {
            "secret": self.secret_id,
            "secret_arn": self.secret_arn,
            "function": self.function_arn,
            "role": self.role_arn,
            "subnets": ",".join(sorted(self.subnet_ids)),
            "groups": ",".join(sorted(self.group_ids)),
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, str], vpc_id: str) -> Self:
        return cls(
            facts["secret"],
            facts["function"],
            vpc_id,
            secret_arn=facts["secret_arn"],
            role_arn=facts["role"],
            subnet_ids=frozenset(filter(None, facts["subnets"].split(","))),
            group_ids=frozenset(filter(None, facts["groups"].split(","))),
        )


@dataclass(frozen=True, slots=True)
class _Secret:
    """What DescribeSecret says; all empty where it may not be asked."""

    arn: str = ""
    function_arn: str = ""


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

    `function_arn` is what the RotateSecret record named, which may also be a name or a part of an
    ARN; empty where it named none, and then the secret's stored setting counts (RotateSecret
    without settings repeats the stored ones). Raises ClientError for what may pass.
    """
    if not _is_here(secret_id, account_id, region):
        cause = f"the secret {secret_id} is not in account {account_id}, Region {region}"
        return Rotation(secret_id, function_arn, problem=Kind.ROTATION_ELSEWHERE, cause=cause)
    try:
        secret = _describe(secret_id, secretsmanager)
    except ClientError as error:
        # A secret's own policy may refuse the guard. That matters where only the secret knows.
        if not refused(error):
            raise
        if not function_arn:
            return _unreadable(secret_id, "", error)
        secret = _Secret()
    if secret is None:
        return Rotation(secret_id)
    arn = function_arn or secret.function_arn
    if not arn:
        return Rotation(secret_id, secret_arn=secret.arn)
    if not _is_here(arn, account_id, region):
        cause = f"the rotation function {arn} is not in account {account_id}, Region {region}"
        return Rotation(secret_id, arn, problem=Kind.ROTATION_ELSEWHERE, cause=cause)
    return _placed(secret_id, secret.arn, arn, functions)


def _placed(secret_id: str, secret_arn: str, arn: str, functions: "LambdaClient") -> Rotation:
    """The rotation by what Lambda says of its function."""
    try:
        config: Mapping[str, Any] = functions.get_function_configuration(FunctionName=arn)
    except ClientError as error:
        if not refused(error):
            raise
        if code_of(error) != "ResourceNotFoundException":
            return _unreadable(secret_id, arn, error)
        cause = f"the rotation function {arn} does not exist"
        return Rotation(secret_id, arn, problem=Kind.ROTATION_FUNCTION_MISSING, cause=cause)
    arn = config.get("FunctionArn", arn)  # it may have been named otherwise
    network: dict[str, Any] = {**config.get("VpcConfig", {})}
    if not network.get("VpcId"):
        cause = (
            f"the rotation function {arn} runs outside any VPC: its requests take the public way"
        )
        return Rotation(secret_id, arn, problem=Kind.ROTATION_WITHOUT_VPC, cause=cause)
    return Rotation(
        secret_id,
        arn,
        network["VpcId"],
        secret_arn=secret_arn,
        role_arn=config.get("Role", ""),
        subnet_ids=frozenset(network.get("SubnetIds", ())),
        group_ids=frozenset(network.get("SecurityGroupIds", ())),
    )


def _unreadable(secret_id: str, arn: str, error: ClientError) -> Rotation:
    """AWS refuses for good what the guard has to know: repeated, it would be refused again."""
    words = readable(message_of(error))
    cause = f"AWS refused {action_of(error)}: {code_of(error)}: {words}"
    what_to_do = cure(message_of(error), action_of(error))
    kind = Kind.ENDPOINT_NOT_REPAIRABLE
    return Rotation(secret_id, arn, problem=kind, cause=cause, cure=what_to_do)


def _describe(secret_id: str, secretsmanager: "SecretsManagerClient") -> _Secret | None:
    """The secret's settings; None if it is deleted since: there is nothing left to rotate."""
    try:
        answer: Mapping[str, Any] = secretsmanager.describe_secret(SecretId=secret_id)
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise
    if answer.get("DeletedDate"):
        return None
    return _Secret(answer.get("ARN", ""), answer.get("RotationLambdaARN", ""))


def _is_here(name: str, account_id: str, region: str) -> bool:
    """Whether a secret or function is of this account and Region.

    It may be an ARN, a name, or for a function `account:function:name` (GetFunctionConfiguration,
    FunctionName): what is left out means the caller's own.
    """
    parts = name.split(":")
    if parts[0] == "arn":
        return parts[3:5] == [region, account_id]
    return not parts[0].isdecimal() or len(parts) == 1 or parts[0] == account_id
