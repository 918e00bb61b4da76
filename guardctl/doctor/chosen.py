"""What the chosen parameters name: is it there, and is it as the stack needs it?

Needs ssm:GetParameters (without decryption), kms:DescribeKey, kms:GetKeyPolicy, ec2:DescribeSubnets
and ec2:DescribeVpcEndpoints, each only where the parameter is set.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from guard.approved.lists import ApprovedLists
from guard.aws.errors import code_of
from guardctl.doctor.lines import Line, State, asked
from guardctl.doctor.place import Place
from guardctl.lists import SHIPPED, lacking_organization

SECURE = "SlackWebhookParameter"
KEY, SUBNETS, POLICY = "EncryptionKeyArn", "FunctionSubnets", "ApprovedPolicy"
_KEY_ARN = re.compile(r"arn:[a-z-]+:kms:(?P<region>[a-z0-9-]+):\d{12}:key/[A-Za-z0-9-]+", re.ASCII)

# docs/security.md, "Where the functions run": DynamoDB's may be a gateway endpoint.
ENDPOINTS = (
    *("cloudformation", "cloudtrail", "dynamodb", "ec2", "lambda"),
    *("ram", "secretsmanager", "sns", "sqs", "ssm"),
)
S3 = "s3"  # with TrailBucket only: log files are read from it


def chosen(place: Place, parameters: Mapping[str, str]) -> list[Line]:
    """A line for each parameter that names something of the account."""
    lines = _policy(parameters.get(POLICY, ""))
    if named := parameters.get(SECURE):
        lines += asked(SECURE, "ssm", lambda: [_secure(place, SECURE, named)])
    if arn := parameters.get(KEY):
        lines += asked(KEY, "kms", lambda: [_key(place, arn)])
    needed = (*ENDPOINTS, S3) if parameters.get("TrailBucket") else ENDPOINTS
    if subnets := [one.strip() for one in parameters.get(SUBNETS, "").split(",") if one.strip()]:
        lines += asked(SUBNETS, "ec2", lambda: [_subnets(place, subnets, needed)])
    return lines


def _policy(name: str) -> list[Line]:
    """A line for a policy that the reviewed approved.json does not let be filled in."""
    path = SHIPPED.parent / "endpoint_policies" / f"{name}.json"
    if not name or not path.exists():
        return []
    problem = lacking_organization(path, ApprovedLists.load(SHIPPED))
    return [Line(POLICY, State.STOP, problem, "add it there, and build again")] if problem else []


def judge_secure(check: str, named: str, kind: str | None, region: str) -> Line:
    """`kind` is the type of the SSM parameter, None where there is none."""
    put = f"aws ssm put-parameter --region {region} --type SecureString --name {named} --value ..."
    if kind is None:
        return Line(
            check, State.WARN, f"there is no SSM parameter {named}: Slack would get nothing", put
        )
    if kind != "SecureString":
        text = f"{named} is a {kind}: whoever may read parameters can post to your channel"
        return Line(check, State.WARN, text, f"delete it, then {put}")
    return Line(check, State.OK, f"{named} is a SecureString")


def judge_key(metadata: Mapping[str, Any], policy: str | None) -> Line:
    """See "Encrypted at rest" in docs/security.md: which services the key's policy must let in."""
    if not metadata.get("Enabled") or metadata.get("KeySpec", "SYMMETRIC_DEFAULT") != (
        "SYMMETRIC_DEFAULT"
    ):
        text = f"the key is {metadata.get('KeyState')}, {metadata.get('KeySpec')}"
        return Line(KEY, State.STOP, text, "name an enabled symmetric key for encryption")
    if policy is None:
        return Line(KEY, State.UNKNOWN, "the key is enabled; its policy may not be read")
    missing = [
        one for one in ("cloudwatch", "events", "logs", "sns") if one not in _services(policy)
    ]
    if missing:
        text = f"its policy names no service {', '.join(missing)}: what they send would be lost"
        return Line(
            KEY, State.WARN, text, "add the statements of docs/security.md, Encrypted at rest"
        )
    return Line(KEY, State.OK, "the key is enabled, and its policy names the services that use it")


def judge_subnets(
    vpcs: Collection[str], services: Collection[str], needed: Sequence[str] = ENDPOINTS
) -> Line:
    """`services` are the last parts of the names of the services that have an endpoint there."""
    if len(vpcs) != 1:
        text = (
            f"the subnets lie in {', '.join(sorted(vpcs)) or 'no VPC'}: Lambda takes those of one"
        )
        return Line(SUBNETS, State.STOP, text, "name subnets of one VPC")
    missing = [one for one in needed if one not in services]
    if missing:
        text = f"{min(vpcs)} has no endpoint for {', '.join(missing)}"
        return Line(
            SUBNETS, State.WARN, text, "make them, unless the subnets have a way to the internet"
        )
    return Line(SUBNETS, State.OK, f"{min(vpcs)} has an endpoint for each service that is called")


def _services(policy: str) -> set[str]:
    """The services, by the first part of their names, that Allow statements let in."""
    statements = json.loads(policy).get("Statement", [])
    found: set[str] = set()
    for one in statements if isinstance(statements, list) else [statements]:
        principal = one.get("Principal", {})
        named = principal.get("Service", []) if isinstance(principal, dict) else []
        if one.get("Effect") == "Allow":
            found |= {name.split(".")[0] for name in ([named] if isinstance(named, str) else named)}
    return found


def _secure(place: Place, check: str, named: str) -> Line:
    answer = place.client("ssm").get_parameters(Names=[named])
    kinds = [one["Type"] for one in answer["Parameters"]]
    return judge_secure(check, named, kinds[0] if kinds else None, place.region)


def _key(place: Place, arn: str) -> Line:
    named = _KEY_ARN.fullmatch(arn)
    if not named:
        return Line(KEY, State.STOP, f"{arn} is not the ARN of a key", "name a key, not an alias")
    if named["region"] != place.region:
        text = f"it is a key of {named['region']}"
        return Line(KEY, State.STOP, text, f"name a key of {place.region}")
    kms = place.client("kms")
    try:
        metadata = kms.describe_key(KeyId=arn)["KeyMetadata"]
    except ClientError as error:
        if code_of(error) == "NotFoundException":
            return Line(KEY, State.STOP, "there is no such key", "name the ARN of an enabled key")
        raise
    try:
        policy = kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
    except ClientError:
        policy = None
    return judge_key(metadata, policy)


def _subnets(place: Place, ids: Sequence[str], needed: Sequence[str]) -> Line:
    ec2 = place.client("ec2")
    try:
        found = ec2.describe_subnets(SubnetIds=list(ids))["Subnets"]
    except ClientError as error:
        if code_of(error) == "InvalidSubnetID.NotFound":
            return Line(SUBNETS, State.STOP, str(error), "name subnets of this account and Region")
        raise
    vpcs = {one["VpcId"] for one in found}
    filters = [{"Name": "vpc-id", "Values": sorted(vpcs)}]
    pages = ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=filters)
    services = {
        one["ServiceName"].rsplit(".", 1)[-1]
        for page in pages
        for one in page["VpcEndpoints"]
        if one["VpcEndpointType"] == "Gateway" or one.get("PrivateDnsEnabled")
    }
    return judge_subnets(vpcs, services, needed)
