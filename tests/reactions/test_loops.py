"""Chains of the guard's own messages: how long they get, and how each of them ends.

Each is played as Lambda would have it where the functions may recur (`allowed`), and where that
cannot be set, so that Lambda stops what comes up more than 16 times in one chain.
"""

import json
from datetime import timedelta

import pytest

from emulator import lineage
from ensure_endpoint.grace import MOST_GRACES
from guard.reconcile.batch import BACKED_OFF, HOPS, NOT_BEFORE
from guard.reconcile.requeue import MOST_HOPS
from tests.reactions.account import SERVICE, kinds
from tests.reactions.loops import ENSURE, UNDER_LAMBDAS_BRAKE, Loops
from tests.reactions.policies import tamper

MINUTE = timedelta(minutes=1)


@pytest.fixture
def loops(cloud):
    functions = dict(cloud.deployment.functions)
    yield Loops(cloud)
    cloud.deployment.functions.update(functions)


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
    endpoints: list[int] = []
    for number in range(30):
        endpoints.append(len(account.endpoints(vpc_id)))
        cloud.pass_time(9 * MINUTE)
        account.subnet(vpc_id, f"10.20.{number}.0/24", "us-east-1a")
    # The grace begins with the first subnet, in the ninth minute, and is 10 minutes long.
    over = (9 + 10 * MOST_GRACES) // 9 + 1
    assert (endpoints[:over], endpoints[over + 1 :]) == ([0] * over, [1] * (29 - over))
    cloud.settle()
    assert len(account.endpoints(vpc_id)) == 1
    assert loops.hops() <= UNDER_LAMBDAS_BRAKE
    assert loops.ended_well()


def own_message(cloud, vpc_id, hops, queue="VpcQueue", **more):
    body = {
        "source": "vpce-guard",
        "detail-type": "VPCE Guard Reconcile",
        "detail": {"vpcId": vpc_id, "reason": "test"},
        HOPS: hops,
        **more,
    }
    sqs = cloud.session("somebody").client("sqs")
    sqs.send_message(QueueUrl=cloud.resource(queue), MessageBody=json.dumps(body))


def bare_vpc(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.lose_events()
    return vpc_id


def test_at_the_brake_the_work_is_done_and_nothing_more_is_sent(cloud, account, loops):
    """The message that would have been followed up comes back itself, and finds all well."""
    vpc_id = bare_vpc(cloud, account)
    own_message(cloud, vpc_id, MOST_HOPS)
    cloud.settle()
    assert len(account.endpoints(vpc_id)) == 1
    assert kinds(cloud).count("endpoint-created") == 1
    assert loops.hops() == MOST_HOPS
    assert loops.ended_well()


def test_beyond_the_brake_a_message_is_given_up(cloud, account, loops):
    vpc_id = bare_vpc(cloud, account)
    cloud.fault("ec2", "CreateVpcEndpoint", "RequestLimitExceeded", times=10_000, function=ENSURE)
    own_message(cloud, vpc_id, MOST_HOPS - 3)
    cloud.settle()
    (letter,) = cloud.dead_letters("VpcQueue")
    assert json.loads(letter["body"])[HOPS] == MOST_HOPS
    assert loops.hops() == MOST_HOPS
    assert any("a chain of 200 messages" in str(one.logs) for one in cloud.invocations)


def test_under_lambdas_brake_the_next_sweep_goes_on(cloud, account, loops):
    loops.set(allowed=False)
    vpc_id = bare_vpc(cloud, account)
    own_message(cloud, vpc_id, UNDER_LAMBDAS_BRAKE)
    cloud.settle()
    assert len(account.endpoints(vpc_id)) == 1
    assert loops.hops() == UNDER_LAMBDAS_BRAKE
    assert loops.ended_well()
    assert any("left to the next sweep" in str(one.logs) for one in cloud.invocations)


def test_what_was_recorded_is_not_left_to_a_sweep(cloud, account, loops):
    """AWS answers that the state has changed once the group is made; the chain is at its end."""
    loops.set(allowed=False)
    vpc_id = bare_vpc(cloud, account)
    cloud.fault("ec2", "CreateVpcEndpoint", "IncorrectState", times=1, function=ENSURE)
    own_message(cloud, vpc_id, UNDER_LAMBDAS_BRAKE)
    cloud.settle()
    assert len(account.endpoints(vpc_id)) == 1
    done = [line for one in cloud.findings for line in one["done"]]
    assert len([line for line in done if line.startswith("create a security group")]) == 1
    assert loops.ended_well()


@pytest.mark.parametrize("hops", [-1, "3", 1.5, True, None])
def test_a_number_of_hops_that_is_none_makes_an_unreadable_message(cloud, account, hops):
    own_message(cloud, account.vpc(), hops)
    cloud.lose_events()
    cloud.settle()
    assert len(cloud.dead_letters("VpcQueue")) == 1


POISON = [
    {BACKED_OFF: "x"},
    {BACKED_OFF: []},
    {NOT_BEFORE: float("inf")},
    {NOT_BEFORE: 10**400},
    {"detail": {"vpcId": "vpc-0a", "vpcEndpointId": "vpce-0a", "notBefore": 10**400}},
    {"detail": {"vpcId": "vpc-0a", "vpcEndpointId": "vpce-0a", "notBefore": "soon"}},
]


@pytest.mark.parametrize("more", POISON, ids=str)
def test_a_message_with_absurd_numbers_harms_only_itself(cloud, account, more):
    """It lies in one batch with an honest one, and every call of EC2 is throttled at first."""
    vpc_id = bare_vpc(cloud, account)
    cloud.fault("ec2", "DescribeVpcs", "RequestLimitExceeded", times=1, function=ENSURE)
    own_message(cloud, vpc_id, 0)
    own_message(cloud, vpc_id, 0, **more)
    own_message(cloud, vpc_id, 0, queue="PolicyQueue", **more)
    cloud.settle()
    assert len(account.endpoints(vpc_id)) == 1
    assert [len(cloud.dead_letters(one)) for one in ("VpcQueue", "PolicyQueue")] == [1, 1]
    assert not [one for one in cloud.invocations if one.error]


@pytest.mark.parametrize("allowed", [True, False])
def test_what_ec2_always_throttles_is_given_up_and_published(cloud, account, loops, allowed):
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
    policy = account.policy(endpoint_id)
    less = {**policy, "Statement": policy["Statement"][:1]}
    for _ in range(4):
        tamper(cloud, endpoint_id, policy=less)
        cloud.pass_time(1 * MINUTE)
    cloud.pass_time(54 * MINUTE)
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
