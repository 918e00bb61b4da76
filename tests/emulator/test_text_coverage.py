"""Nothing that the project writes is without a text rule, and what breaks one is seen."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model

from emulator import EmulatorBug
from emulator.text_rules import NoRule, check, is_write, table
from emulator.text_rules.table import HERE, tables
from layers.dependencies.find_operations import find

ROOT = Path(__file__).parents[2]
TEMPLATE_ONLY = "cloudformation"  # the table of the template's properties: no operations
# Operations that the finder names because their method has the name of one that is ours.
SAME_NAME = {
    (service, "PutResourcePolicy")
    for service in ("cloudtrail", "dynamodb", "lambda", "logs", "ssm")
} | {(service, "AddPermission") for service in ("sns", "sqs")}
QUEUE = "https://sqs/123456789012/q"


@cache
def written() -> tuple[tuple[str, str], ...]:
    """Every operation by which functions and guardctl may change something."""
    found = {
        (service, action)
        for folder in ("functions", "guardctl")
        for service, actions in find(ROOT / folder).items()
        for action in actions
        if is_write(action)
    }
    return tuple(sorted(found - SAME_NAME))


def test_the_operations_that_write_are_found():
    assert {
        ("ec2", "AuthorizeSecurityGroupIngress"),
        ("sns", "PublishBatch"),
        ("dynamodb", "UpdateItem"),
        ("lambda", "Invoke"),
        ("sqs", "DeleteMessage"),
    } <= set(written())


@pytest.mark.parametrize(("service", "action"), written())
def test_every_text_of_every_write_has_a_rule(service, action):
    rules = table(service)
    missing = [
        path
        for path, leaf in places(service, action).items()
        if leaf.type_name in ("string", "blob")
        and not (rules.rules(action, path, leaf) or rules.never_sent(action, path))
    ]
    assert missing == []


def rows() -> Iterator[Any]:
    for one in tables():
        if one.service != TEMPLATE_ONLY:
            yield from (pytest.param(one.service, row) for row in one.rows)


@pytest.mark.parametrize(("service", "row"), list(rows()))
def test_a_row_speaks_of_parameters_that_the_model_has(service, row):
    actions = set(row["operations"]) - {"*"}
    assert actions <= set(get_service_model(service).operation_names)
    known = {
        path for action in actions or table(service).operations for path in places(service, action)
    }
    assert set(row.get("parameters", ())) <= known
    assert set(row.get("shapes", ())) <= set(get_service_model(service).shape_names)


@pytest.mark.parametrize(("service", "row"), list(rows()))
def test_a_row_does_not_repeat_what_the_model_states(service, row):
    for action in set(row["operations"]) - {"*"}:
        for path in set(row.get("parameters", ())) & set(places(service, action)):
            stated = places(service, action)[path].metadata
            assert all(stated.get(key, ...) != row.get(key) for key in ("min", "max")), path


@cache
def places(service: str, action: str) -> dict[str, Any]:
    """The shape of every text, list and map that an operation can be given, by its path."""
    return dict(everything(get_service_model(service).operation_model(action).input_shape))


def everything(
    shape: Any, path: str = "", above: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """Every part of an operation's input; a shape within itself once."""
    if path:
        yield path, shape
    if shape.type_name == "structure" and shape.name not in above:
        for name, member in shape.members.items():
            inner = f"{path}.{name}" if path else name
            yield from everything(member, inner, (*above, shape.name))
    elif shape.type_name == "list":
        yield from everything(shape.member, f"{path}[]", above)
    elif shape.type_name == "map":
        yield f"{path}{{key}}", shape.key
        yield from everything(shape.value, f"{path}{{}}", above)


def test_every_row_has_its_source_and_a_bound():
    for path in HERE.glob("*.yaml"):
        for row in table(path.stem).rows:
            assert len(row["source"]) > 10
            bounds = set(row) - {"operations", "parameters", "shapes", "code", "message", "source"}
            assert bounds - {"assumed", "counted"}, row


# --- at the gate ----------------------------------------------------------------------------------


def as_function(small: Any) -> Any:
    """A client with the credentials of a deployed function."""
    keys = next(iter(small._credentials.values()))
    return boto3.client(
        "sqs",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def test_a_person_s_request_is_refused_as_in_aws(small):
    ec2 = small.session("alice").client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    source = {"CidrIp": "10.0.0.0/16", "Description": "the VPC's own addresses"}
    with pytest.raises(ClientError) as error:
        ec2.authorize_security_group_ingress(
            GroupId=made, IpPermissions=[{"IpProtocol": "tcp", "IpRanges": [source]}]
        )
    assert error.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert "Invalid rule description" in error.value.response["Error"]["Message"]
    assert small.calls[-1].error == "InvalidParameterValue"


@pytest.mark.parametrize("who", ["function", "command line"])
def test_a_text_without_a_rule_fails_the_test_that_wrote_it(small, monkeypatch, who):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    sqs = as_function(small) if who == "function" else boto3.client("sqs")
    with pytest.raises(ClientError, match="no row for"):
        sqs.tag_queue(QueueUrl=QUEUE, Tags={"team": "payments"})
    with pytest.raises(EmulatorBug, match=r"sqs TagQueue Tags\{key\}: no row for 'team'"):
        small.settle()


def test_a_person_may_write_what_has_no_rule(small):
    sqs = small.session("alice").client("sqs")
    url = sqs.create_queue(QueueName="of-alice", tags={"team": "payments"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"team": "orders"})
    small.settle()


def written_by_us(service: str, action: str, params: dict[str, Any]) -> Any:
    shape = get_service_model(service).operation_model(action).input_shape
    return check(service, action, shape, params, ours=True)


def test_what_is_never_sent_is_not_sent_unseen():
    with pytest.raises(NoRule, match="GroupName: the table says that it is never sent"):
        written_by_us("ec2", "DeleteSecurityGroup", {"GroupName": "g"})
    with pytest.raises(NoRule, match="no row for"):
        written_by_us("sqs", "AddPermission", {"Label": "l"})
