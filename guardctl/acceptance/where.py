"""What a person checks when a step has failed: the log, the dead-letter queue, the runbooks."""

from collections.abc import Sequence

from guardctl.stack import Stack, StackError

QUEUES = {
    "EnsureEndpointFunction": "vpc",
    "RestorePolicyFunction": "policy",
    "DetectBypassFunction": "detection",
}


def where_to_check(stack: Stack, function: str) -> Sequence[str]:
    """In the order in which to check. Never fails: it is asked when something else did."""
    queue = QUEUES.get(function, "")
    places = [f"guardctl redrive {queue}".rstrip() + " shows what was given up, and why"]
    try:
        group = stack.resources.get(f"{function}LogGroup")
    except StackError:
        group = None
    if group:
        places.append(f"the function's log: aws logs tail {group} --region {stack.region}")
    places.append(
        "the stack's alarms; its rules and event source mappings, which must be enabled; the trail,"
        " which must log management events, reads included"
    )
    places.append("docs/runbooks, by the kinds of the findings that were published")
    return places
