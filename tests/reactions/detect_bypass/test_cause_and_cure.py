"""Who bypasses the endpoint out of a VPC of ours is published why, and the VPC is put right."""

import json
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv6Network
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.ec2.models import ec2_backends

from detect_bypass.judge.exceptions import parse as parse_exceptions
from emulator import Caller
from emulator.metrics import measured
from tests.reactions.account import ALLOW_ALL, Account
from tests.reactions.detect_bypass.test_detect_bypass import (
    FUNCTION,
    batch,
    envelope_of,
    failed,
    published,
)

IMAGE = "ami-12c6146b"
LAMBDA_AGENT = "Boto3/1.43 md/Botocore#1.43 exec-env/AWS_Lambda_python3.13"


@pytest.fixture
def bare(cloud, account):
    """A VPC that has no endpoint, because the events of its making were lost: id and subnet."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.lose_events()
    return vpc_id, subnets[0]


def nat(account: Account, subnet_id: str) -> tuple[str, str]:
    """A NAT gateway's id and public address."""
    address = account.ec2.allocate_address(Domain="vpc")
    made = account.ec2.create_nat_gateway(SubnetId=subnet_id, AllocationId=address["AllocationId"])
    return made["NatGateway"]["NatGatewayId"], address["PublicIp"]


def read(cloud, secret: str, name: str = "app", **caller: Any) -> None:
    client = cloud.session(name, Caller(**caller)).client("secretsmanager")
    client.get_secret_value(SecretId=secret)


def test_who_leaves_by_the_nat_gateway_of_a_vpc_without_endpoint_gets_one(
    cloud, account, secret, bare
):
    vpc_id, subnet = bare
    gateway, address = nat(account, subnet)
    cloud.lose_events()
    read(cloud, secret, kind="role", source_ip=address)
    cloud.settle()

    (finding,) = published(cloud)
    assert f"It came out of {vpc_id} (NAT gateway {gateway}, {address})" in finding["cause"]
    assert "no working endpoint" in finding["cause"]
    assert finding["done"] == [f"asked for the endpoint of {vpc_id} to be repaired"]
    assert finding["evidence"]["vpc"] == vpc_id
    (endpoint,) = account.endpoints(vpc_id)
    assert endpoint["State"] == "available"


def test_what_is_published_no_more_is_repaired_again(cloud, account, secret, bare):
    vpc_id, subnet = bare
    _, address = nat(account, subnet)
    cloud.lose_events()
    read(cloud, secret, kind="role", source_ip=address)
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    cloud.lose_events()
    cloud.clock.skip(seconds=901)
    read(cloud, secret, kind="role", source_ip=address)
    cloud.settle()
    assert len(published(cloud)) == 1  # still in its window
    assert [one["State"] for one in account.endpoints(vpc_id)] == ["available"]


def test_a_vpc_that_was_to_be_torn_down_and_is_used_gets_its_endpoint_again(cloud, account, secret):
    """Nothing was in it then, so the guard withdrew; what came since bypasses the endpoint."""
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.settle()
    with pytest.raises(ClientError, match="DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnets[0])
    cloud.settle()
    assert account.endpoints(vpc_id) == []
    _, address = nat(account, subnets[1])
    cloud.lose_events()

    read(cloud, secret, kind="role", source_ip=address)
    cloud.settle()

    (finding,) = [one for one in published(cloud) if one["kind"] == "bypass"]
    assert finding["done"] == [f"asked for the endpoint of {vpc_id} to be repaired"]
    assert [one["State"] for one in account.endpoints(vpc_id)] == ["available"]


def test_a_bypass_while_a_subnet_is_being_deleted_finds_the_endpoint_in_the_others(
    cloud, account, secret
):
    vpc_id, subnets = account.vpc_with_subnets()
    _, address = nat(account, subnets[1])
    cloud.settle()
    with pytest.raises(ClientError, match="DependencyViolation"):
        account.ec2.delete_subnet(SubnetId=subnets[0])
    cloud.pass_time(timedelta(minutes=2))
    read(cloud, secret, kind="role", source_ip=address)

    cloud.pass_time(timedelta(minutes=10))
    (left,) = account.endpoints(vpc_id)
    assert (left["State"], left["SubnetIds"]) == ("available", [subnets[1]])
    cloud.settle()
    (whole,) = account.endpoints(vpc_id)
    assert (whole["State"], sorted(whole["SubnetIds"])) == ("available", sorted(subnets))


def test_a_vpc_is_not_asked_for_twice(cloud, account, secret, bare):
    vpc_id, subnet = bare
    _, address = nat(account, subnet)
    cloud.lose_events()
    sent = []
    for name in ("app", "other"):
        read(cloud, secret, name, kind="role", source_ip=address)
        cloud.lose_events()
        sent.append(envelope_of(cloud))
    before = len(cloud.calls)
    for one in sent:
        assert failed(cloud.invoke(FUNCTION, batch(one))) == []
    asked = [call for call in cloud.calls[before:] if call.action == "SendMessage"]
    assert len(asked) == 1
    first, second = published(cloud)
    assert first["done"] == [f"asked for the endpoint of {vpc_id} to be repaired"]
    assert "is being repaired already" in second["done"][0]


def test_an_instance_is_found_where_it_runs_and_not_where_its_traffic_leaves(
    cloud, account, secret, bare
):
    vpc_id, subnet = bare
    made = account.ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=subnet)
    instance = made["Instances"][0]["InstanceId"]
    hub = account.vpc("10.77.0.0/16")
    _, address = nat(account, account.subnet(hub, "10.77.0.0/24", "us-east-1a"))
    cloud.lose_events()
    read(cloud, secret, kind="role", source_ip=address, session=instance)
    cloud.settle()
    (finding,) = published(cloud)
    assert f"It came out of {vpc_id} (instance {instance})" in finding["cause"]
    assert account.endpoints(vpc_id)
    assert not account.endpoints(hub)


def test_an_instances_credentials_at_an_address_of_nobody_here_are_suspicious(
    cloud, account, secret, bare
):
    vpc_id, subnet = bare
    made = account.ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=subnet)
    instance = made["Instances"][0]["InstanceId"]
    cloud.lose_events()
    read(cloud, secret, kind="role", source_ip="203.0.113.9", session=instance)
    cloud.settle()
    (finding,) = published(cloud)
    assert finding["severity"] == "high"
    assert f"the credentials of instance {instance} in {vpc_id}" in finding["cause"]
    assert "treat the credentials" in finding["todo"][0]
    assert account.endpoints(vpc_id)  # and the VPC is repaired all the same


def test_a_function_in_no_vpc_is_said_to_be_in_none(cloud, account, secret):
    account.function("report")
    cloud.lose_events()
    read(cloud, secret, kind="role", session="report", user_agent=LAMBDA_AGENT)
    cloud.settle()
    (finding,) = published(cloud)
    assert "Function report is in no VPC" in finding["cause"]
    assert finding["todo"][0] == "Attach the function to a VPC that has the endpoint."
    assert finding["done"] == []


def test_a_working_endpoint_that_is_not_used_needs_no_repair(cloud, account, secret):
    vpc_id, subnets = account.vpc_with_subnets()
    _, address = nat(account, subnets[0])
    cloud.settle()
    before = len(cloud.calls)
    read(cloud, secret, kind="role", source_ip=address)
    cloud.settle()
    (finding,) = published(cloud)
    assert "its endpoint works, so the caller does not resolve" in finding["cause"]
    assert vpc_id in finding["todo"][0]
    assert "DNS servers" in finding["todo"][0]
    assert finding["done"] == []
    asked = [c for c in cloud.calls[before:] if c.function == FUNCTION and c.service == "sqs"]
    assert [call.action for call in asked if call.action == "SendMessage"] == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [("private DNS", "private DNS is off"), ("security group", "do not admit port 443")],
)
def test_the_cause_names_what_is_wrong_with_the_endpoint(cloud, account, secret, damage, words):
    vpc_id, subnets = account.vpc_with_subnets()
    _, address = nat(account, subnets[0])
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    if damage == "private DNS":
        account.ec2.modify_vpc_endpoint(
            VpcEndpointId=endpoint["VpcEndpointId"], PrivateDnsEnabled=False
        )
    else:
        for group in endpoint["Groups"]:
            (known,) = account.ec2.describe_security_groups(GroupIds=[group["GroupId"]])[
                "SecurityGroups"
            ]
            account.ec2.revoke_security_group_ingress(
                GroupId=group["GroupId"], IpPermissions=known["IpPermissions"]
            )
    cloud.lose_events()
    cloud.clock.skip(seconds=600)  # AWS is done with the change
    read(cloud, secret, kind="role", source_ip=address)
    cloud.settle()
    (finding,) = published(cloud)
    assert words in finding["cause"]


def test_a_caller_from_outside_costs_no_read_of_a_vpc(cloud, secret):
    read(cloud, secret, source_ip="203.0.113.9")
    before = len(cloud.calls)
    cloud.settle()
    asked = {
        c.action for c in cloud.calls[before:] if c.function == FUNCTION and c.service == "ec2"
    }
    assert asked == {"DescribeNetworkInterfaces", "DescribeNatGateways", "DescribeAddresses"}
    (finding,) = published(cloud)
    assert finding["done"] == []


def test_what_is_not_known_is_said_and_published(cloud, secret):
    cloud.fault("ec2", "DescribeNetworkInterfaces", "UnauthorizedOperation", function=FUNCTION)
    read(cloud, secret, source_ip="203.0.113.9")
    cloud.settle()
    (finding,) = published(cloud)
    assert "is not known: UnauthorizedOperation" in finding["cause"]


def test_who_reads_again_what_it_has_read_before_matters_less(cloud, account, secret):
    _, subnets = account.vpc_with_subnets()
    _, address = nat(account, subnets[0])
    cloud.settle()
    for _ in range(2):
        read(cloud, secret, kind="role", source_ip=address)
        cloud.settle()
        cloud.clock.skip(seconds=90_000)  # the alert's window and what is remembered are over
    assert [finding["severity"] for finding in published(cloud)] == ["high", "medium"]


def test_a_redelivered_first_read_is_still_the_first(cloud, account, secret):
    _, subnets = account.vpc_with_subnets()
    _, address = nat(account, subnets[0])
    cloud.settle()
    read(cloud, secret, kind="role", source_ip=address)
    cloud.lose_events()
    message = envelope_of(cloud)
    cloud.fault("sns", "PublishBatch", "InternalError", times=9, function=FUNCTION)
    assert failed(cloud.invoke(FUNCTION, batch(message))) == ["0"]
    cloud._faults.clear()
    cloud.clock.skip(seconds=420)
    assert failed(cloud.invoke(FUNCTION, batch(message))) == []
    assert [finding["severity"] for finding in published(cloud)] == ["high"]


def test_the_policy_that_refused_is_in_the_evidence(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    cloud.inject(cloud.denied_at_endpoint("mallory", endpoint["VpcEndpointId"]))
    cloud.settle()
    (finding,) = [one for one in published(cloud) if one["kind"] == "endpoint-denied"]
    shown = json.loads(finding["evidence"]["endpoint_policy"])
    assert shown == json.loads(endpoint["PolicyDocument"])
    assert finding["evidence"]["endpoint_policy_name"] == "own-account"


def test_a_policy_that_is_none_of_the_approved_is_said_to_be_none(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (endpoint,) = account.endpoints(vpc_id)
    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=json.dumps(ALLOW_ALL)
    )
    cloud.lose_events()
    cloud.inject(cloud.denied_at_endpoint("mallory", endpoint["VpcEndpointId"]))
    cloud.settle()
    (finding,) = [one for one in published(cloud) if one["kind"] == "endpoint-denied"]
    assert finding["evidence"]["endpoint_policy_name"] == "none of the approved policies"


@pytest.fixture
def excepted(cloud, request):
    """The function with two exceptions for the role "ci", one that holds and one that is over.

    The parameter, if any, is the name of the one that holds.
    """
    cloud.invoke(FUNCTION, batch())
    (module,) = (
        sandbox.modules["detect_bypass.app"]
        for name, sandbox in cloud._runtime._warm.items()
        if name == FUNCTION
    )
    common = {"owner": "ops@example.com", "reason": "No VPC yet"}
    ci = f"arn:aws:iam::{cloud.account}:role/ci"
    exceptions = parse_exceptions(
        {
            "exceptions": [
                {
                    "name": getattr(request, "param", "holds"),
                    "expires": "2999-12-31",
                    "principal": ci,
                    **common,
                },
                {"name": "over", "expires": "2020-01-31", "principal": f"{ci}-old", **common},
            ]
        }
    )
    rules = replace(module.detector.rules, exceptions=exceptions)
    module.detector = replace(module.detector, rules=rules)


def test_an_exception_is_used_and_counted(cloud, secret, excepted):
    for _ in range(3):
        read(cloud, secret, "ci", kind="role", source_ip="203.0.113.9")
    cloud.settle()
    assert published(cloud) == []
    lines = [json.loads(line) for one in cloud.invocations for line in one.output if "Uses" in line]
    assert sum(sum(line["ExceptionUses"]) for line in lines) == 3
    assert {line["Exception"] for line in lines} == {"holds"}
    table = cloud.session("alice").client("dynamodb")
    key = {"pk": {"S": "exception#holds"}}
    item = table.get_item(TableName=cloud.resource("StateTable"), Key=key)["Item"]
    assert item["tally"]["N"] == "3"


@pytest.mark.parametrize("excepted", ["Büro 日本", "it's 🔑"], indirect=True)
def test_an_exception_of_any_name_is_counted_under_a_name_that_cloudwatch_takes(
    cloud, secret, excepted
):
    read(cloud, secret, "ci", kind="role", source_ip="203.0.113.9")
    cloud.settle()  # raises for a metric that CloudWatch would drop
    (line,) = [
        json.loads(line) for one in cloud.invocations for line in one.output if "Uses" in line
    ]
    assert line["Exception"].isascii()
    assert sum(line["ExceptionUses"]) == 1


def test_an_excepted_request_lets_its_vpc_be_repaired(cloud, account, secret, excepted, bare):
    vpc_id, subnet = bare
    _, address = nat(account, subnet)
    cloud.lose_events()
    read(cloud, secret, "ci", kind="role", source_ip=address)
    cloud.settle()
    assert published(cloud) == []
    assert account.endpoints(vpc_id)


def test_an_exception_that_is_over_is_published_again_only_by_a_message_that_comes_again(
    cloud, secret, excepted
):
    read(cloud, secret, "ci-old", kind="role", source_ip="203.0.113.9")
    cloud.lose_events()
    message = envelope_of(cloud)
    cloud.fault("sns", "PublishBatch", "InternalError", times=9, function=FUNCTION)
    assert failed(cloud.invoke(FUNCTION, batch(message))) == ["0"]
    cloud._faults.clear()
    cloud.clock.skip(seconds=420)
    again = batch(message)
    again["Records"][0]["attributes"] = {"ApproximateReceiveCount": "2"}
    assert failed(cloud.invoke(FUNCTION, again)) == []
    assert [one["kind"] for one in cloud.findings].count("exception-expired") == 1
    assert failed(cloud.invoke(FUNCTION, batch(message))) == []
    assert [one["kind"] for one in cloud.findings].count("exception-expired") == 1


def test_an_exception_that_is_over_works_no_more_and_is_published_once(cloud, secret, excepted):
    for times in (2, 12):  # more than the tenth sighting, at which others are published again
        for _ in range(times):
            read(cloud, secret, "ci-old", kind="role", source_ip="203.0.113.9")
        cloud.settle()
        cloud.clock.skip(seconds=90_000)
    assert len(published(cloud)) == 2
    (finding,) = [one for one in cloud.findings if one["kind"] == "exception-expired"]
    assert finding["resource"] == "exception over"
    assert "2020-02-01" in finding["cause"]
    assert "ops@example.com" in finding["todo"][0]


def test_a_regional_nat_gateway_is_in_no_subnet_and_found_all_the_same(
    cloud, account, secret, bare
):
    """Its addresses are on no network interface of the account."""
    vpc_id, subnet = bare
    gateway, address = nat(account, subnet)
    cloud.lose_events()
    backend = ec2_backends[cloud.account][cloud.region]
    for interface in list(backend.enis.values()):
        if interface.public_ip == address:
            interface.public_ip = None
    read(cloud, secret, kind="role", source_ip=address)
    cloud.settle()
    (finding,) = published(cloud)
    assert f"It came out of {vpc_id} (NAT gateway {gateway}, {address})" in finding["cause"]


def test_an_elastic_ip_address_that_nothing_holds_is_this_accounts_and_no_strangers(
    cloud, account, secret, bare
):
    address = account.ec2.allocate_address(Domain="vpc")["PublicIp"]
    instance = account.ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=bare[1])[
        "Instances"
    ][0]["InstanceId"]
    cloud.lose_events()
    read(cloud, secret, kind="role", source_ip=address, session=instance)
    cloud.settle()
    (finding,) = published(cloud)
    assert "which nothing in this account has" not in finding["cause"]


def test_a_pod_in_a_delegated_ipv6_prefix_is_in_its_vpc_however_the_address_is_spelled(
    cloud, account, secret
):
    made = account.ec2.create_vpc(CidrBlock="10.20.0.0/16", AmazonProvidedIpv6CidrBlock=True)
    vpc_id = made["Vpc"]["VpcId"]
    (vpc,) = account.ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
    block = IPv6Network(vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"])
    cloud.lose_events()
    pod = block[0xABCD_EF01_0007]
    for spelling in (str(pod), pod.exploded, str(pod).upper()):
        read(cloud, secret, f"pod-{len(spelling)}", kind="role", source_ip=spelling)
    cloud.settle()
    causes = [finding["cause"] for finding in published(cloud)]
    assert causes
    assert all(f"It came out of {vpc_id}" in cause for cause in causes)


def test_the_guards_own_requests_are_counted_apart_from_exceptions(cloud, secret, excepted):
    guard = cloud.resource("EnsureEndpointRole")
    cloud.session(guard, Caller(kind="role")).client("secretsmanager").describe_secret(
        SecretId=secret
    )
    read(cloud, secret, "ci", kind="role", source_ip="203.0.113.9")
    cloud.settle()
    sums: dict[str, float] = {}
    for run in cloud.invocations:
        for one in measured(run.output):
            sums[one.name] = sums.get(one.name, 0) + sum(one.values)
    assert (sums["Exempted"], sums["ByServices"]) == (1, 1)
