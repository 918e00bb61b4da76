"""The deployed stack, as commands find it: by name, by samconfig.toml, or with a clear refusal."""

import pytest

from guardctl import stack as stacks
from guardctl.stack import StackError, deployed, saved_parameters


def test_the_stack_of_samconfig_is_found_with_outputs_parameters_and_resources(cloud):
    stack = deployed()

    assert (stack.name, stack.region, stack.account) == ("vpce-guard", cloud.region, cloud.account)
    assert stack.outputs == cloud.outputs
    assert stack.output("StateTableName") == cloud.resource("StateTable")
    assert stack.parameter("Mode") == "remediate"
    for logical_id in ("SweepFunction", "PolicyQueue", "StateTable"):
        assert stack.resource(logical_id) == cloud.resource(logical_id)
    (mode,) = stack.client("ssm").get_parameters(Names=[stack.output("ModeParameterName")])[
        "Parameters"
    ]
    assert mode["Value"] == "remediate"


def test_a_stack_that_is_not_there_is_reported_with_name_and_region(cloud):
    with pytest.raises(StackError, match="there is no stack other in eu-west-1") as raised:
        deployed("other", region="eu-west-1")
    assert raised.value.todo.startswith("deploy it")


def test_what_this_deployment_lacks_is_reported(cloud):
    with pytest.raises(StackError, match="vpce-guard has no output Nonsense: it was deployed from"):
        deployed().output("Nonsense")
    with pytest.raises(StackError, match="no resource Nonsense"):
        deployed().resource("Nonsense")


def test_a_stack_that_never_came_to_be_is_not_used(cloud, monkeypatch):
    described = {"StackName": "x", "StackStatus": "ROLLBACK_COMPLETE"}
    monkeypatch.setattr(stacks, "_described", lambda *_: described)

    with pytest.raises(StackError, match="in the state ROLLBACK_COMPLETE") as raised:
        deployed()
    assert raised.value.todo == "deploy it first"


def test_a_denial_names_the_permission(cloud):
    cloud.fault("cloudformation", "DescribeStacks", "AccessDenied", times=9)

    with pytest.raises(StackError, match="missing permission: cloudformation:DescribeStacks"):
        deployed()


def test_credentials_and_region_that_are_missing_are_reported(cloud, monkeypatch):
    with pytest.raises(StackError, match="nobody"):
        deployed(profile="nobody")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(StackError, match="no Region is configured"):
        deployed()


def test_samconfig_is_read_where_there_is_one(tmp_path):
    path = tmp_path / "samconfig.toml"
    assert saved_parameters(path) == {}
    path.write_text('[default.deploy.parameters]\nstack_name = "mine"\nregion = "eu-west-1"\n')
    assert saved_parameters(path) == {"stack_name": "mine", "region": "eu-west-1"}
