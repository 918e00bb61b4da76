"""The chain of checks of a canary: how many, what cuts it short, and how it ends."""

import json
from datetime import timedelta

import pytest

from guard.reconcile.requeue import MOST_HOPS
from tests.reactions.loops import RESTORE, UNDER_LAMBDAS_BRAKE, Loops
from tests.reactions.restore_policy.test_canary import MINUTE, Scene, deployed

__all__ = ["deployed"]  # a fixture


@pytest.fixture
def scene(deployed):
    """A stack of three endpoints whose approved policy a deployment can change."""
    cloud, path = deployed
    functions, text = dict(cloud.deployment.functions), path.read_text()
    cloud.reset()
    yield Scene(cloud, path)
    path.write_text(text)
    cloud.deployment.functions.update(functions)


def trials(cloud):
    """The runs that checked a canary, and did not come too early."""
    return [
        one
        for one in cloud.invocations
        if one.function == RESTORE
        and any('"notes": {"trial": ' in record["body"] for record in one.event["Records"])
        and not one.result["batchItemFailures"]
    ]


@pytest.mark.parametrize("allowed", [True, False])
def test_the_canary_is_checked_five_times_and_holds(scene, allowed):
    loops = Loops(scene.cloud)
    loops.set(allowed=allowed)
    scene.deploy()
    scene.cloud.pass_time(14 * MINUTE)
    assert scene.new() == scene.ids[:1]
    scene.cloud.pass_time(3 * MINUTE)

    assert scene.new() == scene.ids
    scene.cloud.settle()
    # The sweep's own message comes first, before the watch.
    assert len(trials(scene.cloud)) == 1 + 5
    assert loops.hops() <= UNDER_LAMBDAS_BRAKE
    assert loops.ended_well()


def test_a_sweep_during_the_watch_begins_no_second_row_of_checks(scene):
    scene.deploy()
    scene.cloud.pass_time(4 * MINUTE)
    scene.cloud.fire_schedule()
    scene.cloud.pass_time(30 * MINUTE)
    assert scene.new() == scene.ids
    assert len(trials(scene.cloud)) == 2 + 5


def test_a_denial_has_the_canary_checked_at_once_and_only_the_first(scene):
    scene.deploy()
    scene.cloud.pass_time(4 * MINUTE)
    assert scene.new() == scene.ids[:1]
    checked = len(trials(scene.cloud))
    scene.deny(scene.ids[0])
    scene.cloud.pass_time(timedelta(seconds=30))  # far from the next check
    assert scene.new() == []
    assert len(trials(scene.cloud)) == checked + 1
    for _ in range(2):  # before the next check of the row
        scene.deny(scene.ids[0])
        scene.cloud.pass_time(timedelta(seconds=30))
    assert len(trials(scene.cloud)) == checked + 1


def test_a_denial_that_could_not_be_passed_on_is_passed_on_when_it_comes_back(scene):
    Loops(scene.cloud).set(CANARY_MINUTES="1440")  # no other check comes near
    scene.deploy()
    scene.cloud.pass_time(4 * MINUTE)
    scene.cloud.fault(
        "sqs", "SendMessageBatch", "InternalError", times=2, function="DetectBypassFunction"
    )
    scene.deny(scene.ids[0])
    scene.cloud.pass_time(MINUTE)
    assert scene.new() == scene.ids[:1]
    scene.cloud.pass_time(30 * MINUTE)
    assert scene.new() == []


@pytest.mark.parametrize("allowed", [True, False])
def test_a_canary_of_a_day_is_decided_by_its_checks_or_by_the_sweep(scene, allowed):
    loops = Loops(scene.cloud)
    loops.set(allowed=allowed, CANARY_MINUTES="1440")
    scene.deploy()
    scene.cloud.pass_time(timedelta(hours=23))
    assert scene.new() == scene.ids[:1]
    scene.cloud.pass_time(timedelta(hours=2 if allowed else 14))
    assert scene.new() == scene.ids
    scene.cloud.settle()
    assert loops.hops() <= (60 if allowed else UNDER_LAMBDAS_BRAKE)
    assert loops.ended_well()


def test_what_lambda_drops_is_an_alarm_and_comes_to_the_dead_letter_queue(scene):
    """A function of an older version, which knows no hops, where Lambda's brake holds."""
    loops = Loops(scene.cloud)
    loops.set(allowed=False, CANARY_MINUTES="1440", MAXIMUM_HOPS=str(MOST_HOPS))
    arn = scene.account.client("sqs").create_queue(QueueName="alarms")["QueueUrl"]
    topic = scene.cloud.resource("AlarmsTopic")
    scene.account.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:123456789012:{'alarms'}"
    )
    scene.deploy()
    for _ in range(20 * 12):  # until then no heartbeat has put the message back
        if not scene.cloud.dead_letters("PolicyQueue"):
            scene.cloud.pass_time(timedelta(minutes=5))

    assert set(scene.cloud.dropped) == {RESTORE}
    assert scene.cloud.dead_letters("PolicyQueue")
    received = scene.account.client("sqs").receive_message(QueueUrl=arn, MaxNumberOfMessages=10)
    alarms = [json.loads(json.loads(m["Body"])["Message"]) for m in received["Messages"]]
    assert {one["AlarmName"] for one in alarms} == {"vpce-guard-RestorePolicyRecursionAlarm"}
