"""The stacks that are there already: this one's state, another guard's, and SAM's own.

Needs cloudformation:DescribeStacks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from guardctl.doctor.lines import Line, State
from guardctl.doctor.place import Place

STACK, OTHER, SAM = "stack", "another guard", "SAM's bucket"
SAM_STACK = "aws-sam-cli-managed-default"
OURS = "VPCE Guard"  # how the template's description begins

type Stacks = Sequence[Mapping[str, Any]]


def read_stacks(place: Place) -> Stacks:
    """Every stack of the Region that is not deleted."""
    pages = place.client("cloudformation").get_paginator("describe_stacks").paginate()
    return [one for page in pages for one in page["Stacks"]]


def judge_stacks(stacks: Stacks, name: str, region: str) -> list[Line]:
    found = {one["StackName"]: one for one in stacks}
    lines = [judge_stack(found.get(name), name, region)]
    others = [one["StackName"] for one in stacks if is_guard(one) and one["StackName"] != name]
    if others:
        text = f"{', '.join(others)} guards this account and Region already"
        do = "deploy to that stack (--stack-name, or make CONFIG_ENV=), or delete it first"
        lines.append(Line(OTHER, State.WARN, text, do))
    else:
        lines.append(Line(OTHER, State.OK, "there is none in this account and Region"))
    lines.append(judge_bucket(found.get(SAM_STACK), region))
    return lines


def is_guard(stack: Mapping[str, Any]) -> bool:
    return str(stack.get("Description", "")).startswith(OURS) and not is_new(stack)


def is_new(stack: Mapping[str, Any] | None) -> bool:
    """Whether a deployment creates it: a stack under review has nothing in it."""
    return stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS"


def judge_stack(stack: Mapping[str, Any] | None, name: str, region: str) -> Line:
    """See "Stack status codes" in the CloudFormation user guide."""
    if stack is None or is_new(stack):
        return Line(STACK, State.OK, f"{name} is not there yet and will be created")
    status, at = stack["StackStatus"], f"--region {region} --stack-name {name}"
    if not is_guard(stack):
        text = f"{name} is the name of another stack, which is no guard"
        return Line(STACK, State.STOP, text, "choose another name: --stack-name, or samconfig.toml")
    if status.endswith("_IN_PROGRESS"):
        return Line(STACK, State.STOP, f"{name} is {status}", "wait until that has ended")
    if status == "UPDATE_ROLLBACK_FAILED":
        do = f"aws cloudformation continue-update-rollback {at}"
        return Line(STACK, State.STOP, f"{name} is {status}", do)
    if not status.endswith("_COMPLETE") or status == "ROLLBACK_COMPLETE":
        do = f"it cannot be updated. Delete it first: aws cloudformation delete-stack {at}"
        return Line(STACK, State.STOP, f"{name} is {status}", do)
    return Line(STACK, State.OK, f"{name} is {status} and will be updated")


def judge_bucket(stack: Mapping[str, Any] | None, region: str) -> Line:
    """`sam deploy` keeps what it uploads in a bucket of a stack of its own (resolve_s3)."""
    if stack is None or is_new(stack):
        return Line(SAM, State.OK, f"SAM will make it, in the stack {SAM_STACK}")
    if stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return Line(SAM, State.OK, f"it is there, in the stack {SAM_STACK}")
    do = f"aws cloudformation delete-stack --region {region} --stack-name {SAM_STACK}"
    return Line(SAM, State.STOP, f"its stack {SAM_STACK} is {stack['StackStatus']}", do)
