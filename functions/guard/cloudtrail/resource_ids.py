"""What a CloudTrail record is about: the ids of what it names in a network, and of secrets.

Each function reads every place where one of the conventions puts the value, so a caller need
not know which convention the operation follows.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

from guard.cloudtrail.record import NOTHING, Json, Record, text_of

_DEEPEST = 8  # of the shapes known, four: set, item, tag, content


def vpc_ids(record: Record) -> tuple[str, ...]:
    """The VPCs a record names, without repeats, in the order in which they are named."""
    return _ids(record, "vpcId", re.compile(r"vpc-[0-9a-zA-Z]{1,32}"))


def subnet_ids(record: Record) -> tuple[str, ...]:
    """The subnets a record names: the subnet itself, or those of an endpoint."""
    keys = ("subnetId", "subnetIdSet", "addSubnetId", "removeSubnetId")
    return _ids(record, keys, re.compile(r"subnet-[0-9a-zA-Z]{1,32}"))


def endpoint_ids(record: Record) -> tuple[str, ...]:
    """The VPC endpoints a call was about; the one it came through is `vpc_endpoint_id`."""
    return _ids(record, "vpcEndpointId", re.compile(r"vpce-[0-9a-zA-Z]{1,32}"))


def network_ids(record: Record) -> tuple[str, ...]:
    """The VPCs, subnets, endpoints, security groups, interfaces and network ACLs a record is about.

    Of a call on tags these are what carries the tags.
    """
    keys = ("vpcId", "vPCId", "subnetId", "vpcEndpointId", "groupId", "networkInterfaceId")
    others = ("networkAclId", "resourceId", "resourcesSet")
    shape = re.compile(r"(?:vpc|vpce|subnet|sg|eni|acl)-[0-9a-zA-Z]{1,32}")
    return _ids(record, (*keys, *others), shape)


def deleted_nothing(record: Record) -> bool:
    """Whether EC2 refused every endpoint of a DeleteVpcEndpoints: such a call has no error code.

    EC2 API reference, DeleteVpcEndpoints: `unsuccessful` lists those that were not deleted.
    """
    refused: list[object] = []
    for level in _levels(record.response, record.event_name):
        listed = level.get("unsuccessful")
        items = cast(Json, listed).get("item") if isinstance(listed, Mapping) else None
        refused += cast("list[object]", items) if isinstance(items, list) else [items]
    asked = len(endpoint_ids(replace(record, response=NOTHING)))
    return asked > 0 and sum(bool(one) for one in refused) >= asked


def service_name(record: Record) -> str | None:
    """The service an endpoint is for, such as `com.amazonaws.eu-west-1.secretsmanager`."""
    return next((name for name in _named(record, "serviceName") if name), None)


def policy_document(record: Record) -> str | None:
    """The endpoint policy that a call wrote, as its caller sent it."""
    return next((text for text in _named(record, "policyDocument") if text), None)


def secret_id(record: Record) -> str | None:
    """The secret a record is about: an ARN, partial ARN or name; None if it names none, or several.

    AWS's own words come first (resources, response), as they hold the whole ARN; the request holds
    what the caller wrote.
    """
    known = secret_ids(record)
    return known[0] if len(known) == 1 else None


def secret_ids(record: Record) -> tuple[str, ...]:
    """Every secret a record names: one as in `secret_id`, or those a BatchGetSecretValue lists."""
    arns = [
        text_of(resource.get("ARN"))
        for resource in record.resources
        if resource.get("type") == "AWS::SecretsManager::Secret"
    ]
    listed = list(_members(record.request.get("secretIdList")))
    for found in (arns, listed, [_single_secret(record)]):
        if named := tuple(dict.fromkeys(filter(None, found))):
            return named
    return ()


def _single_secret(record: Record) -> str:
    places = (
        (record.response, ("arn", "aRN", "ARN")),
        (record.request, ("secretId",)),
        (record.additional, ("SecretId", "ARN", "Name")),
        (record.request, ("name",)),
    )
    for source, keys in places:
        for key in keys:
            if value := text_of(source.get(key)):
                return value
    return ""


def rotation_function_arn(record: Record) -> str | None:
    """The Lambda function a RotateSecret names; None for managed rotation or stored settings."""
    return text_of(record.request.get("rotationLambdaARN")) or None


def _ids(record: Record, keys: str | tuple[str, ...], shape: re.Pattern[str]) -> tuple[str, ...]:
    """Well-formed ids only: what is no id must not become a parameter of a later call."""
    keys = (keys,) if isinstance(keys, str) else keys
    found = (value for key in keys for value in _named(record, key))
    return tuple(dict.fromkeys(value for value in found if shape.fullmatch(value)))


def _named(record: Record, key: str) -> Iterator[str]:
    """Every text that the request or the response holds under a key, in either convention."""
    for body in (record.request, record.response):
        for level in _levels(body, record.event_name):
            for spelling in (key, key[0].upper() + key[1:]):
                yield from _members(level.get(spelling))


def _levels(body: Json, operation: str) -> Iterator[Json]:
    """A body, what it wraps (`<Operation>Request`), and the objects an operation answers with."""
    yield body
    wrappers = (f"{operation}Request", f"{operation}Response")
    answers = ("vpc", "vPC", "subnet", "vpcEndpoint")
    for wrapper in wrappers:
        if isinstance(inner := body.get(wrapper), Mapping):
            inner = cast(Json, inner)
            yield inner
            yield from (inner[name] for name in answers if isinstance(inner.get(name), Mapping))
    yield from (body[name] for name in answers if isinstance(body.get(name), Mapping))


def _members(value: object, depth: int = 0) -> Iterator[str]:
    """The texts of a member: itself, its tagged content, its item or items, one or many; of what
    was tagged its ids.
    """
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        if text := text_of(value):
            yield text
    elif isinstance(value, list):
        for one in cast(list[object], value):
            yield from _members(one, depth + 1)
    elif isinstance(value, Mapping):
        inner = cast(Json, value)
        for key in ("content", "item", "items", "resourceId"):
            yield from _members(inner.get(key), depth + 1)
