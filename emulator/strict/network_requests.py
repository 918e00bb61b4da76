"""What EC2 refuses of requests about VPCs and groups before any model is touched.

moto sets several VPC attributes in one request, DNS hostnames without DNS support too, and deletes
a VPC's default security group. AWS takes one attribute per request, hostnames only where support is
on (both from the reference of ModifyVpcAttribute), and keeps the default group. moto lists all VPCs
at once, AWS in pages.
"""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    EC2ClientError,
    InvalidParameterCombination,
    InvalidParameterValue,
)
from moto.ec2.responses.security_groups import SecurityGroups
from moto.ec2.responses.vpcs import VPCs

from . import organization
from .paging import page
from .patching import Patches

patches = Patches()

_ATTRIBUTES = ("EnableDnsHostnames", "EnableDnsSupport", "EnableNetworkAddressUsageMetrics")


@patches.method(VPCs)
def describe_vpcs(moto: Any, request: Any) -> ActionResult:
    some, token = page(moto(request).result["Vpcs"], request)
    return ActionResult({"Vpcs": some, "NextToken": token})


@patches.method(VPCs)
def modify_vpc_attribute(moto: Any, request: Any) -> Any:
    given = [name for name in _ATTRIBUTES if request._get_param(f"{name}.Value") is not None]
    if not given:
        raise InvalidParameterCombination("No attributes specified.")
    if len(given) > 1:
        named = ", ".join(name[0].lower() + name[1:] for name in given)
        raise InvalidParameterCombination(f"Fields for multiple attribute types specified: {named}")
    vpc = request.ec2_backend.get_vpc(request._get_param("VpcId"))
    if request._get_param("EnableDnsHostnames.Value") and not vpc.enable_dns_support:
        raise InvalidParameterValue(  # inferred
            f"DNS hostnames cannot be enabled while DNS support is disabled for {vpc.id}"
        )
    return moto(request)


@patches.method(SecurityGroups)
def create_security_group(moto: Any, request: Any) -> Any:
    tags = request._parse_tag_specification().get("security-group", {})
    organization.check_tags(request, "CreateSecurityGroup", "security-group", tags)
    return moto(request)


@patches.method(SecurityGroups)
def delete_security_group(moto: Any, request: Any) -> Any:
    group = request.ec2_backend.get_security_group_from_id(request._get_param("GroupId"))
    if group is not None and group.is_default:
        raise EC2ClientError(
            "CannotDelete",
            f'the specified group: "{group.id}" name: "default" cannot be deleted by a user',
        )
    return moto(request)
