"""A rotation that an endpoint alone does not make work: each reason has its own finding."""

import pytest

from emulator.cloudtrail import envelope
from tests.reactions.account import kinds

SECRET = "prod/orders-db"


@pytest.fixture
def placed(cloud, account):
    """A VPC that is well, a function in it and a secret; their ids."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    found = vpc_id, account.function("rotate", subnets), account.secret(SECRET)
    cloud.lose_events()
    return found


def rotate(cloud, account, function, secret=SECRET) -> list[str]:
    """Turns rotation on; returns the kinds of the findings that this brings."""
    before = len(kinds(cloud))
    account.client("secretsmanager").rotate_secret(SecretId=secret, RotationLambdaARN=function)
    cloud.settle()
    return [kind for kind in kinds(cloud)[before:] if kind.startswith("rotation")]


def groups_of(account, function) -> list[str]:
    config = account.client("lambda").get_function_configuration(FunctionName=function)
    return config["VpcConfig"]["SecurityGroupIds"]


def close_egress(account, group_id) -> None:
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    account.ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=[everything])


def test_a_rotation_that_gets_through_is_no_finding(cloud, account, placed):
    assert rotate(cloud, account, placed[1]) == []


def test_a_function_that_is_not_let_out_is_told_and_its_group_left_alone(cloud, account, placed):
    (group,) = groups_of(account, placed[1])
    close_egress(account, group)

    assert rotate(cloud, account, placed[1]) == ["rotation-cannot-reach-endpoint"]

    finding = next(f for f in cloud.findings if f["kind"] == "rotation-cannot-reach-endpoint")
    assert group in finding["cause"]
    assert f"rotate-secret --secret-id {placed[2]}" in finding["todo"][-1]
    (left,) = account.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert left["IpPermissionsEgress"] == []


def test_it_is_told_for_an_endpoint_that_is_only_about_to_be_made(cloud, account):
    vpc_id, subnets = account.vpc_with_subnets()
    function, _ = account.function("rotate", subnets), account.secret(SECRET)
    close_egress(account, groups_of(account, function)[0])
    cloud.lose_events()

    assert rotate(cloud, account, function) == ["rotation-cannot-reach-endpoint"]
    assert len(account.endpoints(vpc_id)) == 1


def test_a_way_out_to_the_endpoints_group_is_enough(cloud, account, placed):
    vpc_id, function, _ = placed
    (group,) = groups_of(account, function)
    close_egress(account, group)
    (endpoint,) = account.endpoints(vpc_id)
    pair = {"GroupId": endpoint["Groups"][0]["GroupId"]}
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [pair]}
    account.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[https])

    assert rotate(cloud, account, function) == []


def test_the_same_obstruction_is_told_once_a_day(cloud, account, placed):
    close_egress(account, groups_of(account, placed[1])[0])

    assert rotate(cloud, account, placed[1]) == ["rotation-cannot-reach-endpoint"]
    assert rotate(cloud, account, placed[1]) == []


def test_a_function_in_another_account_is_told(cloud, account, placed):
    elsewhere = placed[1].replace(cloud.account, "444455556666")
    record = next(r for r in cloud.records if r["eventName"] == "CreateSecret")
    assert rotated(cloud, record, placed[2], elsewhere) == ["rotation-elsewhere"]


def test_a_function_that_is_gone_is_told(cloud, account, placed):
    record = next(r for r in cloud.records if r["eventName"] == "CreateSecret")
    gone = placed[1].replace("rotate", "gone")
    assert rotated(cloud, record, placed[2], gone) == ["rotation-function-missing"]


def rotated(cloud, record, secret, function) -> list[str]:
    """The findings of a RotateSecret that AWS took, with a function that it would not take here."""
    request = {"secretId": secret, "rotationLambdaARN": function}
    cloud.inject(
        envelope(
            {
                **record,
                "eventName": "RotateSecret",
                "eventID": "0a5f1c1e-0000-4000-8000-000000000001",
                "requestParameters": request,
                "responseElements": None,
            }
        )
    )
    cloud.settle()
    return [kind for kind in kinds(cloud) if kind.startswith("rotation")]


def test_a_secret_whose_own_policy_refuses_the_guard_is_looked_at_as_far_as_can_be(
    cloud, account, placed
):
    cloud.fault(
        service="secretsmanager",
        action="DescribeSecret",
        error="AccessDeniedException",
        times=9,
        function="EnsureEndpointFunction",
    )

    assert rotate(cloud, account, placed[1]) == []
    assert cloud.dead_letters("VpcQueue") == []
