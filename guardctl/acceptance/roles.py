"""The run's two IAM roles: of the rotation function, and of who reads past the endpoint."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from guardctl.acceptance.stage import Stage

POLICY = "acceptance"


def make_role(
    stage: Stage, purpose: str, trusted: Mapping[str, str], statements: Sequence[Mapping[str, Any]]
) -> str:
    """A tagged role; returns its ARN. It takes IAM seconds until others know it.

    It has the stack's permissions boundary, where the account demands one.
    """
    trust = {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}
    boundary = stage.stack.parameters.get("PermissionsBoundaryArn")
    name = f"{stage.name}-{purpose}"
    made = stage.client("iam").create_role(
        RoleName=name,
        Path=stage.iam_path,
        AssumeRolePolicyDocument=_document([trust]),
        Tags=stage.tags(),
        **({"PermissionsBoundary": boundary} if boundary else {}),
    )
    stage.client("iam").put_role_policy(
        RoleName=name, PolicyName=POLICY, PolicyDocument=_document(statements)
    )
    return made["Role"]["Arn"]


def _document(statements: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
