"""Which approved policy an endpoint carries: its tag, its VPC's tag, the stack's parameter."""

import json
from datetime import timedelta

from emulator.strict import paging
from tests.reactions.account import ALLOW_ALL, SERVICE, kinds, writes
from tests.reactions.policies import tamper

RESTORE = "RestorePolicyFunction"
TAG = "vpce-guard:policy"


def tag(account, resource, value):
    account.ec2.create_tags(Resources=[resource], Tags=[{"Key": TAG, "Value": value}])


def endpoint_in(cloud, account, **tags):
    vpc_id, _ = account.vpc_with_subnets(tags=tags.get("tags"))
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    return vpc_id, endpoint["VpcEndpointId"]


def names_one_secret(account, endpoint_id):
    return "secret:example-" in json.dumps(account.policy(endpoint_id))


def test_an_endpoint_is_created_with_the_policy_that_the_vpcs_tag_names(cloud, account):
    _, plain = endpoint_in(cloud, account)
    _, chosen = endpoint_in(cloud, account, tags={TAG: "one-secret"})

    assert not names_one_secret(account, plain)
    assert names_one_secret(account, chosen)
    assert writes(cloud, RESTORE) == []  # created so, and not put right afterwards


def test_what_was_changed_is_put_back_to_the_chosen_policy(cloud, account):
    _, endpoint_id = endpoint_in(cloud, account, tags={TAG: "one-secret"})
    approved = account.policy(endpoint_id)

    tamper(cloud, endpoint_id)
    cloud.settle()

    assert account.policy(endpoint_id) == approved
    assert "one-secret" in cloud.findings[-1]["done"][0]


def test_the_endpoints_tag_beats_the_vpcs(cloud, account):
    _, endpoint_id = endpoint_in(cloud, account, tags={TAG: "one-secret"})
    tag(account, endpoint_id, "own-account")
    tamper(cloud, endpoint_id)
    cloud.settle()

    assert not names_one_secret(account, endpoint_id)
    assert "own-account" in cloud.findings[-1]["done"][0]


def test_a_new_tag_is_carried_out_by_the_sweep(cloud, account):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    tag(account, vpc_id, "one-secret")

    cloud.fire_schedule()
    cloud.settle()

    assert names_one_secret(account, endpoint_id)
    told = len(cloud.findings)
    cloud.fire_schedule()
    cloud.settle()
    assert len(cloud.findings) == told


def test_an_unknown_name_is_told_and_the_endpoint_left_as_it_is(cloud, account):
    _, endpoint_id = endpoint_in(cloud, account)
    tag(account, endpoint_id, "../../etc/passwd")
    done = len(writes(cloud, RESTORE))

    tamper(cloud, endpoint_id)
    cloud.settle()

    assert account.policy(endpoint_id)["Statement"] == ALLOW_ALL["Statement"]
    assert len(writes(cloud, RESTORE)) == done
    (told,) = [one for one in cloud.findings if one["kind"] == "policy-not-restorable"]
    assert "no approved policy is called '../../etc/passwd'" in told["cause"]
    assert f"chosen by the endpoint's tag {TAG}" in told["cause"]
    assert told["resource"] == endpoint_id
    assert told["severity"] == "high"


def test_the_sweep_tells_of_an_unknown_name_once_a_day(cloud, account):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    approved = account.policy(endpoint_id)
    tag(account, vpc_id, "nonsense")

    for _ in range(3):
        cloud.fire_schedule()
        cloud.settle(timedelta(hours=1))

    assert kinds(cloud).count("policy-not-restorable") == 1
    assert account.policy(endpoint_id) == approved


def test_no_endpoint_is_created_for_a_vpc_that_names_an_unknown_policy(cloud, account):
    vpc_id, _ = account.vpc_with_subnets(tags={TAG: "nonsense"})

    cloud.settle()

    assert account.endpoints(vpc_id) == []
    assert cloud.findings[-1]["kind"] == "endpoint-not-repairable"
    assert "'nonsense'" in json.dumps(cloud.findings[-1])


def test_an_endpoint_made_by_hand_gets_the_policy_of_its_own_tag(cloud, account):
    vpc_id = account.vpc()
    made = account.ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=[account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")],
        PrivateDnsEnabled=False,
        TagSpecifications=[
            {"ResourceType": "vpc-endpoint", "Tags": [{"Key": TAG, "Value": "one-secret"}]}
        ],
    )["VpcEndpoint"]["VpcEndpointId"]

    cloud.settle()

    assert names_one_secret(account, made)


# What is remembered of VPCs' tags.


SOON = timedelta(seconds=15)
"""Enough for a change to be put back, and less than the tags are remembered for."""


def opt_out(account, vpc_id):
    account.ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "vpce-guard:ignore", "Value": ""}])


def reads_of_tags(cloud):
    return [one for one in cloud.calls if one.function == RESTORE and one.action == "DescribeVpcs"]


def test_a_vpcs_new_tag_counts_after_a_minute(cloud, account):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    tamper(cloud, endpoint_id)
    cloud.pass_time(SOON)

    tag(account, vpc_id, "one-secret")
    cloud.pass_time(timedelta(minutes=1))
    tamper(cloud, endpoint_id)
    cloud.settle()

    assert names_one_secret(account, endpoint_id)


def test_what_an_older_tag_decided_is_made_good_by_the_next_sweep(cloud, account):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    tamper(cloud, endpoint_id)
    cloud.pass_time(SOON)

    tag(account, vpc_id, "one-secret")
    tamper(cloud, endpoint_id)
    cloud.pass_time(SOON)
    assert not names_one_secret(account, endpoint_id)

    cloud.fire_schedule("ScheduleRule")  # still within the minute
    cloud.settle()
    assert names_one_secret(account, endpoint_id)


def test_a_vpc_that_opts_out_is_left_alone_after_a_minute(cloud, account):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    _, guarded = endpoint_in(cloud, account)
    approved = account.policy(guarded)
    tamper(cloud, endpoint_id)
    cloud.pass_time(SOON)

    opt_out(account, vpc_id)
    cloud.pass_time(timedelta(minutes=1))
    done = len(writes(cloud, RESTORE))
    for one in (endpoint_id, guarded):
        tamper(cloud, one)
    cloud.settle()

    assert account.policy(endpoint_id)["Statement"] == ALLOW_ALL["Statement"]
    assert account.policy(guarded) == approved
    assert len(writes(cloud, RESTORE)) == done + 1


def test_the_tags_of_a_new_vpc_count_at_once(cloud, account):
    """It was not there when the tags were last read, less than a minute ago."""
    _, endpoint_id = endpoint_in(cloud, account)
    tamper(cloud, endpoint_id)
    cloud.pass_time(SOON)
    (last,) = reads_of_tags(cloud)

    vpc_id, subnets = account.vpc_with_subnets(tags={"vpce-guard:ignore": ""})
    made = account.ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=subnets,
        PrivateDnsEnabled=False,
        PolicyDocument=json.dumps(ALLOW_ALL),
    )["VpcEndpoint"]["VpcEndpointId"]
    cloud.pass_time(timedelta(seconds=20))

    _, again = reads_of_tags(cloud)
    assert again.when - last.when < timedelta(minutes=1)
    assert account.policy(made)["Statement"] == ALLOW_ALL["Statement"]


def test_more_vpcs_have_a_tag_than_a_page_holds(cloud, account, monkeypatch):
    monkeypatch.setattr(paging, "PAGE", 2)
    for _ in range(3):
        account.vpc(tags={"vpce-guard:ignore": ""})
    account.vpc(tags={"team": "payroll"})
    _, endpoint_id = endpoint_in(cloud, account, tags={TAG: "one-secret", "team": "payroll"})

    tamper(cloud, endpoint_id)
    cloud.settle()

    assert names_one_secret(account, endpoint_id)
    assert len(reads_of_tags(cloud)) == 2


def test_nothing_is_decided_on_tags_that_cannot_be_read(cloud, account):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    tamper(cloud, endpoint_id)
    cloud.pass_time(SOON)
    opt_out(account, vpc_id)
    cloud.pass_time(timedelta(minutes=1))
    done = len(writes(cloud, RESTORE))
    cloud.fault(
        service="ec2",
        action="DescribeVpcs",
        error="UnauthorizedOperation",
        times=1,
        function=RESTORE,
    )

    tamper(cloud, endpoint_id)
    cloud.pass_time(timedelta(seconds=10))
    (*_, refused) = reads_of_tags(cloud)
    assert refused.error == "UnauthorizedOperation"
    cloud.settle()

    assert len(writes(cloud, RESTORE)) == done
    assert account.policy(endpoint_id)["Statement"] == ALLOW_ALL["Statement"]
    assert reads_of_tags(cloud)[-1].error is None
    assert cloud.dead_letters("PolicyQueue") == []
