"""What SAM CLI deployed is what the template says, by the word of another emulator."""

import json
from typing import Any

import pytest

from tests.second.ministack import Second
from tests.template.stack import EVENTS, Stack, listed

QUEUE_TYPE, RULE_TYPE = "AWS::SQS::Queue", "AWS::Events::Rule"
# Named after their content, or in SAM's own way.
GENERATED = ("AWS::Lambda::LayerVersion",)


def arn_of(second: Second, name: str) -> str:
    """The ARN of a queue, function or topic by its logical id."""
    physical = second.resources[name]
    if physical.startswith("arn:"):
        return physical
    if physical.startswith("http"):
        sqs = second.client("sqs")
        answer = sqs.get_queue_attributes(QueueUrl=physical, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]
    functions = second.client("lambda")
    return functions.get_function_configuration(FunctionName=physical)["FunctionArn"]


def names(stack: Stack, *kinds: str) -> list[str]:
    return sorted(name for kind in kinds for name in stack.of_type(kind))


def test_the_deployment_is_complete(second: Second, template: Stack):
    assert second.stack["StackStatus"] == "CREATE_COMPLETE"
    expected = {name for name, one in template.resources.items() if one["Type"] not in GENERATED}
    assert expected - set(second.resources) == set()
    outputs = {one["OutputKey"] for one in second.stack["Outputs"]}
    assert set(template.outputs) - outputs <= {"DashboardUrl"}  # hangs on the partition


def test_functions_are_as_the_template_says(second: Second, template: Stack):
    functions = second.client("lambda")
    for name in names(template, "AWS::Lambda::Function"):
        said = template.properties(name)
        found = functions.get_function_configuration(FunctionName=second.resources[name])
        for key in ("Handler", "Runtime", "MemorySize", "Timeout"):
            assert found[key] == said[key], (name, key)
        assert len(found["Layers"]) == len(said["Layers"]), name
        variables = found["Environment"]["Variables"]
        assert set(variables) == set(said["Environment"]["Variables"]), name
        assert variables["TABLE_NAME"] == second.resources["StateTable"]
        assert variables["MODE_PARAMETER"] == second.resources["ModeParameter"]


def test_what_asynchronous_invocations_lose_has_a_place(second: Second, template: Stack):
    functions = second.client("lambda")
    configured = template.of_type("AWS::Lambda::EventInvokeConfig").values()
    assert configured
    for said in configured:
        name = second.resources[said["FunctionName"]]
        found = functions.get_function_event_invoke_config(
            FunctionName=name, Qualifier=said["Qualifier"]
        )
        place = found["DestinationConfig"]["OnFailure"]["Destination"]
        assert place == arn_of(second, "RuleDeadLetterQueue")


def test_queues_feed_their_functions(second: Second, template: Stack):
    said = {
        one["EventSourceArn"].removeprefix("arn:"): one
        for one in template.of_type("AWS::Lambda::EventSourceMapping").values()
    }
    listed_there = second.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    found = {one["EventSourceArn"]: one for one in listed_there}
    assert set(found) == {arn_of(second, name) for name in said}
    for name, one in said.items():
        there = found[arn_of(second, name)]
        assert there["FunctionArn"] == arn_of(second, one["FunctionName"])
        assert int(there["BatchSize"]) == int(one["BatchSize"])
        window = one.get("MaximumBatchingWindowInSeconds", 0)
        assert int(there["MaximumBatchingWindowInSeconds"]) == int(window)
        assert there["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_queues_are_as_the_template_says(second: Second, template: Stack):
    sqs = second.client("sqs")
    for name in names(template, QUEUE_TYPE):
        said = template.properties(name)
        found = sqs.get_queue_attributes(QueueUrl=second.resources[name], AttributeNames=["All"])[
            "Attributes"
        ]
        for key in ("VisibilityTimeout", "MessageRetentionPeriod", "SqsManagedSseEnabled"):
            if key in said:
                assert found[key].lower() == str(said[key]).lower(), (name, key)
        assert "OnlyOverTls" in found["Policy"], name
        if "RedrivePolicy" in said:
            redrive = json.loads(found["RedrivePolicy"])
            last = said["RedrivePolicy"]["deadLetterTargetArn"].removeprefix("arn:")
            assert redrive["deadLetterTargetArn"] == arn_of(second, last)
            assert int(redrive["maxReceiveCount"]) == said["RedrivePolicy"]["maxReceiveCount"]


def test_rules_are_as_the_template_says(second: Second, template: Stack):
    events = second.client("events")
    for name in names(template, RULE_TYPE):
        said, rule = template.properties(name), second.resources[name]
        found = events.describe_rule(Name=rule)
        assert found["State"] == said.get("State", "ENABLED"), name
        assert found.get("ScheduleExpression") == said.get("ScheduleExpression"), name
        targets = {
            one["Arn"]: one["DeadLetterConfig"]["Arn"]
            for one in events.list_targets_by_rule(Rule=rule)["Targets"]
        }
        assert targets == {
            arn_of(second, one["Arn"].removeprefix("arn:")): arn_of(second, "RuleDeadLetterQueue")
            for one in said["Targets"]
        }


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_sample_matches_the_rules_that_its_name_says(second: Second, template: Stack, path):
    """The patterns as another matcher reads them."""
    expected = set() if path.stem.startswith("none.") else set(path.stem.split(".")[0].split("+"))
    events = second.client("events")
    matching = {
        _spelled(name)
        for name in names(template, RULE_TYPE)
        if (pattern := template.properties(name).get("EventPattern"))
        and events.test_event_pattern(EventPattern=json.dumps(pattern), Event=path.read_text())[
            "Result"
        ]
    }
    assert matching == {one for one in expected if one not in SCHEDULED}


SCHEDULED = {"digest", "find-missed", "heartbeat", "schedule"}


def _spelled(rule: str) -> str:
    """`EndpointChangeRule` as names of samples spell it."""
    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in rule)
    return words.removeprefix("-").removesuffix("-rule")


def test_topics_have_their_subscribers(second: Second, template: Stack):
    sns = second.client("sns")
    found = {
        (one["TopicArn"], one["Protocol"], one["Endpoint"]): one["SubscriptionArn"]
        for one in sns.list_subscriptions()["Subscriptions"]
    }
    for name, said in template.of_type("AWS::SNS::Subscription").items():
        endpoint = said["Endpoint"]
        if said["Protocol"] == "sqs":
            endpoint = arn_of(second, endpoint.removeprefix("arn:"))
        key = (second.resources[said["TopicArn"]], said["Protocol"], endpoint)
        assert key in found, name
        if said.get("RawMessageDelivery"):
            got = sns.get_subscription_attributes(SubscriptionArn=found[key])["Attributes"]
            assert got["RawMessageDelivery"] == "true", name


def test_alarms_are_as_the_template_says(second: Second, template: Stack):
    pages = second.client("cloudwatch").get_paginator("describe_alarms").paginate()
    found = {one["AlarmName"]: one for page in pages for one in page["MetricAlarms"]}
    for name, said in template.of_type("AWS::CloudWatch::Alarm").items():
        there = found[second.resources[name]]
        assert there["AlarmActions"] == [second.resources["AlarmsTopic"]], name
        for key in ("Namespace", "MetricName", "Statistic", "ComparisonOperator"):
            assert there.get(key) == said.get(key), (name, key)
        assert there["Threshold"] == said["Threshold"], name
        assert there["TreatMissingData"] == said["TreatMissingData"], name


def test_the_table_is_as_the_template_says(second: Second, template: Stack):
    said = template.properties("StateTable")
    dynamodb, name = second.client("dynamodb"), second.resources["StateTable"]
    found: dict[str, Any] = dynamodb.describe_table(TableName=name)["Table"]
    assert found["KeySchema"] == said["KeySchema"]
    assert found["BillingModeSummary"]["BillingMode"] == said["BillingMode"]
    indexes = [(one["IndexName"], one["KeySchema"]) for one in found["GlobalSecondaryIndexes"]]
    assert indexes == [
        (one["IndexName"], one["KeySchema"]) for one in said["GlobalSecondaryIndexes"]
    ]


def test_roles_have_their_policies(second: Second, template: Stack):
    iam = second.client("iam")
    for name in names(template, "AWS::IAM::Role"):
        role = second.resources[name]
        inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
        assert inline == [one["PolicyName"] for one in template.properties(name)["Policies"]]
        for policy in inline:
            statements = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for one in statements["Statement"]:
                assert all(isinstance(arn, str) for arn in listed(one["Resource"])), (name, one)
