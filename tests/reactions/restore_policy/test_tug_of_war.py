"""Somebody keeps changing an endpoint's policy: put back, louder, let go, taken up again."""

import json
from datetime import datetime, timedelta

import pytest

from emulator import Caller
from guard.approved.history import HISTORY_DAYS
from tests.reactions.account import ALLOW_ALL, kinds, writes
from tests.reactions.policies import History, tamper

RESTORE = "RestorePolicyFunction"
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 terraform-provider-aws/5.70.0"


def fight(cloud, endpoint_id, times, who="mallory", policy=None):
    for _ in range(times):
        tamper(cloud, endpoint_id, who, TERRAFORM, policy)
        cloud.pass_time(timedelta(minutes=2))


def narrower(account, endpoint_id):
    """The policy that the endpoint has, with its first statement alone: it lets less pass."""
    policy = json.loads(json.dumps(account.policy(endpoint_id)))
    return {**policy, "Statement": policy["Statement"][:1]}


def restorations(cloud):
    return [one for one in cloud.findings if one["kind"] == "policy-restored"]


def test_the_second_revert_within_an_hour_weighs_more_and_says_so(cloud, account, endpoint_id):
    less = narrower(account, endpoint_id)
    for _ in range(2):
        tamper(cloud, endpoint_id, policy=less)
        cloud.settle()

    first, second = restorations(cloud)
    assert (first["severity"], second["severity"]) == ("medium", "high")
    assert "times" not in first["title"]
    assert "restored 2 times within an hour" in second["title"]
    assert "settle with whoever changes it" in second["todo"][0]


def test_an_hour_later_it_is_a_first_time_again(cloud, account, endpoint_id):
    fight(cloud, endpoint_id, 2)
    cloud.clock.skip(3_700)
    fight(cloud, endpoint_id, 1)

    assert ["times" in one["title"] for one in restorations(cloud)] == [False, True, False]
    assert "enforcement-paused" not in kinds(cloud)


def test_the_third_revert_lets_go_and_says_who_fights_with_what(cloud, account, endpoint_id):
    approved = account.policy(endpoint_id)
    fight(cloud, endpoint_id, 2)
    fight(cloud, endpoint_id, 1, "trudy")

    assert account.policy(endpoint_id) == approved  # put back once more before letting go
    (paused,) = [one for one in cloud.findings if one["kind"] == "enforcement-paused"]
    assert paused["severity"] == "high"
    assert "restored 3 times in an hour" in paused["title"]
    for part in ("user/mallory", "user/trudy", "from 198.51.100.23", "with Terraform"):
        assert part in paused["cause"]
    assert {one["tool"] for one in paused["evidence"]["fought_by"]} == {"Terraform"}


def test_while_paused_what_lets_less_pass_is_left_and_published_once_a_day(
    cloud, account, endpoint_id
):
    less = narrower(account, endpoint_id)
    fight(cloud, endpoint_id, 3)
    done, published = len(writes(cloud, RESTORE)), len(cloud.findings)

    fight(cloud, endpoint_id, 4, policy=less)

    assert account.policy(endpoint_id)["Statement"] == less["Statement"]
    assert len(writes(cloud, RESTORE)) == done
    (left,) = cloud.findings[published:]
    assert (left["kind"], left["severity"]) == ("enforcement-paused", "low")
    assert "put back 3 times within an hour" in left["cause"]
    assert "user/mallory" in left["cause"]


@pytest.mark.parametrize("seen_by", ["event", "sweep"])
def test_what_lets_more_pass_is_put_back_in_a_pause_too(cloud, account, endpoint_id, seen_by):
    approved = account.policy(endpoint_id)
    fight(cloud, endpoint_id, 3)
    published = len(cloud.findings)

    tamper(cloud, endpoint_id, "trudy", TERRAFORM)
    if seen_by == "sweep":
        cloud.lose_events()
        cloud.fire_schedule()
    cloud.pass_time(timedelta(minutes=2))

    assert account.policy(endpoint_id) == approved
    (restored,) = cloud.findings[published:]
    assert (restored["kind"], restored["severity"]) == ("policy-restored", "high")
    assert ("user/trudy" in restored["cause"]) == (seen_by == "event")
    assert "restored in a pause" in restored["title"]
    assert [one["action"] for one in History(cloud).of(endpoint_id)][-1] == "restored"
    assert kinds(cloud).count("enforcement-paused") == 1  # it goes on


def test_who_widens_a_policy_all_day_is_undone_all_day_and_published_by_the_hour(
    cloud, account, endpoint_id
):
    approved = account.policy(endpoint_id)
    fight(cloud, endpoint_id, 3)
    published = len(cloud.findings)

    fight(cloud, endpoint_id, 15)
    assert account.policy(endpoint_id) == approved
    assert [one["severity"] for one in cloud.findings[published:]] == ["high"] * 2  # the 1st, 10th
    fight(cloud, endpoint_id, 1, "trudy")
    assert "user/trudy" in cloud.findings[-1]["cause"]
    undone = [one for one in History(cloud).of(endpoint_id) if one["action"] == "restored"]
    assert len(undone) == 3 + 15 + 1
    assert all(one["callers"] for one in undone)


def test_a_change_that_lets_more_and_less_pass_is_put_back(cloud, account, endpoint_id):
    approved = account.policy(endpoint_id)
    fight(cloud, endpoint_id, 3)
    other = {**ALLOW_ALL["Statement"][0], "Principal": {"AWS": "111122223333"}}

    fight(cloud, endpoint_id, 1, policy={"Statement": [other]})

    assert account.policy(endpoint_id) == approved


def test_the_end_of_a_pause_names_all_who_changed_the_policy_in_it(cloud, account, endpoint_id):
    less = narrower(account, endpoint_id)
    approved = account.policy(endpoint_id)
    fight(cloud, endpoint_id, 3)
    published = len(cloud.findings)
    fight(cloud, endpoint_id, 1, "trudy", less)
    fight(cloud, endpoint_id, 1, "victor", {**less, "Id": "again"})

    left = cloud.findings[published:]
    assert ["user/trudy" in left[0]["cause"], "user/victor" in left[1]["cause"]] == [True, True]
    cloud.pass_time(timedelta(minutes=65))

    assert account.policy(endpoint_id) == approved
    restored = restorations(cloud)[-1]
    assert all(f"user/{name}" in restored["cause"] for name in ("trudy", "victor"))
    changes = list(History(cloud).of(endpoint_id))[-3:]
    assert [one["action"] for one in changes] == ["left alone", "left alone", "restored"]


@pytest.mark.usefixtures("no_heartbeats")
def test_each_further_pause_within_a_day_is_longer(cloud, account, endpoint_id):
    less, lengths = narrower(account, endpoint_id), []
    for _ in range(4):
        fight(cloud, endpoint_id, 3, policy=less)
        paused = [one for one in cloud.findings if one["severity"] == "high"][-1]
        until = datetime.fromisoformat(paused["evidence"]["paused_until"].replace(" UTC", "Z"))
        lengths.append(round((until - cloud.clock.now()) / timedelta(hours=1)))
        cloud.pass_time(timedelta(hours=lengths[-1], minutes=5))

    assert lengths == [1, 2, 4, 6]


def test_after_the_pause_it_is_put_back_by_itself(cloud, account, endpoint_id):
    approved, less = account.policy(endpoint_id), narrower(account, endpoint_id)
    fight(cloud, endpoint_id, 4, policy=less)
    assert account.policy(endpoint_id) != approved

    cloud.pass_time(timedelta(minutes=65))  # no event, no sweep: a request of its own

    assert account.policy(endpoint_id) == approved
    assert cloud.findings[-1]["kind"] == "policy-restored"
    assert "user/mallory" in cloud.findings[-1]["cause"]
    assert cloud.dead_letters("PolicyQueue") == []


def test_a_sweep_in_the_pause_leaves_it_and_one_after_it_does_not(cloud, account, endpoint_id):
    approved, less = account.policy(endpoint_id), narrower(account, endpoint_id)
    fight(cloud, endpoint_id, 4, policy=less)
    done = len(writes(cloud, RESTORE))

    cloud.fire_schedule()
    cloud.pass_time(timedelta(minutes=1))
    assert len(writes(cloud, RESTORE)) == done

    cloud.clock.skip(3_600)
    cloud.fire_schedule()
    cloud.settle()
    assert account.policy(endpoint_id) == approved


def test_others_are_guarded_while_one_is_paused(cloud, account, endpoint_id):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    other = account.endpoints(vpc_id)[0]["VpcEndpointId"]
    fight(cloud, endpoint_id, 4)

    fight(cloud, other, 1)

    assert account.policy(other)["Statement"] != ALLOW_ALL["Statement"]


def test_failures_of_aws_are_no_fight(cloud, account, endpoint_id):
    cloud.fault("ec2", "ModifyVpcEndpoint", "InternalError", times=6, function=RESTORE)

    fight(cloud, endpoint_id, 1)
    cloud.settle(timedelta(minutes=60))

    assert kinds(cloud).count("policy-restored") == 1
    assert "enforcement-paused" not in kinds(cloud)


def test_our_own_writes_cost_one_describe_and_nothing_else(cloud, account, endpoint_id):
    tamper(cloud, endpoint_id)
    cloud.settle()
    own = next(
        one
        for one in reversed(cloud.records)
        if one["eventName"] == "ModifyVpcEndpoint" and "RestorePolicy" in str(one["userIdentity"])
    )
    envelope = {
        "version": "0",
        "id": "again",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": cloud.account,
        "region": cloud.region,
        "time": own["eventTime"],
        "resources": [],
        "detail": own,
    }
    published, before = len(cloud.findings), len(cloud.calls)

    cloud.inject(envelope)
    cloud.settle()

    calls = [(one.service, one.action) for one in cloud.calls[before:] if one.function == RESTORE]
    assert calls == [("ec2", "DescribeVpcEndpoints")]
    assert len(cloud.findings) == published


def test_a_foreign_change_hidden_behind_our_own_write_is_seen(cloud, account, endpoint_id):
    """Our event comes late, when somebody has written since and their event was lost."""
    approved = account.policy(endpoint_id)
    tamper(cloud, endpoint_id)
    cloud.settle()
    own = [one for one in cloud.records if one["eventName"] == "ModifyVpcEndpoint"][-1]
    assert "RestorePolicy" in str(own["userIdentity"])
    tamper(cloud, endpoint_id)
    cloud.lose_events()

    cloud.inject({"source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail", "detail": own})
    cloud.settle()

    assert account.policy(endpoint_id) == approved


def test_a_storm_of_modifications_is_one_revert(cloud, account, endpoint_id):
    approved = account.policy(endpoint_id)
    done = len(writes(cloud, RESTORE))
    for number in range(60):
        tamper(cloud, endpoint_id, f"mallory-{number % 7}")

    cloud.settle()

    assert account.policy(endpoint_id) == approved
    assert cloud.dead_letters("PolicyQueue") == []
    # Six batches of ten at most; a fight of the third level ends it before that.
    assert 1 <= len(writes(cloud, RESTORE)) - done <= 3
    assert kinds(cloud).count("enforcement-paused") <= 2
    assert len(list(History(cloud).of(endpoint_id))) <= 4


def test_every_restoration_is_in_the_history_once(cloud, account, endpoint_id):
    approved = account.policy(endpoint_id)
    tamper(cloud, endpoint_id, "mallory", TERRAFORM)
    cloud.settle()

    created, restored = History(cloud).of(endpoint_id)
    assert (created["action"], created["before"]) == ("created", "")
    assert (restored["number"], restored["action"]) == (2, "restored")
    assert json.loads(restored["before"])["Statement"] == ALLOW_ALL["Statement"]
    assert json.loads(restored["after"]) == approved == json.loads(created["after"])
    (caller,) = restored["callers"]
    assert "user/mallory" in caller["principal"]
    assert caller["request_id"] in [one["requestID"] for one in cloud.records]
    assert (caller["tool"], caller["user_agent"]) == ("Terraform", TERRAFORM)
    assert caller["source_ip"] == "198.51.100.23"


def test_a_restoration_that_is_published_late_is_kept_once(cloud, account, endpoint_id):
    cloud.fault("sns", "PublishBatch", "InternalError", times=2, function=RESTORE)
    tamper(cloud, endpoint_id)

    cloud.settle()

    (published,) = restorations(cloud)
    assert "reported late" in published["title"]
    assert [one["action"] for one in History(cloud).of(endpoint_id)] == ["created", "restored"]


def test_history_is_forgotten_after_its_days(cloud, account, endpoint_id):
    tamper(cloud, endpoint_id)
    cloud.settle()

    assert History(cloud).expires(endpoint_id, 2) == pytest.approx(HISTORY_DAYS * 86_400, abs=600)


def test_a_caller_in_the_console_is_called_so(cloud, account, endpoint_id):
    caller = Caller(user_agent="console.ec2.amazonaws.com")
    person = cloud.session("paula", caller).client("ec2")
    person.modify_vpc_endpoint(VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(ALLOW_ALL))
    cloud.settle()

    assert "with console" in restorations(cloud)[0]["cause"]
