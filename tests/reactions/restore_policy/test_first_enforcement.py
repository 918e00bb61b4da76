"""The first switch to remediate is a rollout: one endpoint, a watch, then the others."""

import json
from datetime import timedelta

import pytest

from emulator import Caller, Cloud
from tests.reactions.account import ALLOW_ALL, Account, make_endpoint
from tests.reactions.policies import tamper

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def deployed():
    with Cloud.start({"Mode": "observe", "GraceMinutes": "0"}) as cloud:
        yield cloud


@pytest.fixture
def cloud(deployed):
    deployed.reset()
    return deployed


@pytest.fixture
def account(cloud):
    return Account(cloud)


@pytest.fixture
def endpoints(cloud, account):
    """Three endpoints of the owner's with AWS's default policy, observed for a day."""
    made = []
    for _ in range(3):
        vpc_id, subnets = account.vpc_with_subnets()
        account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
        made.append(make_endpoint(account, vpc_id, subnets, private_dns=True))
    cloud.settle(timedelta(hours=8))
    return sorted(made)


def switch(cloud, account):
    account.client("ssm").put_parameter(
        Name=cloud.outputs["ModeParameterName"], Value="remediate", Overwrite=True
    )
    cloud.clock.skip(61)
    cloud.fire_schedule()


def enforced(account, ids):
    return [one for one in ids if "PrincipalAccount" in json.dumps(account.policy(one))]


def rollout(cloud):
    return [one for one in cloud.findings if one["kind"].startswith("policy-ro")]


def test_one_endpoint_first_and_the_others_when_it_held(cloud, account, endpoints):
    switch(cloud, account)
    cloud.pass_time(5 * MINUTE)
    assert enforced(account, endpoints) == endpoints[:1]
    assert "for the first time" in rollout(cloud)[0]["title"]
    cloud.fire_schedule()  # a second sweep begins no second trial
    cloud.pass_time(5 * MINUTE)
    assert enforced(account, endpoints) == endpoints[:1]

    cloud.pass_time(20 * MINUTE)
    assert enforced(account, endpoints) == endpoints
    assert "policy-restored" not in [one["kind"] for one in cloud.findings]


def test_a_denial_at_the_first_one_spares_the_others(cloud, account, endpoints):
    switch(cloud, account)
    cloud.pass_time(3 * MINUTE)
    cloud.inject(cloud.denied_at_endpoint("app", endpoints[0]))
    cloud.pass_time(30 * MINUTE)
    cloud.fire_schedule()
    cloud.pass_time(30 * MINUTE)

    assert enforced(account, endpoints) == []
    assert rollout(cloud)[-1]["kind"] == "policy-rollout-failed"


def test_what_somebody_changes_meanwhile_is_put_right_at_once(cloud, account, endpoints):
    switch(cloud, account)
    cloud.pass_time(3 * MINUTE)
    tamper(cloud, endpoints[2], policy={**ALLOW_ALL, "Id": "mallory"})
    cloud.pass_time(2 * MINUTE)

    assert enforced(account, endpoints) == [endpoints[0], endpoints[2]]


def reads_of_a_partner(cloud, account, endpoint_id):
    """A read through the endpoint by another account: the emulator has one, the record says so."""
    mine = {"vpc_endpoint_id": endpoint_id, "vpc_endpoint_account_id": cloud.account}
    secret = account.secret("prod/shared")
    partner = cloud.session("partner", Caller(kind="role", **mine))
    partner.client("secretsmanager").get_secret_value(SecretId=secret)
    read = next(one for one in cloud.records[::-1] if one["eventName"] == "GetSecretValue")
    theirs = json.dumps(read["userIdentity"]).replace(cloud.account, "999999999999")
    read["userIdentity"] = json.loads(theirs)
    cloud.settle(timedelta(minutes=15))


def test_callers_that_it_would_refuse_are_named_and_nothing_is_written(cloud, account, endpoints):
    reads_of_a_partner(cloud, account, endpoints[1])
    switch(cloud, account)
    cloud.pass_time(60 * MINUTE)

    assert enforced(account, endpoints) == []
    (asks,) = rollout(cloud)
    assert (asks["kind"], asks["severity"]) == ("policy-rollout", "high")
    assert "assumed-role/partner" in asks["cause"]
    assert "GetSecretValue of " in asks["evidence"]["would_refuse"][0]


@pytest.fixture
def alone(cloud, account):
    """One endpoint of the owner's with AWS's default policy, and no other to try a policy on."""
    vpc_id, subnets = account.vpc_with_subnets()
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    endpoint_id = make_endpoint(account, vpc_id, subnets, private_dns=True)
    cloud.settle(timedelta(hours=1))
    return endpoint_id


def test_at_an_only_endpoint_too_it_asks_and_names_who_would_be_refused(cloud, account, alone):
    reads_of_a_partner(cloud, account, alone)
    switch(cloud, account)
    cloud.pass_time(20 * MINUTE)

    assert enforced(account, [alone]) == []
    (asks,) = rollout(cloud)
    assert (asks["resource"], asks["severity"]) == (alone, "high")
    assert "assumed-role/partner" in asks["cause"]
    assert any("refusals in approved.json" in line for line in asks["todo"])
    cloud.fire_schedule()  # nobody answered: it asks on, and writes nothing
    cloud.pass_time(20 * MINUTE)
    assert enforced(account, [alone]) == []
    assert "policy-restored" not in [one["kind"] for one in cloud.findings]


def test_at_an_only_endpoint_it_writes_where_nobody_would_be_refused(cloud, account, alone):
    switch(cloud, account)
    cloud.pass_time(5 * MINUTE)
    assert enforced(account, [alone]) == [alone]


def test_what_is_tampered_with_is_put_back_though_the_partner_let_in_would_be_refused(
    cloud, account, alone
):
    switch(cloud, account)
    cloud.pass_time(5 * MINUTE)
    tamper(cloud, alone, policy={**ALLOW_ALL, "Id": "mallory"})
    reads_of_a_partner(cloud, account, alone)
    cloud.pass_time(5 * MINUTE)
    assert enforced(account, [alone]) == [alone]


def test_callers_that_it_lets_pass_hold_nothing_back(cloud, account, endpoints):
    mine = {"vpc_endpoint_id": endpoints[1], "vpc_endpoint_account_id": cloud.account}
    secret = account.secret("prod/own")
    app = cloud.session("app", Caller(kind="role", **mine))
    app.client("secretsmanager").get_secret_value(SecretId=secret)
    cloud.settle(timedelta(hours=1))
    switch(cloud, account)
    cloud.pass_time(5 * MINUTE)

    assert enforced(account, endpoints) == endpoints[:1]
