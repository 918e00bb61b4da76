"""What CloudFormation does with a template before it makes a stack, and moto does not.

It runs the SAM transform (moto makes a stack without any of its functions, and calls it complete),
refuses what breaks the template's `Rules`, names SSM parameters that have no name, and shows a
stack's outputs and tags after a change set as after CreateStack. A change set lists what a
condition or a parameter changes, and fails where nothing changes. See "Rules syntax" in the
CloudFormation user guide, and CreateChangeSet and ResourceChange in its API reference.

Left as moto has it: an update does not create or delete what a condition switches on or off.
"""

import json
from collections.abc import Mapping
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Change, ChangeSet, CloudFormationBackend, Stack
from moto.cloudformation.parsing import ResourceMap

from emulator.deploy import name_parameters, processed
from emulator.rules import broken_rules
from emulator.templates import parse as parse_template

from .patching import Patches

patches = Patches()

NOTHING = (
    "The submitted information didn't contain changes."
    " Submit different information to create a change set."
)


@patches.method(CloudFormationBackend)
def create_stack(
    moto: Any, backend: Any, name: str, template: str, parameters: Any, **rest: Any
) -> Any:
    return moto(backend, name, _made_ready(backend, template, parameters), parameters, **rest)


@patches.method(CloudFormationBackend)
def create_change_set(moto: Any, backend: Any, **request: Any) -> Any:
    request["parameters"] = {key: _text(one) for key, one in request["parameters"].items()}
    request["template"] = _made_ready(backend, request["template"], request["parameters"])
    if request["change_set_type"] == "CREATE":
        _drop_under_review(backend, request["stack_name"])
    made = moto(backend, **request)
    change_set = backend.change_sets[made[0]]
    same_tags = (request.get("tags") or {}) == change_set.stack.tags
    if request["change_set_type"] == "UPDATE" and same_tags and not change_set.changes:
        change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
        change_set.status_reason = NOTHING
    return made


@patches.method(CloudFormationBackend)
def execute_change_set(moto: Any, backend: Any, change_set_name: str, **rest: Any) -> None:
    change_set = backend.describe_change_set(change_set_name)
    if change_set.change_set_type == "CREATE":
        _create(backend, change_set)
        return
    stack = backend.stacks[change_set.stack_id]
    # What was not given before had its default, and not nothing, which would count as a change.
    known = stack.resource_map
    known.input_parameters = {key: _text(one) for key, one in known.resolved_parameters.items()}
    moto(backend, change_set_name, **rest)
    stack._parse_template()
    stack.parameters, stack.tags = change_set.parameters, change_set.tags or {}
    stack.output_map = stack._create_output_map()


@patches.getter(Stack)
def parameter_list(moto: Any, stack: Any) -> list[dict[str, Any]]:
    """Lists as they were given: moto shows them as Python writes them."""
    return [{**one, "ParameterValue": _text(one["ParameterValue"])} for one in moto(stack)]


@patches.method(ChangeSet)
def diff(moto: Any, change_set: Any) -> Any:
    """What there is after it and what was before, with regard to conditions and parameters."""
    stack = change_set.stack
    before = _resources(stack, stack.template_dict, stack.parameters)
    after = _resources(stack, change_set.template_dict, change_set.parameters)
    verbs = {
        **{name: "Add" for name in after if name not in before},
        **{name: "Remove" for name in before if name not in after},
        **{name: "Modify" for name in after if name in before and after[name] != before[name]},
    }
    return [
        Change(verb, name, (after.get(name) or before[name])[0]) for name, verb in verbs.items()
    ]


def _resources(
    stack: Any, template: dict[str, Any], parameters: Mapping[str, str]
) -> dict[str, Any]:
    """Those whose condition holds: type, definition, and the values of what it refers to."""
    known = ResourceMap(
        stack.stack_id,
        stack.name,
        dict(parameters),
        {},
        account_id=stack.account_id,
        region_name=stack.region_name,
        template=template,
        cross_stack_resources={},
    )
    if not template:
        return {}
    known.load()
    given = {name: _text(value) for name, value in known.resolved_parameters.items()}
    values = {**given, **dict(known.lazy_condition_map.items())}
    return {
        name: (one["Type"], one, {word: values[word] for word in _words(one) if word in values})
        for name, one in template["Resources"].items()
        if "Condition" not in one or values[one["Condition"]]
    }


def _words(definition: Any) -> set[str]:
    """Every name that a definition could refer to, by Ref, Fn::If or Fn::Sub."""
    text = json.dumps(definition, default=str)
    return set(text.translate(str.maketrans(dict.fromkeys('"${}[](),:', " "))).split())


def _create(backend: Any, change_set: Any) -> None:
    """A stack of what the change set says, in the place of the empty one under review."""
    stack: Any = Stack(
        stack_id=change_set.stack_id,
        name=change_set.stack_name,
        template=change_set.template,
        parameters=change_set.parameters,
        account_id=backend.account_id,
        region_name=backend.region_name,
        tags=change_set.tags,
        role_arn=change_set.role_arn,
        cross_stack_resources=backend.exports,
    )
    stack.events = backend.stacks[change_set.stack_id].events
    backend.stacks[change_set.stack_id] = stack
    stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")
    stack.create_resources()
    change_set.execution_status = "EXECUTE_COMPLETE"


def _drop_under_review(backend: Any, name: str) -> None:
    """A second change set of the type CREATE is for the same stack under review; moto makes two."""
    for stack in [one for one in backend.stacks.values() if one.name == name]:
        if stack.status != "REVIEW_IN_PROGRESS":
            text = f"Stack [{name}] already exists and cannot be created again with the changeSet."
            raise ValidationError(name, message=text)
        del backend.stacks[stack.stack_id]


def _made_ready(backend: Any, template: str, parameters: Mapping[str, str]) -> str:
    """The template after the transform. Raises ValidationError where it breaks one of its rules."""
    document = parse_template(template)
    pseudo = {
        "AWS::AccountId": backend.account_id,
        "AWS::Partition": backend.partition,
        "AWS::Region": backend.region_name,
    }
    if broken := broken_rules(document, parameters, pseudo):
        raise ValidationError(message=f"Template error: rule not kept: {'; '.join(broken)}")
    resources = document.get("Resources", {}).values()
    if any(str(one.get("Type")).startswith("AWS::Serverless::") for one in resources):
        document = processed(document, parameters, backend.region_name)
    elif "Transform" not in document:
        return template
    document.pop("Transform", None)
    name_parameters(document)
    return json.dumps(document)


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
