"""What CloudFormation does with a template before it makes a stack, and moto does not.

It runs the SAM transform (moto makes a stack without any of its functions, and calls it complete),
refuses what breaks the template's `Rules`, names SSM parameters that have no name, keeps a stack's
parameters where a change set says UsePreviousValue, and shows a stack's outputs and tags after a
change set as after CreateStack. See "Rules syntax" in the CloudFormation user guide, and
CreateChangeSet in its API reference: a change set of the type CREATE makes a stack in
REVIEW_IN_PROGRESS, which has nothing in it.
"""

import json
from collections.abc import Mapping
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, Stack
from samtranslator.yaml_helper import yaml_parse

from emulator.deploy import name_parameters, processed
from emulator.rules import broken_rules

from .patching import Patches

patches = Patches()


@patches.method(CloudFormationBackend)
def create_stack(
    moto: Any, backend: Any, name: str, template: str, parameters: Any, **rest: Any
) -> Any:
    return moto(backend, name, _made_ready(backend, template, parameters), parameters, **rest)


@patches.method(CloudFormationBackend)
def create_change_set(moto: Any, backend: Any, **request: Any) -> Any:
    request["template"] = _made_ready(backend, request["template"], request["parameters"])
    if request["change_set_type"] == "CREATE":
        _drop_under_review(backend, request["stack_name"])
    return moto(backend, **request)


@patches.method(CloudFormationBackend)
def execute_change_set(moto: Any, backend: Any, change_set_name: str, **rest: Any) -> None:
    change_set = backend.describe_change_set(change_set_name)
    if change_set.change_set_type == "CREATE":
        _create(backend, change_set)
        return
    moto(backend, change_set_name, **rest)
    stack = backend.stacks[change_set.stack_id]
    stack._parse_template()
    stack.parameters, stack.tags = change_set.parameters, change_set.tags or {}
    stack.output_map = stack._create_output_map()


def _create(backend: Any, change_set: Any) -> None:
    """A stack of what the change set says, in the place of the empty one under review."""
    stack = Stack(
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
            message = f"Stack [{name}] already exists and cannot be created again with the changeSet."
            raise ValidationError(name, message=message)
        del backend.stacks[stack.stack_id]


def _made_ready(backend: Any, template: str, parameters: Mapping[str, str]) -> str:
    """The template after the transform and the rules. Raises ValidationError where it breaks one."""
    document = yaml_parse(template)
    pseudo = {
        "AWS::AccountId": backend.account_id,
        "AWS::Partition": backend.partition,
        "AWS::Region": backend.region_name,
    }
    if broken := broken_rules(document, parameters, pseudo):
        raise ValidationError(message=f"Template error: rule not kept: {'; '.join(broken)}")
    resources = document.get("Resources", {}).values()
    if not any(str(one.get("Type")).startswith("AWS::Serverless::") for one in resources):
        return template if document.get("Transform") is None else json.dumps(_plain(document))
    return json.dumps(_plain(processed(document, parameters, backend.region_name)))


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    document.pop("Transform", None)
    name_parameters(document)
    return document
