"""The sweep finds what no event spoke of, and leaves alone what is well."""

import json
from datetime import timedelta

import pytest

from tests.reactions.account import ALLOW_ALL, kinds, writes

FOR_GOOD = 1_000
SWEEP = "SweepFunction"
DEAD = "RuleDeadLetterQueue"  # what Lambda gives up


def test_what_events_missed_the_sweep_makes_good(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.lose_events()
    cloud.settle()
    assert account.endpoints(vpc_id) == []

    cloud.fire_schedule("ScheduleRule")
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1


def test_a_policy_changed_without_an_event_is_restored_and_nobody_blamed(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    endpoint_id = account.endpoints(vpc_id)[0]["VpcEndpointId"]
    approved = account.policy(endpoint_id)
    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(ALLOW_ALL))
    cloud.lose_events()

    cloud.fire_schedule("ScheduleRule")
    cloud.settle()

    assert account.policy(endpoint_id) == approved
    restored = next(one for one in cloud.findings if one["kind"] == "policy-restored")
    assert "unknown" in restored["evidence"]["changed_by"]


def test_deployment_sweeps_the_account(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.lose_events()

    cloud.inject(cloud.stack_event("UPDATE_COMPLETE"))
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1


def test_a_second_sweep_changes_nothing(cloud, account):
    account.vpc_with_subnets()
    cloud.fire_schedule("ScheduleRule")
    cloud.settle()
    published = kinds(cloud)
    done = writes(cloud, "EnsureEndpointFunction"), writes(cloud, "RestorePolicyFunction")

    cloud.fire_schedule("ScheduleRule")
    cloud.settle()

    assert kinds(cloud) == published
    assert done == (
        writes(cloud, "EnsureEndpointFunction"),
        writes(cloud, "RestorePolicyFunction"),
    )


def test_a_sweep_that_fails_is_repeated(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.lose_events()
    cloud.fault(service="sqs", action="SendMessageBatch", error="ServiceUnavailable", times=3)

    cloud.fire_schedule("ScheduleRule")
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1


def tampered_unseen(cloud, account):
    """An endpoint that lets everybody pass; no event spoke of it."""
    vpc_id, _ = account.vpc_with_subnets()
    cloud.pass_time(timedelta(minutes=15))
    endpoint_id = account.endpoints(vpc_id)[0]["VpcEndpointId"]
    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(ALLOW_ALL))
    cloud.lose_events()
    return endpoint_id


@pytest.mark.parametrize(
    ("action", "restored"), [("DescribeNetworkAcls", True), ("DescribeVpcs", False)]
)
def test_a_read_that_is_refused_for_good_is_a_finding_and_the_rest_is_swept(
    cloud, account, action, restored
):
    endpoint_id = tampered_unseen(cloud, account)
    began = len(cloud.calls)
    cloud.fault("ec2", action, "UnauthorizedOperation", times=FOR_GOOD, function=SWEEP)
    cloud.fire_schedule("ScheduleRule")
    cloud.pass_time(timedelta(minutes=10))

    (found,) = [one for one in cloud.findings if one["kind"] == "endpoint-not-repairable"]
    assert found["cause"].startswith(f"AWS refused ec2:{action}: UnauthorizedOperation")
    assert found["severity"] == "high"
    assert (account.policy(endpoint_id)["Statement"] != ALLOW_ALL["Statement"]) is restored
    tried = [one for one in cloud.calls[began:] if (one.function, one.action) == (SWEEP, action)]
    assert len(tried) == 1
    assert cloud.dead_letters(DEAD) == []


def test_a_read_that_stays_refused_is_published_once_a_day(cloud, account):
    account.vpc_with_subnets()
    cloud.fault("ec2", "DescribeVpcs", "UnauthorizedOperation", times=FOR_GOOD, function=SWEEP)
    for _ in range(3):
        cloud.fire_schedule("ScheduleRule")
        cloud.settle()
    assert kinds(cloud).count("endpoint-not-repairable") == 1
    cloud.pass_time(timedelta(days=1, minutes=1))
    cloud.fire_schedule("ScheduleRule")
    cloud.settle()
    assert kinds(cloud).count("endpoint-not-repairable") == 2
    assert cloud.dead_letters(DEAD) == []


def test_a_read_that_aws_fails_at_is_tried_again_and_then_kept(cloud, account):
    cloud.fault("ec2", "DescribeVpcs", "InternalError", times=FOR_GOOD, function=SWEEP)
    cloud.fire_schedule("ScheduleRule")
    cloud.pass_time(timedelta(minutes=10))
    assert "endpoint-not-repairable" not in kinds(cloud)
    assert len(cloud.dead_letters(DEAD)) == 1


def test_what_is_opted_out_stays_listed_where_a_sweep_cannot_see_it(cloud, account):
    account.vpc_with_subnets(tags={"vpce-guard:ignore": "the twin serves it"})
    cloud.fire_schedule("ScheduleRule")
    cloud.pass_time(timedelta(minutes=2))
    (listed,) = opt_outs(account)
    assert "the twin serves it" in listed

    cloud.fault("ec2", "DescribeSubnets", "UnauthorizedOperation", times=FOR_GOOD, function=SWEEP)
    cloud.fire_schedule("ScheduleRule")
    cloud.pass_time(timedelta(minutes=2))
    assert opt_outs(account) == [listed]


def opt_outs(account):
    table = account.cloud.outputs["StateTableName"]
    items = account.client("dynamodb").scan(TableName=table)["Items"]
    (item,) = [one for one in items if "opt" in one["pk"]["S"] and "listed" in one]
    return item["listed"]["SS"]
