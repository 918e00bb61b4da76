"""Other stacks of the guard in this account and Region: found, and published; read-only.

A stack of the guard is known by its description and its role: it may have another name and be of
another version. Whoever copies both only has the guard say so.

IAM actions: see `heartbeat.app`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guard.findings.finding import DAY, Finding, Kind, Severity, here
from guard.table.neighbours import Neighbour

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_cloudformation import CloudFormationClient

    from guard.settings import Settings

DESCRIPTION = "VPCE Guard "  # how the template's begins
ROLE, POLICY = "RestorePolicyRole", "ApprovedPolicy"
NO_MORE = {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}  # the second waits for its first change set


@dataclass(frozen=True, slots=True)
class OtherGuards:
    """Needs cloudformation:ListStacks, and cloudformation:DescribeStacks and
    cloudformation:ListStackResources of all stacks.
    """

    settings: Settings
    cloudformation: CloudFormationClient

    def find(self) -> tuple[str, list[Neighbour]]:
        """The own parameter ApprovedPolicy, and the other guards. Raises ClientError."""
        statuses: Any = self.cloudformation.meta.service_model.shape_for("StackStatus")
        pages = self.cloudformation.get_paginator("list_stacks").paginate(
            StackStatusFilter=sorted(set(statuses.enum) - NO_MORE)
        )
        stacks = [
            one.get("StackId", "")
            for page in pages
            for one in page["StackSummaries"]
            if one.get("TemplateDescription", "").startswith(DESCRIPTION)
        ]
        others = [one for one in stacks if one != self.settings.stack_id]
        found = [guard for one in others for guard in self._guards(one)]
        return self._policy(self.settings.stack_id), found

    def _guards(self, stack: str) -> Iterator[Neighbour]:
        """None for a stack that has no such role."""
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        for page in pages:
            for one in page["StackResourceSummaries"]:
                if one["LogicalResourceId"] == ROLE and (role := one.get("PhysicalResourceId")):
                    yield Neighbour(stack.split("/")[1], role, self._policy(stack))

    def _policy(self, stack: str) -> str:
        (described,) = self.cloudformation.describe_stacks(StackName=stack)["Stacks"]
        given = described.get("Parameters", ())
        named = (one for one in given if one.get("ParameterKey") == POLICY)
        return next((one.get("ParameterValue", "") for one in named), "")


def findings(
    own: str, found: Sequence[Neighbour], settings: Settings, now: datetime
) -> list[Finding]:
    """Other guards whose approved policy has another name than `own`, this stack's.

    They write to the same endpoints, whatever each one's Scope. Two that approve the same agree.
    """
    return [
        Finding(
            kind=Kind.OTHER_GUARD,
            severity=Severity.MEDIUM,
            resource=one.stack,
            title=f"The stack {one.stack} is another guard here, with another approved policy",
            cause=f"It approves {one.approved_policy}, and {settings.stack_name} {own}. At each"
            " endpoint what lets less pass is left, and what lets more pass is put back.",
            todo=(
                f"Keep {settings.stack_name} or {one.stack}, or give both the same ApprovedPolicy.",
                "While one replaces the other, deploy one of the two with Mode=observe.",
            ),
            evidence={"stacks": {settings.stack_name: own, one.stack: one.approved_policy}},
            window=DAY,
            identity=(own, one.approved_policy),
            **here(settings, now),
        )
        for one in found
        if one.approved_policy != own
    ]
