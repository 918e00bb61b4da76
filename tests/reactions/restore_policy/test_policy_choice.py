"""Which approved policy an endpoint carries: its tag, its VPC's tag, the stack's parameter."""

import json
import shutil
from datetime import timedelta

import pytest

from emulator import Cloud
from emulator.strict import paging
from tests.reactions.account import ALLOW_ALL, SERVICE, Account, writes
from tests.reactions.policies import copy_of_code, tamper

RESTORE = "RestorePolicyFunction"
TAG = "vpce-guard:policy"
NARROW = "payments-only"  # a reviewed policy of the owner's


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """The stack, with a policy more in the layer: AWS's example for one secret, by another name."""
    root = tmp_path_factory.mktemp("root")
    folder = copy_of_code(root) / "endpoint_policies"
    shutil.copy(folder / "one-secret.json", folder / f"{NARROW}.json")
    with Cloud.start({"Mode": "remediate", "GraceMinutes": "0"}, root=root) as cloud:
        yield cloud


@pytest.fixture
def cloud(deployed):
    deployed.reset()
    return deployed


@pytest.fixture
def account(cloud):
    return Account(cloud)


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
    _, chosen = endpoint_in(cloud, account, tags={TAG: NARROW})

    assert not names_one_secret(account, plain)
    assert names_one_secret(account, chosen)
    assert writes(cloud, RESTORE) == []  # created so, and not put right afterwards


def test_what_was_changed_is_put_back_to_the_chosen_policy(cloud, account):
    _, endpoint_id = endpoint_in(cloud, account, tags={TAG: NARROW})
    approved = account.policy(endpoint_id)

    tamper(cloud, endpoint_id)
    cloud.settle()

    assert account.policy(endpoint_id) == approved
    assert NARROW in cloud.findings[-1]["done"][0]


def test_the_endpoints_tag_comes_before_the_vpcs(cloud, account):
    _, endpoint_id = endpoint_in(cloud, account, tags={TAG: NARROW})
    tag(account, endpoint_id, "own-account")
    tamper(cloud, endpoint_id)
    cloud.settle()

    assert not names_one_secret(account, endpoint_id)
    restored = [one for one in cloud.findings if one["kind"] == "policy-restored"]
    assert "own-account" in restored[-1]["done"][0]


@pytest.mark.parametrize("whose", ["endpoint", "VPC"])
def test_a_new_tag_is_carried_out_within_minutes(cloud, account, whose):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    tag(account, vpc_id if whose == "VPC" else endpoint_id, NARROW)
    cloud.pass_time(timedelta(minutes=2))

    assert names_one_secret(account, endpoint_id)


def test_a_tag_of_something_else_wakes_nobody(cloud, account):
    vpc_id, _ = endpoint_in(cloud, account)
    subnet = account.subnet(vpc_id, "10.20.9.0/24", "us-east-1d")
    cloud.settle()
    done = len([one for one in cloud.calls if one.function == RESTORE])
    tag(account, subnet, NARROW)
    account.ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "team", "Value": "a"}])
    cloud.pass_time(timedelta(minutes=2))

    assert len([one for one in cloud.calls if one.function == RESTORE]) == done
    assert cloud.dead_letters("PolicyQueue") == []


def test_a_new_tag_whose_event_is_lost_is_carried_out_by_the_sweep(cloud, account):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    tag(account, vpc_id, NARROW)
    cloud.lose_events()

    cloud.fire_schedule()
    cloud.settle()

    assert names_one_secret(account, endpoint_id)
    published = len(cloud.findings)
    cloud.fire_schedule()
    cloud.settle()
    assert len(cloud.findings) == published


@pytest.mark.parametrize(
    ("whose", "name"),
    [
        ("endpoint", "../../etc/passwd"),
        ("endpoint", "one-account"),
        ("VPC", ""),
        ("VPC", "one-secret"),
    ],
)
def test_a_name_that_chooses_nothing_keeps_no_tampered_policy(cloud, account, whose, name):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    approved = account.policy(endpoint_id)
    mallory = Account(cloud, "mallory")
    tag(mallory, endpoint_id if whose == "endpoint" else vpc_id, name)
    cloud.settle(timedelta(minutes=10))

    tamper(cloud, endpoint_id)
    cloud.settle()

    assert account.policy(endpoint_id) == approved
    published_ones = [one for one in cloud.findings if one["kind"] == "policy-not-restorable"]
    published = published_ones[-1]
    assert [one["severity"] for one in published_ones] == ["medium", "high"]
    assert (published["resource"], published["severity"]) == (endpoint_id, "high")
    assert f"chosen by the {whose}'s tag {TAG}" in published["cause"]
    assert "by the tag that was set by" in published["cause"]
    assert "user/mallory at " in published["cause"]
    assert "own-account counts instead; the endpoint's policy lets more pass" in published["cause"]


def test_the_sweep_publishes_such_a_name_once_a_day_and_changes_nothing(cloud, account):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    approved = account.policy(endpoint_id)
    tag(account, vpc_id, "nonsense")

    for _ in range(3):
        cloud.fire_schedule()
        cloud.settle(timedelta(hours=1))

    (published,) = [one for one in cloud.findings if one["kind"] == "policy-not-restorable"]
    assert published["severity"] == "medium"
    assert "the endpoint's policy is that one" in published["cause"]
    assert account.policy(endpoint_id) == approved


def test_an_endpoints_name_that_chooses_nothing_leaves_the_choice_to_its_vpcs(cloud, account):
    _, endpoint_id = endpoint_in(cloud, account, tags={TAG: NARROW})
    tag(account, endpoint_id, "nonsense")

    tamper(cloud, endpoint_id)
    cloud.settle()

    assert names_one_secret(account, endpoint_id)


def test_a_vpc_whose_tag_chooses_nothing_is_served_all_the_same(cloud, account):
    vpc_id, _ = account.vpc_with_subnets(tags={TAG: "one-secret"})

    cloud.settle()

    (endpoint,) = account.endpoints(vpc_id)
    assert not names_one_secret(account, endpoint["VpcEndpointId"])
    (created,) = [one for one in cloud.findings if one["kind"] == "endpoint-created"]
    assert f"(chosen by the VPC's tag {TAG}): own-account counts instead" in created["cause"]


def test_what_a_tag_chooses_is_published_with_who_set_it(cloud, account):
    vpc_id, _ = endpoint_in(cloud, account)
    tag(Account(cloud, "victor"), vpc_id, NARROW)
    cloud.settle(timedelta(minutes=10))
    cloud.fire_schedule()
    cloud.settle()

    (restored,) = [one for one in cloud.findings if one["kind"] == "policy-restored"]
    assert f"(by the VPC's tag {TAG}, set by" in restored["done"][0]
    assert "user/victor at " in restored["done"][0]


def test_an_endpoint_made_by_hand_gets_the_policy_of_its_own_tag(cloud, account):
    vpc_id = account.vpc()
    made = account.ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=[account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")],
        PrivateDnsEnabled=False,
        TagSpecifications=[
            {"ResourceType": "vpc-endpoint", "Tags": [{"Key": TAG, "Value": NARROW}]}
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

    tag(account, vpc_id, NARROW)
    cloud.pass_time(timedelta(minutes=1))
    tamper(cloud, endpoint_id)
    cloud.settle()

    assert names_one_secret(account, endpoint_id)


def test_what_an_older_tag_decided_is_made_good_by_the_next_sweep(cloud, account):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    tamper(cloud, endpoint_id)
    cloud.pass_time(SOON)

    tag(account, vpc_id, NARROW)
    cloud.lose_events()
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
    cloud.lose_events()
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
    _, endpoint_id = endpoint_in(cloud, account, tags={TAG: NARROW, "team": "payroll"})

    tamper(cloud, endpoint_id)
    cloud.settle()

    assert names_one_secret(account, endpoint_id)
    assert len(reads_of_tags(cloud)) == 2


def test_nothing_is_decided_on_tags_that_cannot_be_read(cloud, account):
    vpc_id, endpoint_id = endpoint_in(cloud, account)
    tamper(cloud, endpoint_id)
    cloud.pass_time(SOON)
    opt_out(account, vpc_id)
    cloud.lose_events()
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
