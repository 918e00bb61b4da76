"""Exceptions that were added at run time: one SSM parameter each, under one path of the stack.

SSM's parameters and not AppConfig: the mode is one already, a change needs one call and is in
CloudTrail with its caller, and nothing has to be made, rolled out or paid for before. Read with
botocore, as `guard.aws.parameters` says why.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mypy_boto3_ssm import SSMClient

MOST = 50
"""Most of them that are read: five calls of GetParametersByPath."""
MOST_DAYS = 90
"""Most days from when one was written to when it expires; what is to last is reviewed in git."""
_A_CALL = 10  # SSM's most


@dataclass(frozen=True, slots=True)
class Added:
    """One parameter: the exception's name, its JSON as it was written, and when that was."""

    name: str
    text: str
    at: datetime

    @property
    def entry(self) -> Mapping[str, Any]:
        """What it says; empty where that is no JSON object."""
        try:
            body: object = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return cast("Mapping[str, Any]", body) if isinstance(body, dict) else {}

    def __str__(self) -> str:
        entry = self.entry
        if not entry:
            return f"{self.name}: not used, it is no JSON object"
        until, owner, reason = (_short(entry.get(key)) for key in ("expires", "owner", "reason"))
        return f"{self.name}, until {until}, of {owner}: {reason}"


def folder(stack_name: str) -> str:
    """The path under which the exceptions of a stack are."""
    return f"/vpce-guard/{stack_name}/exceptions"


def read_added(ssm: SSMClient, stack_name: str) -> list[Added]:
    """Those that there are, by name. Raises ClientError or BotoCoreError.

    Needs ssm:GetParametersByPath.
    """
    pages = ssm.get_paginator("get_parameters_by_path").paginate(
        Path=folder(stack_name), PaginationConfig={"MaxItems": MOST, "PageSize": _A_CALL}
    )
    listed: list[Any] = [one for page in pages for one in page["Parameters"]]
    found = [
        Added(one["Name"].rpartition("/")[2], one["Value"], one["LastModifiedDate"])
        for one in listed
        if one["Type"] == "String"
    ]
    return sorted(found, key=lambda one: one.name)


def _short(value: object) -> str:
    text = value if isinstance(value, str) and value.strip() else "?"
    return text if len(text) <= 200 else f"{text[:200]}..."
