"""Events in, endpoints and alerts out: reaction 1 on the emulator."""

import json

import pytest

from emulator.cloudtrail import envelope
from tests.reactions.account import SERVICE, kinds, writes

ENSURE = "EnsureEndpointFunction"


def test_a_new_vpc_with_subnets_gets_a_working_endpoint(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()

    cloud.settle()

    (endpoint,) = account.endpoints(vpc_id)
    assert endpoint["VpcEndpointType"] == "Interface"
    assert endpoint["State"] == "available"
    assert endpoint["PrivateDnsEnabled"] is True
    assert sorted(endpoint["SubnetIds"]) == sorted(subnets)
    assert len(endpoint["NetworkInterfaceIds"]) == len(subnets)
    assert account.dns_attributes(vpc_id) == (True, True)
    groups = [group["GroupId"] for group in endpoint["Groups"]]
    assert account.admitted_to_https(groups) == {"10.20.0.0/16"}
    tags = {tag["Key"]: tag["Value"] for tag in endpoint["Tags"]}
    assert tags["vpce-guard:managed"] == "true"
    assert tags["vpce-guard:stack"].startswith("arn:aws:cloudformation:us-east-1:")
    statement = account.policy(endpoint["VpcEndpointId"])["Statement"]
    assert "aws:PrincipalAccount" in json.dumps(statement)
    assert kinds(cloud) == ["endpoint-created"]


def test_a_burst_of_events_is_one_reconcile_and_one_endpoint(cloud, account):
    vpc_id, _ = account.vpc_with_subnets(zones=["us-east-1a", "us-east-1b", "us-east-1d"])

    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1
    assert writes(cloud, ENSURE).count("CreateVpcEndpoint") == 1


def test_a_vpc_without_subnets_waits_for_them(cloud, account):
    vpc_id = account.vpc()
    cloud.settle()
    assert account.endpoints(vpc_id) == []

    account.subnet(vpc_id, "10.20.0.0/24", "us-east-1a")
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1


def test_a_deleted_endpoint_is_made_again_once_the_old_one_is_gone(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (first,) = account.endpoints(vpc_id)

    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[first["VpcEndpointId"]])
    cloud.settle()

    (second,) = account.endpoints(vpc_id)
    assert second["VpcEndpointId"] != first["VpcEndpointId"]
    assert second["State"] == "available"


def test_a_new_availability_zone_gets_its_network_interface(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()

    third = account.subnet(vpc_id, "10.20.9.0/24", "us-east-1d")
    cloud.settle()

    (endpoint,) = account.endpoints(vpc_id)
    assert sorted(endpoint["SubnetIds"]) == sorted([*subnets, third])
    assert kinds(cloud)[-1] == "endpoint-repaired"


def test_a_second_cidr_is_admitted(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()

    account.ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.99.0.0/16")
    cloud.settle()

    (endpoint,) = account.endpoints(vpc_id)
    groups = [group["GroupId"] for group in endpoint["Groups"]]
    assert account.admitted_to_https(groups) == {"10.20.0.0/16", "10.99.0.0/16"}


def test_dns_hostnames_switched_off_are_switched_on_again(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()

    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": False})
    cloud.settle()

    assert account.dns_attributes(vpc_id) == (True, True)
    assert cloud.findings[-1]["evidence"]["who"] == ["arn:aws:iam::123456789012:user/alice"]


def test_an_endpoint_made_by_hand_is_repaired_and_their_group_left_alone(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets(tags={"vpce-guard:ignore": ""})
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    cloud.settle()
    theirs = account.ec2.create_security_group(
        GroupName="theirs", Description="admits nobody", VpcId=vpc_id
    )["GroupId"]
    account.ec2.delete_tags(Resources=[vpc_id], Tags=[{"Key": "vpce-guard:ignore"}])
    made = account.ec2.create_vpc_endpoint(
        VpcId=vpc_id,
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=subnets[:1],
        SecurityGroupIds=[theirs],
        PrivateDnsEnabled=False,
    )["VpcEndpoint"]["VpcEndpointId"]

    cloud.settle()

    (endpoint,) = account.endpoints(vpc_id)
    assert endpoint["VpcEndpointId"] == made
    assert sorted(endpoint["SubnetIds"]) == sorted(subnets)
    assert endpoint["PrivateDnsEnabled"] is True
    groups = {group["GroupId"] for group in endpoint["Groups"]}
    assert theirs in groups
    assert account.admitted_to_https([theirs]) == set()
    assert account.admitted_to_https(sorted(groups - {theirs})) == {"10.20.0.0/16"}


def test_an_opted_out_vpc_is_left_alone(cloud, account):
    vpc_id, _ = account.vpc_with_subnets(tags={"vpce-guard:ignore": ""})

    cloud.settle()

    assert account.endpoints(vpc_id) == []
    assert (kinds(cloud), writes(cloud, ENSURE)) == (["guard-changed"], [])


def test_zones_that_the_service_does_not_support_are_left_out(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets(zones=["us-east-1a", "us-east-1e"])
    zone_ids = {
        one["SubnetId"]: one["AvailabilityZoneId"]
        for one in account.ec2.describe_subnets(SubnetIds=subnets)["Subnets"]
    }

    cloud.settle()

    (endpoint,) = account.endpoints(vpc_id)
    (left_out,) = set(subnets) - set(endpoint["SubnetIds"])
    assert zone_ids[left_out] == "use1-az3"


def test_observe_mode_says_what_it_would_do_and_does_nothing(cloud, account):
    parameter = cloud.outputs["ModeParameterName"]
    account.client("ssm").put_parameter(Name=parameter, Value="observe", Overwrite=True)
    cloud.lose_events()  # of the switch itself, which watch_guard would publish
    vpc_id, _ = account.vpc_with_subnets()

    cloud.settle()

    assert account.endpoints(vpc_id) == []
    assert writes(cloud, ENSURE) == []
    (finding,) = cloud.findings
    assert finding["kind"] == "endpoint-drift"
    assert any("create the endpoint" in one for one in finding["todo"])


def test_an_unreadable_mode_means_observe_and_is_published(cloud, account):
    account.client("ssm").delete_parameter(Name=cloud.outputs["ModeParameterName"])
    cloud.lose_events()  # of the switch itself, which watch_guard would publish
    vpc_id, _ = account.vpc_with_subnets()

    cloud.settle()

    assert account.endpoints(vpc_id) == []
    assert sorted(kinds(cloud)) == ["endpoint-drift", "mode-unreadable"]


def test_the_same_events_again_change_nothing(cloud, account):
    account.vpc_with_subnets()
    cloud.settle()
    done, published = writes(cloud, ENSURE), kinds(cloud)

    for record in [one for one in cloud.records if one["eventSource"] == "ec2.amazonaws.com"]:
        cloud.inject(envelope(record))
    cloud.settle()

    assert (writes(cloud, ENSURE), kinds(cloud)) == (done, published)


def test_a_throttled_creation_is_made_up_for(cloud, account):
    cloud.fault(service="ec2", action="CreateVpcEndpoint", error="RequestLimitExceeded", times=4)
    vpc_id, _ = account.vpc_with_subnets()

    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1
    assert kinds(cloud) == ["endpoint-created"]


def test_a_creation_whose_answer_was_lost_makes_one_endpoint(cloud, account):
    cloud.fault(
        service="ec2", action="CreateVpcEndpoint", error="RequestTimeout", times=2, when="after"
    )
    vpc_id, _ = account.vpc_with_subnets()

    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1


def test_a_refusal_is_published_with_aws_s_words_and_not_repeated_for_ever(cloud, account):
    cloud.fault(service="ec2", action="CreateVpcEndpoint", error="UnauthorizedOperation", times=99)
    vpc_id, _ = account.vpc_with_subnets()

    cloud.settle()

    assert account.endpoints(vpc_id) == []
    assert set(kinds(cloud)) == {"endpoint-not-repairable"}
    assert "UnauthorizedOperation" in cloud.findings[-1]["cause"]
    assert cloud.dead_letters("VpcQueue") == []


def test_two_automations_at_odds_are_left_alone_after_the_budget(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()

    for _ in range(7):
        account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": False})
        cloud.settle()

    assert "change-budget-spent" in kinds(cloud)
    assert writes(cloud, ENSURE).count("ModifyVpcAttribute") == 5


@pytest.mark.parametrize(
    "body", ["no JSON at all", '{"detail-type": "AWS API Call via CloudTrail"}', "[]"]
)
def test_a_message_that_cannot_be_read_ends_in_the_dead_letter_queue(cloud, account, body):
    account.client("sqs").send_message(QueueUrl=cloud.resource("VpcQueue"), MessageBody=body)

    cloud.settle()

    assert [message["body"] for message in cloud.dead_letters("VpcQueue")] == [body]


# Rotation: the VPC is the function's.


def test_rotation_in_a_vpc_whose_events_were_lost_brings_the_endpoint(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    function, secret = account.function("rotate", subnets), account.secret("db")
    cloud.lose_events()

    account.client("secretsmanager").rotate_secret(SecretId=secret, RotationLambdaARN=function)
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1
    assert account.dns_attributes(vpc_id) == (True, True)
    created = next(one for one in cloud.findings if one["kind"] == "endpoint-created")
    assert any("rotate-secret" in one for one in created["todo"])


def test_rotation_by_a_function_outside_any_vpc_is_published(cloud, account):
    function, secret = account.function("rotate"), account.secret("db")
    cloud.lose_events()

    account.client("secretsmanager").rotate_secret(SecretId=secret, RotationLambdaARN=function)
    cloud.settle()

    assert "rotation-without-vpc" in kinds(cloud)


def test_rotation_with_stored_settings_finds_the_function_all_the_same(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    function, secret = account.function("rotate", subnets), account.secret("db")
    secrets = account.client("secretsmanager")
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=function)
    cloud.lose_events()

    secrets.rotate_secret(SecretId=secret)
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1


def test_managed_rotation_needs_no_endpoint_and_no_finding(cloud, account):
    secret = account.secret("managed")
    cloud.lose_events()
    record = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/alice"},
        "eventTime": "2026-11-23T12:00:00Z",
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": "RotateSecret",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "10.20.0.9",
        "requestParameters": {"secretId": secret},
        "responseElements": None,
        "eventID": "5c1e7a52-0f6c-4f2e-9a55-2f0e2f6f3a10",
        "eventType": "AwsApiCall",
        "recipientAccountId": "123456789012",
        "vpcEndpointId": "vpce-0a1b2c3d4e5f60718",
        "vpcEndpointAccountId": "123456789012",
    }

    cloud.inject(envelope(record))
    cloud.settle()

    assert cloud.findings == []
    assert cloud.dead_letters("VpcQueue") == []
    assert writes(cloud, ENSURE) == []


def test_an_endpoint_with_the_opt_out_tag_stays_as_it_is(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    tag = {"Key": "vpce-guard:ignore", "Value": ""}
    account.ec2.create_tags(Resources=[endpoint["VpcEndpointId"]], Tags=[tag])
    done = writes(cloud, ENSURE)

    account.subnet(vpc_id, "10.20.9.0/24", "us-east-1d")
    cloud.settle()

    assert writes(cloud, ENSURE) == done


def test_a_vpc_deleted_while_it_is_reconciled_does_not_hold_up_the_others(cloud, account):
    gone = account.vpc("10.66.0.0/16")
    vpc_id, _ = account.vpc_with_subnets()
    # The first of the batch to be asked for its attributes answers as if it were deleted by now.
    cloud.fault(service="ec2", action="DescribeVpcAttribute", error="InvalidVpcID.NotFound")

    cloud.settle()

    assert account.endpoints(gone) == []
    assert len(account.endpoints(vpc_id)) == 1
    assert cloud.dead_letters("VpcQueue") == []
