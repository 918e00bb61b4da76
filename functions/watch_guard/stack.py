"""What belongs to the guard, the resources of its stack, and when the stack was being changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from watch_guard.changes import Part

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_cloudformation import CloudFormationClient

CACHE_SECONDS = 300
MOST_PAGES = 30
"""Of the stack's events that are read: an update of every resource has some five."""

# Of a stack for which a first change set waits: nothing is changed by that.
NO_OPERATION = {"REVIEW_IN_PROGRESS"}


@dataclass(slots=True)
class Stack:
    """The resources of a stack, listed again when they are old: a deployment may add some.

    Needs cloudformation:ListStackResources and cloudformation:DescribeStackEvents.
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

    def operating(self, at: datetime) -> bool:
        """Whether an operation of the stack went on in the second that begins `at`, as a record's
        time does. Raises ClientError.

        The stack's own events say when each operation began and ended ("DescribeStackEvents",
        CloudFormation API reference); they come newest first.
        """
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(
            StackName=self.stack_id
        )
        for page in islice(pages, MOST_PAGES):
            for one in page["StackEvents"]:
                status = str(one.get("ResourceStatus", ""))
                if one.get("PhysicalResourceId") != self.stack_id or status in NO_OPERATION:
                    continue
                goes_on = status.endswith("_IN_PROGRESS")
                if one["Timestamp"] <= at or (
                    goes_on and one["Timestamp"] < at + timedelta(seconds=1)
                ):
                    return goes_on
        return False
