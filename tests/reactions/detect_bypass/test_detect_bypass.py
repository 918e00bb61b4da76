"""Whoever bypasses the endpoint is published, once; whoever does not is left in peace."""

import json
from typing import Any

import pytest

from emulator import Caller
from tests.reactions.account import kinds

FUNCTION = "DetectBypassFunction"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Action": "secretsmanager:DescribeSecret",
            "Resource": "*",
        }
    ],
}
BYPASS_KINDS = {"bypass", "console-access", "foreign-endpoint", "endpoint-denied"}


def read(cloud, secret: str, name: str = "alice", **caller: Any) -> None:
    client = cloud.session(name, Caller(**caller)).client("secretsmanager")
    client.get_secret_value(SecretId=secret)


def read_of_unknown_owner(cloud, secret: str, endpoint: str) -> None:
    """A read through an endpoint whose account the record does not give, as in older ones."""
    read(cloud, secret, vpc_endpoint_id=endpoint)
    cloud.lose_events()
    cloud.inject(envelope_of(cloud, vpcEndpointAccountId=...))


def published(cloud) -> list[dict[str, Any]]:
    return [finding for finding in cloud.findings if finding["kind"] in BYPASS_KINDS]


def batch(*bodies: Any) -> dict[str, Any]:
    """Lambda's SQS event with these message bodies; message ids are their numbers."""
    return {
        "Records": [
            {"messageId": str(n), "body": body if isinstance(body, str) else json.dumps(body)}
            for n, body in enumerate(bodies)
        ]
    }


def failed(invocation: Any) -> list[str]:
    assert invocation.error is None
    return [item["itemIdentifier"] for item in invocation.result["batchItemFailures"]]


def test_a_read_over_the_internet_is_published(cloud, secret):
    read(cloud, secret, source_ip="203.0.113.9")
    cloud.settle()

    (finding,) = published(cloud)
    assert (finding["kind"], finding["severity"]) == ("bypass", "high")
    assert finding["resource"].endswith(":user/alice")
    assert finding["evidence"]["secrets"] == [secret]
    assert finding["evidence"]["addresses"] == ["203.0.113.9"]


def test_a_read_through_our_endpoint_is_not(cloud, secret, endpoint_id):
    read(cloud, secret, vpc_endpoint_id=endpoint_id)
    read_of_unknown_owner(cloud, secret, endpoint_id)
    cloud.settle()
    assert published(cloud) == []
    assert [one for one in cloud.invocations if one.function == FUNCTION]


def test_an_endpoint_made_after_the_function_last_read_is_known(
    cloud, account, secret, endpoint_id
):
    read_of_unknown_owner(cloud, secret, endpoint_id)
    cloud.settle()
    vpc_id = account.vpc("10.21.0.0/16")
    account.subnet(vpc_id, "10.21.0.0/24", "us-east-1a")
    cloud.settle()

    new = account.endpoints(vpc_id)[0]["VpcEndpointId"]
    read_of_unknown_owner(cloud, secret, new)
    cloud.settle()

    assert published(cloud) == []


def test_a_late_record_of_a_deleted_endpoint_is_no_alert(cloud, account, secret, endpoint_id):
    read_of_unknown_owner(cloud, secret, endpoint_id)
    cloud.settle()
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint_id])
    cloud.settle()

    read_of_unknown_owner(cloud, secret, endpoint_id)
    cloud.settle()

    assert published(cloud) == []


@pytest.mark.parametrize("owner_known", [True, False])
def test_a_read_through_a_strangers_endpoint_is_published(cloud, secret, owner_known):
    stranger = {"vpc_endpoint_id": "vpce-0ffffffffffffffff"}
    if owner_known:
        read(cloud, secret, **stranger, vpc_endpoint_account_id="444455556666")
    else:
        read_of_unknown_owner(cloud, secret, "vpce-0ffffffffffffffff")
    cloud.settle()
    (finding,) = published(cloud)
    assert (finding["kind"], finding["severity"]) == ("foreign-endpoint", "high")
    assert finding["resource"] == "vpce-0ffffffffffffffff"


def test_a_service_on_the_owners_behalf_is_left_in_peace(cloud, secret):
    read(cloud, secret, "role", kind="role", invoked_by="cloudformation.amazonaws.com")
    read(cloud, secret, "rds", kind="service", invoked_by="rds.amazonaws.com")
    cloud.settle()
    assert published(cloud) == []


def test_service_events_are_left_in_peace(cloud, secret):
    cloud.inject(cloud.service_event("RotationSucceeded", secret))
    cloud.settle()
    assert cloud.findings == []


def test_the_guards_own_question_is_no_bypass(cloud, account, secret):
    account.client("secretsmanager").rotate_secret(
        SecretId=secret, RotationLambdaARN=account.function("rotate")
    )
    cloud.lose_events()
    account.client("secretsmanager").rotate_secret(SecretId=secret)
    cloud.settle()
    asked = [one for one in cloud.records if one["eventName"] == "DescribeSecret"]
    assert any("EnsureEndpoint" in one["userIdentity"]["arn"] for one in asked)
    assert not any("EnsureEndpoint" in finding["resource"] for finding in published(cloud))


def test_the_guards_own_sweep_is_no_bypass(cloud, secret):
    cloud.fire_schedule("ScheduleRule")
    cloud.settle()
    asked = [one["eventName"] for one in cloud.records if "SecretPolicy" in str(one)]
    assert "ListSecrets" in asked
    assert published(cloud) == []


def test_a_person_in_the_console_is_published_low(cloud, secret):
    read(cloud, secret, kind="console")
    read(
        cloud,
        secret,
        "bob",
        kind="console",
        invoked_by="signin.amazonaws.com",
        source_ip="203.0.113.9",
    )
    cloud.settle()
    findings = published(cloud)
    assert {finding["resource"].rpartition("/")[2] for finding in findings} == {"alice", "bob"}
    assert {(one["kind"], one["severity"]) for one in findings} == {("console-access", "low")}


def test_a_refused_read_is_published_as_blocked(cloud, secret):
    cloud.fault("secretsmanager", "GetSecretValue", "AccessDeniedException")
    with pytest.raises(Exception, match="AccessDenied"):
        read(cloud, secret)
    cloud.settle()
    (finding,) = published(cloud)
    assert finding["title"].startswith("Blocked: ")
    assert finding["severity"] == "medium"


def test_a_refusal_at_the_endpoint_is_published(cloud, endpoint_id):
    cloud.inject(cloud.denied_at_endpoint("mallory", endpoint_id))
    cloud.settle()
    (finding,) = published(cloud)
    assert (finding["kind"], finding["resource"]) == ("endpoint-denied", endpoint_id)


def test_a_secrets_policy_set_through_the_endpoint_is_published_once(cloud, secret, endpoint_id):
    client = cloud.session("alice", Caller(vpc_endpoint_id=endpoint_id)).client("secretsmanager")
    client.put_resource_policy(SecretId=secret, ResourcePolicy=json.dumps(POLICY))
    cloud.settle()
    assert kinds(cloud).count("secret-policy-changed") == 1
    assert published(cloud) == []


def test_a_secrets_policy_set_over_the_internet_is_published_with_its_way(cloud, account, secret):
    account.client("secretsmanager").delete_resource_policy(SecretId=secret)
    cloud.settle()
    assert sorted(kinds(cloud)) == ["bypass", "secret-policy-changed"]


def test_a_batch_read_is_one_alert(cloud, account, secret):
    others = [account.secret(f"prod/{n}") for n in range(3)]
    cloud.lose_events()
    client = account.client("secretsmanager")
    client.batch_get_secret_value(SecretIdList=[secret, *others])
    cloud.settle()
    (finding,) = published(cloud)
    assert set(finding["evidence"]["secrets"]) >= {secret, *others}


def test_the_same_caller_again_is_counted_and_not_published(cloud, secret):
    for _ in range(4):
        read(cloud, secret)
        cloud.settle()
    assert len(published(cloud)) == 1
    for _ in range(6):
        read(cloud, secret)
    cloud.settle()
    assert [finding["count"] for finding in published(cloud)] == [1, 10]


def test_another_caller_and_another_outcome_are_published(cloud, secret):
    read(cloud, secret)
    read(cloud, secret, "bob")
    read(cloud, secret, source_ip="203.0.113.9")
    cloud.settle()
    assert len(published(cloud)) == 3


# What cannot be dealt with


def envelope_of(cloud, **changes: Any) -> dict[str, Any]:
    """An envelope as the emulator makes it, of a read by alice, with changes to its record."""
    record = next(one for one in reversed(cloud.records) if one["eventName"] == "GetSecretValue")
    detail = {key: value for key, value in {**record, **changes}.items() if value is not ...}
    return {
        "version": "0",
        "id": "e",
        "source": "aws.secretsmanager",
        "detail-type": "AWS API Call via CloudTrail",
        "account": cloud.account,
        "region": cloud.region,
        "time": "2026-06-01T00:00:00Z",
        "resources": [],
        "detail": detail,
    }


@pytest.fixture
def bypass(cloud, secret):
    read(cloud, secret)
    cloud.lose_events()
    return envelope_of(cloud)


@pytest.mark.parametrize(
    "body",
    [
        "not JSON",
        "[]",
        "{}",
        {"detail-type": "Scheduled Event", "detail": {}},
        {"detail-type": "AWS API Call via CloudTrail", "detail": "text"},
    ],
)
def test_a_message_that_is_no_event_of_cloudtrail_goes_back_alone(cloud, bypass, body):
    assert failed(cloud.invoke(FUNCTION, batch(body, bypass))) == ["0"]
    assert kinds(cloud) == ["bypass"]


def test_a_record_of_another_service_goes_back(cloud, bypass):
    bypass["detail"]["eventSource"] = "kms.amazonaws.com"
    assert failed(cloud.invoke(FUNCTION, batch(bypass))) == ["0"]
    assert cloud.findings == []


def test_what_goes_back_ends_in_the_dead_letter_queue(cloud, bypass):
    queue = cloud.session("alice").client("sqs")
    queue.send_message(QueueUrl=cloud.resource("DetectionQueue"), MessageBody="not JSON")
    cloud.settle()
    (letter,) = cloud.dead_letters("DetectionDeadLetterQueue")
    assert "not JSON" in json.dumps(letter)


def test_a_record_that_cannot_be_read_is_a_finding(cloud, bypass):
    bypass["detail"]["eventTime"] = 5
    assert failed(cloud.invoke(FUNCTION, batch(bypass))) == []
    (finding,) = cloud.findings
    assert (finding["kind"], finding["account"]) == ("unreadable-record", cloud.account)
    assert "eventTime" in finding["cause"]


def test_a_record_that_cannot_be_judged_is_a_finding(cloud, bypass):
    bypass["detail"]["userIdentity"] = "alice"
    assert failed(cloud.invoke(FUNCTION, batch(bypass))) == []
    assert kinds(cloud) == ["unreadable-record"]


def test_where_our_endpoints_cannot_be_listed_only_records_that_name_one_wait(cloud, bypass):
    cloud.fault("ec2", "DescribeVpcEndpoints", "RequestLimitExceeded", times=9, function=FUNCTION)
    foreign = json.loads(json.dumps(bypass))
    foreign["detail"] |= {"eventID": "f", "vpcEndpointId": "vpce-0ffffffffffffffff"}
    assert failed(cloud.invoke(FUNCTION, batch(foreign, bypass))) == ["0"]
    assert kinds(cloud) == ["bypass"]


def test_what_could_not_be_published_goes_back_and_is_published_later(
    cloud, secret, endpoint_id, bypass
):
    read(cloud, secret, vpc_endpoint_id=endpoint_id)
    cloud.lose_events()
    fine = envelope_of(cloud)
    cloud.fault("sns", "PublishBatch", "InternalError", times=9, function=FUNCTION)
    assert failed(cloud.invoke(FUNCTION, batch(bypass, fine))) == ["0"]
    assert published(cloud) == []

    cloud._faults.clear()
    cloud.clock.skip(seconds=420)  # the queue's visibility timeout
    assert failed(cloud.invoke(FUNCTION, batch(bypass))) == []
    assert [finding["kind"] for finding in published(cloud)] == ["bypass"]


def test_the_only_calls_to_ec2_for_a_stranger_ask_whose_address_it_is(cloud, bypass):
    before = len(cloud.calls)
    cloud.invoke(FUNCTION, batch(*[bypass] * 10))
    asked = [call.action for call in cloud.calls[before:] if call.service == "ec2"]
    assert asked == ["DescribeNetworkInterfaces", "DescribeNatGateways", "DescribeAddresses"]


def test_a_stranger_is_asked_after_once_in_a_while(cloud, bypass):
    bypass["detail"]["vpcEndpointId"] = "vpce-0eeeeeeeeeeeeeeee"
    for _ in range(3):
        cloud.invoke(FUNCTION, batch(bypass))
    asked = [call for call in cloud.calls if call.function == FUNCTION and call.service == "ec2"]
    assert len(asked) == 1


def test_an_endpoint_id_of_any_length_does_not_come_back_for_ever(cloud, secret, endpoint_id):
    """It becomes the key of no item: DynamoDB takes keys of 2,048 bytes."""
    strange = {"eventCategory": "NetworkActivity", "errorCode": "VpceAccessDenied"}
    read(cloud, secret, vpc_endpoint_id=endpoint_id)
    cloud.lose_events()
    event = envelope_of(cloud, vpcEndpointId="vpce-" + "0" * 5_000, **strange)
    assert failed(cloud.invoke(FUNCTION, batch(event))) == []


def test_endpoints_that_the_guard_may_not_list_are_a_finding_and_no_dead_letter(cloud, account):
    secret = account.secret("prod/db")
    cloud.lose_events()
    cloud.fault("ec2", "DescribeVpcEndpoints", "UnauthorizedOperation", times=99, function=FUNCTION)
    through = Caller(
        kind="role",
        vpc_endpoint_id="vpce-0123456789abcdef0",
        vpc_endpoint_account_id=cloud.account,
    )
    cloud.session("app", through).client("secretsmanager").get_secret_value(SecretId=secret)
    stranger = Caller(
        kind="role", vpc_endpoint_id="vpce-0fedcba9876543210", vpc_endpoint_account_id="9" * 12
    )
    cloud.session("other", stranger).client("secretsmanager").get_secret_value(SecretId=secret)
    cloud.settle()

    assert "endpoint-not-repairable" in kinds(cloud)
    assert [one for one in kinds(cloud) if one == "foreign-endpoint"] == ["foreign-endpoint"]
    assert cloud.dead_letters("DetectionQueue") == []
