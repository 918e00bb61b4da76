"""Records are read in every shape that real ones have, and no shape makes reading them fail."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.cloudtrail.record import Record, UnreadableRecord, from_envelope, parse
from guard.cloudtrail.resource_ids import (
    endpoint_ids,
    rotation_function_arn,
    secret_id,
    secret_ids,
    service_name,
    subnet_ids,
    vpc_ids,
)
from tests.damage import damaged, json_values
from tests.records import (
    ACCOUNT,
    ENDPOINT_DENIED,
    OWN_ENDPOINT,
    READ,
    REGION,
    ROTATION_SUCCEEDED,
    SECRET,
    changed,
    envelope,
    read,
    role,
)

EXTRACTORS = (
    vpc_ids,
    subnet_ids,
    endpoint_ids,
    service_name,
    secret_id,
    secret_ids,
    rotation_function_arn,
)


def ec2(name: str, request: Any = None, response: Any = None, **fields: Any) -> Record:
    return parse(
        read(
            eventSource="ec2.amazonaws.com",
            eventName=name,
            requestParameters=request,
            responseElements=response,
            **fields,
        )
    )


def test_an_ordinary_read():
    record = parse(READ)
    assert record.event_time == datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
    assert (record.account, record.region, record.source_ip) == (ACCOUNT, REGION, "198.51.100.7")
    assert record.identity.name == f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert (record.vpc_endpoint_id, record.error_code, record.failed) == ("", "", False)
    assert record.host == f"secretsmanager.{REGION}.amazonaws.com"
    assert record.strange == ()


def test_a_roles_session():
    identity = parse(
        read(
            userIdentity=role(
                "service/app",
                "session-1",
                inScopeOf={
                    "issuerType": "AWS::Lambda::Function",
                    "credentialsIssuedTo": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
                },
            )
        )
    ).identity
    assert identity.issuer_arn == f"arn:aws:iam::{ACCOUNT}:role/service/app"
    assert identity.session_name == "session-1"
    assert identity.user_name == "app"
    assert identity.in_scope_of_type == "AWS::Lambda::Function"
    assert identity.in_scope_of.endswith(":function:f")


def test_a_service_event_without_identity_type():
    record = parse(ROTATION_SUCCEEDED)
    assert (record.identity.type, record.identity.arn) == ("", "")
    assert record.identity.name == "secretsmanager.amazonaws.com"
    assert secret_id(record) == SECRET
    assert record.strange == ()


def test_rotation_that_failed_is_no_failed_call():
    record = parse(
        changed(ROTATION_SUCCEEDED, eventName="RotationFailed", errorMessage="timed out")
    )
    assert (record.error_message, record.failed) == ("timed out", False)


def test_a_network_activity_event():
    record = parse(ENDPOINT_DENIED)
    assert (record.event_type, record.event_category) == ("AwsVpceEvent", "NetworkActivity")
    assert dict(record.request) == {}
    assert record.vpc_endpoint_id == OWN_ENDPOINT
    assert record.shared_event_id
    assert record.strange == ()


@pytest.mark.parametrize("value", ["true", "True", True])
def test_console_flag_as_text_or_boolean(value: object):
    assert parse(read(sessionCredentialFromConsole=value)).identity.from_console


@pytest.mark.parametrize("value", ["false", False, None, ..., ""])
def test_no_console_flag(value: object):
    record = parse(read(sessionCredentialFromConsole=value))
    assert not record.identity.from_console
    assert record.strange == ()


def test_account_ids_as_numbers_get_their_zeros_back():
    record = parse(read(recipientAccountId=1234567890, vpcEndpointAccountId=200802171337))
    assert (record.account, record.vpc_endpoint_account_id) == ("001234567890", "200802171337")


def test_the_callers_account_where_the_recipient_is_not_named():
    assert parse(read(recipientAccountId=...)).account == ACCOUNT


@pytest.mark.parametrize("text", ["2026-06-01 09:30:00.000", "2026-06-01T11:30:00+02:00"])
def test_other_ways_to_write_the_time(text: str):
    assert parse(read(eventTime=text)).event_time == datetime(2026, 6, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("userIdentity", "alice", "userIdentity"),
        ("userIdentity", {"arn": ["a"]}, "userIdentity.arn"),
        ("userIdentity", {"sessionContext": {"sessionIssuer": 1}}, "sessionIssuer"),
        ("vpcEndpointId", {"id": OWN_ENDPOINT}, "vpcEndpointId"),
        ("sourceIPAddress", 3325256711, "sourceIPAddress"),
        ("requestParameters", [SECRET], "requestParameters"),
        ("sessionCredentialFromConsole", "maybe", "sessionCredentialFromConsole"),
    ],
)
def test_a_retyped_field_reads_as_absent_and_is_named(field: str, value: object, name: str):
    (strange,) = parse(read(**{field: value})).strange
    assert strange.endswith(name)


@pytest.mark.parametrize("field", ["eventName", "eventSource", "eventTime"])
@pytest.mark.parametrize("value", [..., None, "", 5, {}])
def test_what_is_no_record_says_what_it_needs(field: str, value: object):
    with pytest.raises(UnreadableRecord, match=field):
        parse(read(**{field: value}))


@pytest.mark.parametrize("time", ["yesterday", "0001-01-01T00:00:00+23:59", "9" * 5000])
def test_a_time_that_is_none(time: str):
    with pytest.raises(UnreadableRecord, match="eventTime"):
        parse(read(eventTime=time))


@pytest.mark.parametrize("value", [None, "text", [READ], 5])
def test_a_record_must_be_an_object(value: Any):
    with pytest.raises(UnreadableRecord, match="object"):
        parse(value)


def test_an_envelope():
    assert from_envelope(envelope(READ)) == parse(READ)
    assert from_envelope(envelope(ROTATION_SUCCEEDED)) == parse(ROTATION_SUCCEEDED)


@pytest.mark.parametrize(
    "body",
    [
        READ,
        envelope(READ, **{"detail-type": "Scheduled Event"}),
        envelope(READ, **{"detail-type": None}),
        envelope(READ, detail=None),
        {"detail-type": "AWS API Call via CloudTrail"},
        ["AWS API Call via CloudTrail"],
    ],
)
def test_what_is_no_envelope(body: Any):
    with pytest.raises(UnreadableRecord):
        from_envelope(body)


# EC2's two conventions


def test_flat_calls():
    made = {"requestId": "r", "vpc": {"vpcId": "vpc-0a", "tagSet": {}}}
    assert vpc_ids(ec2("CreateVpc", {"cidrBlock": "10.0.0.0/16"}, made)) == ("vpc-0a",)
    subnet = {"subnet": {"subnetId": "subnet-0b", "vpcId": "vpc-0a"}}
    record = ec2("CreateSubnet", {"vpcId": "vpc-0a", "cidrBlock": "10.0.0.0/24"}, subnet)
    assert (vpc_ids(record), subnet_ids(record)) == (("vpc-0a",), ("subnet-0b",))
    record = ec2("DeleteSubnet", {"subnetId": "subnet-0b"}, {"requestId": "r", "_return": True})
    assert (vpc_ids(record), subnet_ids(record)) == ((), ("subnet-0b",))
    attribute = {"vpcId": "vpc-0a", "enableDnsSupport": {"value": True}}
    assert vpc_ids(ec2("ModifyVpcAttribute", attribute)) == ("vpc-0a",)


def test_wrapped_calls():
    record = ec2(
        "CreateVpcEndpoint",
        {
            "CreateVpcEndpointRequest": {
                "VpcId": "vpc-0a",
                "ServiceName": "com.amazonaws.eu-west-1.secretsmanager",
                "SubnetId": [
                    {"tag": 1, "content": "subnet-0b"},
                    {"tag": 2, "content": "subnet-0c"},
                ],
                "SecurityGroupId": {"tag": 1, "content": "sg-0d"},
            }
        },
        {
            "CreateVpcEndpointResponse": {
                "vpcEndpoint": {
                    "vpcEndpointId": "vpce-0e",
                    "vpcId": "vpc-0a",
                    "ownerId": 111122223333,
                    "subnetIdSet": {"item": ["subnet-0b", "subnet-0c"]},
                    "routeTableIdSet": "",
                }
            }
        },
    )
    assert vpc_ids(record) == ("vpc-0a",)
    assert endpoint_ids(record) == ("vpce-0e",)
    assert subnet_ids(record) == ("subnet-0b", "subnet-0c")
    assert service_name(record) == "com.amazonaws.eu-west-1.secretsmanager"


@pytest.mark.parametrize(
    ("members", "ids"),
    [
        ({"tag": 1, "content": "vpce-0e"}, ("vpce-0e",)),
        (
            [{"tag": 1, "content": "vpce-0e"}, {"tag": 2, "content": "vpce-0f"}],
            ("vpce-0e", "vpce-0f"),
        ),
        ("vpce-0e", ("vpce-0e",)),
        ("", ()),
        ("all of them", ()),
    ],
)
def test_one_member_or_many(members: object, ids: tuple[str, ...]):
    request = {"DeleteVpcEndpointsRequest": {"VpcEndpointId": members}}
    response = {"DeleteVpcEndpointsResponse": {"unsuccessful": ""}}
    assert endpoint_ids(ec2("DeleteVpcEndpoints", request, response)) == ids


def test_modify_names_the_endpoint_and_the_subnets_that_come_and_go():
    record = ec2(
        "ModifyVpcEndpoint",
        {
            "ModifyVpcEndpointRequest": {
                "VpcEndpointId": "vpce-0e",
                "AddSubnetId": {"tag": 1, "content": "subnet-0b"},
                "RemoveSubnetId": {"tag": 1, "content": "subnet-0c"},
            }
        },
        {"ModifyVpcEndpointResponse": {"return": True}},
    )
    assert (endpoint_ids(record), vpc_ids(record)) == (("vpce-0e",), ())
    assert subnet_ids(record) == ("subnet-0b", "subnet-0c")


def test_an_empty_text_in_place_of_an_object():
    record = ec2("CreateDefaultVpc", {"CreateDefaultVpcRequest": ""})
    assert vpc_ids(record) == ()
    made = {"CreateDefaultVpcResponse": {"vpc": {"vpcId": "vpc-0a"}}}
    assert vpc_ids(ec2("CreateDefaultVpc", {"CreateDefaultVpcRequest": ""}, made)) == ("vpc-0a",)
    assert ec2("CreateDefaultVpc", "").strange == ()


# Secrets


@pytest.mark.parametrize("secret", [SECRET, SECRET[:-7], "prod/db"])
def test_the_secret_as_the_caller_wrote_it(secret: str):
    assert secret_id(parse(read(requestParameters={"secretId": secret}))) == secret


@pytest.mark.parametrize("key", ["arn", "aRN"])
def test_the_answers_arn_before_the_requests_name(key: str):
    record = read(
        eventName="DeleteSecret",
        requestParameters={"secretId": "prod/db"},
        responseElements={key: SECRET, "name": "prod/db"},
    )
    assert secret_id(parse(record)) == SECRET


def test_the_resources_of_newer_records():
    resources = [{"accountId": ACCOUNT, "type": "AWS::SecretsManager::Secret", "ARN": SECRET}]
    record = read(requestParameters={"secretId": "prod/db"}, resources=resources)
    assert secret_id(parse(record)) == SECRET


def test_a_created_secret_without_answer_has_its_name():
    record = read(eventName="CreateSecret", requestParameters={"name": "prod/db"})
    assert secret_id(parse(record)) == "prod/db"


def test_deleted_versions_name_the_secret_under_another_key():
    deleted = changed(ROTATION_SUCCEEDED, additionalEventData={"ARN": SECRET, "Name": "prod/db"})
    assert secret_id(parse(deleted)) == SECRET


def test_a_batch_names_all_or_none():
    batch = read(eventName="BatchGetSecretValue", requestParameters={"secretIdList": ["a", "b"]})
    assert (secret_ids(parse(batch)), secret_id(parse(batch))) == (("a", "b"), None)
    filters = {"filters": [{"key": "name", "values": ["prod/"]}]}
    batch = read(eventName="BatchGetSecretValue", requestParameters=filters)
    assert (secret_ids(parse(batch)), secret_id(parse(batch))) == ((), None)


def test_no_request_no_secret():
    assert secret_id(parse(read(requestParameters=None, errorCode="AccessDenied"))) is None


def test_rotation_function():
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:rotate"
    request = {"secretId": "prod/db", "rotationLambdaARN": arn}
    record = parse(read(eventName="RotateSecret", requestParameters=request))
    assert rotation_function_arn(record) == arn
    assert rotation_function_arn(parse(READ)) is None


# Any shape at all


@given(damaged() | json_values)
def test_reading_never_fails_but_by_saying_so(value: Any):
    try:
        record = parse(value)
    except UnreadableRecord as error:
        assert str(error)  # noqa: PT017 - most examples do not raise
        return
    assert record.event_name
    assert record.event_source
    for extract in EXTRACTORS:
        found = extract(record)
        texts = found if isinstance(found, tuple) else (found or "",)
        assert "".join(texts).encode() is not None  # no surrogates: AWS would refuse them


@given(damaged())
def test_a_damaged_decisive_field_is_never_silently_absent(value: Any):
    try:
        record = parse(value)
    except UnreadableRecord:
        return
    for key in ("vpcEndpointId", "sourceIPAddress", "eventType", "errorCode"):
        given_value = value.get(key)
        readable = given_value is None or isinstance(given_value, str)
        assert (key in record.strange) is not readable


@given(st.integers(9, 200))
def test_members_nested_without_end_are_let_go(depth: int):
    members = json.loads('{"item":' * depth + '"vpce-0e"' + "}" * depth)
    request = {"DeleteVpcEndpointsRequest": {"VpcEndpointId": members}}
    assert endpoint_ids(ec2("DeleteVpcEndpoints", request)) == ()
