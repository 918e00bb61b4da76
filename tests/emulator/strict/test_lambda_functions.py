"""The VPC of a function."""

import io
import json
import zipfile

import pytest

from .account import refused


@pytest.fixture
def create(account):
    """Creates a function, with what a test adds; returns its name."""
    role = account.client("iam").create_role(
        RoleName="rotation", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"})
    )["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("rotation.py", "def handler(event, context): pass")
    client = account.client("lambda")

    def create(**settings):
        return client.create_function(
            FunctionName="rotation",
            Runtime="python3.13",
            Role=role,
            Handler="rotation.handler",
            Code={"ZipFile": code.getvalue()},
            **settings,
        )["FunctionName"]

    create.client = client
    return create


def inside(account, vpc_id):
    return {
        "SubnetIds": [account.subnet(vpc_id)],
        "SecurityGroupIds": [account.default_group(vpc_id)],
    }


def test_the_vpc_is_that_of_the_subnets(account, create):
    vpc_id = account.vpc()
    placed = inside(account, vpc_id)
    name = create(VpcConfig=placed)
    for config in (
        create.client.get_function_configuration(FunctionName=name),
        create.client.get_function(FunctionName=name)["Configuration"],
    ):
        assert config["VpcConfig"] == placed | {"VpcId": vpc_id}


def test_a_function_outside_any_vpc(create):
    config = create.client.get_function_configuration(FunctionName=create())
    assert "VpcId" not in config.get("VpcConfig", {})


def test_a_function_that_moves(account, create):
    name, vpc_id = create(VpcConfig=inside(account, account.vpc())), account.vpc()
    create.client.update_function_configuration(
        FunctionName=name, VpcConfig=inside(account, vpc_id)
    )
    config = create.client.get_function_configuration(FunctionName=name)
    assert config["VpcConfig"]["VpcId"] == vpc_id
    create.client.update_function_configuration(
        FunctionName=name, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}
    )
    config = create.client.get_function_configuration(FunctionName=name)
    assert config["VpcConfig"] == {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""}


def test_an_update_of_something_else_leaves_it_there(account, create):
    vpc_id = account.vpc()
    name = create(VpcConfig=inside(account, vpc_id))
    create.client.update_function_configuration(FunctionName=name, Timeout=30)
    config = create.client.get_function_configuration(FunctionName=name)
    assert (config["Timeout"], config["VpcConfig"]["VpcId"]) == (30, vpc_id)


def test_subnets_and_groups_must_exist(account, create):
    placed = inside(account, account.vpc())
    with refused(
        "InvalidParameterValueException",
        "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error"
        " Message: The subnet ID 'subnet-0b' does not exist",
    ):
        create(VpcConfig=placed | {"SubnetIds": ["subnet-0b"]})
    with refused("InvalidParameterValueException", "EC2 Error Code: InvalidGroup.NotFound."):
        create(VpcConfig=placed | {"SecurityGroupIds": ["sg-0b"]})
