"""The sweep finds what no event spoke of, and leaves alone what is well."""

import json

from tests.reactions.account import ALLOW_ALL, kinds, writes


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
