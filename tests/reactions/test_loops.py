"""Chains of the guard's own messages: how long they get, and how each of them ends.

Each is played as Lambda would have it where the functions may recur (`allowed`), and where that
cannot be set, so that Lambda stops what comes up more than 16 times in one chain.
"""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from emulator import lineage
from guard.events.inbox import HOPS
from guard.events.own_queue import MOST_HOPS
from tests.reactions.account import SERVICE, kinds
from tests.reactions.policies import tamper
from tests.reactions.test_canary import Scene, deployed

__all__ = ["deployed"]  # a fixture

ENSURE, RESTORE = "EnsureEndpointFunction", "RestorePolicyFunction"
UNDER_LAMBDAS_BRAKE = 15  # hops after the first run: 16 runs
MINUTE = timedelta(minutes=1)


class Loops:
    """The two functions that send to themselves, as a test wants them set."""

    def __init__(self, cloud):
        self.cloud = cloud

    def set(self, *, allowed=True, **variables):
        functions = self.cloud.deployment.functions
        for name in (ENSURE, RESTORE):
            hops = {} if allowed else {"MAXIMUM_HOPS": str(UNDER_LAMBDAS_BRAKE)}
            environment = {**functions[name].environment, **hops, **variables}
            functions[name] = replace(functions[name], may_recur=allowed, environment=environment)

    def hops(self):
        """The most hops of any message that a function was given."""
        bodies = [
            json.loads(record["body"])
            for one in self.cloud.invocations
            if one.function in (ENSURE, RESTORE)
            for record in one.event["Records"]
        ]
        return max(body.get(HOPS, 0) for body in bodies)

    def ended_well(self):
        queues = ("VpcQueue", "PolicyQueue", "DetectionQueue", "NotifyQueue")
        there = [one for one in queues if one in self.cloud.deployment.physical]
        letters = [letter for one in there for letter in self.cloud.dead_letters(one)]
        waiting = [one for one in there if self.cloud.queue_depth(one)]
        return (self.cloud.dropped, letters, waiting) == ([], [], [])


@pytest.fixture
def loops(cloud):
    functions = dict(cloud.deployment.functions)
    yield Loops(cloud)
    cloud.deployment.functions.update(functions)


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
    """The runs that looked at a canary, and did not come too early."""
    return [
        one
        for one in cloud.invocations
        if one.function == RESTORE
        and any('"trial": true' in record["body"] for record in one.event["Records"])
        and not one.result["batchItemFailures"]
    ]


@pytest.mark.parametrize("allowed", [True, False])
def test_the_canary_is_looked_at_five_times_and_holds(scene, allowed):
    loops = Loops(scene.cloud)
    loops.set(allowed=allowed)
    scene.deploy()
    scene.cloud.pass_time(14 * MINUTE)
    assert scene.new() == scene.ids[:1]
    scene.cloud.pass_time(3 * MINUTE)

    assert scene.new() == scene.ids
    # The sweep's own message comes first, before the watch has begun.
    assert len(trials(scene.cloud)) == 1 + 5
    assert loops.hops() <= UNDER_LAMBDAS_BRAKE
    assert loops.ended_well()


def test_a_sweep_during_the_watch_begins_no_second_row_of_looks(scene):
    scene.deploy()
    scene.cloud.pass_time(4 * MINUTE)
    scene.cloud.fire_schedule()
    scene.cloud.pass_time(30 * MINUTE)
    assert scene.new() == scene.ids
    assert len(trials(scene.cloud)) == 2 + 5


def test_a_denial_has_the_canary_looked_at_at_once_and_only_the_first(scene):
    scene.deploy()
    scene.cloud.pass_time(4 * MINUTE)
    assert scene.new() == scene.ids[:1]
    looked = len(trials(scene.cloud))
    scene.deny(scene.ids[0])
    scene.cloud.pass_time(timedelta(seconds=30))  # far from the next look
    assert scene.new() == []
    assert len(trials(scene.cloud)) == looked + 1
    for _ in range(5):
        scene.deny(scene.ids[0])
        scene.cloud.pass_time(timedelta(seconds=30))
    assert len(trials(scene.cloud)) == looked + 1


def test_a_denial_that_could_not_be_passed_on_is_passed_on_when_it_comes_back(scene):
    scene.deploy()
    scene.cloud.pass_time(4 * MINUTE)
    scene.cloud.fault(
        "sqs", "SendMessage", "InternalError", times=2, function="DetectBypassFunction"
    )
    looked = len(trials(scene.cloud))
    scene.deny(scene.ids[0])
    scene.cloud.settle()
    assert scene.new() == []
    assert len(trials(scene.cloud)) > looked


@pytest.mark.parametrize("allowed", [True, False])
def test_a_canary_of_a_day_is_decided_by_its_looks_or_by_the_sweep(scene, allowed):
    loops = Loops(scene.cloud)
    loops.set(allowed=allowed, CANARY_MINUTES="1440")
    scene.deploy()
    scene.cloud.settle(timedelta(hours=23))
    assert scene.new() == scene.ids[:1]
    scene.cloud.settle(timedelta(hours=2 if allowed else 14))
    assert scene.new() == scene.ids
    assert loops.hops() <= (60 if allowed else UNDER_LAMBDAS_BRAKE)
    assert loops.ended_well()


def test_what_lambda_drops_is_an_alarm_and_comes_to_the_dead_letter_queue(scene):
    """A function of an older version, which knows no hops, where Lambda's brake holds."""
    loops = Loops(scene.cloud)
    loops.set(allowed=False, CANARY_MINUTES="1440", MAXIMUM_HOPS=str(MOST_HOPS))
    url = scene.cloud.resource("PolicyQueue")
    arn = scene.account.client("sqs").create_queue(QueueName="alarms")["QueueUrl"]
    topic = scene.cloud.resource("AlarmsTopic")
    scene.account.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:123456789012:{'alarms'}"
    )
    scene.deploy()
    scene.cloud.settle(timedelta(hours=20))

    assert set(scene.cloud.dropped) == {RESTORE}
    assert scene.cloud.dead_letters("PolicyQueue")
    received = scene.account.client("sqs").receive_message(QueueUrl=arn, MaxNumberOfMessages=10)
    alarms = [json.loads(json.loads(m["Body"])["Message"]) for m in received["Messages"]]
    assert {one["Trigger"]["MetricName"] for one in alarms} == {"RecursiveInvocationsDropped"}
    assert {one["AlarmName"] for one in alarms} == {"vpce-guard-RestorePolicyRecursionAlarm"}
    assert url


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("minutes", [10, 240])
def test_the_longest_grace_ends_in_an_endpoint(cloud, account, loops, minutes, allowed):
    loops.set(allowed=allowed, GRACE_MINUTES=str(minutes))
    vpc_id, _ = account.vpc_with_subnets()
    cloud.pass_time((minutes - 1) * MINUTE)
    assert account.endpoints(vpc_id) == []
    cloud.pass_time(4 * MINUTE)
    assert len(account.endpoints(vpc_id)) == 1
    cloud.settle()
    assert loops.hops() <= UNDER_LAMBDAS_BRAKE
    assert loops.ended_well()


@pytest.mark.parametrize("allowed", [True, False])
def test_subnets_that_keep_coming_put_the_endpoint_off_and_end_no_chain(
    cloud, account, loops, allowed
):
    loops.set(allowed=allowed)
    vpc_id = account.vpc()
    for number in range(30):
        cloud.pass_time(9 * MINUTE)
        account.ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.0.{number}.0/24")
    assert account.endpoints(vpc_id) == []
    cloud.settle()
    assert len(account.endpoints(vpc_id)) == 1
    assert loops.hops() <= UNDER_LAMBDAS_BRAKE
    assert loops.ended_well()


def own_message(cloud, vpc_id, hops):
    body = {
        "source": "vpce-guard",
        "detail-type": "VPCE Guard Reconcile",
        "detail": {"vpcId": vpc_id, "reason": "test"},
        HOPS: hops,
    }
    sqs = cloud.session("somebody").client("sqs")
    sqs.send_message(QueueUrl=cloud.resource("VpcQueue"), MessageBody=json.dumps(body))


def bare_vpc(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.lose_events()
    return vpc_id


def test_at_the_brake_a_message_is_given_up_and_its_work_is_done(cloud, account, loops):
    vpc_id = bare_vpc(cloud, account)
    own_message(cloud, vpc_id, MOST_HOPS - 1)
    cloud.settle()
    (letter,) = cloud.dead_letters("VpcQueue")
    assert HOPS in str(letter)
    assert len(account.endpoints(vpc_id)) == 1
    assert kinds(cloud).count("endpoint-created") == 1
    assert loops.hops() == MOST_HOPS


def test_under_lambdas_brake_the_next_sweep_goes_on(cloud, account, loops):
    loops.set(allowed=False)
    vpc_id = bare_vpc(cloud, account)
    own_message(cloud, vpc_id, UNDER_LAMBDAS_BRAKE)
    cloud.settle()
    assert len(account.endpoints(vpc_id)) == 1
    assert loops.hops() == UNDER_LAMBDAS_BRAKE
    assert loops.ended_well()
    assert any("left to the next sweep" in str(one.logs) for one in cloud.invocations)


@pytest.mark.parametrize("hops", [-1, "3", 1.5, True, None])
def test_a_number_of_hops_that_is_none_makes_an_unreadable_message(cloud, account, hops):
    own_message(cloud, account.vpc(), hops)
    cloud.lose_events()
    cloud.settle()
    assert len(cloud.dead_letters("VpcQueue")) == 1


@pytest.mark.parametrize("allowed", [True, False])
def test_what_ec2_always_throttles_is_given_up_and_told(cloud, account, loops, allowed):
    """Of the guard's own accord, long before a brake."""
    loops.set(allowed=allowed)
    vpc_id = bare_vpc(cloud, account)
    cloud.fault("ec2", "CreateVpcEndpoint", "RequestLimitExceeded", times=10_000, function=ENSURE)
    own_message(cloud, vpc_id, 0)
    cloud.settle()
    assert len(cloud.dead_letters("VpcQueue")) == 1
    assert cloud.dropped == []
    assert loops.hops() <= (31 if allowed else UNDER_LAMBDAS_BRAKE)


@pytest.mark.parametrize("allowed", [True, False])
def test_the_pause_of_a_fight_ends_on_time(cloud, account, loops, endpoint_id, allowed):
    loops.set(allowed=allowed)
    for _ in range(3):
        tamper(cloud, endpoint_id)
        cloud.pass_time(1 * MINUTE)
    tamper(cloud, endpoint_id)
    cloud.pass_time(55 * MINUTE)
    assert "enforcement-paused" in kinds(cloud)
    changed = account.policy(endpoint_id)
    cloud.pass_time(10 * MINUTE)
    assert account.policy(endpoint_id) != changed
    cloud.settle()
    assert loops.hops() <= UNDER_LAMBDAS_BRAKE
    assert loops.ended_well()


def test_a_waiting_message_is_no_failure(cloud, account, loops):
    """It is kept by the queue, without an error in the log and without a message more."""
    loops.set(GRACE_MINUTES="50")
    vpc_id, _ = account.vpc_with_subnets()
    cloud.pass_time(49 * MINUTE)
    sends = [c for c in cloud.calls if c.function == ENSURE and c.action == "SendMessage"]
    assert len(sends) == 1
    assert "message goes back" not in str([one.logs for one in cloud.invocations])
    cloud.settle()
    assert len(account.endpoints(vpc_id)) == 1
    assert SERVICE in account.endpoints(vpc_id)[0]["ServiceName"]
    assert lineage.MOST_RUNS == UNDER_LAMBDAS_BRAKE + 1
