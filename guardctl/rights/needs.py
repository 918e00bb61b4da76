"""What a role allows, and what a recorded call would have needed: IAM's side of the embedded cloud.

moto enforces no rights, so the calls that it recorded are judged here against the deployed roles.
What each EC2 action asks for is as in "Actions, resources, and condition keys for Amazon EC2" of
the Service Authorization Reference.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from emulator import Cloud
from emulator.server import Call

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
}


def listed(value: Any) -> list[Any]:
    """IAM and CloudFormation take one thing or a list of them."""
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a call asks of IAM: the action on one resource, with these condition keys."""

    action: str
    resource: str
    keys: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Grant:
    """One action of one Allow statement in a role."""

    sid: str
    action: str
    resources: Sequence[str]
    conditions: Mapping[str, Mapping[str, Any]]

    def meets(self, need: Need) -> bool:
        return (
            self.action == need.action
            and any(fnmatchcase(need.resource, one) for one in self.resources)
            and all(
                self._holds(operator, need.keys.get(key), listed(wanted))
                for operator, tests in self.conditions.items()
                for key, wanted in tests.items()
            )
        )

    @staticmethod
    def _holds(operator: str, value: str | None, wanted: Sequence[str]) -> bool:
        match operator:
            case "StringEquals":
                return value in wanted
            case "Bool":
                return value is not None and value.lower() in [one.lower() for one in wanted]
            case "StringLike":
                return value is not None and any(fnmatchcase(value, one) for one in wanted)
            case _:
                raise NotImplementedError(operator)


def grants(role: Mapping[str, Any]) -> list[Grant]:
    """Every grant of a role's inline policies. Refuses what it could not judge."""
    if role.get("ManagedPolicyArns"):
        raise NotImplementedError("managed policies")
    return [
        Grant(
            statement["Sid"], action, listed(statement["Resource"]), statement.get("Condition", {})
        )
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    ]


def needs(call: Call, cloud: Cloud) -> list[Need]:
    """All that AWS would check of a call. Raises NotImplementedError for one it does not know."""
    action = IAM_ACTIONS.get(call.iam_action, call.iam_action)
    if call.service == "ec2":
        return list(_ec2_needs(action, call.params, cloud))
    return [Need(action, _resource(call, cloud), _keys(call))]


def _keys(call: Call) -> dict[str, str]:
    """The condition keys of other services that a grant asks for."""
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
            return call.params["TopicArn"]
        case "s3":
            key = f"/{name}" if (name := call.params.get("Key")) else ""
            return f"arn:aws:s3:::{call.params['Bucket']}{key}"
        case "dynamodb":
            index = f"/index/{name}" if (name := call.params.get("IndexName")) else ""
            return f"{own}:table/{_table(call.params)}{index}"
        case "ssm":
            name = call.params.get("Name") or call.params["ResourceId"]
            return f"{own}:parameter/{name.removeprefix('/')}"
        case "route53":
            zone = call.params.get("HostedZoneId", "")
            return f"arn:aws:route53:::hostedzone/{zone.removeprefix('/hostedzone/')}"
        case "lambda":
            function = call.params["FunctionName"]
            return function if function.startswith("arn:") else f"{own}:function:{function}"
        case "cloudformation":
            return call.params["StackName"]
        case "cloudtrail" if name := call.params.get("Name") or call.params.get("TrailName"):
            return name
        case "cloudtrail" | "events":
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
        yield Need(action, "*")
        return
    asked = {
        f"aws:RequestTag/{tag['Key']}": tag["Value"]
        for one in params.get("TagSpecifications", [])
        for tag in one["Tags"]
    }
    for kind, parameter in TARGETS[name].items():
        if parameter:
            for id_ in listed(params[parameter]):
                yield Need(action, f"{own}:{kind}/{id_}", _resource_tags(kind, id_, cloud))
        else:
            service = {"ec2:VpceServiceName": params.get("ServiceName", "")}
            yield Need(action, f"{own}:{kind}/new", service | asked)
            yield Need("ec2:CreateTags", f"{own}:{kind}/new", {"ec2:CreateAction": name} | asked)
    for ids, kind in (("SubnetIds", "subnet"), ("SecurityGroupIds", "security-group")):
        for change in ("", "Add", "Remove"):
            for id_ in params.get(change + ids, []):
                yield Need(action, f"{own}:{kind}/{id_}")


def _resource_tags(kind: str, id_: str, cloud: Cloud) -> dict[str, str]:
    """The tags that a security group or endpoint was made with, as IAM would have looked them up:
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
