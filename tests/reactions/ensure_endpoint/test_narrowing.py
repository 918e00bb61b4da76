"""A first endpoint that would cut callers off is asked for, and names them."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from emulator import Caller, Cloud
from tests.reactions.account import Account

THERE = "222222222222"
FOREIGN = f"arn:aws:secretsmanager:us-east-1:{THERE}:secret:erp-AbCdEf"


def read(cloud: Cloud, secret: str = FOREIGN, **caller: str) -> None:
    """A role reads a secret past every endpoint; the emulator has no other account's."""
    session = cloud.session("dms", Caller(kind="role", **{"source_ip": "198.51.100.50", **caller}))
    client = session.client("secretsmanager")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        client.get_secret_value(SecretId=secret)


def unserved(cloud: Cloud, account: Account) -> tuple[str, list[str]]:
    vpc_id, subnets = account.vpc_with_subnets()
    cloud.lose_events()
    return vpc_id, subnets


def sweep(cloud: Cloud) -> None:
    cloud.settle(timedelta(minutes=20))
    cloud.fire_schedule()
    cloud.settle(timedelta(minutes=15))


def of(cloud: Cloud, kind: str):
    return [one for one in cloud.findings if one["kind"] == kind]


def share(cloud: Cloud, subnet_id: str, principal: str = THERE) -> None:
    arn = f"arn:aws:ec2:us-east-1:{cloud.account}:subnet/{subnet_id}"
    cloud.session("admin").client("ram").create_resource_share(
        name="network", resourceArns=[arn], principals=[principal]
    )


def address(account: Account, subnet_id: str) -> str:
    """The public address of an interface in the subnet."""
    interface = account.ec2.create_network_interface(SubnetId=subnet_id)["NetworkInterface"]
    elastic = account.ec2.allocate_address(Domain="vpc")
    account.ec2.associate_address(
        AllocationId=elastic["AllocationId"], NetworkInterfaceId=interface["NetworkInterfaceId"]
    )
    return elastic["PublicIp"]


def test_a_reader_of_another_accounts_secret_is_asked_about(cloud, account):
    vpc_id, _ = unserved(cloud, account)
    read(cloud)
    sweep(cloud)

    assert account.endpoints(vpc_id) == []
    (asks,) = of(cloud, "endpoint-not-repairable")
    assert (asks["severity"], asks["resource"]) == ("high", vpc_id)
    assert "its policy would refuse callers" in asks["title"]
    (named,) = asks["evidence"]["would_refuse"]
    assert "assumed-role/dms" in named
    assert FOREIGN in named
    assert any("approved.json" in one for one in asks["todo"])


def test_a_reader_of_our_own_secret_holds_nothing_back(cloud, account):
    vpc_id, _ = unserved(cloud, account)
    secret = account.secret("prod/own")
    app = cloud.session("app", Caller(kind="role", source_ip="198.51.100.50"))
    app.client("secretsmanager").get_secret_value(SecretId=secret)
    sweep(cloud)

    assert len(account.endpoints(vpc_id)) == 1
    (made,) = of(cloud, "endpoint-created")
    assert "would_refuse" not in made["evidence"]


def test_a_reader_in_another_vpc_holds_back_that_one_alone(cloud, account):
    vpc_id, _ = unserved(cloud, account)
    there, subnets = unserved(cloud, account)
    read(cloud, source_ip=address(account, subnets[0]))
    sweep(cloud)

    assert len(account.endpoints(vpc_id)) == 1
    assert account.endpoints(there) == []


def test_an_account_with_a_share_of_a_subnet_is_asked_about(cloud, account):
    vpc_id, subnets = unserved(cloud, account)
    other, _ = unserved(cloud, account)
    share(cloud, subnets[0])
    sweep(cloud)

    assert account.endpoints(vpc_id) == []
    (asks,) = of(cloud, "endpoint-not-repairable")
    assert THERE in asks["evidence"]["would_refuse"][0]
    assert len(account.endpoints(other)) == 1


def test_shares_that_cannot_be_read_are_named_and_hold_nothing_back(cloud, account):
    vpc_id, _ = unserved(cloud, account)
    cloud.fault(
        "ram", "GetResourceShareAssociations", "AccessDeniedException", times=9,
        function="EnsureEndpointFunction",
    )  # fmt: skip
    sweep(cloud)
    assert len(account.endpoints(vpc_id)) == 1


def test_an_endpoint_that_was_there_before_is_made_again_without_a_question(cloud, account):
    vpc_id, _ = account.vpc_with_subnets()
    cloud.settle()
    (made,) = account.endpoints(vpc_id)
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    cloud.lose_events()
    read(cloud)
    sweep(cloud)

    assert len(account.endpoints(vpc_id)) == 1


def test_observe_mode_names_them_as_well(cloud, account):
    vpc_id, _ = unserved(cloud, account)
    read(cloud)
    account.client("ssm").put_parameter(
        Name=cloud.outputs["ModeParameterName"], Value="observe", Overwrite=True
    )
    cloud.clock.skip(61)
    sweep(cloud)

    (drift,) = [one for one in of(cloud, "endpoint-drift") if one["resource"] == vpc_id]
    assert FOREIGN in drift["cause"]
    assert drift["title"] == f"The Secrets Manager endpoint of {vpc_id} is missing"
    assert any(one.startswith("the guard would create the endpoint") for one in drift["todo"])
