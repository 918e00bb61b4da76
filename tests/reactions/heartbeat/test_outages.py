"""A service is down for minutes or a day: when it is back nothing is lost, and nobody has come.

In `make test` only SQS is down for hours; `FAULT_MATRIX=all` plays each (`make nightly`).
"""

import json
import os
from datetime import timedelta

import pytest

from emulator import Caller
from emulator.slack import Answer
from tests.reactions.account import ALLOW_ALL, Account, kinds

DOWN = {
    "dynamodb": (
        "InternalServerError",
        ["UpdateItem", "GetItem", "BatchGetItem", "DeleteItem", "Query"],
    ),
    "sns": ("InternalError", ["Publish", "PublishBatch"]),
    "sqs": ("ServiceUnavailable", ["SendMessage", "SendMessageBatch", "ChangeMessageVisibility"]),
    "ec2": (
        "InternalError",
        ["DescribeVpcs", "DescribeVpcEndpoints", "DescribeSubnets", "ModifyVpcEndpoint"],
    ),
}


def deeds(account: Account, vpc_id: str, secret: str) -> None:
    """A read over the internet, an endpoint that is opened, and a rule that is switched off."""
    stranger = account.cloud.session("mallory", Caller(source_ip="203.0.113.9"))
    stranger.client("secretsmanager").get_secret_value(SecretId=secret)
    (endpoint,) = account.endpoints(vpc_id)
    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=json.dumps(ALLOW_ALL)
    )
    account.client("events").disable_rule(Name=account.cloud.resource("TearDownRule"))


def pass_hours(cloud, hours: float) -> None:
    while hours > 0:  # the emulator takes more than so many happenings at once for a loop
        cloud.pass_time(timedelta(hours=min(hours, 1)))
        hours -= 1


def is_down(cloud, service: str, hours: float) -> None:
    if service == "slack":
        cloud.slack.trouble = lambda: Answer(503)
    else:
        error, actions = DOWN[service]
        for action in actions:
            cloud.fault(service, action, error, times=10**9)
    pass_hours(cloud, hours)
    cloud._faults.clear()
    cloud.slack.reset()


DAY = 24
PLAYED = [
    (service, hours)
    for service in (*DOWN, "slack")
    for hours in (0.25, 2, DAY)
    if hours < 1 or service == "sqs" or os.environ.get("FAULT_MATRIX") == "all"
]


@pytest.mark.parametrize(("service", "hours"), PLAYED)
def test_nothing_is_lost(cloud, account, service, hours):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    secret = account.secret("prod/db")
    cloud.lose_events()
    before = account.policy(account.endpoints(vpc_id)[0]["VpcEndpointId"])
    deeds(account, vpc_id, secret)

    is_down(cloud, service, hours)
    pass_hours(cloud, {0.25: 2, 2: 9, 24: 14}[hours])

    assert {"bypass", "policy-restored", "guard-changed"} <= set(kinds(cloud))
    (endpoint,) = account.endpoints(vpc_id)
    assert account.policy(endpoint["VpcEndpointId"]) == before
    queues = ("Vpc", "Policy", "Detection", "Rule", "Notify")
    assert {name: len(cloud.dead_letters(f"{name}DeadLetterQueue")) for name in queues} == (
        dict.fromkeys(queues, 0)
    )
    said = " ".join(json.dumps(one) for one in cloud.slack.messages)
    if service == "slack":
        assert "bypassed" in said


def test_a_call_that_could_not_be_published_is_not_lost(cloud, account):
    """By the dead letter of an invocation."""
    cloud.fault("sns", "PublishBatch", "InternalError", times=10**9, function="WatchGuardFunction")
    account.client("events").disable_rule(Name=cloud.resource("TearDownRule"))
    cloud.settle()
    assert len(cloud.dead_letters("RuleDeadLetterQueue")) == 1
    cloud._faults.clear()
    pass_hours(cloud, 2)
    assert "guard-changed" in kinds(cloud)
    assert cloud.dead_letters("RuleDeadLetterQueue") == []
