"""The documented rules of text: what AWS takes just so, and what it refuses with which code."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.utils import get_service_model

from emulator.metrics import MetricDropped, require_accepted
from emulator.text_rules import check
from tests.reactions.account import Account

VPC, GROUP, QUEUE = "vpc-0123456789abcdef0", "sg-0123456789abcdef0", "https://sqs/123456789012/q"
TOPIC = "arn:aws:sns:us-east-1:123456789012:t"


def refused(service: str, action: str, params: dict[str, Any], *, ours: bool = True) -> str:
    """The code with which the request is refused; empty if it is taken."""
    shape = get_service_model(service).operation_model(action).input_shape
    found = check(service, action, shape, params, ours=ours)
    return found.code if found else ""


def rule(description: str) -> dict[str, Any]:
    source = {"CidrIp": "10.0.0.0/16", "Description": description}
    return {"GroupId": GROUP, "IpPermissions": [{"IpProtocol": "tcp", "IpRanges": [source]}]}


def group(**texts: str) -> dict[str, Any]:
    return {"GroupName": "g", "Description": "d", "VpcId": VPC, **texts}


def tags(*pairs: tuple[str, str]) -> dict[str, Any]:
    listed = [{"Key": key, "Value": value} for key, value in pairs]
    return {"Resources": [VPC], "Tags": listed}


def message(body: str) -> dict[str, Any]:
    return {"QueueUrl": QUEUE, "MessageBody": body}


def batch(*entries: tuple[str, str]) -> dict[str, Any]:
    return {
        "QueueUrl": QUEUE,
        "Entries": [{"Id": id_, "MessageBody": body} for id_, body in entries],
    }


def published(**texts: Any) -> dict[str, Any]:
    entry = {"Id": "0", "Message": "m", "Subject": "s", **texts}
    return {"TopicArn": TOPIC, "PublishBatchRequestEntries": [entry]}


def attribute(name: str = "kind", value: str = "bypass") -> dict[str, Any]:
    return {"MessageAttributes": {name: {"DataType": "String", "StringValue": value}}}


def update(key: str = "k", expression: str = "SET a = :a", value: str = "v") -> dict[str, Any]:
    return {
        "TableName": "t",
        "Key": {"pk": {"S": key}},
        "UpdateExpression": expression,
        "ExpressionAttributeValues": {":a": {"S": value}},
    }


# Per rule: what AWS takes just so, and what it refuses, with which code.
CASES = [
    ("ec2", "AuthorizeSecurityGroupIngress", rule, ["a" * 255, "A-z 0.9_-:/()#,@[]+=&;{}!$*", ""],
     ["the VPC's own", "a" * 256, "ä", "a\nb", "a\tb", "50%", '"', "<a>", "x?"],
     "InvalidParameterValue"),
    ("ec2", "CreateSecurityGroup", lambda text: group(Description=text), ["d" * 255],
     ["it's", "d" * 256, "é"], "InvalidParameterValue"),
    ("ec2", "CreateSecurityGroup", lambda text: group(GroupName=text), ["n" * 255, "my sg-group"],
     ["sg-mine", "n" * 256, "n'", ""], "InvalidParameterValue"),
    ("ec2", "CreateTags", lambda text: tags((text, "v")), ["k" * 127, "my:aws:key", "🔑", "awsx"],
     ["aws:key", "AWS:x", "k" * 128, "", "a\x00"], "InvalidParameterValue"),
    ("ec2", "CreateTags", lambda text: tags(("k", text)), ["", "v" * 256, "it's 🔑 aws:"],
     ["v" * 257, "\x01"], "InvalidParameterValue"),
    ("sqs", "SendMessage", message, ["\t\n\r ~\ud7ff\ue000\ufffd\U0010ffff", "b" * 1048576],
     ["\x00", "\x0b", "\x1f", "\ud800", "\udfff", "\ufffe", "\uffff"], "InvalidMessageContents"),
    ("sqs", "SendMessage", message, ["é" * 524288], ["é" * 524289], "InvalidParameterValue"),
    ("sqs", "SendMessageBatch", lambda text: batch((text, "b")), ["a-Z_0", "i" * 80],
     ["", "i" * 81, "a.b", "ä"], "AWS.SimpleQueueService.InvalidBatchEntryId"),
    ("sns", "PublishBatch", lambda text: published(Subject=text), ["s" * 99, "[HIGH] it's", "1"],
     ["", " s", "s" * 100, "é", "a\nb", "a\x7f", "a\tb"], "InvalidParameter"),
    ("sns", "PublishBatch", lambda text: published(Message=text), ["é" * 131072],
     [""], "InvalidParameter"),
    ("sns", "PublishBatch", lambda text: published(Message=text), [], ["é" * 131072 + "e"],
     "BatchRequestTooLong"),
    ("sns", "Publish", lambda text: {"TopicArn": TOPIC, "Message": text}, ["é" * 131072],
     ["é" * 131072 + "e"], "InvalidParameter"),
    ("sns", "PublishBatch", lambda text: published(Id=text), ["0-a_Z"], ["", "a b", "i" * 81],
     "InvalidBatchEntryId"),
    ("sns", "PublishBatch", lambda text: published(**attribute(name=text)), ["a.b-c_D", "n" * 256],
     [".a", "a.", "a..b", "AWS.x", "Amazon.x", "n" * 257, "a b"], "ParameterValueInvalid"),
    ("sns", "PublishBatch", lambda text: published(**attribute(value=text)), ["é"], [""],
     "ParameterValueInvalid"),
    ("dynamodb", "UpdateItem", lambda text: update(key=text), ["k" * 2048, "é" * 1024],
     ["", "k" * 2049, "é" * 1025], "ValidationException"),
    ("dynamodb", "UpdateItem", lambda text: update(expression=text), ["e" * 4096], ["", "e" * 4097],
     "ValidationException"),
    ("dynamodb", "UpdateItem", lambda text: update(value=text), ["", "v" * 409600], ["v" * 409601],
     "ValidationException"),
    ("dynamodb", "UpdateItem", lambda text: update(value=text), ["\ud7ff"], ["\ud800"],
     "SerializationException"),
    ("secretsmanager", "PutResourcePolicy", lambda text: {"SecretId": "s", "ResourcePolicy": text},
     ["{}"], ["{", "not JSON"], "MalformedPolicyDocumentException"),
    ("secretsmanager", "PutResourcePolicy",
     lambda text: {"SecretId": text, "ResourcePolicy": "{}"}, ["s" * 2048], ["", "s" * 2049],
     "InvalidParameterException"),  # of the model
    ("secretsmanager", "CreateSecret", lambda text: {"Name": text}, ["a/b_+=.@-9"], ["a b", "é"],
     "ValidationException"),
    ("lambda", "Invoke", lambda text: {"FunctionName": "f", "InvocationType": text}, ["Event"],
     ["Later"], "ValidationException"),  # of the model
    ("ssm", "PutParameter", lambda text: {"Name": text, "Value": "v"},
     ["/a/b.c-d_e", "mode", "/vpce-guard/x"], ["/aws/x", "SSMx", "a b", "/a/" * 16, "é"],
     "ValidationException"),
    ("ec2", "DeleteSecurityGroup", lambda text: {"GroupId": text}, [GROUP], ["sg-O'Brien", "vpc-1"],
     "InvalidGroupId.Malformed"),
]  # fmt: skip


def one_by_one(right: bool) -> Iterator[Any]:
    for service, action, make, taken, bad, code in CASES:
        for text in taken if right else bad:
            shown = text[:12].encode("ascii", "backslashreplace").decode()
            name = f"{service}-{action}-{len(text)}-{shown}"
            yield pytest.param(service, action, make(text), "" if right else code, id=name)


@pytest.mark.parametrize(("service", "action", "params", "code"), list(one_by_one(right=True)))
def test_a_text_that_aws_takes_passes(service, action, params, code):
    assert refused(service, action, params) == code


@pytest.mark.parametrize(("service", "action", "params", "code"), list(one_by_one(right=False)))
def test_a_text_that_aws_refuses_is_refused(service, action, params, code):
    assert refused(service, action, params) == code
    assert refused(service, action, params, ours=False) == code


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (tags(*((f"k{n}", "v") for n in range(50))), ""),
        (tags(*((f"k{n}", "v") for n in range(51))), "TagLimitExceeded"),
        (tags(("k", "1"), ("K", "2")), ""),
        (tags(("k", "1"), ("k", "2")), "InvalidParameterValue"),
    ],
)
def test_tags_are_counted_and_distinguished(params, code):
    assert refused("ec2", "CreateTags", params) == code


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (batch(*((str(n), "b") for n in range(10))), ""),
        (batch(*((str(n), "b") for n in range(11))), "TooManyEntriesInBatchRequest"),
        (batch(), "EmptyBatchRequest"),
        (batch(("0", "b"), ("0", "c")), "BatchEntryIdsNotDistinct"),
        (batch(("0", "b" * 524288), ("1", "b" * 524288)), ""),
        (batch(("0", "b" * 524288), ("1", "b" * 524289)), "BatchRequestTooLong"),
    ],
)
def test_a_batch_is_counted_and_weighed(params, code):
    assert (
        refused("sqs", "SendMessageBatch", params).removeprefix("AWS.SimpleQueueService.") == code
    )


def emf(name: str = "Alerts", value: Any = 1, space: str = "VPCEGuard", **dimensions: str) -> str:
    directive = {
        "Namespace": space,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": "Count"}],
    }
    blob = {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}, name: value}
    return json.dumps({**blob, **dimensions})


def test_a_metric_that_cloudwatch_takes_passes():
    require_accepted(
        [emf(service="x"), "no JSON", emf(service="a" * 1024, Exception="it's \\u00e9")]
    )
    require_accepted([emf(**{f"d{n}": "x" for n in range(30)})])


@pytest.mark.parametrize(
    "line",
    [
        emf(service="é"),
        emf(service=""),
        emf(service=" "),
        emf(service="a\nb"),
        emf(service="a" * 1025),
        emf(**{":service": "x"}),
        emf(**{"": "x"}),
        emf(**{"n" * 256: "x"}),
        emf(name="é", service="x"),
        emf(name="n" * 256, service="x"),
        emf(space=":x", service="x"),
        emf(space="AWS/x", service="x"),
        emf(value=[1] * 101, service="x"),
        emf(**{f"d{n}": "x" for n in range(31)}),
    ],
)
def test_a_metric_that_cloudwatch_drops_is_seen(line):
    with pytest.raises(MetricDropped):
        require_accepted([line])


def test_a_function_may_have_the_longest_name(cloud):
    """Its role has a shorter one: IAM takes 64 characters, and a unique part needs 36."""
    arn = Account(cloud).function("f" * 64)
    assert arn.endswith(":" + "f" * 64)
