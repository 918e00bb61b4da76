"""The VPC of a Lambda function, and its names.

moto answers `vpc-123abc` for every function in a VPC, and takes subnets and groups that do not
exist. AWS answers the VPC of the subnets, and refuses what EC2 does not know. moto does not know a
function by `account:function:name`, as AWS does, and its CloudFormation hands over layers that are
no ARNs when it updates a function.
"""

import re
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaFunction, LambdaStorage
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends

from .patching import Patches

patches = Patches()

_PARTIAL_ARN = re.compile(r"^\d{12}:function:")


@patches.method(LambdaFunction, "__init__")
def create(
    moto: Any,
    function: Any,
    account_id: str,
    spec: dict[str, Any],
    region: str,
    *args: Any,
    **kwargs: Any,
) -> None:
    placed = _placed(account_id, region, spec.get("VpcConfig"))
    moto(function, account_id, spec | placed, region, *args, **kwargs)


@patches.method(LambdaStorage)
def get_function_by_name_or_arn_with_qualifier(
    moto: Any, storage: Any, name_or_arn: str, qualifier: str | None = None
) -> LambdaFunction:
    return moto(storage, _PARTIAL_ARN.sub("", name_or_arn), qualifier)


@patches.method(LambdaFunction)
def update_configuration(
    moto: Any, function: Any, config_updates: dict[str, Any]
) -> dict[str, Any]:
    placed = _placed(function.account_id, function.region, config_updates.get("VpcConfig"))
    layers = [getattr(one, "arn", one) for one in config_updates.get("Layers") or []]
    return moto(function, config_updates | placed | ({"Layers": layers} if layers else {}))


@patches.getter(LambdaFunction)
def vpc_config(moto: Any, function: Any) -> dict[str, Any] | None:
    return function._vpc_config


def _placed(account_id: str, region: str, config: dict[str, Any] | None) -> dict[str, Any]:
    """The VpcConfig with the VPC it lies in; an empty one takes a function out of its VPC."""
    if config is None:
        return {}
    subnet_ids, group_ids = config.get("SubnetIds", []), config.get("SecurityGroupIds", [])
    if not subnet_ids:
        return {"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""}}
    backend = ec2_backends[account_id][region]
    try:
        subnets = backend.describe_subnets(subnet_ids)
    except EC2ClientError as error:
        raise _refusal("DescribeSubnets", error) from error
    try:
        backend.describe_security_groups(group_ids)
    except EC2ClientError as error:
        raise _refusal("DescribeSecurityGroups", error) from error
    return {"VpcConfig": {**config, "VpcId": subnets[0].vpc_id}}


def _refusal(action: str, error: EC2ClientError) -> LambdaClientError:
    return LambdaClientError(
        "InvalidParameterValueException",
        f"Error occurred while {action}. EC2 Error Code: {error.code}."
        f" EC2 Error Message: {error.message}",
    )
