"""Lambda's recursive loop detection: who may recur, where, and who stops by themselves instead."""

import pytest

from guard.reconcile.requeue import MOST_HOPS
from tests.template.stack import PSEUDO, Stack, written

SELF_SENDING = {
    "EnsureEndpointFunction": "VPC_QUEUE_URL",
    "RestorePolicyFunction": "POLICY_QUEUE_URL",
    "SecretPolicyFunction": "SECRET_POLICY_QUEUE_URL",
}


def functions(monkeypatch, partition, region):
    monkeypatch.setitem(PSEUDO, "AWS::Partition", partition)
    monkeypatch.setitem(PSEUDO, "AWS::Region", region)
    return Stack().of_type("AWS::Lambda::Function")


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-7"])
def test_the_functions_that_send_to_themselves_may_recur_and_no_other(monkeypatch, region):
    found = functions(monkeypatch, "aws", region)
    allowed = {name for name, one in found.items() if one.get("RecursiveLoop") == "Allow"}
    assert allowed == set(SELF_SENDING)
    for name in allowed:
        assert found[name]["Environment"]["Variables"]["MAXIMUM_HOPS"] == str(MOST_HOPS) == "200"


@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-us-gov", "us-gov-east-1"),
        ("aws-cn", "cn-north-1"),
        ("aws-eusc", "eusc-de-east-1"),
        ("aws-iso", "us-iso-east-1"),
        ("aws", "mx-central-1"),
        ("aws", "ap-southeast-6"),
    ],
)
def test_where_it_cannot_be_set_they_stop_before_lambda_does(monkeypatch, partition, region):
    found = functions(monkeypatch, partition, region)
    assert not any("RecursiveLoop" in one for one in found.values())
    for name in SELF_SENDING:
        assert found[name]["Environment"]["Variables"]["MAXIMUM_HOPS"] == "15"


def test_a_queue_that_invokes_a_function_gets_messages_of_that_function_only_there():
    """A new function that sends to its own queue has to be thought of here."""
    stack = Stack()
    by_queue = {
        one["EventSourceArn"].removeprefix("arn:"): one["FunctionName"]
        for one in stack.of_type("AWS::Lambda::EventSourceMapping").values()
    }
    loops = {
        function
        for function, properties in stack.of_type("AWS::Lambda::Function").items()
        for value in properties["Environment"]["Variables"].values()
        if by_queue.get(str(value)) == function and function != "NotifySlackFunction"
    }
    assert loops == set(SELF_SENDING)


def test_the_waits_that_can_be_chosen_are_no_longer_than_was_tried():
    parameters = written()["Parameters"]
    assert parameters["GraceMinutes"]["MaxValue"] == 240
    assert not {"CanaryMinutes", "PauseMinutes"} & set(parameters)
