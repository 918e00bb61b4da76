"""Between rule and function: nothing is lost, nothing is read by others, nothing comes too fast."""

import json
from typing import Any

import pytest

from tests.template.stack import EVERYTHING, Stack, listed
from tools.rights.needs import grants

STACK = Stack(EVERYTHING)
QUEUES = STACK.of_type("AWS::SQS::Queue")
WORKING = sorted(name for name in QUEUES if "DeadLetter" not in name)
DEAD = sorted(set(QUEUES) - set(WORKING))
MAPPINGS = {
    one["EventSourceArn"].removeprefix("arn:"): one
    for one in STACK.of_type("AWS::Lambda::EventSourceMapping").values()
}
FUNCTIONS = STACK.of_type("AWS::Lambda::Function")
RULES = STACK.of_type("AWS::Events::Rule")


def statements(queue: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in STACK.of_type("AWS::SQS::QueuePolicy").values()
        if queue in policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def sources(queue: str) -> set[str]:
    """Who may send: the resources on whose behalf a service may."""
    return {
        source
        for statement in statements(queue)
        if statement["Effect"] == "Allow"
        for source in listed(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
    }


def test_there_is_a_queue_for_each_reaction_and_two_for_slack():
    assert WORKING == [
        "DetectionQueue",
        "NotifyQueue",
        "NotifyUrgentQueue",
        "PolicyQueue",
        "SecretPolicyQueue",
        "VpcQueue",
    ]
    assert sorted(MAPPINGS) == WORKING


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_is_encrypted_and_refuses_plain_text(name: str):
    assert QUEUES[name]["SqsManagedSseEnabled"] is True
    (deny,) = [one for one in statements(name) if one["Sid"] == "OnlyOverTls"]
    assert deny["Effect"] == "Deny"
    assert (deny["Principal"], deny["Action"]) == ("*", "sqs:*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert deny["Resource"] in ("*", f"arn:{name}")


def granted(action: str, queue: str) -> set[str]:
    """The roles of the stack that may do this to the queue, by its name as GetAtt gives it."""
    return {
        f"arn:{name}"
        for name, role in STACK.of_type("AWS::IAM::Role").items()
        if any(
            one.action == action and f"arn:{queue}" in listed(one.resources) for one in grants(role)
        )
    }


def spared(name: str, action: str) -> set[str]:
    """Those whom the queue's policy does not refuse an action that it refuses everybody else."""
    (deny,) = [
        one
        for one in statements(name)
        if action in listed(one["Action"]) and one["Effect"] == "Deny"
    ]
    assert deny["Principal"] == "*"
    assert deny["Resource"] in ("*", f"arn:{name}")
    condition = dict(deny["Condition"])
    spared = condition.pop("ArnNotEquals", {"aws:PrincipalArn": []})["aws:PrincipalArn"]
    assert condition == {
        "Bool": {"aws:PrincipalIsAWSService": "false"},
        "StringNotEquals": {"aws:PrincipalTag/vpce-guard:operator": "true"},
    }
    return set(listed(spared))


@pytest.mark.parametrize("name", QUEUES)
def test_nobody_sends_to_a_queue_but_the_roles_that_do_so(name: str):
    """Rights to send to any queue of the account are common; a forged record would be believed."""
    sends = granted("sqs:SendMessage", name)
    if name == "NotifyDeadLetterQueue":  # it shares the policy of Slack's queues
        sends |= {"arn:HeartbeatRole"}
    assert spared(name, "sqs:SendMessage") == sends


@pytest.mark.parametrize("name", QUEUES)
@pytest.mark.parametrize("action", ["sqs:ReceiveMessage", "sqs:DeleteMessage"])
def test_nobody_takes_messages_but_the_roles_that_do_so(name: str, action: str):
    """A second consumer would take away what the guard then never sees."""
    takes = granted(action, name)
    if name.startswith("Notify"):  # one policy for Slack's three queues
        takes |= {"arn:HeartbeatRole", "arn:NotifySlackRole"}
    assert spared(name, action) == takes


@pytest.mark.parametrize("name", WORKING)
def test_what_cannot_be_done_goes_to_the_queues_own_dead_letter_queue(name: str):
    redrive = QUEUES[name]["RedrivePolicy"]
    own = name.removesuffix("Queue").removesuffix("Urgent")  # Slack's two queues share one
    assert redrive["deadLetterTargetArn"] == f"arn:{own}DeadLetterQueue"
    assert redrive["maxReceiveCount"] >= 5


@pytest.mark.parametrize("name", DEAD)
def test_a_dead_letter_queue_keeps_for_as_long_as_sqs_can(name: str):
    assert QUEUES[name]["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert "RedrivePolicy" not in QUEUES[name]


@pytest.mark.parametrize("name", WORKING)
def test_a_message_stays_hidden_for_six_timeouts_and_the_longest_window(name: str):
    mapping = MAPPINGS[name]
    timeout = FUNCTIONS[mapping["FunctionName"]]["Timeout"]
    window = mapping.get("MaximumBatchingWindowInSeconds", 0)
    assert QUEUES[name]["VisibilityTimeout"] >= 6 * timeout + window


@pytest.mark.parametrize("name", WORKING)
def test_one_failed_message_does_not_bring_back_the_others(name: str):
    assert MAPPINGS[name]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("name", WORKING)
def test_no_more_copies_work_than_lambda_makes_at_the_least(name: str):
    assert MAPPINGS[name]["ScalingConfig"] == {"MaximumConcurrency": 2}


@pytest.mark.parametrize("name", WORKING)
def test_a_large_batch_has_a_window_as_lambda_demands(name: str):
    if MAPPINGS[name]["BatchSize"] > 10:
        assert MAPPINGS[name]["MaximumBatchingWindowInSeconds"] >= 1


@pytest.mark.parametrize("name", ["DetectionQueue", "PolicyQueue", "SecretPolicyQueue", "VpcQueue"])
def test_only_the_rules_that_lead_to_a_queue_may_send_to_it(name: str):
    leading = {
        f"arn:{rule}"
        for rule, properties in RULES.items()
        if any(target["Arn"] == f"arn:{name}" for target in properties["Targets"])
    }
    assert sources(name) == leading


def test_only_the_topics_may_send_to_slacks_queues():
    assert sources("NotifyQueue") == {"FindingsTopic", "AlarmsTopic"}
    assert sources("NotifyUrgentQueue") == {"FindingsTopic", "AlarmsTopic"}
    assert sources("NotifyDeadLetterQueue") == {"FindingsTopic", "AlarmsTopic"}


def test_every_rule_may_leave_what_it_cannot_deliver():
    assert sources("RuleDeadLetterQueue") == {f"arn:{rule}" for rule in RULES}


def test_a_rule_that_is_left_out_is_left_out_of_the_policies_too():
    global_sources = json.dumps(
        Stack({"WatchForeignEndpoints": "false"}).of_type("AWS::SQS::QueuePolicy")
    )
    assert "ForeignEndpointRule" not in global_sources
    assert "BypassRule" in global_sources


URGENT = {"FilterPolicy": {"severity": ["high"]}}
REST = {"FilterPolicy": {"severity": [{"anything-but": ["high"]}, {"exists": False}]}}


@pytest.mark.parametrize(
    ("name", "topic", "queue", "filtered"),
    [
        ("NotifyUrgentSubscription", "FindingsTopic", "NotifyUrgentQueue", URGENT),
        ("NotifySubscription", "FindingsTopic", "NotifyQueue", REST),
        ("NotifyAlarmsSubscription", "AlarmsTopic", "NotifyUrgentQueue", {}),
    ],
)
def test_slack_gets_findings_and_alarms_as_they_are_once_it_may(
    name: str, topic: str, queue: str, filtered: dict[str, object]
):
    subscription = STACK.resources[name]
    assert "NotifyQueuePolicy" in listed(subscription["DependsOn"])
    assert subscription["Properties"] == {
        "TopicArn": topic,
        "Protocol": "sqs",
        "Endpoint": f"arn:{queue}",
        "RawMessageDelivery": True,
        "RedrivePolicy": {"deadLetterTargetArn": "arn:NotifyDeadLetterQueue"},
        **filtered,
    }


def test_what_the_notify_queue_leaves_out_has_its_own_queue_first():
    depends = STACK.resources["NotifySubscription"]["DependsOn"]
    assert "NotifyUrgentSubscription" in depends


def test_what_a_function_that_rules_call_cannot_do_is_kept():
    configs = {
        config["FunctionName"]: config["DestinationConfig"]
        for config in STACK.of_type("AWS::Lambda::EventInvokeConfig").values()
    }
    called = {one["FunctionName"] for one in STACK.of_type("AWS::Lambda::Permission").values()}
    assert set(configs) == called
    for destination in configs.values():
        assert destination == {"OnFailure": {"Destination": "arn:RuleDeadLetterQueue"}}
