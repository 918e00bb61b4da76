"""The four endpoint actions as requests: parameters in, answers out.

moto drops IpAddressType, DnsOptions, PrivateDnsEnabled (on modify), MaxResults and NextToken, never
reports a deletion that failed, and answers HTTP 500 to the filters `vpc-endpoint-id`,
`ip-address-type` and to unknown ones. AWS heeds all of them.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidParameterValue
from moto.ec2.models.vpcs import VPCEndPoint
from moto.ec2.responses.vpcs import VPCs

from . import organization
from .options import options
from .paging import page
from .patching import Patches

patches = Patches()

_FILTERS = {
    *("ip-address-type", "service-name", "service-region", "tag-key", "vpc-id"),
    *("vpc-endpoint-id", "vpc-endpoint-state", "vpc-endpoint-type"),
}


@patches.method(VPCs)
def create_vpc_endpoint(moto: Any, request: Any) -> ActionResult:
    tags = request._parse_tag_specification("vpc-endpoint").get("vpc-endpoint", {})
    organization.check_tags(request, "CreateVpcEndpoint", "vpc-endpoint", tags)
    endpoint = request.ec2_backend.create_vpc_endpoint(
        vpc_id=request._get_param("VpcId"),
        service_name=request._get_param("ServiceName"),
        endpoint_type=request._get_param("VpcEndpointType"),
        policy_document=request._get_param("PolicyDocument"),
        route_table_ids=request._get_param("RouteTableIds", []),
        subnet_ids=request._get_param("SubnetIds", []),
        security_group_ids=request._get_param("SecurityGroupIds", []),
        private_dns_enabled=request._get_param("PrivateDnsEnabled", True),
        ip_address_type=request._get_param("IpAddressType"),
        dns_options=request._get_param("DnsOptions"),
        client_token=request._get_param("ClientToken"),
        tags=tags,
    )
    return ActionResult({"VpcEndpoint": endpoint, "ClientToken": endpoint.client_token})


@patches.method(VPCs)
def modify_vpc_endpoint(moto: Any, request: Any) -> ActionResult:
    request.ec2_backend.modify_vpc_endpoint(
        vpc_id=request._get_param("VpcEndpointId"),
        policy_doc=request._get_param("PolicyDocument"),
        reset_policy=request._get_param("ResetPolicy", False),
        add_subnets=request._get_param("AddSubnetIds", []),
        remove_subnets=request._get_param("RemoveSubnetIds", []),
        add_route_tables=request._get_param("AddRouteTableIds", []),
        remove_route_tables=request._get_param("RemoveRouteTableIds", []),
        add_security_groups=request._get_param("AddSecurityGroupIds", []),
        remove_security_groups=request._get_param("RemoveSecurityGroupIds", []),
        private_dns_enabled=request._get_param("PrivateDnsEnabled"),
        ip_address_type=request._get_param("IpAddressType"),
        dns_options=request._get_param("DnsOptions"),
    )
    return ActionResult({"Return": True})


@patches.method(VPCs)
def describe_vpc_endpoints(moto: Any, request: Any) -> ActionResult:
    filters = request._filters_from_querystring()
    for name in filters:
        if name not in _FILTERS and not name.startswith("tag:"):
            raise InvalidParameterValue(f"The filter '{name}' is invalid")
    found = request.ec2_backend.describe_vpc_endpoints(
        vpc_end_point_ids=request._get_param("VpcEndpointIds", []), filters=filters
    )
    some, token = page(found, request)
    return ActionResult({"VpcEndpoints": some, "NextToken": token})


def _not_deleted(endpoint_id: str, code: str, message: str) -> dict[str, Any]:
    return {"ResourceId": endpoint_id, "Error": {"Code": code, "Message": message}}


@patches.method(VPCs)
def delete_vpc_endpoints(moto: Any, request: Any) -> ActionResult:
    ids = request._get_param("VpcEndpointIds", [])
    known = {e for e in ids if e in request.ec2_backend.vpc_end_points}
    going = [e for e in ids if e in known - options.kept_endpoints]
    request.ec2_backend.delete_vpc_endpoints(vpce_ids=going)
    unsuccessful = [
        _not_deleted(
            endpoint_id,
            "OperationNotPermitted",
            f"Operation is not allowed for requester-managed VPC endpoints: {endpoint_id}",
        )
        if endpoint_id in known
        # Not the code of the other calls: InvalidVpcEndpoint, without Id.
        else _not_deleted(
            endpoint_id,
            "InvalidVpcEndpoint.NotFound",
            f"The Vpc Endpoint Id '{endpoint_id}' does not exist",
        )
        for endpoint_id in ids
        if endpoint_id not in going
    ]
    return ActionResult({"Unsuccessful": unsuccessful})


@patches.method(VPCEndPoint)
def get_filter_value(
    moto: Any, endpoint: VPCEndPoint, filter_name: str, method_name: str | None = None
) -> Any:
    match filter_name:
        case "vpc-endpoint-id":
            return endpoint.id
        case "ip-address-type":
            return getattr(endpoint, "ip_address_type", "ipv4")
        case "service-region":
            return endpoint.ec2_backend.region_name
        case _:
            value = moto(endpoint, filter_name, method_name)
            # moto's matcher counts an absent tag as a match of nothing only for text.
            return "" if value is None and filter_name.startswith("tag:") else value
