"""The deployed stack that a command works with: its outputs, parameters and resources.

    stack = deployed(stack_name, profile, region)
    table = stack.output("StateTableName")
    dynamodb = stack.client("dynamodb")

Needs cloudformation:DescribeStacks, and cloudformation:ListStackResources where a resource is asked
for. See DescribeStacks and ListStackResources in the CloudFormation API reference.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.errors import message_of
from guardctl import ROOT
from guardctl.errors import Failed
from guardctl.words import in_words

SAMCONFIG = ROOT / "samconfig.toml"

# There is something to work with: while an update runs or is undone, as before it.
USABLE = ("CREATE_COMPLETE", "UPDATE_", "IMPORT_")

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=20
)


class StackError(Failed):
    """The stack cannot be worked with."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack of the guard."""

    name: str
    id: str
    session: boto3.Session
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]

    @property
    def region(self) -> str:
        return self.id.split(":")[3]

    @property
    def account(self) -> str:
        return self.id.split(":")[4]

    def client(self, service: str) -> Any:
        """A boto3 client in the stack's Region."""
        return cast(Any, self.session).client(service, region_name=self.region, config=CONFIG)

    def output(self, key: str) -> str:
        """Raises StackError for an output that the deployed version does not have."""
        return self._get(self.outputs, key, "output")

    def parameter(self, key: str) -> str:
        """The value a template parameter was deployed with. Raises StackError as `output` does."""
        return self._get(self.parameters, key, "parameter")

    def resource(self, logical_id: str) -> str:
        """The physical id. Raises StackError for a resource that this deployment does not have."""
        return self._get(self.resources, logical_id, "resource")

    @cached_property
    def resources(self) -> Mapping[str, str]:
        """Physical ids by logical ids. Raises StackError if AWS does not answer."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        try:
            return {
                one["LogicalResourceId"]: one["PhysicalResourceId"]
                for page in pages.paginate(StackName=self.id)
                for one in page["StackResourceSummaries"]
                if one.get("PhysicalResourceId")
            }
        except (BotoCoreError, ClientError) as error:
            raise StackError(in_words(error, "cloudformation")) from error

    def _get(self, known: Mapping[str, str], key: str, what: str) -> str:
        if key in known:
            return known[key]
        raise StackError(
            f"stack {self.name} has no {what} {key}: it was deployed from another version,"
            " or with another choice of parameters"
        )


def deployed(
    name: str | None = None, profile: str | None = None, region: str | None = None
) -> Stack:
    """The stack of this name, or the one that samconfig.toml deploys by default.

    Raises StackError where there is none, it is not usable, or AWS denies access.
    """
    saved = saved_parameters()
    name = name or saved.get("stack_name")
    if not name:
        raise StackError("there is no samconfig.toml that names a stack", "give --stack-name")
    try:
        session = boto3.Session(profile_name=profile)
        region = region or session.region_name or saved.get("region")
        if not region:
            raise StackError("no Region is configured", "name one with --region")
        described = _described(session, name, region)
    except (BotoCoreError, ClientError) as error:
        raise _failure(error, name, region) from error
    status = described["StackStatus"]
    if not status.startswith(USABLE):
        raise StackError(f"stack {name} in {region} is in the state {status}", "deploy it first")
    return Stack(
        name=described["StackName"],
        id=described["StackId"],
        session=session,
        outputs={o["OutputKey"]: o["OutputValue"] for o in described.get("Outputs", [])},
        parameters={
            p["ParameterKey"]: p.get("ParameterValue", "") for p in described.get("Parameters", [])
        },
    )


def saved_parameters(path: Path = SAMCONFIG, environment: str = "default") -> dict[str, Any]:
    """What samconfig.toml gives `sam deploy` there; empty where there is no such file."""
    if not path.exists():
        return {}
    document: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    return document.get(environment, {}).get("deploy", {}).get("parameters", {})


def _described(session: boto3.Session, name: str, region: str) -> Any:
    client = session.client("cloudformation", region_name=region, config=CONFIG)
    return client.describe_stacks(StackName=name)["Stacks"][0]


def _failure(error: Exception, name: str, region: str | None) -> StackError:
    if isinstance(error, ClientError) and "does not exist" in message_of(error):
        todo = "deploy it, or name another with --stack-name and --region"
        return StackError(f"there is no stack {name} in {region}", todo)
    return StackError(in_words(error, "cloudformation"))
