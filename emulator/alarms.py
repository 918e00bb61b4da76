"""What CloudWatch tells a topic when an alarm changes its state, and when it does by itself.

By itself: alarms on what the pump measures, which are the invocations that Lambda dropped. All
others ring when a test says so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from moto.sns.models import sns_backends

from emulator.deploy import Deployment, FunctionSpec, permits
from emulator.partition import partition_of

DROPPED = "RecursiveInvocationsDropped"


@dataclass(slots=True)
class Alarms:
    """The invocations that Lambda dropped, by function name, and when each alarm last rang."""

    _dropped: list[tuple[str, datetime]] = field(default_factory=list[tuple[str, datetime]])
    _rang: dict[str, datetime] = field(default_factory=dict[str, datetime])

    @property
    def dropped(self) -> list[tuple[str, datetime]]:
        return self._dropped

    def clear(self) -> None:
        self._dropped.clear()
        self._rang.clear()

    def note_dropped(self, deployment: Deployment, function: FunctionSpec, now: datetime) -> None:
        """Measure a drop, and ring the alarms that it sets off: once, until a period is quiet."""
        self._dropped.append((function.name, now))
        for name, alarm in deployment.of_type("AWS::CloudWatch::Alarm").items():
            if not _watches(alarm, DROPPED, function):
                continue
            since = now - timedelta(seconds=int(alarm["Period"]))
            times = sum(one == function.name and when > since for one, when in self._dropped)
            if times <= float(alarm["Threshold"]):
                continue
            if self._rang.get(name, since) <= since:
                publish_alarm(deployment, name, "ALARM", now)
            self._rang[name] = now


def _watches(alarm: Mapping[str, Any], metric: str, function: FunctionSpec) -> bool:
    """Whether an alarm watches how often something happened to a function."""
    dimensions = {one["Name"]: one["Value"] for one in alarm.get("Dimensions", [])}
    return (alarm.get("Namespace"), alarm.get("MetricName"), alarm.get("Statistic")) == (
        "AWS/Lambda",
        metric,
        "Sum",
    ) and dimensions == {"FunctionName": function.name}


def publish_alarm(deployment: Deployment, logical_id: str, state: str, now: datetime) -> None:
    """Publish an alarm's new state to its actions for that state, as CloudWatch does.

    The message is that of "Alarm event notifications" in the CloudWatch user guide. Raises KeyError
    for an alarm that the stack does not hold, PermissionError when a policy does not let CloudWatch
    publish.
    """
    alarm = deployment.of_type("AWS::CloudWatch::Alarm")[logical_id]
    name = alarm.get("AlarmName", f"vpce-guard-{logical_id}")
    arn = (
        f"arn:{partition_of(deployment.region)}:cloudwatch:{deployment.region}:"
        f"{deployment.account}:alarm:{name}"
    )
    actions = alarm.get("AlarmActions" if state == "ALARM" else "OKActions", [])
    message = {
        "AlarmName": name,
        "AlarmDescription": alarm.get("AlarmDescription"),
        "AWSAccountId": deployment.account,
        "NewStateValue": state,
        "NewStateReason": "Threshold Crossed: 1 datapoint [1.0] was not as it should be.",
        "StateChangeTime": now.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "Region": deployment.region,
        "AlarmArn": arn,
        "OldStateValue": "OK" if state == "ALARM" else "ALARM",
        "OKActions": alarm.get("OKActions", []),
        "AlarmActions": alarm.get("AlarmActions", []),
        "InsufficientDataActions": alarm.get("InsufficientDataActions", []),
        "Trigger": {
            "MetricName": alarm.get("MetricName"),
            "Namespace": alarm.get("Namespace"),
            "StatisticType": "Statistic",
            "Statistic": str(alarm.get("Statistic", "")).upper(),
            "Unit": None,
            "Dimensions": [
                {"value": one["Value"], "name": one["Name"]} for one in alarm.get("Dimensions", [])
            ],
            "Period": alarm.get("Period"),
            "EvaluationPeriods": alarm.get("EvaluationPeriods"),
            "ComparisonOperator": alarm.get("ComparisonOperator"),
            "Threshold": alarm.get("Threshold"),
            "TreatMissingData": alarm.get("TreatMissingData"),
        },
    }
    topics = sns_backends[deployment.account][deployment.region].topics
    for topic_arn in actions:
        _require_permission(deployment, topic_arn, arn)
        subject = f'{state}: "{name}" in {deployment.region}'
        topics[topic_arn].publish(json.dumps(message), subject=subject[:100])


def _require_permission(deployment: Deployment, topic_arn: str, alarm_arn: str) -> None:
    """CloudWatch publishes in its own name: the topic and the topic's key must let it."""
    service, account = "cloudwatch.amazonaws.com", deployment.account
    statements = [
        statement
        for policy in deployment.of_type("AWS::SNS::TopicPolicy").values()
        if topic_arn in policy["Topics"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    if not permits(statements, service, "sns:Publish", topic_arn, alarm_arn, account):
        raise PermissionError(f"the policy of {topic_arn} does not let CloudWatch publish")
    topic = next(
        properties
        for logical_id, properties in deployment.of_type("AWS::SNS::Topic").items()
        if deployment.physical[logical_id] == topic_arn
    )
    key_id = topic.get("KmsMasterKeyId")
    if key_id is None:
        return
    for logical_id, key in deployment.of_type("AWS::KMS::Key").items():
        if deployment.physical[logical_id] == key_id:
            granted = key["KeyPolicy"]["Statement"]
            for action in ("kms:GenerateDataKey", "kms:Decrypt"):
                if not permits(granted, service, action, key_id, alarm_arn, account):
                    raise PermissionError(f"the key's policy does not let CloudWatch {action}")
            return
    if key_id.startswith("arn:"):
        return  # a key of the owner's, whose policy is the owner's business
    raise PermissionError(f"{key_id} has no policy that lets CloudWatch use it")
