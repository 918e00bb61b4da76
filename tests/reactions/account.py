"""An account of the embedded cloud, and what the guard said and did in it."""

import json
from collections.abc import Sequence
from typing import Any

from emulator import Cloud
from emulator.people import ALLOW_ALL, SERVICE, Account

__all__ = [
    "ALLOW_ALL",
    "READER",
    "SERVICE",
    "Account",
    "kinds",
    "make_endpoint",
    "put_policy",
    "writes",
]

# A statement that lets another account read a secret.
READER = {
    "Effect": "Allow",
    "Principal": {"AWS": "111122223333"},
    "Action": "secretsmanager:GetSecretValue",
    "Resource": "*",
}


def make_endpoint(
    account: Account, vpc_id: str, subnets: Sequence[str], *, private_dns: bool = False
) -> str:
    """Somebody makes an endpoint for Secrets Manager; returns its id."""
    return account.ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=list(subnets),
        PrivateDnsEnabled=private_dns,
    )["VpcEndpoint"]["VpcEndpointId"]


def put_policy(account: Account, secret: str, *statements: dict[str, Any]) -> None:
    """Somebody gives a secret a resource policy of these statements."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    account.client("secretsmanager").put_resource_policy(
        SecretId=secret, ResourcePolicy=json.dumps(document)
    )


def kinds(cloud: Cloud) -> list[str]:
    """The kinds of the findings published so far, in order."""
    return [finding["kind"] for finding in cloud.findings]


def writes(cloud: Cloud, function: str) -> list[str]:
    """The EC2 calls by which a function changed something, in order."""
    return [
        call.action
        for call in cloud.calls
        if call.function == function
        and call.service == "ec2"
        and not call.action.startswith("Describe")
    ]
