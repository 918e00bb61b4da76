"""Which approved policy an endpoint carries: its tag, its VPC's tag, the stack's parameter."""

import json
from datetime import timedelta

import pytest

from tests.reactions.account import ALLOW_ALL, SERVICE, Account, kinds, writes
from tests.reactions.policies import tamper

RESTORE = "RestorePolicyFunction"
TAG = "vpce-guard:policy"


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
