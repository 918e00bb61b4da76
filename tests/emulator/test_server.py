"""The gate in front of moto: calls, callers, faults, and bugs that cannot be overlooked."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from moto.ec2.models import EC2Backend

from emulator import Caller, EmulatorBug

ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})


@pytest.fixture(params=["directly", "over HTTP"])
def ec2(request, small):
    session = small.session("alice")
    if request.param == "directly":
        return session.client("ec2", config=ONCE)
    keys = session.get_credentials()
    return boto3.client(
        "ec2",
        config=ONCE,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
    )


@pytest.fixture(autouse=True)
def _no_default_session(monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def vpcs(ec2):
    return len(ec2.describe_vpcs()["Vpcs"])


def test_calls_say_who_asked_what(small, ec2):
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    (call,) = small.calls
    assert call.principal == "arn:aws:iam::123456789012:user/alice"
    assert (call.service, call.action, call.error) == ("ec2", "CreateVpc", None)
    assert call.params["CidrBlock"] == "10.0.0.0/16"
    assert call.function is None


def test_a_refused_call_has_its_error(small, ec2):
    with pytest.raises(ClientError):
        ec2.delete_subnet(SubnetId="subnet-00000000000000000")
    assert small.calls[-1].error == "InvalidSubnetID.NotFound"


@pytest.mark.parametrize(
    ("service", "call", "action"),
    [
        ("sqs", lambda client: client.list_queues(), "sqs:ListQueues"),
        ("lambda", lambda client: client.list_functions(), "lambda:ListFunctions"),
        ("dynamodb", lambda client: client.list_tables(), "dynamodb:ListTables"),
        ("sns", lambda client: client.list_topics(), "sns:ListTopics"),
        ("ssm", lambda client: client.describe_parameters(), "ssm:DescribeParameters"),
        ("sts", lambda client: client.get_caller_identity(), "sts:GetCallerIdentity"),
        ("events", lambda client: client.list_rules(), "events:ListRules"),
        ("cloudwatch", lambda client: client.describe_alarms(), "cloudwatch:DescribeAlarms"),
    ],
)
def test_every_protocol_is_understood(small, service, call, action):
    call(small.session("alice").client(service))
    assert small.calls[-1].iam_action == action


def test_a_batch_is_allowed_by_the_single_call(small):
    small.session("alice").client("sns").publish_batch(
        TopicArn=small.resource("FindingsTopic"),
        PublishBatchRequestEntries=[{"Id": "1", "Message": "{}"}],
    )
    assert small.calls[-1].iam_action == "sns:Publish"


def test_the_emulators_own_calls_are_not_counted(small):
    small.session("alice")
    assert small.calls == []


# --- faults ---------------------------------------------------------------------------------------


def test_a_fault_before_the_call_prevents_it(small, ec2):
    fault = small.fault("ec2", "CreateVpc", "RequestLimitExceeded")
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert fault.times == 0
    assert vpcs(ec2) == 0
    assert small.records[-1]["errorCode"] == "Client.RequestLimitExceeded"


def test_a_fault_after_the_call_hides_its_success(small, ec2):
    small.fault("ec2", "CreateVpc", "InternalError", when="after")
    with pytest.raises(ClientError, match="InternalError"):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert vpcs(ec2) == 1
    assert "errorCode" not in small.records[-1]
    assert small.calls[0].error == "InternalError"


def test_a_lost_answer_cuts_the_connection(small, ec2):
    small.fault("ec2", "CreateVpc", "lost", when="lost")
    with pytest.raises(ConnectionClosedError):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert vpcs(ec2) == 1


def test_a_request_that_is_lost_does_nothing(small, ec2):
    small.fault("ec2", "CreateVpc", "", when="unserved")
    with pytest.raises(ConnectionClosedError):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert vpcs(ec2) == 0


def test_a_fault_happens_as_often_as_planned(small, ec2):
    small.fault("ec2", "CreateVpc", "RequestLimitExceeded", times=2)
    for _ in range(2):
        with pytest.raises(ClientError):
            ec2.create_vpc(CidrBlock="10.0.0.0/16")
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert vpcs(ec2) == 1


def test_a_fault_of_a_function_spares_others(small, ec2):
    fault = small.fault("ec2", "CreateVpc", "UnauthorizedOperation", function="WorkFunction")
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert fault.times == 1


def test_faults_in_json_services_have_their_words(small):
    secrets = small.session("alice").client("secretsmanager", config=ONCE)
    small.fault("secretsmanager", "ListSecrets", "AccessDeniedException", message="no entry")
    with pytest.raises(ClientError, match="no entry") as caught:
        secrets.list_secrets()
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_an_unknown_moment_is_refused(small):
    with pytest.raises(ValueError, match="never"):
        small.fault("ec2", "CreateVpc", "x", when="never")


# --- bugs -----------------------------------------------------------------------------------------


def test_a_crash_of_moto_is_reported_to_the_caller_and_to_the_next_call(small, ec2, monkeypatch):
    def crash(*args, **settings):
        raise ZeroDivisionError("in moto")

    monkeypatch.setattr(EC2Backend, "describe_vpcs", crash)
    with pytest.raises(ClientError, match=r"EmulatorBug.*in moto"):
        ec2.describe_vpcs()
    with pytest.raises(EmulatorBug, match=r"ec2 DescribeVpcs.*alice"):
        small.settle()
    small.settle()


def test_an_action_that_moto_lacks_is_a_bug_of_the_emulator(small):
    client = small.session("alice").client("events")
    with pytest.raises(ClientError, match="EmulatorBug"):
        client.list_endpoints()
    with pytest.raises(EmulatorBug, match="ListEndpoints"):
        small.reset()


# --- accounts -------------------------------------------------------------------------------------


def test_a_caller_of_another_account_works_there(small, ec2):
    other = small.session("eve", Caller(account="210987654321"))
    other.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")
    assert small.records[-1]["recipientAccountId"] == "210987654321"
    assert vpcs(ec2) == 0


def test_the_account_of_another_is_empty_again_after_a_reset(small):
    other = small.session("eve", Caller(account="210987654321")).client("secretsmanager")
    other.create_secret(Name="x", SecretString="y")
    small.reset()
    assert other.list_secrets()["SecretList"] == []


# --- who calls ------------------------------------------------------------------------------------


def test_sts_names_a_caller_as_cloudtrail_does(small, ec2):
    said = small.session("alice").client("sts").get_caller_identity()
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    identity = small.records[-1]["userIdentity"]
    assert (said["Account"], said["Arn"]) == (small.account, identity["arn"])
    assert said["UserId"] == identity["principalId"]


def test_whoever_has_the_keys_of_assume_role_is_the_roles_session(small):
    role = f"arn:aws:iam::{small.account}:role/path/reader"
    sts = small.session("alice").client("sts")
    keys = sts.assume_role(RoleArn=role, RoleSessionName="night")["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    session.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    identity = small.records[-1]["userIdentity"]
    arn = f"arn:aws:sts::{small.account}:assumed-role/reader/night"
    assert (identity["type"], identity["arn"]) == ("AssumedRole", arn)
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == role
    assert session.client("sts").get_caller_identity()["Arn"] == arn
