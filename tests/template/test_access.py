"""What IAM decides by all policies together, and what that is for the rights AWS lets us narrow."""

from typing import Any

import pytest
from botocore.session import Session

from tests.template.stack import ACCOUNT, REGION, Stack
from tests.template.test_parliament import in_the_template, switches
from tools.rights.access import Need, Policies, Verdict, verdict
from tools.rights.needs import attributes, reported_attributes
from tools.rights.shapes import SHAPES, boundary, key_policy

ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:work"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a"
ENDPOINT = f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc-endpoint/vpce-0a"
VPC = f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/vpc-0a"


def document(effect: str, action: str, **more: Any) -> dict[str, Any]:
    statement = {"Sid": "It", "Effect": effect, "Action": action, "Resource": "*", **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


ALLOW = document("Allow", "sqs:SendMessage")
SENDS = document("Allow", "sqs:SendMessage", Principal={"Service": "events.amazonaws.com"})
TO_ROOT = document("Allow", "kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})


@pytest.mark.parametrize(
    ("principal", "need", "policies", "decided"),
    [
        (ROLE, Need("sqs:SendMessage", QUEUE), Policies({"A": ALLOW}), Verdict(True, "A.It")),
        (ROLE, Need("sqs:SendMessage", QUEUE), Policies(), Verdict(False)),
        (ROLE, Need("sqs:DeleteMessage", QUEUE), Policies({"A": ALLOW}), Verdict(False)),
        (  # a managed policy's Deny against an inline Allow
            ROLE,
            Need("sqs:SendMessage", QUEUE),
            Policies({"A": ALLOW, "B": document("Deny", "sqs:*")}),
            Verdict(False, "B.It"),
        ),
        (
            ROLE,
            Need("sqs:SendMessage", QUEUE),
            Policies({"A": ALLOW}, boundary=document("Allow", "sns:*")),
            Verdict(False),
        ),
        (
            ROLE,
            Need("sqs:SendMessage", QUEUE),
            Policies({"A": ALLOW}, boundary=document("Allow", "sqs:*")),
            Verdict(True, "A.It"),
        ),
        (  # a boundary grants nothing
            ROLE,
            Need("sqs:SendMessage", QUEUE),
            Policies(boundary=document("Allow", "sqs:*")),
            Verdict(False),
        ),
        (
            ROLE,
            Need("sqs:SendMessage", QUEUE, {"aws:SecureTransport": "false"}),
            Policies(
                {"A": ALLOW},
                resource=document(
                    "Deny",
                    "sqs:*",
                    Principal="*",
                    Condition={"Bool": {"aws:SecureTransport": "false"}},
                ),
            ),
            Verdict(False, "resource.It"),
        ),
        (
            "events.amazonaws.com",
            Need("sqs:SendMessage", QUEUE),
            Policies(resource=SENDS),
            Verdict(True, "resource.It"),
        ),
        (
            "sns.amazonaws.com",
            Need("sqs:SendMessage", QUEUE),
            Policies(resource=SENDS),
            Verdict(False),
        ),
        ("events.amazonaws.com", Need("sqs:SendMessage", QUEUE), Policies(), Verdict(False)),
        (  # a key's policy has to leave it to IAM
            ROLE,
            Need("kms:Decrypt", KEY),
            Policies({"A": document("Allow", "kms:Decrypt")}),
            Verdict(False),
        ),
        (
            ROLE,
            Need("kms:Decrypt", KEY),
            Policies({"A": document("Allow", "kms:Decrypt")}, resource=TO_ROOT),
            Verdict(True, "A.It"),
        ),
        (ROLE, Need("kms:Decrypt", KEY), Policies(resource=TO_ROOT), Verdict(False)),
    ],
)
def test_every_policy_has_its_say(principal: str, need: Need, policies: Policies, decided: Verdict):
    assert verdict(need, principal, policies) == decided


def test_what_aws_does_not_document_is_not_decided():
    policy = document("Deny", "sqs:*", NotPrincipal={"AWS": ROLE})
    with pytest.raises(NotImplementedError, match="NotPrincipal"):
        verdict(Need("sqs:SendMessage", QUEUE), ROLE, Policies({"A": ALLOW}, resource=policy))


# --- what EC2 says of a Modify call--------------------------------------------------------------


def role(stack: Stack, name: str) -> Policies:
    """What a role says of EC2: the stack's own resources have no ARN yet."""
    (policy,) = stack.properties(name)["Policies"]
    document = policy["PolicyDocument"]
    ec2 = [one for one in document["Statement"] if ":ec2:" in str(one["Resource"])]
    return Policies({policy["PolicyName"]: {**document, "Statement": ec2}})


def may(stack: Stack, name: str, operation: str, **parameters: Any) -> bool:
    resource = VPC if operation == "ModifyVpcAttribute" else ENDPOINT
    need = Need(f"ec2:{operation}", resource, attributes(operation, parameters))
    return verdict(need, ROLE, role(stack, name)).allowed


@pytest.mark.parametrize(
    ("parameters", "restores", "ensures"),
    [
        ({"PolicyDocument": "{}"}, True, False),
        ({"ResetPolicy": True}, False, False),
        ({"PrivateDnsEnabled": True}, False, True),
        ({"PrivateDnsEnabled": False}, False, False),
        ({"IpAddressType": "dualstack"}, False, True),
        ({"IpAddressType": "ipv4", "PrivateDnsEnabled": True}, False, True),
        ({"PolicyDocument": "{}", "PrivateDnsEnabled": True}, False, False),
        ({"PolicyDocument": "{}", "ResetPolicy": True}, False, False),
        ({"AddSubnetIds": ["subnet-0a"]}, True, True),  # EC2 reports no lists: see the subnet
    ],
)
def test_the_policy_is_restore_policys_and_the_rest_is_ensure_endpoints(
    stack: Stack, parameters: dict[str, Any], restores: bool, ensures: bool
):
    assert may(stack, "RestorePolicyRole", "ModifyVpcEndpoint", **parameters) == restores
    assert may(stack, "EnsureEndpointRole", "ModifyVpcEndpoint", **parameters) == ensures


def test_no_attribute_of_an_endpoint_that_ec2_reports_is_forgotten(stack: Stack):
    """A new one in botocore's model needs a Deny, or a function that sets it."""
    values = {"PolicyDocument": "{}", "IpAddressType": "ipv6"}
    reported = reported_attributes("ModifyVpcEndpoint")
    allowed = {
        name: {
            one
            for one in reported
            if may(stack, name, "ModifyVpcEndpoint", **{one: values.get(one, True)})
        }
        for name in ("RestorePolicyRole", "EnsureEndpointRole")
    }
    assert allowed == {
        "RestorePolicyRole": {"PolicyDocument"},
        "EnsureEndpointRole": {"IpAddressType", "PrivateDnsEnabled"},
    }


def test_the_dns_attributes_of_a_vpc_are_switched_on_alone(stack: Stack):
    allowed = {
        (name, on)
        for name in reported_attributes("ModifyVpcAttribute")
        for on in (True, False)
        if may(stack, "EnsureEndpointRole", "ModifyVpcAttribute", **{name: {"Value": on}})
    }
    assert allowed == {("EnableDnsSupport", True), ("EnableDnsHostnames", True)}


def test_repairs_go_on_where_ec2_reports_nothing(stack: Stack):
    for name in ("RestorePolicyRole", "EnsureEndpointRole"):
        assert verdict(Need("ec2:ModifyVpcEndpoint", ENDPOINT), ROLE, role(stack, name)).allowed


def test_ec2_reports_primitive_values_and_objects_of_a_value_alone():
    assert reported_attributes("ModifyVpcAttribute") == {
        "EnableDnsSupport",
        "EnableDnsHostnames",
        "EnableNetworkAddressUsageMetrics",
    }
    shape = Session().get_service_model("ec2").operation_model("ModifyVpcEndpoint").input_shape
    assert shape
    rest = set(shape.members) - reported_attributes("ModifyVpcEndpoint")  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue, reportUnknownArgumentType]
    assert {"VpcEndpointId", "DryRun", "DnsOptions", "AddSubnetIds"} <= rest
    assert attributes("ModifyVpcEndpoint", {"PrivateDnsEnabled": True}) == {
        "ec2:Attribute": "PrivateDnsEnabled",
        "ec2:Attribute/PrivateDnsEnabled": "true",
    }
    assert attributes("DescribeVpcs", {"DryRun": True}) == {}


# --- the shapes -----------------------------------------------------------------------------------


def test_every_condition_that_decides_about_a_policy_holds_in_a_shape_and_fails_in_another():
    resources = in_the_template()
    expected = switches([one["Properties"] for one in resources.values()])
    expected |= {one["Condition"] for one in resources.values() if "Condition" in one}
    made = {
        "FunctionSubnets": "subnet-0a",
        "FunctionSecurityGroups": "sg-0a",
        "EncryptionKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/0a",
    }
    stacks = [
        Stack({name: one[name] or made.get(name, "") for name in one}) for one in SHAPES.values()
    ]
    # Amazon Q Developer's role has no rights.
    for condition in expected - {"HasChat"}:
        assert {stack._holds(condition) for stack in stacks} == {True, False}, condition


def test_the_documents_policies_can_be_read():
    (statement,) = boundary()["Statement"]
    assert "sns:*" in statement["Action"]
    ours = key_policy(REGION, ACCOUNT, ours=True)["Statement"]
    assert "<" not in str(ours)
    assert len(ours) > len(key_policy(REGION, ACCOUNT, ours=False)["Statement"]) == 1
