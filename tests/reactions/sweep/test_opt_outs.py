"""What is opted out is no secret: who did it, what is not well there, and until when."""

import json
from datetime import timedelta

import pytest

from emulator import Caller
from tests.reactions.account import ALLOW_ALL, Account
from tests.reactions.policies import tamper

pytestmark = pytest.mark.usefixtures("no_heartbeats")

TAG = "vpce-guard:ignore"
DAY = timedelta(days=1)


def opt_out(cloud, resource, value="x", who="mallory"):
    Account(cloud, who).ec2.create_tags(Resources=[resource], Tags=[{"Key": TAG, "Value": value}])


def served(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    return vpc_id, account.endpoints(vpc_id)[0]["VpcEndpointId"]


def opted_out(cloud):
    return [one for one in cloud.findings if one["kind"] == "opted-out"]


def report(cloud):
    return [one for one in cloud.findings if one["kind"] == "daily-report"][-1]["evidence"]


def test_an_opted_out_vpc_without_its_endpoint_is_published_each_day(cloud, account):
    vpc_id, endpoint_id = served(cloud, account)
    opt_out(cloud, vpc_id)
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
    cloud.settle(2 * DAY)
    before = len(opted_out(cloud))
    cloud.settle(DAY)

    assert before == len(opted_out(cloud)) - 1
    finding = opted_out(cloud)[-1]
    assert (finding["resource"], finding["severity"]) == (vpc_id, "medium")
    assert "no working endpoint" in finding["cause"]
    assert "user/mallory at " in finding["cause"]
    (listed,) = report(cloud)["opted_out"]
    assert listed.startswith(f"{vpc_id} (x), by the tag that was set by")
    assert account.endpoints(vpc_id) == []


def test_an_opted_out_vpc_that_is_well_is_listed_and_no_finding(cloud, account):
    vpc_id, _ = served(cloud, account)
    opt_out(cloud, vpc_id, "the twin serves it")
    cloud.settle(2 * DAY)

    assert opted_out(cloud) == []
    (listed,) = report(cloud)["opted_out"]
    assert "the twin serves it" in listed
    assert "unhealthy" not in listed


def test_a_tampered_policy_of_an_opted_out_endpoint_is_published_at_once(cloud, account):
    _, endpoint_id = served(cloud, account)
    opt_out(cloud, endpoint_id)
    cloud.settle(timedelta(minutes=10))
    tamper(cloud, endpoint_id, "mallory")
    cloud.settle()

    (finding,) = opted_out(cloud)
    assert (finding["resource"], finding["severity"]) == (endpoint_id, "medium")
    assert "by the tag that was set by arn:aws:iam::" in finding["cause"]
    assert "user/mallory" in finding["cause"]
    assert "who came within a week is named here" in finding["cause"]
    assert finding["evidence"]["difference"]
    assert account.policy(endpoint_id)["Statement"] == ALLOW_ALL["Statement"]
    cloud.fire_schedule()
    cloud.settle(timedelta(hours=1))
    assert len(opted_out(cloud)) == 1


def test_after_its_last_day_an_opt_out_is_over(cloud, account):
    vpc_id, endpoint_id = served(cloud, account)
    today = cloud.clock.now().date()
    opt_out(cloud, vpc_id, f"until {today.isoformat()}")
    opt_out(cloud, endpoint_id, "for good")
    tamper(cloud, endpoint_id)
    cloud.settle(2 * DAY)
    assert account.policy(endpoint_id)["Statement"] == ALLOW_ALL["Statement"]

    opt_out(cloud, endpoint_id, f"until {today.isoformat()}")
    cloud.settle(2 * DAY)  # a report may come before the next sweep
    assert "PrincipalAccount" in json.dumps(account.policy(endpoint_id))
    assert report(cloud).get("opted_out", []) == []


def test_who_reads_through_an_opted_out_endpoint_with_another_policy_is_named(cloud, account):
    _, endpoint_id = served(cloud, account)
    secret = account.secret("prod/db")
    through = Caller(
        kind="role", vpc_endpoint_id=endpoint_id, vpc_endpoint_account_id=cloud.account
    )

    opt_out(cloud, endpoint_id)
    tamper(cloud, endpoint_id)
    cloud.settle(timedelta(minutes=10))
    cloud.session("thief", through).client("secretsmanager").get_secret_value(SecretId=secret)
    cloud.settle(2 * DAY)

    found = opted_out(cloud)[-1]
    assert (found["resource"], found["severity"]) == (endpoint_id, "medium")
    (came,) = found["evidence"]["came_through"]
    assert "assumed-role/thief" in came
    assert f"Others that came: {came}" in found["cause"]


def test_setting_and_removing_a_tag_is_published_at_once_with_who_did_it(cloud, account):
    vpc_id, endpoint_id = served(cloud, account)
    opt_out(cloud, vpc_id, "until 2999-01-01")
    cloud.pass_time(timedelta(minutes=2))
    (was_set,) = [one for one in cloud.findings if one["kind"] == "guard-changed"]
    assert (was_set["resource"], was_set["severity"]) == (vpc_id, "medium")
    assert f"{TAG} (until 2999-01-01) was set on {vpc_id} by " in was_set["cause"]
    assert "user/mallory" in was_set["cause"]

    tags = [{"Key": "vpce-guard:managed"}, {"Key": "team"}]
    Account(cloud, "mallory").ec2.delete_tags(Resources=[endpoint_id], Tags=tags)
    cloud.pass_time(timedelta(minutes=2))
    (_, removed) = [one for one in cloud.findings if one["kind"] == "guard-changed"]
    assert f"vpce-guard:managed was removed from {endpoint_id} by " in removed["cause"]


def test_what_is_created_with_the_tag_is_published_at_once_with_who_did_it(cloud, account):
    mallory = Account(cloud, "mallory")
    vpc_id, _ = mallory.vpc_with_subnets(tags={TAG: "mine", "team": "a"})
    cloud.pass_time(timedelta(minutes=2))

    (was_set,) = [one for one in cloud.findings if one["kind"] == "guard-changed"]
    assert (was_set["resource"], was_set["severity"]) == (vpc_id, "medium")
    assert f"{TAG} (mine) was set on {vpc_id} by " in was_set["cause"]
    assert "user/mallory" in was_set["cause"]
    cloud.settle(2 * DAY)
    (listed,) = report(cloud)["opted_out"]
    assert "user/mallory at " in listed


def test_what_the_guard_itself_and_others_tag_otherwise_is_no_finding(cloud, account):
    vpc_id, endpoint_id = served(cloud, account)
    account.ec2.create_tags(Resources=[vpc_id, endpoint_id], Tags=[{"Key": "team", "Value": "a"}])
    cloud.pass_time(timedelta(minutes=2))
    assert [one for one in cloud.findings if one["kind"] == "guard-changed"] == []
