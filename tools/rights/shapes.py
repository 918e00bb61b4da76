"""The shapes in which the stack is deployed, as far as they change who may do what.

Every condition of the template that decides about a policy holds in one of them and fails in
another.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import boto3

from emulator import Cloud
from emulator.cloud import ACCOUNT, REGION, ROOT
from emulator.trails import BUCKET

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
# What a deployment must be given for every function to be there and to have work.
PARAMETERS = {"Mode": "remediate", "SecretPerimeter": "restore-tagged", "TrailBucket": BUCKET}
EVERY_PARAMETER = {
    **PARAMETERS,
    "AlertEmail": "ops@example.com",
    "EncryptionKeyArn": "",
    "PermissionsBoundaryArn": BOUNDARY,
    "Scope": "rotation",
    "SlackChannel": "C0123456789,C0999999999",
    "SlackWebhookParameter": "/vpce-guard/slack-bot",
}
IN_A_VPC = "in-vpc"
# Subnets that do not exist yet: `start` makes them, and the key.
_PLACED = {"FunctionSubnets": "", "FunctionSecurityGroups": ""}
SHAPES: Mapping[str, Mapping[str, str]] = {
    "base": {
        "Mode": "remediate",
        "SlackWebhookParameter": "",
        "WatchForeignEndpoints": "false",
    },
    "most": PARAMETERS,
    IN_A_VPC: {**PARAMETERS, **_PLACED},
    "every-parameter": {**EVERY_PARAMETER, **_PLACED},
}


def start(shape: str) -> Cloud:
    """A cloud with the stack deployed in this shape."""
    return Cloud.start(parameters=SHAPES[shape], prepare=lambda session: _made(shape, session))


def _made(shape: str, session: boto3.Session) -> dict[str, str]:
    """What the shape's parameters name, made before the stack."""
    made: dict[str, str] = {}
    if "FunctionSubnets" in SHAPES[shape]:
        made |= _vpc_of_the_functions(session)
    if "EncryptionKeyArn" in SHAPES[shape]:
        kms: Any = session.client("kms")
        policy = json.dumps(key_policy(REGION, ACCOUNT, ours=True))
        made["EncryptionKeyArn"] = kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    return made


def _vpc_of_the_functions(session: boto3.Session) -> dict[str, str]:
    """A VPC for the functions, which the guard leaves alone, as docs/security.md advises."""
    ec2: Any = session.client("ec2")
    tags: Any = {"ResourceType": "vpc", "Tags": [{"Key": "vpce-guard:ignore", "Value": ""}]}
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16", TagSpecifications=[tags])["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.99.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="guard", Description="guard", VpcId=vpc)
    return {"FunctionSubnets": subnet, "FunctionSecurityGroups": group["GroupId"]}


def boundary() -> dict[str, Any]:
    """The boundary of docs/security.md: it allows by services what the guard needs."""
    return _documented('"Sid": "ServicesOfTheGuard"')


def key_policy(region: str, account: str, *, ours: bool) -> dict[str, Any]:
    """A key's policy that leaves all to IAM; of our key, with what docs/security.md asks."""
    iam = {
        "Sid": "LeaveItToIam",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    documented = json.dumps(_documented('"Sid": "Logs"')["Statement"]) if ours else "[]"
    places = {"partition": "aws", "domain": "amazonaws.com", "region": region, "account": account}
    for place, value in places.items():
        documented = documented.replace(f"<{place}>", value)
    return {"Version": "2012-10-17", "Statement": [iam, *json.loads(documented)]}


def _documented(mark: str) -> dict[str, Any]:
    """The policy in docs/security.md that holds this text."""
    text = (ROOT / "docs" / "security.md").read_text()
    (block,) = [one for one in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if mark in one]
    found = json.loads(block)
    statements = found if isinstance(found, list) else found["Statement"]
    return {"Version": "2012-10-17", "Statement": statements}
