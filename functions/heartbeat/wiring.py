"""How the guard's parts hang together: what the template says, in the form in which AWS is read.

Each part of the wiring has a name, `Part`: a resource by its logical id, and an aspect of it. Two
wirings are equal where each part has the same meaning: the order of a list, a list of one and a
number written as text make no difference. Pure.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from heartbeat.template import Template

type Part = tuple[str, str]
type Wiring = dict[Part, Any]

# A queue's attributes as SQS has them where the template says nothing: "SetQueueAttributes".
QUEUE: Mapping[str, Any] = {
    "DelaySeconds": 0,
    "MessageRetentionPeriod": 345_600,
    "VisibilityTimeout": 30,
    "RedrivePolicy": None,
}
MAPPING = ("BatchSize", "FilterCriteria", "MaximumBatchingWindowInSeconds", "ScalingConfig")
SUBSCRIPTION = ("FilterPolicy", "RawMessageDelivery", "RedrivePolicy")


def deployed(template: Template) -> Wiring:
    """What the template made. Raises NotUnderstood."""
    found: Wiring = {}
    for logical_id, _, rule in template.of_type("AWS::Events::Rule"):
        found |= as_rule(logical_id, rule, rule["Targets"])
    queues = {template.physical[name]: name for name, _, _ in template.of_type("AWS::SQS::Queue")}
    for logical_id, _, queue in template.of_type("AWS::SQS::Queue"):
        found |= as_queue(logical_id, queue)
        found[logical_id, "policy"] = None
    for _, _, one in template.of_type("AWS::SQS::QueuePolicy"):
        for url in one["Queues"]:
            found[queues[url], "policy"] = alike(one["PolicyDocument"])
    topics = {template.physical[name]: name for name, _, _ in template.of_type("AWS::SNS::Topic")}
    for _, _, one in template.of_type("AWS::SNS::TopicPolicy"):
        for arn in one["Topics"]:
            found[topics[arn], "policy"] = alike(one["PolicyDocument"])
    for _, _, one in template.of_type("AWS::SNS::Subscription"):
        found |= as_subscription(topics[one["TopicArn"]], one)
    by_arn = {_arn(url, template): name for url, name in queues.items()}
    for _, _, one in template.of_type("AWS::Lambda::EventSourceMapping"):
        found |= as_consumer(by_arn[one["EventSourceArn"]], one, one["FunctionName"])
    return found


def _arn(url: str, template: Template) -> str:
    place = template.settings
    name = url.rsplit("/", 1)[-1]
    return f"arn:{place.partition}:sqs:{place.region}:{place.account_id}:{name}"


def as_rule(
    logical_id: str, rule: Mapping[str, Any], targets: Sequence[Mapping[str, Any]]
) -> Wiring:
    """A rule, as the template and ListRules have it, and its targets."""
    return {
        (logical_id, "event pattern"): alike(rule.get("EventPattern")),
        (logical_id, "schedule"): rule.get("ScheduleExpression") or None,
        **{(logical_id, f"target {one['Id']}"): alike(one) for one in targets},
    }


def as_queue(logical_id: str, queue: Mapping[str, Any]) -> Wiring:
    """A queue's attributes, as the template and GetQueueAttributes have them."""
    return {(logical_id, name): alike(queue.get(name, usual)) for name, usual in QUEUE.items()}


def as_consumer(queue: str, mapping: Mapping[str, Any], function: str) -> Wiring:
    """An event source mapping, as the template and ListEventSourceMappings have it."""
    said: dict[str, Any] = {name: mapping.get(name) for name in MAPPING}
    said["MaximumBatchingWindowInSeconds"] = said["MaximumBatchingWindowInSeconds"] or 0
    name = function.rsplit(":", 1)[-1]
    return {(queue, f"consumer {name}"): alike({**said, "Enabled": mapping.get("Enabled", True)})}


def as_subscription(topic: str, one: Mapping[str, Any]) -> Wiring:
    """A subscription, as the template and GetSubscriptionAttributes have it."""
    said = {name: one.get(name) or None for name in SUBSCRIPTION}
    said["RawMessageDelivery"] = str(said["RawMessageDelivery"] or False)
    return {(topic, f"subscription {one['Endpoint']}"): alike(said)}


def alike(value: Any) -> Any:
    """The value in the one form that stands for all that mean the same."""
    if isinstance(value, str) and value[:1] in "{[":
        value = json.loads(value)
    if isinstance(value, Mapping):
        pairs = cast(Mapping[str, Any], value).items()
        return {key: alike(one) for key, one in sorted(pairs) if one is not None}
    if isinstance(value, list):
        each = sorted(map(alike, cast(list[Any], value)), key=json.dumps)
        return each[0] if len(each) == 1 else each
    if isinstance(value, bool):
        return str(value).lower()
    text = None if value is None else str(value)
    return text.lower() if text in ("True", "False") else text


def differences(expected: Wiring, seen: Wiring) -> Iterator[tuple[Part, Any, Any]]:
    """Each part that is not as it was deployed, with what it should be and what it is."""
    for part in sorted(expected.keys() | seen.keys()):
        should, now = expected.get(part), seen.get(part)
        if should != now:
            yield part, should, now
