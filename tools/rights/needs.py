"""What each recorded call asks of IAM, of which moto enforces nothing.

Which resources and condition keys an action has is as in the Service Authorization Reference, and
for `ec2:Attribute` as in "Policies for Amazon EC2" of the EC2 user guide.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.session import Session

from emulator import Cloud
from emulator.server import Call
from tools.rights.access import Grant, Need, grants_of, listed

__all__ = ["Grant", "Need", "attributes", "grants", "listed", "needs"]

# Operations that IAM knows under another name.
IAM_ACTIONS = {"sqs:SendMessageBatch": "sqs:SendMessage", "sns:PublishBatch": "sns:Publish"}

# The resources that an EC2 action is checked for: the parameter that names one, None for a new one.
TARGETS: dict[str, dict[str, str | None]] = {
    "AuthorizeSecurityGroupIngress": {"security-group": "GroupId"},
    "CreateSecurityGroup": {"security-group": None, "vpc": "VpcId"},
    "CreateVpcEndpoint": {"vpc-endpoint": None, "vpc": "VpcId"},
    "DeleteSecurityGroup": {"security-group": "GroupId"},
    "DeleteVpcEndpoints": {"vpc-endpoint": "VpcEndpointIds"},
    "DescribeVpcAttribute": {"vpc": "VpcId"},
    "ModifyVpcAttribute": {"vpc": "VpcId"},
    "ModifyVpcEndpoint": {"vpc-endpoint": "VpcEndpointId"},
    "RevokeSecurityGroupIngress": {"security-group": "GroupId"},
}


def grants(role: Mapping[str, Any]) -> list[Grant]:
    """Every grant of a role's inline policies."""
    return [
        grant
        for policy in role["Policies"]
        for grant in grants_of(policy["PolicyName"], policy["PolicyDocument"])
    ]


def needs(call: Call, cloud: Cloud) -> list[Need]:
    """All that AWS would check of a call. Raises NotImplementedError for one it does not know."""
    action = IAM_ACTIONS.get(call.iam_action, call.iam_action)
    found = (
        list(_ec2_needs(action, call.params, cloud))
        if call.service == "ec2"
        else [Need(action, _resource(call, cloud), _keys(call))]
    )
    always = _always(call, cloud)
    return [Need(one.action, one.resource, {**always, **one.keys}) for one in found]


def _always(call: Call, cloud: Cloud) -> dict[str, str]:
    """The global keys that AWS puts into every request; of a function's code, the function, too."""
    keys = {"aws:SecureTransport": "true", "aws:RequestedRegion": call.region}
    if function := cloud.deployment.functions.get(call.function or ""):
        keys["aws:PrincipalArn"] = function.role_arn
        keys["aws:PrincipalAccount"] = cloud.account
        keys["lambda:SourceFunctionArn"] = function.arn
    return keys


def _keys(call: Call) -> dict[str, str]:
    """The condition keys of the services' own that a policy of ours asks for."""
    if call.iam_action == "secretsmanager:PutResourcePolicy":
        return {"secretsmanager:BlockPublicPolicy": str(call.params.get("BlockPublicPolicy"))}
    if call.iam_action == "s3:ListBucket":
        return {"s3:prefix": str(call.params.get("Prefix", ""))}
    return {}


def _resource(call: Call, cloud: Cloud) -> str:  # noqa: C901 - one case for each service
    own = f"arn:aws:{call.service}:{cloud.region}:{cloud.account}"
    match call.service:
        case "sqs":
            return f"{own}:{call.params['QueueUrl'].rsplit('/', 1)[-1]}"
        case "sns":
            topic = call.params.get("TopicArn")
            return topic or call.params["SubscriptionArn"].rpartition(":")[0]
        case "s3":
            key = f"/{name}" if (name := call.params.get("Key")) else ""
            return f"arn:aws:s3:::{call.params['Bucket']}{key}"
        case "dynamodb":
            index = f"/index/{name}" if (name := call.params.get("IndexName")) else ""
            return f"{own}:table/{_table(call.params)}{index}"
        case "ssm":
            given = call.params
            name = given.get("Name") or given.get("Path") or given["ResourceId"]
            return f"{own}:parameter/{name.removeprefix('/')}"
        case "route53":
            if not (zone := call.params.get("HostedZoneId")):
                return "*"
            return f"arn:aws:route53:::hostedzone/{zone.removeprefix('/hostedzone/')}"
        case "lambda" if "FunctionName" not in call.params:
            return "*"
        case "lambda":
            function = call.params["FunctionName"]
            return function if function.startswith("arn:") else f"{own}:function:{function}"
        case "cloudformation":
            return call.params.get("StackName", "*")
        case "cloudtrail" if name := call.params.get("Name") or call.params.get("TrailName"):
            return name
        case "events" if rule := call.params.get("Rule"):
            return f"{own}:rule/{rule}"
        case "cloudtrail" | "events" | "ram" | "route53profiles":
            return "*"
        case "secretsmanager" if "SecretId" not in call.params:
            return "*"
        case "secretsmanager":
            secret = call.params["SecretId"]
            return secret if secret.startswith("arn:") else f"{own}:secret:{secret}-AbCdEf"
        case _:
            raise NotImplementedError(call.iam_action)


def _table(params: Mapping[str, Any]) -> str:
    if "TableName" in params:
        return params["TableName"]
    (table,) = params["RequestItems"]  # of a BatchGetItem of ours
    return table


def _ec2_needs(action: str, params: Mapping[str, Any], cloud: Cloud) -> Iterator[Need]:
    own = f"arn:aws:ec2:{cloud.region}:{cloud.account}"
    name = action.partition(":")[2]
    if name.startswith("Describe") and name not in TARGETS:
        yield Need(action, "*", {"ec2:Region": cloud.region})
        return
    asked = _request_tags(params)
    for kind, parameter in TARGETS[name].items():
        if parameter:
            for id_ in listed(params[parameter]):
                keys = _resource_tags(kind, id_, cloud) | attributes(name, params)
                yield Need(action, f"{own}:{kind}/{id_}", keys)
        else:
            service = {"ec2:VpceServiceName": value} if (value := params.get("ServiceName")) else {}
            yield Need(action, f"{own}:{kind}/new", service | asked)
            created = {"ec2:CreateAction": name, **asked}
            yield Need("ec2:CreateTags", f"{own}:{kind}/new", created)
    for ids, kind in (("SubnetIds", "subnet"), ("SecurityGroupIds", "security-group")):
        for change in ("", "Add", "Remove"):
            for id_ in params.get(change + ids, []):
                yield Need(action, f"{own}:{kind}/{id_}")


def _request_tags(params: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    tags = {
        tag["Key"]: tag["Value"]
        for one in params.get("TagSpecifications", [])
        for tag in one["Tags"]
    }
    keys: dict[str, str | tuple[str, ...]] = {
        f"aws:RequestTag/{key}": value for key, value in tags.items()
    }
    return {**keys, "aws:TagKeys": tuple(tags)} if tags else keys


def attributes(operation: str, params: Mapping[str, Any]) -> dict[str, str]:
    """`ec2:Attribute/...`, for what a Modify call sets: EC2 gives primitive values, and objects of
    nothing but a `Value`, no lists and no other objects. `ec2:Attribute` where it sets one thing.
    """
    if not operation.startswith("Modify"):
        return {}
    found = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, given in params.items()
        if name in reported_attributes(operation)
        for value in [given["Value"] if isinstance(given, dict) else given]
    }
    one = {"ec2:Attribute": next(iter(found))} if len(found) == 1 else {}
    return one | {f"ec2:Attribute/{name}": value for name, value in found.items()}


@cache
def reported_attributes(operation: str) -> frozenset[str]:
    """The parameters of an operation of EC2 that it gives as `ec2:Attribute/...`.

    The resource's own id is none, and neither is DryRun.
    """
    shape = Session().get_service_model("ec2").operation_model(operation).input_shape
    members: Any = shape.members if shape else {}
    return frozenset(
        name
        for name, member in members.items()
        if name not in ("DryRun", "VpcId", "VpcEndpointId")
        and (
            member.type_name in ("string", "boolean", "integer", "long")
            or (member.type_name == "structure" and set(member.members) == {"Value"})
        )
    )


def _resource_tags(kind: str, id_: str, cloud: Cloud) -> dict[str, str]:
    """The tags that a security group or endpoint was made with, as IAM would have read them:
    by now it may be gone. No other kind's are asked for.
    """
    made_by = {"security-group": "CreateSecurityGroup", "vpc-endpoint": "CreateVpcEndpoint"}
    for record in cloud.records:
        if record["eventName"] == made_by.get(kind) and id_ in str(record["responseElements"]):
            return dict(_tags(record["requestParameters"]))
    return {}


def _tags(value: Any) -> Iterator[tuple[str, str]]:
    """Every tag in a record's request, whose members begin with a capital or not."""
    if isinstance(value, list):
        for one in value:
            yield from _tags(one)
    elif isinstance(value, dict):
        lower = {key.lower(): one for key, one in value.items()}
        if {"key", "value"} <= set(lower):
            # EC2's records of this family have "true" as a boolean.
            text = lower["value"]
            text = str(text).lower() if isinstance(text, bool) else text
            yield f"aws:ResourceTag/{lower['key']}", text
        for one in value.values():
            yield from _tags(one)
