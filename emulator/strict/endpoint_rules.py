"""What AWS refuses of an endpoint, in the words it uses.

moto checks none of this. Where AWS's words were found in public reports they stand as they are: the
private DNS conditions and conflict, zones, endpoint types, policies, unknown endpoints. A message
marked "inferred" is in AWS's manner, without such a source; its code is that of the EC2 API's
errors-overview and of the reference of CreateVpcEndpoint.
"""

from typing import Any

from moto.ec2.exceptions import (
    EC2ClientError,
    InvalidParameter,
    InvalidSecurityGroupNotFoundError,
)
from moto.ec2.models.vpcs import VPCEndPoint

from . import endpoint_services, policies
from .endpoint_states import interface_endpoints
from .hosted_zones import private_zones
from .options import options

POLICY_CHARACTERS = 20_480


def get(backend: Any, endpoint_id: str) -> VPCEndPoint:
    if endpoint_id not in backend.vpc_end_points:
        raise EC2ClientError(
            "InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{endpoint_id}' does not exist"
        )
    return backend.vpc_end_points[endpoint_id]


def accepted_policy(text: str) -> str:
    """The text AWS keeps for a policy.

    Evidence: hashicorp/terraform-provider-aws#42291 shows ModifyVpcEndpoint refusing a document
    without a proper Statement with "InvalidPolicyDocument: The Policy Document is not valid. Syntax
    error at position (1,75)". No report of a policy that is too long, or has no Principal, was
    found: the same code stands for both.
    """
    if len(text) > POLICY_CHARACTERS:
        raise _invalid_policy(f"It is longer than {POLICY_CHARACTERS} characters")
    try:
        document = policies.parse(text)
    except policies.MalformedPolicy as error:
        raise _invalid_policy(str(error)) from error
    if problem := policies.endpoint_problem(document):
        raise _invalid_policy(problem)
    return policies.rewritten(document)


def _invalid_policy(reason: str) -> EC2ClientError:
    return EC2ClientError("InvalidPolicyDocument", f"The Policy Document is not valid. {reason}")


def check_subnets(
    backend: Any,
    vpc_id: str,
    service: dict[str, Any],
    subnet_ids: list[str],
    present_ids: list[str],
    ip_address_type: str,
) -> None:
    """Refuses subnets that cannot join those an endpoint has."""
    if len(set(subnet_ids)) < len(subnet_ids):
        raise InvalidParameter("The same subnet ID is given more than once")  # inferred
    zones = {backend.get_subnet(subnet_id).availability_zone_id for subnet_id in present_ids}
    subnets = [backend.get_subnet(subnet_id) for subnet_id in subnet_ids]
    for subnet in subnets:
        zone_id = subnet.availability_zone_id
        if subnet.vpc_id != vpc_id:
            raise InvalidParameter(  # inferred
                f"The subnet ID '{subnet.id}' does not belong to the VPC '{vpc_id}'"
            )
        if not endpoint_services.reaches(service, zone_id):
            raise InvalidParameter(
                f"The VPC endpoint service {service['ServiceName']} does not support the"
                f" availability zone of the subnet: {subnet.id}."
            )
        if zone_id in zones:
            raise EC2ClientError(
                "DuplicateSubnetsInSameZone",
                "Found another VPC endpoint subnet in the availability zone of"
                f" {subnet.id}. VPC endpoint subnets should be in different availability zones"
                " supported by the VPC endpoint service.",
            )
        zones.add(zone_id)
    for subnet in subnets + [backend.get_subnet(subnet_id) for subnet_id in present_ids]:
        _check_addresses(subnet, ip_address_type)
    for subnet in subnets:
        crowded = subnet.id in options.crowded_subnets
        if crowded or (subnet.cidr_block and subnet.available_ip_address_count < 1):
            named = f" {subnet.id}" if options.names_crowded_subnet else ""
            raise EC2ClientError(
                "InsufficientFreeAddressesInSubnet",
                f"The specified subnet{named} does not have enough free addresses to satisfy the"
                " request.",
            )


def _check_addresses(subnet: Any, ip_address_type: str) -> None:
    """An endpoint's address type must suit each of its subnets (create-interface-endpoint).

    "ipv6: ... only if all selected subnets are IPv6 only subnets".
    """
    lacks_ipv4 = ip_address_type in ("ipv4", "dualstack") and not subnet.cidr_block
    lacks_ipv6 = (
        ip_address_type in ("ipv6", "dualstack") and not subnet.ipv6_cidr_block_association_set
    )
    has_too_much = ip_address_type == "ipv6" and subnet.cidr_block
    if lacks_ipv4 or lacks_ipv6 or has_too_much:
        raise InvalidParameter(  # inferred
            f"The IP address type {ip_address_type} is not supported by the subnet: {subnet.id}"
        )


def check_groups(backend: Any, vpc_id: str, group_ids: list[str], subnet_ids: list[str]) -> None:
    for group_id in group_ids:
        group = backend.get_security_group_from_id(group_id)
        if group is None:
            raise InvalidSecurityGroupNotFoundError(group_id)
        if group.vpc_id != vpc_id:
            # The words are those of RunInstances for the same mistake.
            other = f"subnet {subnet_ids[0]}" if subnet_ids else f"VPC {vpc_id}"
            raise InvalidParameter(
                f"Security group {group_id} and {other} belong to different networks."
            )


def check_private_dns(backend: Any, vpc: Any, service: dict[str, Any]) -> None:
    names = [name["PrivateDnsName"] for name in service.get("PrivateDnsNames", [])]
    if not names:
        raise InvalidParameter(
            f"Private DNS can't be enabled because the service {service['ServiceName']} does not"
            " provide a private DNS name."
        )
    if not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
        raise InvalidParameter(
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC"
            f" attributes set to true for {vpc.id}"
        )
    for name in names:
        if name in _names_in(backend, vpc.id):
            raise InvalidParameter(
                "private-dns-enabled cannot be set because there is already a conflicting DNS"
                f" domain for {name} in the VPC {vpc.id}"
            )


def _names_in(backend: Any, vpc_id: str) -> set[str]:
    """The private DNS domains of a VPC: its endpoints' and its private hosted zones'."""
    return {
        name
        for endpoint in interface_endpoints(backend)
        if endpoint.vpc_id == vpc_id
        for name in endpoint.private_dns_names
    } | {zone.name.rstrip(".") for _, zone in private_zones(backend.partition, vpc_id)}
