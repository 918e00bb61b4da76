"""What CloudWatch publishes when an alarm changes its state, and when it does by itself.

By itself: alarms on what the pump measures, which are the invocations that Lambda dropped. All
others ring when a test says so.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from moto.sns.models import sns_backends

from emulator import insights, keys
from emulator.deploy import Deployment, FunctionSpec, Json, permits
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
        where = deployment.account, deployment.region
        insights.count(*where, "AWS/Lambda", DROPPED, {"FunctionName": function.name}, now)
        alarms = deployment.of_type("AWS::CloudWatch::Alarm")
        for name in breaching(deployment, now):
            query = alarms[name].get("Metrics", [{}])[0]
            if f"({DROPPED})" not in query.get("Expression", ""):
                continue
            since = now - timedelta(seconds=int(query["Period"]))
            if self._rang.get(name, since) <= since:
                publish_alarm(deployment, name, "ALARM", now)
            self._rang[name] = now


def breaching(deployment: Deployment, now: datetime) -> list[str]:
    """The logical ids of the alarms that what was measured sets off now. Raises InvalidQuery."""
    data = insights.measured(deployment.account, deployment.region)
    return [
        logical_id
        for logical_id, alarm in deployment.of_type("AWS::CloudWatch::Alarm").items()
        if insights.is_breaching(alarm, data, now)
    ]


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
            **_source(alarm),
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


def _source(alarm: Json) -> Json:
    """What an alarm watches, as its message names it: a metric, or queries and expressions."""
    if "Metrics" in alarm:
        (query,) = alarm["Metrics"]
        shown = {"Expression": query["Expression"], "Id": query["Id"], "ReturnData": True}
        return {"Metrics": [shown], "Period": query["Period"]}
    return {
        "MetricName": alarm.get("MetricName"),
        "Namespace": alarm.get("Namespace"),
        "StatisticType": "Statistic",
        "Statistic": str(alarm.get("Statistic", "")).upper(),
        "Unit": None,
        "Dimensions": [
            {"value": one["Value"], "name": one["Name"]} for one in alarm.get("Dimensions", [])
        ],
        "Period": alarm.get("Period"),
    }


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
    key_id = sns_backends[account][deployment.region].topics[topic_arn].kms_master_key_id
    if key_id and not keys.may_use(deployment, key_id, service, alarm_arn, account):
        raise PermissionError(f"the policy of {key_id} does not let CloudWatch use it")
