"""What belongs to the guard: the resources of its stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from watch_guard.changes import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_cloudformation import CloudFormationClient

CACHE_SECONDS = 300


@dataclass(slots=True)
class Stack:
    """The resources of a stack, listed again when they are old: a deployment may add some.

    Needs cloudformation:ListStackResources.
    """

    cloudformation: CloudFormationClient
    stack_id: str
    _parts: Sequence[Part] = ()
    _listed_at: float = float("-inf")

    def parts(self, now: float) -> Sequence[Part]:
        """As they were at most `CACHE_SECONDS` before `now`, in seconds. Raises ClientError."""
        if now - self._listed_at >= CACHE_SECONDS:
            pages = self.cloudformation.get_paginator("list_stack_resources").paginate(
                StackName=self.stack_id
            )
            self._parts = [
                Part(one["LogicalResourceId"], one["ResourceType"], physical)
                for page in pages
                for one in page["StackResourceSummaries"]
                if (physical := one.get("PhysicalResourceId"))
            ]
            self._listed_at = now
        return self._parts
