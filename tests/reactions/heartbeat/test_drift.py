"""The heartbeat compares how the guard is wired with the template that made it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from moto.cloudformation.models import cloudformation_backends

from emulator import Cloud
from tests.reactions.account import Account
from tools.rights.day import PARAMETERS

FUNCTION = "HeartbeatFunction"


def check(cloud) -> None:
    run = cloud.invoke(FUNCTION, {"detail-type": "Scheduled Event"})
    assert run.error_type is None, run.output


def drifted(cloud) -> list[dict[str, Any]]:
    return [one for one in cloud.findings if one["kind"] == "guard-drift"]


def queue_policy(cloud, account, queue: str) -> tuple[Any, dict[str, Any]]:
    sqs, url = account.client("sqs"), cloud.resource(queue)
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    return sqs, json.loads(answer["Attributes"]["Policy"])


def retarget(cloud, account) -> None:
    account.client("events").put_targets(
        Rule=cloud.resource("BypassRule"),
        Targets=[{"Id": "DetectionQueue", "Arn": "arn:aws:sqs:us-east-1:123456789012:nowhere"}],
    )


def cut_what_is_sent(cloud, account) -> None:
    events, rule = account.client("events"), cloud.resource("BypassRule")
    (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
    events.put_targets(Rule=rule, Targets=[{**target, "InputPath": "$.detail.nothing"}])


def narrow(cloud, account) -> None:
    events, rule = account.client("events"), cloud.resource("BypassRule")
    pattern = json.loads(events.describe_rule(Name=rule)["EventPattern"])
    pattern["detail"]["eventName"] = ["ListSecrets"]
    events.put_rule(
        Name=rule,
        EventPattern=json.dumps(pattern),
        State="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
    )


def slow_down(cloud, account) -> None:
    account.client("events").put_rule(
        Name=cloud.resource("HeartbeatRule"), ScheduleExpression="rate(30 days)"
    )


def copy_to_somebody(cloud, account) -> None:
    account.client("events").put_targets(
        Rule=cloud.resource("BypassRule"),
        Targets=[{"Id": "copy", "Arn": "arn:aws:sqs:us-east-1:123456789012:mallorys"}],
    )


def refuse_the_rules(cloud, account) -> None:
    sqs, policy = queue_policy(cloud, account, "DetectionQueue")
    del policy["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"][1]
    sqs.set_queue_attributes(
        QueueUrl=cloud.resource("DetectionQueue"), Attributes={"Policy": json.dumps(policy)}
    )


def forget_soon(cloud, account) -> None:
    account.client("sqs").set_queue_attributes(
        QueueUrl=cloud.resource("DetectionQueue"), Attributes={"MessageRetentionPeriod": "60"}
    )


def open_topic(cloud, account) -> None:
    account.client("sns").set_topic_attributes(
        TopicArn=cloud.resource("FindingsTopic"),
        AttributeName="Policy",
        AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": []}),
    )


def filter_slack(cloud, account) -> None:
    account.client("sns").set_subscription_attributes(
        SubscriptionArn=cloud.resource("NotifyUrgentSubscription"),
        AttributeName="FilterPolicy",
        AttributeValue=json.dumps({"severity": ["none"]}),
    )


def unsubscribe_slack(cloud, account) -> None:
    account.client("sns").unsubscribe(SubscriptionArn=cloud.resource("NotifyUrgentSubscription"))


def mapping(account, cloud) -> Any:
    (one,) = account.client("lambda").list_event_source_mappings(
        FunctionName=cloud.resource("DetectBypassFunction")
    )["EventSourceMappings"]
    return one


def stop_reading(cloud, account) -> None:
    account.client("lambda").update_event_source_mapping(
        UUID=mapping(account, cloud)["UUID"], Enabled=False
    )


def filter_what_is_read(cloud, account) -> None:
    account.client("lambda").update_event_source_mapping(
        UUID=mapping(account, cloud)["UUID"],
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": {"detail": ["x"]}})}]},
    )


def read_along(cloud, account) -> None:
    """A second consumer takes messages away that the guard never sees."""
    account.client("lambda").create_event_source_mapping(
        EventSourceArn=mapping(account, cloud)["EventSourceArn"],
        FunctionName=cloud.resource("SweepFunction"),
        BatchSize=1,
    )


DEEDS: dict[str, tuple[Callable[[Any, Account], None], str, str]] = {
    "another target": (retarget, "BypassRule", "target DetectionQueue"),
    "a target's input": (cut_what_is_sent, "BypassRule", "target DetectionQueue"),
    "a target more": (copy_to_somebody, "BypassRule", "target copy"),
    "a narrower pattern": (narrow, "BypassRule", "event pattern"),
    "a rarer schedule": (slow_down, "HeartbeatRule", "schedule"),
    "a queue's policy": (refuse_the_rules, "DetectionQueue", "policy"),
    "a queue's retention": (forget_soon, "DetectionQueue", "MessageRetentionPeriod"),
    "a topic's policy": (open_topic, "FindingsTopic", "policy"),
    "a subscription's filter": (filter_slack, "FindingsTopic", "subscription "),
    "a subscription that ended": (unsubscribe_slack, "FindingsTopic", "subscription "),
    "a mapping that is off": (stop_reading, "DetectionQueue", "consumer "),
    "a second consumer": (read_along, "DetectionQueue", "consumer "),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_wired_otherwise_than_the_template_says_is_published(cloud, account, deed):
    act, resource, part = DEEDS[deed]
    act(cloud, account)
    check(cloud)
    (finding,) = drifted(cloud)
    assert (finding["severity"], finding["resource"]) == ("high", resource)
    one = next(one for one in finding["evidence"]["parts"] if one["part"].startswith(part))
    assert one["deployed"] != one["now"]


def test_a_target_that_is_gone_is_published(cloud, account):
    account.client("events").remove_targets(
        Rule=cloud.resource("BypassRule"), Ids=["DetectionQueue"]
    )
    check(cloud)
    (finding,) = drifted(cloud)
    assert finding["evidence"]["parts"][0]["now"] is None


def test_a_queue_that_is_gone_is_published_though_it_cannot_be_asked(cloud, account):
    account.client("sqs").delete_queue(QueueUrl=cloud.resource("PolicyQueue"))
    check(cloud)
    assert [one["resource"] for one in drifted(cloud)] == ["PolicyQueue"]


def test_what_means_the_same_is_no_drift(cloud, account):
    sqs, policy = queue_policy(cloud, account, "VpcQueue")
    policy["Statement"].reverse()
    policy["Statement"][0]["Action"] = [policy["Statement"][0]["Action"]]
    sqs.set_queue_attributes(
        QueueUrl=cloud.resource("VpcQueue"), Attributes={"Policy": json.dumps(policy, indent=4)}
    )
    check(cloud)
    assert drifted(cloud) == []


def test_whom_the_owner_subscribes_besides_is_his_affair(cloud, account):
    account.client("sns").subscribe(
        TopicArn=cloud.resource("FindingsTopic"), Protocol="email", Endpoint="ops@example.com"
    )
    check(cloud)
    assert drifted(cloud) == []


def test_it_is_published_once_a_day_while_it_lasts(cloud, account):
    retarget(cloud, account)
    for _ in range(3):
        check(cloud)
    assert len(drifted(cloud)) == 1


def test_a_stack_that_is_being_changed_is_not_compared(cloud, account):
    retarget(cloud, account)
    stacks = cloudformation_backends[cloud.account][cloud.region].stacks
    stack = stacks[cloud.deployment.stack_id]
    stack.status = "UPDATE_IN_PROGRESS"
    check(cloud)
    assert drifted(cloud) == []
    stack.status = "UPDATE_COMPLETE"
    check(cloud)
    assert len(drifted(cloud)) == 1


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        PARAMETERS,
        {"ApprovedAccounts": "111122223333,444455556666", "AlertEmail": "ops@example.com"},
        {"WatchForeignEndpoints": "false", "TrailBucket": "the-trail"},
    ],
    ids=["none", "every feature", "accounts", "without foreign endpoints"],
)
def test_the_template_is_understood_with_whatever_parameters(parameters):
    with Cloud.start(parameters=parameters) as cloud:
        check(cloud)
        assert drifted(cloud) == []
