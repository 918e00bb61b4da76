"""A rotation that an endpoint alone does not make work: each reason has its own finding."""

from datetime import timedelta

import pytest

from emulator.cloudtrail import envelope
from ensure_endpoint.rotation.function import locate
from tests.reactions.account import kinds

ENSURE = "EnsureEndpointFunction"
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


def test_a_function_that_is_not_let_out_is_published_and_its_group_left_alone(
    cloud, account, placed
):
    (group,) = groups_of(account, placed[1])
    close_egress(account, group)

    assert rotate(cloud, account, placed[1]) == ["rotation-cannot-reach-endpoint"]

    finding = next(f for f in cloud.findings if f["kind"] == "rotation-cannot-reach-endpoint")
    assert group in finding["cause"]
    assert f"rotate-secret --secret-id {placed[2]}" in finding["todo"][-1]
    (left,) = account.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert left["IpPermissionsEgress"] == []


def test_it_is_published_for_an_endpoint_that_is_only_about_to_be_made(cloud, account):
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


def test_the_same_obstruction_is_published_once_a_day(cloud, account, placed):
    close_egress(account, groups_of(account, placed[1])[0])

    assert rotate(cloud, account, placed[1]) == ["rotation-cannot-reach-endpoint"]
    assert rotate(cloud, account, placed[1]) == []


def test_a_function_in_another_account_is_published(cloud, account, placed):
    elsewhere = placed[1].replace(cloud.account, "444455556666")
    record = next(r for r in cloud.records if r["eventName"] == "CreateSecret")
    assert rotated(cloud, record, placed[2], elsewhere) == ["rotation-elsewhere"]


def test_a_function_that_is_gone_is_published(cloud, account, placed):
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


def test_a_secret_whose_own_policy_refuses_the_guard_is_read_as_far_as_can_be(
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


@pytest.mark.parametrize(
    ("service", "action", "names"),
    [
        ("secretsmanager", "DescribeSecret", False),
        ("lambda", "GetFunctionConfiguration", False),
        ("lambda", "GetFunctionConfiguration", True),
    ],
)
def test_a_read_that_is_refused_for_good_is_a_finding_and_no_dead_letter(
    cloud, account, placed, service, action, names
):
    """Somebody says "rotate now": the record names no function, the secret refuses to say."""
    _, function, secret = placed
    account.client("secretsmanager").rotate_secret(SecretId=secret, RotationLambdaARN=function)
    cloud.lose_events()
    words = "with an explicit deny in a resource-based policy"
    refused = cloud.fault(
        service, action, "AccessDeniedException", times=99, function=ENSURE, message=words
    )
    before = len(cloud.findings)

    named = {"RotationLambdaARN": function} if names else {}
    account.client("secretsmanager").rotate_secret(SecretId=secret, **named)
    cloud.settle()

    assert refused.times == 98
    published = [one for one in cloud.findings[before:] if one["kind"] != "bypass"]
    (found,) = [one for one in published if one["kind"] == "endpoint-not-repairable"]
    assert [one for one in published if one["kind"].startswith("rotation")] == []
    assert secret in found["title"]
    assert words in found["cause"]
    assert f"{service}:{action}" in found["todo"][0]
    assert cloud.dead_letters("VpcQueue") == []


@pytest.mark.parametrize(
    "written",
    ["rotate", "rotate:live", "123456789012:function:rotate", "{arn}:live", "{arn}"],
)
def test_a_function_may_be_named_in_every_way_that_lambda_takes(cloud, account, placed, written):
    vpc_id, subnets = account.vpc_with_subnets()
    function = account.function("rotate-there", subnets)
    functions = account.client("lambda")
    functions.publish_version(FunctionName=function)
    functions.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    cloud.lose_events()
    name = written.replace("rotate", "rotate-there").replace("{arn}", function)
    account.client("secretsmanager").rotate_secret(SecretId=placed[2], RotationLambdaARN=function)
    record = [one for one in cloud.records if one["eventName"] == "RotateSecret"][-1]
    cloud.lose_events()
    request = {**record["requestParameters"], "rotationLambdaARN": name}

    cloud.inject(envelope({**record, "requestParameters": request}))
    cloud.settle()

    assert len(account.endpoints(vpc_id)) == 1
    assert [one for one in kinds(cloud) if one.startswith("rotation")] == []


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("rotate", True),
        ("rotate:7", True),
        ("111122223333:function:rotate", True),
        ("444455556666:function:rotate", False),
        ("arn:aws:lambda:us-east-1:111122223333:function:rotate:live", True),
        ("arn:aws:lambda:us-east-1:444455556666:function:rotate", False),
        ("arn:aws:lambda:eu-west-1:111122223333:function:rotate", False),
    ],
)
def test_what_a_name_leaves_out_is_the_callers_own(name, here):
    class Lambda:
        def get_function_configuration(self, **_: str) -> dict[str, object]:
            return {"FunctionArn": "found", "VpcConfig": {"VpcId": "vpc-1"}}

    class Secrets:
        def describe_secret(self, **_: str) -> dict[str, str]:
            return {"ARN": "the secret's"}

    found = locate(
        "db",
        name,
        account_id="111122223333",
        region="us-east-1",
        secretsmanager=Secrets(),
        functions=Lambda(),
    )
    assert (found.function_arn == "found") is here
    assert bool(found.vpc_id) is here


def failed(cloud, secret, name="RotationFailed", words="Pending secret version was not promoted"):
    """Secrets Manager says that a rotation failed; the findings of rotations that this brings."""
    before = len(cloud.findings)
    event = cloud.service_event(name, secret)
    event["detail"]["errorMessage"] = words
    cloud.inject(event)
    cloud.pass_time(timedelta(minutes=15))
    return [one for one in cloud.findings[before:] if one["kind"].startswith("rotation")]


@pytest.mark.parametrize("name", ["RotationFailed", "RotationAbandoned", "TestRotationFailed"])
def test_a_rotation_that_failed_is_published_in_awss_words_with_the_verdict(
    cloud, account, placed, name
):
    assert rotate(cloud, account, placed[1]) == []
    (made,) = account.endpoints(placed[0])
    (finding,) = failed(cloud, placed[2], name)
    assert finding["kind"] == "rotation-failed"
    assert name in finding["title"]
    assert "Pending secret version was not promoted" in finding["cause"]
    assert f"the endpoint {made['VpcEndpointId']} of {placed[0]} works" in finding["cause"]
    assert failed(cloud, placed[2], name) == []  # the same, a quarter of an hour later


def test_a_rotation_that_failed_wakes_the_repair_of_its_vpc(cloud, account, placed):
    assert rotate(cloud, account, placed[1]) == []
    (made,) = account.endpoints(placed[0])
    group = made["Groups"][0]["GroupId"]
    (known,) = account.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    account.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=known["IpPermissions"])
    cloud.lose_events()
    (finding,) = failed(cloud, placed[2])
    assert "do not admit port 443" in finding["cause"]
    assert account.admitted_to_https([group]) == {"10.20.0.0/16"}


def test_a_rotation_that_network_acls_keep_from_the_endpoint_is_published_so(
    cloud, account, placed
):
    assert rotate(cloud, account, placed[1]) == []
    filters = [{"Name": "vpc-id", "Values": [placed[0]]}]
    (acl,) = account.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    account.ec2.create_network_acl_entry(
        NetworkAclId=acl["NetworkAclId"],
        RuleNumber=1,
        Protocol="-1",
        RuleAction="deny",
        Egress=True,
        CidrBlock="0.0.0.0/0",
    )
    cloud.lose_events()
    (finding,) = failed(cloud, placed[2])
    assert acl["NetworkAclId"] in finding["cause"]


def test_a_rotation_that_failed_outside_any_vpc_is_published_with_that(cloud, account):
    function, secret = account.function("rotate"), account.secret(SECRET)
    rotate(cloud, account, function)
    (finding,) = failed(cloud, secret)
    assert finding["kind"] == "rotation-failed"
    assert "runs outside any VPC" in finding["cause"]


def test_rotations_that_succeed_wake_nobody(cloud, account, placed):
    since = len(cloud.calls)
    cloud.inject(*(cloud.service_event(f"{t}RotationSucceeded", placed[2]) for t in ("", "Test")))
    cloud.pass_time(timedelta(minutes=5))
    assert not [one for one in cloud.calls[since:] if one.function == "EnsureEndpointFunction"]
