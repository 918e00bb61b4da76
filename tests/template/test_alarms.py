"""Whatever goes wrong is published on the topic, and those who publish can reach it."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from emulator.insights import is_breaching
from tests.template.stack import ACCOUNT, Stack

STACK = Stack()
ALARMS = STACK.of_type("AWS::CloudWatch::Alarm")
QUEUES = STACK.of_type("AWS::SQS::Queue")
FUNCTIONS = STACK.of_type("AWS::Lambda::Function")
# The heartbeat's silence is its alarm; what watch_guard could not do is in the rules' dead-letter
# queue, which has one.
WITHOUT_ALARMS = {"HeartbeatFunction", "WatchGuardFunction"}


def watched(metric: str) -> dict[str, dict[str, Any]]:
    """The alarms on a metric, by the queue or function they watch."""
    return {
        one["Dimensions"][0]["Value"].removesuffix(".QueueName"): one
        for one in ALARMS.values()
        if one.get("MetricName") == metric
    }


def test_one_lost_message_is_an_alarm():
    alarms = watched("ApproximateNumberOfMessagesVisible")
    assert set(alarms) == {name for name in QUEUES if "DeadLetter" in name}
    for alarm in alarms.values():
        assert (alarm["Namespace"], alarm["Statistic"], alarm["Threshold"]) == (
            "AWS/SQS",
            "Maximum",
            0,
        )


def test_a_queue_that_falls_behind_is_an_alarm():
    alarms = watched("ApproximateAgeOfOldestMessage")
    # What is not urgent may wait for Slack; what cannot be shown is in the dead-letter queue.
    silent = {"NotifyQueue"}
    assert set(alarms) == {name for name in QUEUES if "DeadLetter" not in name} - silent
    for name, alarm in alarms.items():
        # A message that failed once is hidden for the visibility timeout; that alone is no alarm.
        assert alarm["Threshold"] > QUEUES[name]["VisibilityTimeout"]


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_a_function_that_fails_or_waits_is_an_alarm(metric: str):
    alarms = watched(metric)
    assert set(alarms) == set(FUNCTIONS) - WITHOUT_ALARMS
    for alarm in alarms.values():
        assert (alarm["Namespace"], alarm["Statistic"], alarm["Threshold"]) == (
            "AWS/Lambda",
            "Sum",
            0,
        )


def test_a_loop_that_lambda_stops_is_an_alarm():
    """Of every function that a queue invokes: what EventBridge invokes begins a chain each time."""
    mappings = STACK.of_type("AWS::Lambda::EventSourceMapping").values()
    watched_functions = [
        re.search(r"FunctionName = '(\w+)'$", query["Expression"])
        for one in ALARMS.values()
        for query in one.get("Metrics", [])
        if "SUM(RecursiveInvocationsDropped)" in query["Expression"]
    ]
    assert {one[1] for one in watched_functions if one} == {one["FunctionName"] for one in mappings}
    assert not STACK.of_type("AWS::SNS::Subscription").keys() & {"lambda"}


@pytest.mark.parametrize(
    ("kind", "metric"),
    [("Failed", "FailedInvocations"), ("Lost", "InvocationsFailedToBeSentToDlq")],
)
def test_a_rule_that_cannot_deliver_is_an_alarm(kind: str, metric: str):
    """Each rule by its name: without it the query would find every rule of the account."""
    rules = STACK.of_type("AWS::Events::Rule")
    alarms = {name: one for name, one in ALARMS.items() if metric in str(one.get("Metrics"))}
    assert set(alarms) == {f"{rule}{kind}Alarm" for rule in rules}
    for rule in rules:
        (query,) = alarms[f"{rule}{kind}Alarm"]["Metrics"]
        assert query["Period"] == 300
        selected, where = query["Expression"].split(" WHERE ")
        assert (
            selected.removeprefix("SELECT ") == f'SUM({metric}) FROM SCHEMA("AWS/Events", RuleName)'
        )
        assert where == f"RuleName = '{rule}'"


def test_an_alarm_on_a_rule_is_there_when_its_rule_is():
    for parameters in ({}, {"WatchForeignEndpoints": "false"}, {"TrailBucket": "trail-logs"}):
        stack = Stack(parameters)
        watched_rules = {
            name.removesuffix("FailedAlarm").removesuffix("LostAlarm")
            for name, one in stack.of_type("AWS::CloudWatch::Alarm").items()
            if "Metrics" in one and name.endswith(("FailedAlarm", "LostAlarm"))
        }
        assert watched_rules == set(stack.of_type("AWS::Events::Rule"))


def test_a_query_is_one_that_cloudwatch_can_take():
    """Names of rules are at most 64 characters; an expression 2,048 (MetricDataQuery)."""
    for one in ALARMS.values():
        for query in one.get("Metrics", []):
            assert len(query["Expression"]) + 64 < 2048
            assert is_breaching(one, [], datetime.now(UTC)) is False  # its grammar is known


def test_silence_of_the_heartbeat_is_an_alarm():
    alarm = ALARMS["HeartbeatAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("VPCEGuard", "HeartbeatSeconds")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "detect_bypass"}]
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["Period"] == 3600  # the heartbeat's own
    # A heartbeat that is a little late falls into the next period: one empty period is no silence.
    assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (2, 2)
    assert alarm["AlarmActions"] == alarm["OKActions"] == ["AlarmsTopic"]


@pytest.mark.parametrize("name", sorted(set(ALARMS) - {"HeartbeatAlarm"}))
def test_an_alarm_is_reported_and_silence_is_health(name: str):
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == ["AlarmsTopic"]
    assert alarm["TreatMissingData"] == "notBreaching"
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    assert alarm["AlarmDescription"].endswith(".")


def test_alarms_may_publish_to_their_topic():
    """Which is why it is not under the key aws/sns, whose policy CloudWatch is not in."""
    topic = by_sid(STACK.properties("AlarmsTopicPolicy")["PolicyDocument"])["AlarmsPublish"]
    assert topic["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert topic["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert topic["Action"] == "sns:Publish"
    assert "KmsMasterKeyId" not in STACK.properties("AlarmsTopic")


@pytest.mark.parametrize("topic", ["FindingsTopic", "AlarmsTopic"])
def test_a_topic_refuses_plain_text(topic: str):
    policy = STACK.properties(f"{topic}Policy")
    deny = by_sid(policy["PolicyDocument"])["OnlyOverTls"]
    assert policy["Topics"] == [deny["Resource"]] == [topic]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "sns:Publish")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def by_sid(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in policy["Statement"]}
