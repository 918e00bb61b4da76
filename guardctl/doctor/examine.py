"""All checks, in the order in which one depends on the other."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from guardctl.doctor.access import offers_endpoints, who_and_where
from guardctl.doctor.chosen import chosen
from guardctl.doctor.lines import Line, State, unknown
from guardctl.doctor.place import Place
from guardctl.doctor.quotas import quotas
from guardctl.doctor.running import running
from guardctl.doctor.stacks import STACK, Stacks, is_new, judge_stacks, read_stacks
from guardctl.doctor.trail import management_events, network_events

RIGHTS = Line(
    "rights to deploy",
    State.INFO,
    "not checked: CloudFormation says at the deployment what may not be done, and undoes it",
)


def examine(place: Place, stack_name: str, given: Mapping[str, str]) -> list[Line]:
    """What a deployment of the stack with these parameters would meet.

    A line for each check; without credentials that work in the Region, nothing else is asked.
    """
    place, lines = who_and_where(place)
    if any(line.state is State.STOP for line in lines):
        return lines
    lines += offers_endpoints(place)
    lines += management_events(place)
    lines += network_events(place)
    stacks, about_stacks = _stacks(place, stack_name)
    stack = next((one for one in stacks if one["StackName"] == stack_name), None)
    deployed = None if is_new(stack) else stack
    lines += about_stacks
    lines += quotas(place, new=deployed is None)
    lines += chosen(place, {**parameters_of(deployed), **given})
    if deployed:
        lines += running(place, deployed)
    return [*lines, RIGHTS]


def parameters_of(stack: Mapping[str, Any] | None) -> dict[str, str]:
    """What a stack was deployed with."""
    listed = stack.get("Parameters", []) if stack else []
    return {one["ParameterKey"]: one.get("ParameterValue", "") for one in listed}


def _stacks(place: Place, name: str) -> tuple[Stacks, list[Line]]:
    try:
        stacks = read_stacks(place)
    except (BotoCoreError, ClientError) as error:
        return [], [unknown(STACK, error, "cloudformation")]
    return stacks, judge_stacks(stacks, name, place.region)
