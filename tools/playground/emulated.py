"""Runs ministack, in its own environment, with what AWS does and it does not.

Its CloudFormation refuses an alarm on a query, and hands on as text a number that is a parameter.
A stack that a change set made has no description there, by which the guard knows its own. There is
no RAM; here it shares nothing. Its EC2 shows no policy, private DNS, security groups and interfaces
of an endpoint, and heeds no filter. The file imports nothing of this repository: ministack's
environment has nothing of it.
"""

# ruff: noqa: SLF001 - what has to be changed has no public name

import sys
from typing import Any
from xml.sax.saxutils import escape

from ministack import app  # pyright: ignore[reportMissingImports]
from ministack.services import ec2  # pyright: ignore[reportMissingImports]
from ministack.services.cloudformation import (  # pyright: ignore[reportMissingImports]
    _stacks,
    handlers,
    provisioners,
)

_record = provisioners._cw_metric_alarm_record
_mapping = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
_create = _mapping["create"]
_describe_stacks = handlers._describe_stacks
_actions = ec2._ACTION_MAP
_make, _modify, _fields = (
    _actions["CreateVpcEndpoint"],
    _actions["ModifyVpcEndpoint"],
    ec2._vpce_fields_xml,
)

# "Control access to VPC endpoints using endpoint policies", AWS PrivateLink guide.
DEFAULT = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'

FILTERS = {
    "vpc-endpoint-id": "VpcEndpointId",
    "vpc-endpoint-state": "State",
    "vpc-endpoint-type": "VpcEndpointType",
    "vpc-id": "VpcId",
    "service-name": "ServiceName",
}


def record(name: str, properties: dict[str, Any]) -> Any:
    """An alarm on a query is there, and never rings."""
    if "Metrics" in properties:
        known = {"Namespace": "none", "MetricName": "none"}
        properties = {key: value for key, value in properties.items() if key != "Metrics"} | known
    return _record(name, properties)


def create(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    """A mapping whose concurrency is a number."""
    scaling = {key: int(value) for key, value in properties.get("ScalingConfig", {}).items()}
    return _create(logical_id, properties | ({"ScalingConfig": scaling} if scaling else {}), stack)


def describe_stacks(given: dict[str, Any]) -> Any:
    """The stacks, each with the description of its template."""
    for stack in _stacks.values():
        if not stack.get("Description"):
            stack["Description"] = stack.get("_template", {}).get("Description", "")
    return _describe_stacks(given)


async def share_nothing(*_request: Any) -> tuple[int, dict[str, str], bytes]:
    """RAM of an account that shares nothing: the answer to GetResourceShareAssociations."""
    return 200, {"Content-Type": "application/json"}, b'{"resourceShareAssociations": []}'


def make(given: dict[str, Any]) -> Any:
    """An endpoint with what was asked for."""
    known = set(ec2._vpc_endpoints)
    answer = _make(given)
    (made,) = set(ec2._vpc_endpoints) - known
    _keep(made, given, ec2._parse_member_list(given, "SecurityGroupId"))
    return answer


def modify(given: dict[str, Any]) -> Any:
    """A change of it."""
    changed = ec2._p(given, "VpcEndpointId")
    answer = _modify(given)
    if changed in ec2._vpc_endpoints:
        groups = ec2._vpc_endpoints[changed].get("Groups", [])
        taken = ec2._parse_member_list(given, "RemoveSecurityGroupId")
        added = ec2._parse_member_list(given, "AddSecurityGroupId")
        _keep(changed, given, [one for one in groups if one not in taken] + added)
    return answer


def _keep(name: str, given: dict[str, Any], groups: list[str]) -> None:
    one = ec2._vpc_endpoints[name]
    one["Groups"] = groups
    for key in ("PolicyDocument", "PrivateDnsEnabled"):
        if value := ec2._p(given, key):
            one[key] = value


def fields(one: dict[str, Any], tag: str = "item") -> str:
    """An endpoint as EC2 shows it."""
    groups = "".join(f"<item><groupId>{group}</groupId></item>" for group in one.get("Groups", []))
    cards = "".join(f"<item>eni-{name[7:]}</item>" for name in one["SubnetIds"])
    private = one.get("PrivateDnsEnabled", "false")
    more = (
        f"<policyDocument>{escape(one.get('PolicyDocument', DEFAULT))}</policyDocument>"
        f"<privateDnsEnabled>{private}</privateDnsEnabled><groupSet>{groups}</groupSet>"
        f"<networkInterfaceIdSet>{cards}</networkInterfaceIdSet>"
    )
    return f"{_fields(one, tag).removesuffix(f'</{tag}>')}{more}</{tag}>"


def describe(given: dict[str, Any]) -> Any:
    """The endpoints that the filters let through; one that is not known lets everything."""
    ids = ec2._parse_member_list(given, "VpcEndpointId")
    accepted = {
        FILTERS[name]: {value.lower() for value in values}
        for name, values in ec2._parse_filters(given).items()
        if name in FILTERS
    } | ({"VpcEndpointId": set(ids)} if ids else {})
    shown = "".join(
        fields(one)
        for one in ec2._vpc_endpoints.values()
        if all(one[key].lower() in values for key, values in accepted.items())
    )
    body = f"<vpcEndpointSet>{shown}</vpcEndpointSet>"
    return ec2._xml(200, "DescribeVpcEndpointsResponse", body)


provisioners._cw_metric_alarm_record = record
_mapping["create"] = create
handlers._ACTION_HANDLERS["DescribeStacks"] = describe_stacks
app.SERVICE_HANDLERS["ram"] = share_nothing
_actions["CreateVpcEndpoint"], _actions["ModifyVpcEndpoint"] = make, modify
_actions["DescribeVpcEndpoints"] = describe
ec2._vpce_fields_xml = fields

if __name__ == "__main__":
    sys.exit(app.main())
