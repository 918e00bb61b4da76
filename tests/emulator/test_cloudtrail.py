"""Records in the shapes that real ones have, made by plain boto3 calls."""

import json

import pytest
from botocore.exceptions import ClientError

from emulator import Caller, cloudtrail
from emulator.cloudtrail import envelope, is_recorded

SERVICE = "com.amazonaws.us-east-1.secretsmanager"


@pytest.fixture
def ec2(small):
    return small.session("alice").client("ec2")


@pytest.fixture
def secrets(small):
    return small.session("alice").client("secretsmanager")


@pytest.fixture
def vpc(ec2):
    return ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


def subnet(ec2, vpc, number=0):
    return ec2.create_subnet(
        VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone="us-east-1" + "ab"[number]
    )["Subnet"]["SubnetId"]


def last(cloud, name):
    record = cloud.records[-1]
    assert record["eventName"] == name
    return record


# --- flat EC2 -------------------------------------------------------------------------------------


def test_create_vpc_is_flat(small, ec2):
    made = ec2.create_vpc(
        CidrBlock="10.1.0.0/16",
        AmazonProvidedIpv6CidrBlock=True,
        TagSpecifications=[
            {"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "apps"}]},
        ],
    )["Vpc"]
    record = last(small, "CreateVpc")
    assert record["requestParameters"] == {
        "cidrBlock": "10.1.0.0/16",
        "amazonProvidedIpv6CidrBlock": True,
        "tagSpecificationSet": {
            "items": [{"resourceType": "vpc", "tags": [{"key": "Name", "value": "apps"}]}]
        },
    }
    vpc = record["responseElements"]["vpc"]
    assert record["responseElements"]["requestId"] == record["requestID"]
    assert vpc["vpcId"] == made["VpcId"]
    assert vpc["ownerId"] == "123456789012"
    assert vpc["tagSet"] == {"items": [{"key": "Name", "value": "apps"}]}
    (block,) = vpc["cidrBlockAssociationSet"]["items"]
    assert block["cidrBlock"] == "10.1.0.0/16"


def test_empty_sets_are_empty_objects_in_flat_answers(small, vpc):
    shown = last(small, "CreateVpc")["responseElements"]["vpc"]
    assert shown["tagSet"] == {}
    assert shown["ipv6CidrBlockAssociationSet"] == {}


def test_create_subnet_is_flat(small, ec2, vpc):
    made = subnet(ec2, vpc)
    record = last(small, "CreateSubnet")
    assert record["requestParameters"] == {
        "vpcId": vpc,
        "cidrBlock": "10.0.0.0/24",
        "availabilityZone": "us-east-1a",
    }
    shown = record["responseElements"]["subnet"]
    assert (shown["subnetId"], shown["vpcId"]) == (made, vpc)
    assert shown["availabilityZoneId"].startswith("use1-az")
    assert shown["defaultForAz"] is False


def test_delete_subnet_names_no_vpc(small, ec2, vpc):
    made = subnet(ec2, vpc)
    ec2.delete_subnet(SubnetId=made)
    record = last(small, "DeleteSubnet")
    assert record["requestParameters"] == {"subnetId": made}
    assert record["responseElements"] == {"requestId": record["requestID"], "_return": True}


def test_modify_vpc_attribute_is_flat(small, ec2, vpc):
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    record = last(small, "ModifyVpcAttribute")
    assert record["requestParameters"] == {"vpcId": vpc, "enableDnsHostnames": {"value": True}}
    assert record["responseElements"]["_return"] is True


def test_security_group_rules_are_flat(small, ec2, vpc):
    group = ec2.create_security_group(GroupName="web", Description="for web", VpcId=vpc)["GroupId"]
    assert last(small, "CreateSecurityGroup")["requestParameters"] == {
        "groupName": "web",
        "groupDescription": "for web",
        "vpcId": vpc,
    }
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [{"CidrIp": "10.0.0.0/16"}],
            }
        ],
    )
    record = last(small, "AuthorizeSecurityGroupIngress")
    (permission,) = record["requestParameters"]["ipPermissions"]["items"]
    assert permission["ipRanges"] == {"items": [{"cidrIp": "10.0.0.0/16"}]}
    assert (permission["ipProtocol"], permission["fromPort"]) == ("tcp", 443)


def test_create_tags_is_flat(small, ec2, vpc):
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "team", "Value": "a"}])
    assert last(small, "CreateTags")["requestParameters"] == {
        "resourcesSet": {"items": [{"resourceId": vpc}]},
        "tagSet": {"items": [{"key": "team", "value": "a"}]},
    }


# --- wrapped EC2 ----------------------------------------------------------------------------------


@pytest.fixture
def endpoint(ec2, vpc):
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    return ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=[subnet(ec2, vpc, 0)],
        PrivateDnsEnabled=True,
        TagSpecifications=[
            {
                "ResourceType": "vpc-endpoint",
                "Tags": [{"Key": "a", "Value": "x"}, {"Key": "b", "Value": "y"}],
            }
        ],
    )["VpcEndpoint"]["VpcEndpointId"]


def test_create_vpc_endpoint_is_wrapped(small, vpc, endpoint):
    record = last(small, "CreateVpcEndpoint")
    request = record["requestParameters"]["CreateVpcEndpointRequest"]
    assert (request["VpcId"], request["ServiceName"]) == (vpc, SERVICE)
    assert request["PrivateDnsEnabled"] is True
    assert request["SubnetId"]["tag"] == 1
    assert request["SubnetId"]["content"].startswith("subnet-")
    assert request["TagSpecification"]["tag"] == 1
    assert request["TagSpecification"]["ResourceType"] == "vpc-endpoint"
    assert request["TagSpecification"]["Tag"] == [
        {"tag": 1, "Key": "a", "Value": "x"},
        {"tag": 2, "Key": "b", "Value": "y"},
    ]
    assert list(record["requestParameters"]) == ["CreateVpcEndpointRequest"]

    answer = record["responseElements"]["CreateVpcEndpointResponse"]
    assert answer["xmlns"].startswith("http://ec2.amazonaws.com/doc/")
    shown = answer["vpcEndpoint"]
    assert shown["vpcEndpointId"] == endpoint
    assert shown["ownerId"] == 123456789012
    assert isinstance(shown["ownerId"], int)
    assert shown["routeTableIdSet"] == ""
    assert shown["subnetIdSet"] == {"item": request["SubnetId"]["content"]}
    assert shown["groupSet"]["item"]["groupId"].startswith("sg-")
    assert isinstance(shown["dnsEntrySet"]["item"], list)
    assert shown["state"] == "pending"


def test_repeated_members_are_a_list_when_several(small, ec2, vpc):
    first, second = subnet(ec2, vpc, 0), subnet(ec2, vpc, 1)
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=[first, second],
        PrivateDnsEnabled=False,
    )
    request = last(small, "CreateVpcEndpoint")["requestParameters"]["CreateVpcEndpointRequest"]
    assert request["SubnetId"] == [{"tag": 1, "content": first}, {"tag": 2, "content": second}]


def test_modify_vpc_endpoint_shows_the_change_only(small, ec2, vpc, endpoint):
    added = subnet(ec2, vpc, 1)
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddSubnetIds=[added])
    record = last(small, "ModifyVpcEndpoint")
    assert record["requestParameters"] == {
        "ModifyVpcEndpointRequest": {
            "VpcEndpointId": endpoint,
            "AddSubnetId": {"tag": 1, "content": added},
        }
    }
    assert record["responseElements"]["ModifyVpcEndpointResponse"]["return"] is True


def test_delete_vpc_endpoints_is_wrapped(small, ec2, endpoint):
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    record = last(small, "DeleteVpcEndpoints")
    assert record["requestParameters"] == {
        "DeleteVpcEndpointsRequest": {"VpcEndpointId": {"tag": 1, "content": endpoint}}
    }
    assert record["responseElements"]["DeleteVpcEndpointsResponse"]["unsuccessful"] == ""


def test_a_call_without_parameters_has_an_empty_string(small, ec2):
    ec2.create_default_vpc()
    record = last(small, "CreateDefaultVpc")
    assert record["requestParameters"] == {"CreateDefaultVpcRequest": ""}
    shown = record["responseElements"]["CreateDefaultVpcResponse"]["vpc"]
    assert shown["vpcId"].startswith("vpc-")


def test_an_ec2_error_has_its_prefix_and_no_answer(small, ec2):
    with pytest.raises(ClientError):
        ec2.delete_vpc(VpcId="vpc-00000000000000000")
    record = last(small, "DeleteVpc")
    assert record["errorCode"] == "Client.InvalidVpcID.NotFound"
    assert record["responseElements"] is None
    assert record["requestParameters"] == {"vpcId": "vpc-00000000000000000"}


def test_reads_of_ec2_leave_no_record(small, ec2):
    ec2.describe_vpcs()
    assert small.records == []
    assert [call.iam_action for call in small.calls] == ["ec2:DescribeVpcs"]


# --- Secrets Manager ------------------------------------------------------------------------------


def test_reading_a_secret(small, secrets):
    arn = secrets.create_secret(Name="db", SecretString="hidden")["ARN"]
    created = last(small, "CreateSecret")
    assert created["requestParameters"]["name"] == "db"
    assert created["responseElements"] == {"arn": arn}
    assert created["readOnly"] is False

    secrets.get_secret_value(SecretId="db")
    record = last(small, "GetSecretValue")
    assert record["requestParameters"] == {"secretId": "db"}
    assert record["responseElements"] is None
    assert record["readOnly"] is True
    assert record["eventSource"] == "secretsmanager.amazonaws.com"
    assert record["resources"] == [
        {"accountId": "123456789012", "type": "AWS::SecretsManager::Secret", "ARN": arn}
    ]
    assert "vpcEndpointId" not in record


def test_secret_content_is_in_no_record(small, secrets):
    secrets.create_secret(Name="db", SecretString="do-not-show")
    secrets.put_secret_value(SecretId="db", SecretString="do-not-show-either")
    secrets.put_secret_value(SecretId="db", SecretBinary=b"do-not-show-bytes")
    secrets.get_secret_value(SecretId="db")
    assert "do-not-show" not in json.dumps(small.records)


def test_a_batch_read_yields_one_record_more_per_secret(small, secrets):
    arns = [
        secrets.create_secret(Name=name, SecretString="x", Tags=[{"Key": "t", "Value": "v"}])["ARN"]
        for name in ("a", "b")
    ]
    del small.records[:]
    secrets.batch_get_secret_value(Filters=[{"Key": "name", "Values": ["a", "b"]}])
    names = [record["eventName"] for record in small.records]
    assert names == ["BatchGetSecretValue", "GetSecretValue", "GetSecretValue"]
    batch, *singles = small.records
    assert batch["requestParameters"] == {"filters": [{"key": "name", "values": ["a", "b"]}]}
    assert {record["requestParameters"]["secretId"] for record in singles} == set(arns)
    assert len({record["eventID"] for record in small.records}) == 3


def test_deleting_a_secret(small, secrets):
    arn = secrets.create_secret(Name="db", SecretString="x")["ARN"]
    secrets.delete_secret(SecretId="db", RecoveryWindowInDays=7)
    record = last(small, "DeleteSecret")
    assert record["requestParameters"] == {"secretId": "db", "recoveryWindowInDays": 7}
    answer = record["responseElements"]
    assert (answer["arn"], answer["name"]) == (arn, "db")
    assert answer["deletionDate"].endswith((" AM", " PM"))


def test_a_denied_read_is_recorded(small, secrets):
    small.fault("secretsmanager", "GetSecretValue", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        secrets.get_secret_value(SecretId="db")
    record = last(small, "GetSecretValue")
    assert record["errorCode"] == "AccessDenied"
    assert record["requestParameters"] == {"secretId": "db"}
    assert "resources" not in record


def test_a_missing_secret_is_recorded(small, secrets):
    with pytest.raises(ClientError):
        secrets.get_secret_value(SecretId="missing")
    assert last(small, "GetSecretValue")["errorCode"] == "ResourceNotFoundException"


def test_lambda_events_carry_their_version(small):
    functions = small.session("alice").client("lambda")
    with pytest.raises(ClientError):
        functions.delete_function(FunctionName="missing")
    record = last(small, "DeleteFunction20150331")
    assert record["requestParameters"] == {"functionName": "missing"}


# --- who ------------------------------------------------------------------------------------------


def read_as(small, name, **caller):
    client = small.session(name, Caller(**caller)).client("secretsmanager")
    client.list_secrets()
    return last(small, "ListSecrets")


def test_a_user(small):
    record = read_as(small, "bob", source_ip="198.51.100.7")
    who = record["userIdentity"]
    assert (who["type"], who["userName"]) == ("IAMUser", "bob")
    assert who["arn"] == "arn:aws:iam::123456789012:user/bob"
    assert record["sourceIPAddress"] == "198.51.100.7"
    assert record["userAgent"].startswith("Boto3/")
    assert record["tlsDetails"]["clientProvidedHostHeader"] == (
        "secretsmanager.us-east-1.amazonaws.com"
    )
    assert "sessionContext" not in who


def test_a_role(small):
    who = read_as(small, "ci", kind="role")["userIdentity"]
    assert who["type"] == "AssumedRole"
    issuer = who["sessionContext"]["sessionIssuer"]
    assert issuer["arn"] == "arn:aws:iam::123456789012:role/ci"
    assert who["arn"].startswith("arn:aws:sts::123456789012:assumed-role/ci/")
    assert who["principalId"].startswith(issuer["principalId"] + ":")


def test_the_root_user(small):
    who = read_as(small, "root", kind="root")["userIdentity"]
    assert (who["type"], who["arn"]) == ("Root", "arn:aws:iam::123456789012:root")


def test_a_person_in_the_console(small):
    record = read_as(small, "carol", kind="console")
    assert record["sessionCredentialFromConsole"] == "true"
    assert record["userAgent"].startswith("Mozilla/")
    attributes = record["userIdentity"]["sessionContext"]["attributes"]
    assert attributes["mfaAuthenticated"] == "true"


def test_a_service_in_its_own_name(small):
    record = read_as(small, "kms", kind="service", invoked_by="backup.amazonaws.com")
    assert record["userIdentity"] == {"type": "AWSService", "invokedBy": "backup.amazonaws.com"}
    assert record["sourceIPAddress"] == record["userAgent"] == "backup.amazonaws.com"
    assert "tlsDetails" not in record


def test_a_service_on_behalf_of_a_role(small):
    record = read_as(small, "app", kind="role", invoked_by="rds.amazonaws.com")
    assert record["userIdentity"]["invokedBy"] == "rds.amazonaws.com"
    assert record["userIdentity"]["type"] == "AssumedRole"
    assert record["sourceIPAddress"] == "rds.amazonaws.com"


def test_a_caller_through_an_endpoint(small):
    record = read_as(small, "app", vpc_endpoint_id="vpce-1")
    assert record["vpcEndpointId"] == "vpce-1"
    assert record["vpcEndpointAccountId"] == "123456789012"
    assert record["sourceIPAddress"].startswith("10.")


def test_a_caller_through_an_endpoint_of_another_account(small):
    record = read_as(small, "app", vpc_endpoint_id="vpce-1", vpc_endpoint_account_id="210987654321")
    assert record["vpcEndpointAccountId"] == "210987654321"


def test_what_every_record_says(small):
    record = read_as(small, "bob")
    assert record["eventVersion"] == "1.11"
    assert record["eventType"] == "AwsApiCall"
    assert record["managementEvent"] is True
    assert record["eventCategory"] == "Management"
    assert record["recipientAccountId"] == "123456789012"
    assert record["eventTime"] == small.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


# --- events ---------------------------------------------------------------------------------------


def test_an_envelope_is_eventbridges(small):
    record = read_as(small, "bob")
    event = envelope(record)
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.secretsmanager",
        "account": "123456789012",
        "time": record["eventTime"],
        "region": "us-east-1",
        "resources": [],
        "detail": record,
    }


def test_a_service_event(small):
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-a1b2c3"
    event = small.service_event("RotationSucceeded", arn)
    assert event["detail-type"] == "AWS Service Event via CloudTrail"
    detail = event["detail"]
    assert detail["additionalEventData"] == {"SecretId": arn}
    assert detail["userIdentity"] == {
        "accountId": "123456789012",
        "invokedBy": "secretsmanager.amazonaws.com",
    }
    assert detail["requestParameters"] is None
    deleted = small.service_event("StartSecretVersionDelete", arn)["detail"]
    assert deleted["additionalEventData"] == {"ARN": arn}


def test_a_request_that_an_endpoint_refused(small):
    event = small.denied_at_endpoint("mallory", "vpce-1")
    assert event["detail-type"] == "AWS Network Activity Event via CloudTrail"
    detail = event["detail"]
    assert (detail["eventType"], detail["errorCode"]) == ("AwsVpceEvent", "VpceAccessDenied")
    assert detail["vpcEndpointAccountId"] == detail["recipientAccountId"] == "123456789012"
    assert detail["userIdentity"]["type"] == "AssumedRole"
    assert "requestParameters" not in detail
    assert "readOnly" not in detail


def test_of_a_refused_caller_of_another_account_little_is_shown(small):
    stranger = Caller(kind="role", account="210987654321")
    who = small.denied_at_endpoint("mallory", "vpce-1", caller=stranger)["detail"]["userIdentity"]
    assert sorted(who) == ["accountId", "principalId", "type"]
    assert (who["type"], who["accountId"]) == ("AWSAccount", "210987654321")


@pytest.mark.parametrize(
    ("service", "action", "recorded"),
    [
        ("ec2", "CreateVpc", True),
        ("ec2", "DescribeVpcs", False),
        ("secretsmanager", "GetSecretValue", True),
        ("secretsmanager", "ListSecrets", True),
        ("ssm", "PutParameter", True),
        ("ssm", "GetParameter", False),
        ("sqs", "CreateQueue", True),
        ("sqs", "SendMessage", False),
        ("sns", "Publish", False),
        ("events", "PutRule", True),
        ("events", "PutEvents", False),
        ("lambda", "Invoke", False),
        ("dynamodb", "PutItem", False),
    ],
)
def test_which_calls_are_recorded(service, action, recorded):
    assert is_recorded(service, action) is recorded


def test_a_long_number_becomes_a_number_and_loses_its_zeros():
    assert cloudtrail._typed("012345678901") == 12345678901
    assert cloudtrail._typed("10.0.0.0/16") == "10.0.0.0/16"
    assert cloudtrail._typed("true") is True
