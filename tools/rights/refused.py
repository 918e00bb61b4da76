"""What must be refused: the neighbours of what is asked for, one for each condition of a policy.

A condition that nothing would meet otherwise, or a Deny that denies nothing, is found by them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from emulator import Cloud
from tools.rights.access import Need
from tools.rights.needs import reported_attributes
from tools.rights.onbehalf import INTERFACES, Asked

STRANGER = "stranger"
_STRANGERS = "arn:aws:events:us-east-1:444455556666:rule/another"

# (action, condition key, what it must not be: None for absent), and why.
_KEYS: Sequence[tuple[str, str, str | None, str]] = (
    ("ec2:CreateVpcEndpoint", "aws:RequestTag/vpce-guard:managed", None, "without our tag"),
    ("ec2:CreateVpcEndpoint", "ec2:VpceServiceName", "com.amazonaws.us-east-1.s3", "other service"),
    ("ec2:CreateSecurityGroup", "aws:RequestTag/vpce-guard:managed", None, "without our tag"),
    ("ec2:CreateTags", "ec2:CreateAction", None, "claiming what exists"),
    ("ec2:AuthorizeSecurityGroupIngress", "aws:ResourceTag/vpce-guard:managed", None, "not ours"),
    ("ec2:DeleteSecurityGroup", "aws:ResourceTag/vpce-guard:stack", "other", "another stack's"),
    ("ec2:DeleteSecurityGroup", "aws:ResourceTag/vpce-guard:managed", None, "not ours"),
    ("ec2:DeleteVpcEndpoints", "aws:ResourceTag/vpce-guard:stack", "other", "another stack's"),
    ("ec2:DeleteVpcEndpoints", "aws:ResourceTag/vpce-guard:managed", None, "not ours"),
    ("ec2:RevokeSecurityGroupIngress", "aws:ResourceTag/vpce-guard:stack", "other", "another's"),
    ("ec2:RevokeSecurityGroupIngress", "aws:ResourceTag/vpce-guard:managed", None, "not ours"),
    ("secretsmanager:PutResourcePolicy", "secretsmanager:BlockPublicPolicy", "false", "public"),
    ("s3:ListBucket", "s3:prefix", "another-folder/", "another folder"),
    ("kms:Decrypt", "kms:ViaService", "rds.us-east-1.amazonaws.com", "through another service"),
    ("kms:GenerateDataKey", "kms:ViaService", "rds.us-east-1.amazonaws.com", "another service"),
    ("kms:Decrypt", "kms:EncryptionContext:PARAMETER_ARN", "other", "another parameter"),
    ("sqs:SendMessage", "aws:SourceArn", _STRANGERS, "on behalf of another source"),
    ("lambda:InvokeFunction", "aws:SourceArn", _STRANGERS, "on behalf of another source"),
    ("sns:Publish", "aws:SourceAccount", "444455556666", "on behalf of another account"),
    ("sqs:SendMessage", "aws:SecureTransport", "false", "not over TLS"),
    ("sns:Publish", "aws:SecureTransport", "false", "not over TLS"),
)


def refused(cloud: Cloud, asked: Sequence[Asked]) -> Iterator[Asked]:
    """What must be refused, given what is asked for."""
    for one in asked:
        yield from _with_other_keys(one)
    for function in cloud.deployment.functions:
        own = [one for one in asked if one.principal == function]
        yield from _interfaces(cloud, function, own)
        yield from _attributes(own)
    topic = cloud.resource("FindingsTopic")
    keys = {
        "aws:PrincipalArn": f"arn:aws:iam::{cloud.account}:role/{STRANGER}",
        "aws:PrincipalIsAWSService": "false",
        "aws:SecureTransport": "true",
    }
    yield Asked(STRANGER, Need("sns:Publish", topic, keys), "only the guard publishes findings")
    for name in cloud.deployment.of_type("AWS::SQS::Queue"):
        queue = cloud.resource(name).rsplit("/", 1)[-1]
        arn = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{queue}"
        plain = {**keys, "aws:SecureTransport": "false"}
        yield Asked(STRANGER, Need("sqs:ReceiveMessage", arn, plain), "not over TLS")
        yield Asked(STRANGER, Need("sqs:SendMessage", arn, keys), "only the guard sends")
        yield Asked(STRANGER, Need("sqs:ReceiveMessage", arn, keys), "only the guard takes")


def _with_other_keys(asked: Asked) -> Iterator[Asked]:
    for action, key, value, why in _KEYS:
        if asked.need.action == action and key in asked.need.keys:
            keys = {name: one for name, one in asked.need.keys.items() if name != key}
            changed = {**keys, key: value} if value is not None else keys
            yield replace(asked, need=Need(action, asked.need.resource, changed), why=why)


def _interfaces(cloud: Cloud, function: str, own: Sequence[Asked]) -> Iterator[Asked]:
    """What only Lambda may do with interfaces, if the function's code does not do it as well."""
    code = cloud.deployment.functions[function].arn
    called = {one.need.action for one in own if one.why == "called"}
    for one in own:
        if one.need.action in INTERFACES and one.need.action not in called:
            keys = {**one.need.keys, "lambda:SourceFunctionArn": code}
            need = Need(one.need.action, one.need.resource, keys)
            yield Asked(function, need, "Lambda's right and not the code's")


def _attributes(own: Sequence[Asked]) -> Iterator[Asked]:
    """Attributes, and values of switches, that the function's code never sets."""
    for operation, kind in (("ModifyVpcEndpoint", "vpc-endpoint"), ("ModifyVpcAttribute", "vpc")):
        calls = [
            one.need
            for one in own
            if one.need.action == f"ec2:{operation}" and f":{kind}/" in one.need.resource
        ]
        if not calls:
            continue
        names = [f"ec2:Attribute/{name}" for name in reported_attributes(operation)]
        plain = {key: value for key, value in calls[0].keys.items() if "ec2:Attribute" not in key}
        for name in sorted(names):
            seen = {str(call.keys[name]) for call in calls if name in call.keys}
            for value in _others(seen):
                need = Need(f"ec2:{operation}", calls[0].resource, {**plain, name: value})
                yield Asked(own[0].principal, need, f"it never sets {name.partition('/')[2]} so")


def _others(seen: set[str]) -> list[str]:
    """Values never set: of an attribute that is set, those of a switch alone are known."""
    if not seen:
        return ["true", "false"]
    return [value for value in ("true", "false") if seen <= {"true", "false"} and value not in seen]


def identity_of_a_stranger() -> Mapping[str, dict[str, object]]:
    """Somebody of the account who may do anything."""
    statement = {"Sid": "Anything", "Effect": "Allow", "Action": "*", "Resource": "*"}
    return {"Administrator": {"Version": "2012-10-17", "Statement": [statement]}}
