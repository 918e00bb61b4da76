"""Stacks beside the guard's: pipes from queues to buses, and what the rules of a bus bring on.

EventBridge Pipes, rules with input transformers, API destinations and state machines as "Amazon
EventBridge Pipes" and "Amazon EventBridge input transformation" describe them. moto makes the
buses, rules, queues and state machines; pipes and destinations are read from the template.
"""

import json
import re
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moto.sqs.models import sqs_backends

from emulator.cloud import Cloud
from emulator.deploy import SKIPPED, Deployment, deploy
from emulator.eventbridge import matches, validate

type Json = dict[str, Any]
_PATH = re.compile(r"<([^<>]+)>")


@dataclass(slots=True)
class AddOns:
    """The stacks that were deployed beside the guard's. `events` are those put on their buses."""

    cloud: Cloud
    stacks: dict[str, Deployment] = field(default_factory=dict[str, Deployment])
    events: list[Json] = field(default_factory=list[Json])

    def deploy(self, template: Path, name: str, **parameters: str) -> Deployment:
        """Create a stack. Raises DeploymentFailed, or InvalidPattern for a rule's pattern."""
        place = (self.cloud.account, self.cloud.region)
        session = self.cloud.session("admin")
        self.stacks[name] = deploy(template, parameters, session, *place, name=name)
        for rule in self.stacks[name].of_type("AWS::Events::Rule").values():
            validate(rule["EventPattern"])
        return self.stacks[name]

    def remove(self) -> None:
        """Delete the stacks, the last one first."""
        session = self.cloud.session("admin")
        for name, stack in reversed(self.stacks.items()):
            for logical_id in stack.of_type("AWS::SNS::Subscription"):
                session.client("sns").unsubscribe(SubscriptionArn=stack.physical[logical_id])
            session.client("cloudformation").delete_stack(StackName=name)

    def settle(self) -> None:
        """Move what is in the queues of pipes onto their buses, and to the targets of rules."""
        for stack in self.stacks.values():
            for pipe in stack.of_type("AWS::Pipes::Pipe").values():
                for event in self._through(stack, pipe):
                    self.events.append(event)
                    self._deliver(pipe["Target"].rpartition("/")[2], event)

    def _through(self, stack: Deployment, pipe: Json) -> Iterator[Json]:
        """The events that a pipe makes of a queue's messages; its role must let it."""
        for action, resource in (
            ("sqs:ReceiveMessage", pipe["Source"]),
            ("sqs:DeleteMessage", pipe["Source"]),
            ("sqs:GetQueueAttributes", pipe["Source"]),
            ("events:PutEvents", pipe["Target"]),
        ):
            _require(stack, pipe["RoleArn"], action, resource)
        queue = sqs_backends[stack.account][stack.region].get_queue(
            pipe["Source"].rpartition(":")[2]
        )
        to_bus = pipe["TargetParameters"]["EventBridgeEventBusParameters"]
        for message in list(queue.messages):
            body = json.loads(message.body)
            detail = _filled(pipe["TargetParameters"]["InputTemplate"], {"body": body})
            queue.delete_message(_received(stack, queue.name))
            yield {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": to_bus["DetailType"],
                "source": to_bus["Source"],
                "account": stack.account,
                "time": self.cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": stack.region,
                "resources": [],
                "detail": detail,
            }

    def _deliver(self, bus: str, event: Json) -> None:
        for stack in self.stacks.values():
            for rule in stack.of_type("AWS::Events::Rule").values():
                if rule["EventBusName"] == bus and matches(rule["EventPattern"], event):
                    for target in rule["Targets"]:
                        self._send(stack, target, event)

    def _send(self, stack: Deployment, target: Json, event: Json) -> None:
        arn = target["Arn"]
        if arn.startswith(SKIPPED):
            self._call(stack, arn.removeprefix(SKIPPED), target, event)
            return
        _require(stack, target["RoleArn"], "states:StartExecution", arn)
        client = self.cloud.session("admin").client("stepfunctions")
        client.start_execution(stateMachineArn=arn, input=json.dumps(event))

    def _call(self, stack: Deployment, name: str, target: Json, event: Json) -> None:
        """Call an API destination with the body that the target's transformer makes."""
        _require(stack, target["RoleArn"], "events:InvokeApiDestination", target["Arn"])
        destination = stack.of_type("AWS::Events::ApiDestination")[name]
        transformer = target["InputTransformer"]
        values = {key: _at(event, path) for key, path in transformer["InputPathsMap"].items()}
        text = _PATH.sub(lambda one: json.dumps(values[one[1]]), transformer["InputTemplate"])
        request = urllib.request.Request(  # noqa: S310 - the test's own server
            destination["InvocationEndpoint"],
            json.dumps(json.loads(text)).encode(),
            {"Content-Type": "application/json"},
            method=destination["HttpMethod"],
        )
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 - see above


def _received(stack: Deployment, queue: str) -> str:
    backend = sqs_backends[stack.account][stack.region]
    (message,) = backend.receive_message(queue, 1, 0, 60, ["All"])
    return str(message.receipt_handle)


def _require(stack: Deployment, role_arn: str, action: str, resource: str) -> None:
    """Raises AssertionError where the role does not allow the action on the resource."""
    name = role_arn.rpartition("/")[2]
    (role,) = (
        properties
        for logical_id, properties in stack.of_type("AWS::IAM::Role").items()
        if stack.physical[logical_id] == name
    )
    statements = [
        statement
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    allowed = any(
        action in _listed(one["Action"]) and resource in _listed(one["Resource"])
        for one in statements
    )
    if not allowed:
        raise AssertionError(f"{name} may not {action} on {resource}")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _filled(template: str, value: Json) -> Any:
    return json.loads(_PATH.sub(lambda one: json.dumps(_at(value, one[1])), template))


def _at(value: Any, path: str) -> Any:
    """The value at a path such as `$.detail.title`. Raises KeyError where there is none."""
    for step in path.split(".")[1:]:
        value = value[step] if isinstance(value, Mapping) else None
    return value
