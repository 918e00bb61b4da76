"""Read how the guard's parts hang together in AWS, and compare it with the stack's own template.

IAM actions: see `heartbeat.app`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from guard.aws.errors import code_of
from heartbeat import wiring
from heartbeat.template import Template

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

    from guard.settings import Settings
    from heartbeat.wiring import Wiring

logger = Logger(child=True)

GONE = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NotFound",
    "NotFoundException",
    "ResourceNotFoundException",
}


@dataclass(frozen=True, slots=True)
class Drift:
    """The stack's wiring: as its template has it, and as AWS shows it. Each raises ClientError."""

    settings: Settings
    cloudformation: CloudFormationClient
    events: EventBridgeClient
    sqs: SQSClient
    sns: SNSClient
    functions: LambdaClient

    def compare(self, checked: Collection[str]) -> list[tuple[wiring.Part, Any, Any]]:
        """Each part that differs, with what it should be and what it is; nothing while the stack is
        being changed. A rule in `checked` that is gone is left out: it is published as blind.
        """
        template = self.template()
        if template is None:
            return []
        rules = self._rules()
        expected = wiring.deployed(template)
        seen = self._seen(template, rules, expected)
        gone = {
            name
            for name, _, _ in template.of_type("AWS::Events::Rule")
            if template.physical[name] in checked and template.physical[name] not in rules
        }
        return [one for one in wiring.differences(expected, seen) if one[0][0] not in gone]

    def template(self) -> Template | None:
        """The template in force, or None while an operation of the stack goes on."""
        stack = self.settings.stack_id
        (described,) = self.cloudformation.describe_stacks(StackName=stack)["Stacks"]
        if described["StackStatus"].endswith("_IN_PROGRESS"):
            logger.info("not compared", extra={"stack": described["StackStatus"]})
            return None
        body = self.cloudformation.get_template(StackName=stack, TemplateStage="Processed")
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        physical = {
            one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
            for page in pages
            for one in page["StackResourceSummaries"]
        }
        given = {
            one.get("ParameterKey", ""): one.get("ParameterValue", "")
            for one in described.get("Parameters", ())
        }
        return Template(body["TemplateBody"], given, physical, self.settings)

    def _seen(
        self, template: Template, rules: Mapping[str, Mapping[str, Any]], expected: Wiring
    ) -> Wiring:
        """What AWS shows of the resources that the template has."""
        found: Wiring = {}
        for logical_id, _, _ in template.of_type("AWS::Events::Rule"):
            name = template.physical[logical_id]
            if name in rules:
                targets = self.events.get_paginator("list_targets_by_rule").paginate(Rule=name)
                each = [dict(one) for page in targets for one in page["Targets"]]
                found |= wiring.as_rule(logical_id, rules[name], each)
        for logical_id, _, _ in template.of_type("AWS::SQS::Queue"):
            found |= self._queue(logical_id, template.physical[logical_id])
        for logical_id, _, _ in template.of_type("AWS::SNS::Topic"):
            found |= self._topic(logical_id, template.physical[logical_id], expected)
        return found

    def _rules(self) -> dict[str, Mapping[str, Any]]:
        pages = self.events.get_paginator("list_rules").paginate()
        return {rule.get("Name", ""): dict(rule) for page in pages for rule in page["Rules"]}

    def _queue(self, logical_id: str, url: str) -> Wiring:
        asked: Any = ["Policy", "QueueArn", *wiring.QUEUE]
        try:
            answer: Any = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=asked)
        except ClientError as error:
            return _nothing_if_gone(error)
        attributes: Mapping[str, Any] = answer["Attributes"]
        found = wiring.as_queue(logical_id, attributes)
        found[logical_id, "policy"] = wiring.alike(attributes.get("Policy") or None)
        pages = self.functions.get_paginator("list_event_source_mappings").paginate(
            EventSourceArn=attributes["QueueArn"]
        )
        for one in (one for page in pages for one in page["EventSourceMappings"]):
            mapping = {**one, "Enabled": one.get("State") not in ("Disabled", "Disabling")}
            found |= wiring.as_consumer(logical_id, mapping, one.get("FunctionArn", ""))
        return found

    def _topic(self, logical_id: str, arn: str, expected: Wiring) -> Wiring:
        try:
            answer = self.sns.get_topic_attributes(TopicArn=arn)
        except ClientError as error:
            return _nothing_if_gone(error)
        policy = answer["Attributes"].get("Policy") or None
        found: Wiring = {(logical_id, "policy"): wiring.alike(policy)}
        pages = self.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        each: Any = (one for page in pages for one in page["Subscriptions"])
        for one in each:
            part = (logical_id, f"subscription {one.get('Endpoint')}")
            if part in expected:  # whom else the owner subscribes is his affair
                found |= self._subscription(logical_id, one, expected[part])
        return found

    def _subscription(self, topic: str, one: Mapping[str, str], expected: Any) -> Wiring:
        """Its attributes; one that waits for its confirmation has none yet."""
        if not one["SubscriptionArn"].startswith("arn:"):
            return {(topic, f"subscription {one['Endpoint']}"): expected}
        try:
            answer = self.sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])
        except ClientError as error:
            return _nothing_if_gone(error)
        return wiring.as_subscription(topic, answer["Attributes"])


def _nothing_if_gone(error: ClientError) -> Wiring:
    if code_of(error) in GONE:
        return {}
    raise error
