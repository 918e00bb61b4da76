"""Watching the watcher: a hand laid on the guard is published, a deployment is not."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.cloudformation.models import cloudformation_backends

from emulator import Caller
from tests.reactions.account import Account, kinds

FUNCTION = "WatchGuardFunction"


@pytest.fixture
def account(cloud):
    return Account(cloud, "mallory")


class Deployment(Account):
    """CloudFormation, with the rights of whoever deploys."""

    def client(self, service: str) -> Any:
        way = Caller(kind="role", invoked_by="cloudformation.amazonaws.com")
        return self.cloud.session("deployer", way).client(service)


def published(cloud) -> list[dict[str, Any]]:
    return [one for one in cloud.findings if one["kind"] == "guard-changed"]


DEEDS: dict[str, Callable[[Any, Account], Any]] = {
    "DisableRule": lambda cloud, who: who.client("events").disable_rule(
        Name=cloud.resource("BypassRule")
    ),
    "EnableRule": lambda cloud, who: who.client("events").enable_rule(
        Name=cloud.resource("BypassRule")
    ),
    "RemoveTargets": lambda cloud, who: who.client("events").remove_targets(
        Rule=cloud.resource("BypassRule"), Ids=["DetectionQueue"]
    ),
    "PutParameter": lambda cloud, who: who.client("ssm").put_parameter(
        Name=cloud.resource("ModeParameter"), Value="observe", Overwrite=True
    ),
    "Subscribe": lambda cloud, who: who.client("sns").subscribe(
        TopicArn=cloud.resource("FindingsTopic"),
        Protocol="email",
        Endpoint="mallory@example.com",
    ),
    "DeleteRolePolicy": lambda cloud, who: who.client("iam").delete_role_policy(
        RoleName=cloud.resource("DetectBypassRole"), PolicyName="Function"
    ),
    "PurgeQueue": lambda cloud, who: who.client("sqs").purge_queue(
        QueueUrl=cloud.resource("DetectionQueue")
    ),
    "SetTopicAttributes": lambda cloud, who: who.client("sns").set_topic_attributes(
        TopicArn=cloud.resource("FindingsTopic"),
        AttributeName="DisplayName",
        AttributeValue="VPCE Guard",
    ),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_change_by_hand_is_published_high(cloud, account, deed):
    DEEDS[deed](cloud, account)
    cloud.settle()
    (finding,) = published(cloud)
    assert finding["severity"] == "high"
    assert f"user/mallory called {deed} on" in finding["title"]
    assert finding["evidence"]["source_ip"] == "198.51.100.23"
    assert finding["evidence"]["event_ids"] == [cloud.records[-1]["eventID"]]


def test_the_owners_webhook_is_watched_though_the_stack_does_not_have_it(cloud, account):
    for name in ("/vpce-guard/slack-webhook", "/payments/slack-webhook"):
        account.client("ssm").put_parameter(
            Name=name, Value="https://hooks.example.com/x", Type="SecureString", Overwrite=True
        )
    cloud.settle()
    (finding,) = published(cloud)
    assert finding["resource"] == "/vpce-guard/slack-webhook"
    assert "called PutParameter on the guard's SlackWebhookParameter" in finding["title"]


def stack_turns(cloud, status: str) -> None:
    """An event of the stack itself, as CloudFormation keeps them."""
    stacks = cloudformation_backends[cloud.account][cloud.region].stacks
    stacks[cloud.deployment.stack_id]._add_stack_event(status)
    cloud.clock.skip(seconds=5)


@pytest.fixture
def updating(cloud):
    """An operation of the stack that goes on."""
    stack_turns(cloud, "UPDATE_IN_PROGRESS")
    yield
    stack_turns(cloud, "UPDATE_COMPLETE")


@pytest.mark.parametrize("deed", ["DisableRule", "SetTopicAttributes", "RemoveTargets"])
def test_another_stack_that_does_it_through_cloudformation_is_published(cloud, deed):
    DEEDS[deed](cloud, Deployment(cloud))
    cloud.settle()
    (finding,) = published(cloud)
    assert finding["severity"] == "high"


def test_what_comes_late_is_judged_by_when_it_was_done(cloud):
    stack_turns(cloud, "UPDATE_IN_PROGRESS")
    DEEDS["DisableRule"](cloud, Deployment(cloud))
    cloud.clock.skip(seconds=5)
    stack_turns(cloud, "UPDATE_COMPLETE")
    cloud.settle()
    assert published(cloud) == []


def test_each_update_of_the_stack_waits_for_the_digest_with_who_did_it(cloud):
    who = cloud.session("deployer", Caller(kind="role")).client("cloudformation")
    with contextlib.suppress(ClientError):
        who.update_stack(StackName=cloud.deployment.stack_id, UsePreviousTemplate=True)
    cloud.settle()
    (finding,) = [one for one in cloud.collected if one["kind"] == "guard-changed"]
    assert (finding["severity"], "deployer" in finding["title"]) == ("info", True)
    assert published(cloud) == [finding]


@pytest.mark.usefixtures("updating")
@pytest.mark.parametrize("deed", ["DisableRule", "PutParameter"])
def test_a_deployment_is_not(cloud, deed):
    DEEDS[deed](cloud, Deployment(cloud))
    cloud.settle()
    assert [one.function for one in cloud.invocations] == [FUNCTION]
    assert published(cloud) == []


def test_a_neighbours_rule_is_not(cloud, account):
    events = account.client("events")
    name = f"{cloud.resource('BypassRule')}2"
    events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
    events.disable_rule(Name=name)
    cloud.settle()
    assert [one.result for one in cloud.invocations] == [{"published": False}] * 2
    assert published(cloud) == []


def test_an_attempt_that_was_refused_is_published_as_blocked(cloud, account):
    cloud.fault("events", "DisableRule", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        DEEDS["DisableRule"](cloud, account)
    cloud.settle()
    (finding,) = published(cloud)
    assert finding["title"].startswith("Blocked: ")
    assert finding["severity"] == "medium"


def test_the_same_again_is_counted_and_published_once_an_hour(cloud, account):
    for _ in range(3):
        DEEDS["DisableRule"](cloud, account)
        cloud.settle()
    assert len(published(cloud)) == 1


def test_the_stack_is_asked_for_once_in_a_while(cloud, account):
    for _ in range(5):
        DEEDS["PutParameter"](cloud, account)
        cloud.settle()
    asked = [
        one for one in cloud.calls if one.function == FUNCTION and one.action.startswith("List")
    ]
    assert len(asked) == 1


def test_what_cannot_be_published_is_tried_again(cloud, account):
    cloud.fault("sns", "PublishBatch", "InternalError", times=3, function=FUNCTION)
    DEEDS["DisableRule"](cloud, account)
    cloud.settle()
    assert kinds(cloud) == ["guard-changed"]


def test_what_never_can_be_published_is_kept(cloud, account):
    cloud.fault("cloudformation", "ListStackResources", "Throttling", times=99, function=FUNCTION)
    DEEDS["DisableRule"](cloud, account)
    cloud.settle()
    (letter,) = cloud.dead_letters("RuleDeadLetterQueue")
    assert json.loads(letter["body"])["requestPayload"]["detail"]["eventName"] == "DisableRule"


def test_an_event_that_is_no_record_fails(cloud):
    assert (
        cloud.invoke(FUNCTION, {"detail-type": "Scheduled Event"}).error_type == "NotFromCloudTrail"
    )


@pytest.mark.parametrize("call", ["ListStackResources", "DescribeStackEvents"])
def test_what_may_not_be_read_of_the_stack_is_published_and_hides_no_change(cloud, account, call):
    """By a stack of somebody else's: neither what is ours nor what was deployed is known."""
    cloud.fault("cloudformation", call, "AccessDenied", times=99)
    way = Caller(kind="role", invoked_by="cloudformation.amazonaws.com")
    events = cloud.session("mallory", way).client("events")
    events.disable_rule(Name=cloud.resource("BypassRule"))
    cloud.settle()
    (finding,) = published(cloud)
    assert "DisableRule" in finding["title"]
    (refused,) = [one for one in cloud.findings if one["kind"] == "endpoint-not-repairable"]
    assert f"AWS refused cloudformation:{call}" in refused["cause"]
    assert cloud.dead_letters("RuleDeadLetterQueue") == []


@pytest.mark.parametrize(
    "deed", ["PutParameter", "RemoveTargets", "DeleteRolePolicy", "PurgeQueue"]
)
def test_each_kind_of_part_is_known_by_its_name_where_the_list_is_refused(cloud, account, deed):
    cloud.fault("cloudformation", "ListStackResources", "AccessDenied", times=99)
    with contextlib.suppress(ClientError):  # an attempt is published, too
        DEEDS[deed](cloud, account)
    cloud.settle()
    assert any(f"called {deed}" in one["title"] for one in published(cloud))


def test_what_only_resembles_the_guards_names_is_none_of_it(cloud, account):
    cloud.fault("cloudformation", "ListStackResources", "AccessDenied", times=99)
    account.client("sqs").create_queue(QueueName="vpce-guardian-jobs")
    url = account.client("sqs").get_queue_url(QueueName="vpce-guardian-jobs")["QueueUrl"]
    account.client("sqs").purge_queue(QueueUrl=url)
    cloud.settle()
    assert published(cloud) == []
