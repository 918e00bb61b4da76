"""Events in, secrets' resource policies and alerts out: what is bound stays inside."""

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import Caller, Cloud
from tests.reactions.account import READER, Account, kinds, make_endpoint, put_policy

WATCH = "SecretPolicyFunction"
SID = "VpceGuardPerimeter"
LOST, RESTORED = "secret-perimeter-lost", "secret-perimeter-restored"


@pytest.fixture
def vpc_id(cloud, account):
    """A VPC with its endpoint, of which no event says anything."""
    made, subnets = account.vpc_with_subnets()
    make_endpoint(account, made, subnets)
    cloud.lose_events()
    return made


@pytest.fixture
def secret(cloud, account, vpc_id):
    """A bound secret whose policy is whole, by its owner's own words."""
    made = account.bound_secret("prod/ledger")
    put_policy(account, made, READER, by_owner(vpc_id))
    cloud.lose_events()
    return made


def by_owner(vpc_id: str) -> dict[str, Any]:
    where = {"StringNotEquals": {"aws:sourceVpc": [vpc_id]}}
    return {**READER, "Effect": "Deny", "Principal": "*", "Condition": where}


def statement_of(account: Account, secret: str) -> dict[str, Any]:
    """The guard's statement in the secret's policy; empty where there is none."""
    policy = account.secret_policy(secret) or {"Statement": []}
    return next((one for one in policy["Statement"] if one.get("Sid") == SID), {})


def puts(cloud: Cloud) -> list[dict[str, Any]]:
    """The guard's own PutResourcePolicy calls."""
    return [
        dict(call.params)
        for call in cloud.calls
        if call.function == WATCH and call.action == "PutResourcePolicy"
    ]


def about(cloud: Cloud, kind: str) -> list[dict[str, Any]]:
    return [one for one in cloud.findings if one["kind"] == kind]


def test_a_secret_that_is_made_bound_gets_its_perimeter(cloud, account, vpc_id):
    secret = account.bound_secret("prod/ledger")
    cloud.settle()
    condition = statement_of(account, secret)["Condition"]
    assert condition["StringNotEqualsIfExists"] == {"aws:SourceVpc": [vpc_id]}
    assert puts(cloud)[0]["BlockPublicPolicy"] is True
    (finding,) = about(cloud, RESTORED)
    assert finding["resource"] == secret
    assert finding["evidence"]["gaps"] == ["the secret has no resource policy"]


def test_a_policy_that_lost_the_perimeter_gets_it_back_and_keeps_the_rest(cloud, account, secret):
    mallory = Account(cloud, "mallory")
    put_policy(mallory, secret, READER)
    cloud.settle()
    policy = account.secret_policy(secret)
    assert policy["Statement"][0] == READER
    assert statement_of(account, secret)
    finding = about(cloud, RESTORED)[-1]
    assert finding["evidence"]["seen"].startswith("Changed by arn:aws:iam::")
    assert "user/mallory" in finding["evidence"]["seen"]
    assert json.loads(finding["evidence"]["policy_before"])["Statement"] == [READER]
    assert json.loads(finding["evidence"]["policy_corrected"]) == policy
    assert any("with a role of yours" in one for one in finding["evidence"]["aws_warns"])


def test_a_deleted_policy_is_put_back(cloud, account, secret):
    account.client("secretsmanager").delete_resource_policy(SecretId=secret)
    cloud.settle()
    assert statement_of(account, secret)


def test_our_own_write_coming_back_changes_nothing(cloud, account, secret):
    put_policy(account, secret, READER)
    cloud.settle()
    assert len(puts(cloud)) == 1
    assert kinds(cloud).count(RESTORED) == 1


def test_whatever_keeps_the_perimeter_is_left_as_it_is(cloud, account, vpc_id, secret):
    put_policy(account, secret, by_owner(vpc_id), READER)
    cloud.settle()
    assert account.secret_policy(secret)["Statement"] == [by_owner(vpc_id), READER]
    assert puts(cloud) == []


def test_a_policy_that_denies_everybody_is_published_once_a_day(cloud, account, secret):
    nobody = {"Null": {"aws:VpceAccount": "true"}}  # Secrets Manager never sends that key
    mallory = Account(cloud, "mallory")
    for condition in (nobody, {}):
        put_policy(mallory, secret, {**by_owner("vpc-0"), "Condition": condition})
        cloud.settle()
    (finding,) = about(cloud, LOST)
    assert finding["title"] == "The policy of prod/ledger denies reading it to everybody"
    assert finding["severity"] == "medium"
    assert "user/mallory" in finding["cause"]
    assert puts(cloud) == []


def test_a_policy_that_lets_in_a_stranger_alone_is_published_as_both(cloud, account, secret):
    put_policy(Account(cloud, "mallory"), secret, by_owner("vpc-0fffffffffffffff0"))
    cloud.settle()
    assert [one["severity"] for one in about(cloud, LOST)] == ["medium"]
    assert "vpc-0fffffffffffffff0 (not approved)" in about(cloud, RESTORED)[0]["cause"]


def test_a_secret_that_is_not_bound_is_left_alone(cloud, account, vpc_id):
    free = account.secret("prod/free")
    put_policy(account, free, READER)
    cloud.settle()
    assert account.secret_policy(free)["Statement"] == [READER]
    assert not {LOST, RESTORED} & set(kinds(cloud))


def test_an_opted_out_secret_is_left_alone_and_opting_out_is_published(cloud, account, secret):
    account.client("secretsmanager").tag_resource(
        SecretId=secret, Tags=[{"Key": "vpce-guard:ignore", "Value": ""}]
    )
    put_policy(account, secret, READER)
    cloud.settle()
    assert account.secret_policy(secret)["Statement"] == [READER]
    (finding,) = about(cloud, LOST)
    assert "no longer bound" in finding["title"]


def test_a_removed_tag_is_published_and_a_new_one_binds(cloud, account, secret):
    secrets = account.client("secretsmanager")
    secrets.untag_resource(SecretId=secret, TagKeys=["vpce-guard:perimeter"])
    cloud.settle()
    (finding,) = about(cloud, LOST)
    assert (finding["severity"], "no longer bound" in finding["title"]) == ("medium", True)
    put_policy(account, secret, READER)
    cloud.settle()
    assert not statement_of(account, secret)
    secrets.tag_resource(SecretId=secret, Tags=[{"Key": "vpce-guard:perimeter", "Value": ""}])
    cloud.settle()
    assert statement_of(account, secret)


def test_observe_mode_reports_and_leaves(cloud, account, secret):
    account.client("ssm").put_parameter(
        Name=cloud.outputs["ModeParameterName"], Value="observe", Overwrite=True
    )
    cloud.lose_events()  # of the switch itself, which watch_guard would publish
    cloud.settle(timedelta(minutes=2))
    put_policy(account, secret, READER)
    cloud.settle()
    assert account.secret_policy(secret)["Statement"] == [READER]
    (finding,) = about(cloud, LOST)
    assert finding["severity"] == "high"
    corrected = json.loads(finding["evidence"]["policy_corrected"])
    assert [one.get("Sid") for one in corrected["Statement"]] == [None, SID]
    assert any("guardctl suggest-secret-policy" in one for one in finding["todo"])


@pytest.mark.usefixtures("no_heartbeats")
def test_what_stays_open_is_published_once_a_day_whatever_event_or_sweep_sees_it(cloud, account):
    account.bound_secret("prod/ledger")
    cloud.settle()
    cloud.inject(cloud.stack_event("UPDATE_COMPLETE"))
    cloud.settle()
    assert len(about(cloud, LOST)) == 1
    cloud.settle(timedelta(days=1))
    cloud.inject(cloud.stack_event("UPDATE_COMPLETE"))
    cloud.settle()
    assert len(about(cloud, LOST)) == 2


def test_the_guards_own_calls_are_no_bypass(cloud, account, secret):
    put_policy(account, secret, READER)
    cloud.inject(cloud.stack_event("UPDATE_COMPLETE"))
    cloud.settle()
    own = {"ListSecrets", "DescribeSecret", "GetResourcePolicy", "PutResourcePolicy"}
    calls = [call for call in cloud.calls if call.function == WATCH]
    assert own <= {call.action for call in calls}
    roles = {finding["resource"] for finding in about(cloud, "bypass")}
    assert not [one for one in roles if "SecretPolicyRole" in one]
    assert len(about(cloud, "secret-policy-changed")) == 1  # by alice, and not ours


def test_where_nothing_is_inside_nobody_is_locked_out(cloud, account):
    secret = account.bound_secret("prod/ledger")
    cloud.settle()
    assert account.secret_policy(secret) is None
    (finding,) = about(cloud, LOST)
    assert any("nobody could read it" in one for one in finding["todo"])


def test_a_lost_event_is_made_up_for_by_the_next_sweep(cloud, account, secret):
    put_policy(account, secret, READER)
    cloud.lose_events()
    cloud.settle()
    assert not statement_of(account, secret)
    cloud.inject(cloud.stack_event("UPDATE_COMPLETE"))
    cloud.settle()
    assert statement_of(account, secret)
    assert about(cloud, RESTORED)[-1]["evidence"]["seen"].startswith("Found by a sweep")


def test_what_lets_the_public_in_is_taken_out_where_aws_refuses_it(cloud, account, secret):
    public = {**READER, "Sid": "Everybody", "Principal": "*"}
    put_policy(Account(cloud, "mallory"), secret, READER, public)
    cloud.settle()
    first, own = account.secret_policy(secret)["Statement"]
    assert (first, own["Sid"]) == (READER, SID)
    (finding,) = about(cloud, RESTORED)
    assert "took out what let everybody in: Everybody" in finding["done"]
    assert public in json.loads(finding["evidence"]["policy_before"])["Statement"]
    assert json.loads(finding["evidence"]["policy_corrected"]) == account.secret_policy(secret)
    assert "user/mallory" in finding["cause"]
    assert len(puts(cloud)) == 2  # refused, and without it; their events repeat nothing
    assert all(one["BlockPublicPolicy"] is True for one in puts(cloud))
    assert about(cloud, LOST) == []


def test_what_aws_refuses_in_any_form_is_published(cloud, account, secret):
    cloud.fault(
        "secretsmanager", "PutResourcePolicy", "PublicPolicyException", times=9, function=WATCH
    )
    put_policy(account, secret, READER)
    cloud.settle()
    (finding,) = about(cloud, LOST)
    assert any("PublicPolicyException" in one for one in finding["todo"])


# Corrections that would cut somebody off.


@pytest.fixture
def opened(cloud, account, vpc_id):
    """A bound secret that was never whole: how to give it what depends on the gap, and its policy
    an event a day later.
    """
    made = account.client("secretsmanager").create_secret(Name="prod/open", SecretString="x")["ARN"]

    def seen(within: timedelta = timedelta(days=1)) -> str:
        cloud.settle(within)
        bound = [{"Key": "vpce-guard:perimeter", "Value": ""}]
        account.client("secretsmanager").tag_resource(SecretId=made, Tags=bound)
        cloud.settle()
        return made

    return made, seen


def rotate(account: Account, secret: str, function: str) -> None:
    account.client("secretsmanager").rotate_secret(SecretId=secret, RotationLambdaARN=function)


def read(cloud: Cloud, secret: str, **caller: Any) -> None:
    reader = Caller(kind="role", source_ip="198.51.100.7", **caller)
    cloud.session("batch", reader).client("secretsmanager").get_secret_value(SecretId=secret)


def test_a_correction_that_would_cut_off_rotation_is_held_back(cloud, account, opened):
    secret, seen = opened
    rotate(account, secret, account.function("turn"))
    seen()
    assert not statement_of(account, secret)
    finding = about(cloud, LOST)[-1]
    assert (finding["severity"], "held back" in finding["title"]) == ("high", True)
    assert "its rotation function turn runs in no VPC" in finding["cause"]
    assert puts(cloud) == []


def test_a_rotation_function_inside_holds_nothing_back(cloud, account, opened):
    secret, seen = opened
    subnets = account.ec2.describe_subnets()["Subnets"]
    inside = [one["SubnetId"] for one in subnets if account.endpoints(one["VpcId"])]
    rotate(account, secret, account.function("turn", inside[:1]))
    seen()
    assert statement_of(account, secret)


def test_a_correction_that_would_cut_off_a_replicas_readers_is_held_back(cloud, account, opened):
    secret, seen = opened
    account.client("secretsmanager").replicate_secret_to_regions(
        SecretId=secret, AddReplicaRegions=[{"Region": "eu-west-1"}]
    )
    seen()
    assert not statement_of(account, secret)
    assert "replicas in eu-west-1" in about(cloud, LOST)[-1]["cause"]


def test_a_correction_that_would_cut_off_readers_of_late_names_them(cloud, account, opened):
    secret, seen = opened
    read(cloud, secret)
    seen()
    assert not statement_of(account, secret)
    (finding,) = about(cloud, LOST)
    assert "assumed-role/batch" in finding["cause"]
    assert "from 198.51.100.7" in finding["evidence"]["held_back"][0]


def test_who_reads_only_after_the_change_holds_nothing_back(cloud, account, secret):
    """A policy that was whole is put back, although a thief was fast."""
    cloud.fire_schedule("ScheduleRule")
    cloud.settle()
    put_policy(Account(cloud, "mallory"), secret, {**READER, "Principal": "*"})
    read(cloud, secret)
    cloud.lose_events()
    cloud.settle(timedelta(hours=1))
    cloud.fire_schedule("ScheduleRule")
    cloud.settle()
    assert statement_of(account, secret)


@pytest.mark.parametrize("innocent", ["long ago", "inside", "another secret", "refused"])
def test_readers_that_lose_nothing_hold_nothing_back(cloud, account, vpc_id, opened, innocent):
    secret, seen = opened
    match innocent:
        case "long ago":
            read(cloud, secret)
            cloud.clock.skip(8 * 86_400)
        case "inside":
            (endpoint,) = account.endpoints(vpc_id)
            mine = {"vpc_endpoint_id": endpoint["VpcEndpointId"]}
            read(cloud, secret, **mine, vpc_endpoint_account_id=cloud.account)
        case "another secret":
            read(cloud, account.secret("prod/other"))
        case _:
            with pytest.raises(ClientError):
                read(cloud, f"{secret}x")
    seen()
    assert statement_of(account, secret)


def test_a_history_that_cannot_be_read_is_said_and_holds_nothing_back(cloud, account, opened):
    _, seen = opened
    cloud.fault("cloudtrail", "LookupEvents", "AccessDeniedException", times=9, function=WATCH)
    secret = seen()
    assert statement_of(account, secret)
    (finding,) = about(cloud, RESTORED)
    assert any("event history could not be read" in one for one in finding["todo"])


def test_who_writes_against_the_guard_wins_after_the_budget_and_ops_are_notified(
    cloud, account, secret
):
    for _ in range(6):
        put_policy(account, secret, READER)
        cloud.settle()
    assert len(puts(cloud)) == 5
    assert "change-budget-spent" in kinds(cloud)
    assert account.secret_policy(secret)["Statement"] == [READER]


def test_a_change_that_could_not_be_published_is_published_late(cloud, account, secret):
    cloud.fault("sns", "PublishBatch", "InternalError", times=4, function=WATCH)
    put_policy(account, secret, READER)
    cloud.settle()
    assert statement_of(account, secret)
    assert len(puts(cloud)) == 1
    assert about(cloud, RESTORED)[-1]["title"].endswith("(reported late)")


def test_what_keeps_failing_ends_in_the_dead_letter_queue(cloud, account, secret):
    cloud.fault(
        "secretsmanager", "GetResourcePolicy", "InternalServiceError", times=99, function=WATCH
    )
    put_policy(account, secret, READER)
    cloud.settle()
    assert cloud.dead_letters("SecretPolicyQueue")


def test_a_secret_that_cannot_be_read_harms_no_other_of_its_batch(cloud, account, vpc_id):
    arns = [account.bound_secret(f"prod/{name}") for name in ("one", "two", "three")]
    cloud.fault(
        "secretsmanager", "GetResourcePolicy", "InternalServiceError", times=2, function=WATCH
    )
    cloud.pass_time(timedelta(minutes=2))
    assert [bool(statement_of(account, arn)) for arn in arns].count(True) == 2
    cloud.settle()
    assert all(statement_of(account, arn) for arn in arns)
    assert cloud.dead_letters("SecretPolicyQueue") == []


def test_a_sweep_sends_one_request_for_each_bound_secret(cloud, account, vpc_id):
    arns = {account.bound_secret(f"prod/{number}") for number in range(12)}
    account.secret("prod/free")
    cloud.lose_events()
    since = len(cloud.calls)
    cloud.fire_schedule("ScheduleRule")
    cloud.settle()
    calls = [call for call in cloud.calls[since:] if call.function == WATCH]
    sent = [call for call in calls if call.action == "SendMessageBatch"]
    assert sum(len(call.params["Entries"]) for call in sent) == 12
    assert {
        str(call.params["SecretId"]) for call in calls if call.action == "PutResourcePolicy"
    } == arns
    read_inside = [call for call in calls if call.action == "DescribeVpcs"]
    assert len(read_inside) < 12  # once a batch


def test_two_names_of_one_secret_are_corrected_once(cloud, account, secret):
    put_policy(account, secret, READER)
    put_policy(account, "prod/ledger", READER)
    cloud.settle()
    assert len(puts(cloud)) == 1
    assert kinds(cloud).count(RESTORED) == 1


@pytest.mark.parametrize("detail", [{}, {"secretId": 5}, {"secretId": "x", "notBefore": 10**400}])
def test_a_bad_request_harms_only_itself(cloud, account, secret, detail):
    body = {"source": "vpce-guard", "detail-type": "VPCE Guard Reconcile", "detail": detail}
    account.client("sqs").send_message(
        QueueUrl=cloud.resource("SecretPolicyQueue"), MessageBody=json.dumps(body)
    )
    put_policy(account, secret, READER)
    cloud.settle()
    assert statement_of(account, secret)
    assert len(cloud.dead_letters("SecretPolicyQueue")) == 1


def test_a_secret_the_guard_may_not_read_is_published(cloud, account, secret):
    cloud.fault(
        "secretsmanager", "DescribeSecret", "AccessDeniedException", times=1, function=WATCH
    )
    put_policy(account, secret, READER)
    cloud.settle()
    (finding,) = about(cloud, LOST)
    assert (finding["severity"], "cannot be read" in finding["title"]) == ("low", True)


def test_a_secret_that_is_gone_needs_nothing(cloud, account, secret):
    put_policy(account, secret, READER)
    account.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    cloud.settle()
    assert LOST not in kinds(cloud)


def test_a_policy_that_is_only_tried_out_has_the_present_one_compared(cloud, account, secret):
    put_policy(account, secret, READER)
    cloud.lose_events()
    account.client("secretsmanager").validate_resource_policy(
        SecretId=secret, ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [READER]})
    )
    cloud.settle()
    assert statement_of(account, secret)
    assert about(cloud, RESTORED)[-1]["evidence"]["seen"].startswith("Seen at another call: by ")
