"""A change set: read, shown, carried out or dropped.

Needs cloudformation:DescribeChangeSet, ExecuteChangeSet, DeleteChangeSet, DescribeStacks,
DescribeStackEvents and, for a stack that was only under review, DeleteStack.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from guardctl.errors import Failed

type Json = Mapping[str, Any]

POLL_SECONDS = 3  # between two reads of a stack that changes
REPLACED = frozenset({"True", "Conditional"})
WORDS = {"Add": "create", "Modify": "change", "Remove": "delete", "Import": "import"}


class DeploymentFailed(Failed):
    """CloudFormation did not carry it out; the message says what failed first, and what is now."""

    code = 1


def read(cloudformation: Any, arn: str) -> list[Json]:
    """The changes, each as a ResourceChange of DescribeChangeSet."""
    changes: list[Json] = []
    more: dict[str, str] = {}
    while True:
        answer = cloudformation.describe_change_set(ChangeSetName=arn, **more)
        changes += [one["ResourceChange"] for one in answer.get("Changes", ())]
        if not (token := answer.get("NextToken")):
            return changes
        more = {"NextToken": token}


def in_words(changes: Sequence[Json]) -> Iterator[str]:
    """What will be deleted, replaced, changed and created, in that order, by type. Pure."""
    grouped: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in changes:
        action = str(one["Action"])
        verb = WORDS.get(action, action.lower())
        if action == "Modify" and one.get("Replacement") in REPLACED:
            verb = "replace" if one["Replacement"] == "True" else "perhaps replace"
        grouped[verb, one["ResourceType"]].append(one["LogicalResourceId"])
    order = ["delete", "replace", "perhaps replace", "change"]
    for verb, kind in sorted(grouped, key=lambda key: (_place(order, key[0]), key[1])):
        names = sorted(grouped[verb, kind])
        yield f"{verb:15} {len(names):3} {kind}: {', '.join(names)}"


def execute(cloudformation: Any, arn: str, say: Callable[[str], None]) -> Json:
    """Carry the change set out and wait: the stack as it is then. Raises DeploymentFailed.

    Each failure is said when it happens, and from time to time how far it is.
    """
    stack_id = cloudformation.describe_change_set(ChangeSetName=arn)["StackId"]
    seen = {one["EventId"] for one in _events(cloudformation, stack_id, set())}
    cloudformation.execute_change_set(ChangeSetName=arn)
    failures: list[str] = []
    polls = count()
    while True:
        (stack,) = cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
        for event in reversed(_events(cloudformation, stack_id, seen)):
            seen.add(event["EventId"])
            if event["ResourceStatus"].endswith("_FAILED"):
                failures.append(_failure(event))
                say(f"failed: {failures[-1]}")
        status = stack["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            break
        if next(polls) % 10 == 0:
            say(f"{status} ...")
        time.sleep(POLL_SECONDS)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeploymentFailed(" ".join([f"the stack is {status}.", *failures[:1]]))
    return stack


def drop(cloudformation: Any, arn: str) -> None:
    """Forget the change set, and the empty stack that a first one makes."""
    stack_id = cloudformation.describe_change_set(ChangeSetName=arn)["StackId"]
    (stack,) = cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
    cloudformation.delete_change_set(ChangeSetName=arn)
    if stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        cloudformation.delete_stack(StackName=stack_id)


def _events(cloudformation: Any, stack_id: str, seen: Collection[str]) -> list[Any]:
    """The events that were not seen yet, newest first."""
    found: list[Any] = []
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
    for page in pages:
        for event in page["StackEvents"]:
            if event["EventId"] in seen:
                return found
            found.append(event)
    return found


def _failure(event: Json) -> str:
    reason = event.get("ResourceStatusReason", event["ResourceStatus"])
    return f"{event['LogicalResourceId']}: {reason}"


def _place(order: Sequence[str], verb: str) -> int:
    return order.index(verb) if verb in order else len(order)
