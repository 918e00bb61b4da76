"""Parameters that need each other: CloudFormation refuses half of a pair, and says what to do."""

import pytest

from emulator import Cloud
from emulator.rules import broken_rules
from tests.template.stack import written

SUBNETS = {"FunctionSubnets": "subnet-0a1b2c3d,subnet-0a1b2c3e"}
GROUPS = {"FunctionSecurityGroups": "sg-0a1b2c3d"}
TOKEN, CHANNEL = {"SlackWebhookParameter": "/bot"}, {"SlackChannel": "C0123456789"}
BUCKET, FOLDER = {"TrailBucket": "trail-logs"}, {"TrailFolder": "AWSLogs/o-a1b2c3d4e5"}


def broken(given):
    pseudo = {"AWS::Region": "us-east-1", "AWS::Partition": "aws"}
    return broken_rules(written(), given, pseudo)


@pytest.mark.parametrize(
    ("half", "other"),
    [
        (SUBNETS, GROUPS),
        (GROUPS, SUBNETS),
        (CHANNEL, TOKEN),
        (FOLDER, BUCKET),
    ],
    ids=lambda some: next(iter(some)),
)
def test_half_of_a_pair_is_refused_with_the_other_half_named(half, other):
    (said,) = broken(half)
    assert next(iter(other)) in said
    assert broken({**half, **other}) == []


@pytest.mark.parametrize(
    "given",
    [{}, BUCKET, TOKEN, {"ChatChannel": "T0123456789/C0123456789"}, {**TOKEN, **CHANNEL, **BUCKET}],
)
def test_what_stands_alone_is_taken(given):
    assert broken(given) == []


def test_the_embedded_cloud_refuses_the_deployment_with_the_words_of_the_rule():
    with pytest.raises(Exception, match="SlackChannel needs SlackWebhookParameter"):
        Cloud.start(parameters={**CHANNEL, "SlackWebhookParameter": ""})


def test_every_assertion_says_what_to_do():
    for name, rule in written()["Rules"].items():
        for assertion in rule["Assertions"]:
            assert len(assertion["AssertDescription"]) > 40, name
