"""VPCs, subnets, security groups and network interfaces that something still uses.

moto deletes a subnet, a VPC, a security group or a network interface although an endpoint stands on
it, and a VPC although security groups are left in it; AWS answers DependencyViolation (to
DeleteNetworkInterface InvalidParameterValue). moto takes any CIDR block into a VPC; AWS refuses one
that overlaps another of the VPC, and private ranges that do not go together. moto's errors may name
an id that does exist; AWS's name the one that does not. A NAT gateway of moto has an address
outside its subnet and leaves its interface behind when it is deleted, its Elastic IP is one of the
loopback network, and nobody can be found by
the public address of an interface. The state of a subnet's IPv6
block is garbled, and one without IPv4 has free IPv4 addresses. Of several tag keys in a filter a
VPC needs one for AWS; for moto it must have all, or no others.
"""

import fnmatch
import ipaddress
from collections.abc import Iterator
from typing import Any

from moto.ec2.exceptions import (
    DependencyViolationError,
    EC2ClientError,
    InvalidParameterValue,
    InvalidSecurityGroupNotFoundError,
)
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.subnets import Subnet, SubnetBackend
from moto.ec2.models.vpcs import VPCBackend

from .endpoint_states import EndpointInterface, advance
from .patching import Patches

patches = Patches()

_PRIVATE_RANGES = [
    ipaddress.ip_network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
]


@patches.method(SubnetBackend)
def delete_subnet(moto: Any, backend: Any, subnet_id: str) -> Any:
    advance(backend)
    backend.get_subnet(subnet_id)
    if any(eni.subnet.id == subnet_id for eni in backend.enis.values()):
        raise DependencyViolationError(
            f"The subnet '{subnet_id}' has dependencies and cannot be deleted."
        )
    return moto(backend, subnet_id)


@patches.method(VPCBackend)
def delete_vpc(moto: Any, backend: Any, vpc_id: str) -> Any:
    advance(backend)
    backend.get_vpc(vpc_id)
    if any(_occupants(backend, vpc_id)):
        raise DependencyViolationError(
            f"The vpc '{vpc_id}' has dependencies and cannot be deleted."
        )
    return moto(backend, vpc_id)


def _occupants(backend: Any, vpc_id: str) -> Iterator[Any]:
    """What keeps a VPC from being deleted, besides what moto checks itself."""
    for endpoint in backend.vpc_end_points.values():
        if endpoint.vpc_id == vpc_id and endpoint.state != "deleted":
            yield endpoint
    for group in backend.groups[vpc_id].values():
        if not group.is_default:
            yield group
    for gateway in backend.internet_gateways.values():
        if gateway.vpc and gateway.vpc.id == vpc_id:
            yield gateway


@patches.method(SecurityGroupBackend)
def delete_security_group(
    moto: Any, backend: Any, name: str | None = None, group_id: str | None = None
) -> None:
    advance(backend)
    if group_id and any(_users_of(backend, group_id)):
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    moto(backend, name, group_id)


def _users_of(backend: Any, group_id: str) -> Iterator[Any]:
    """Endpoints and interfaces in a security group, and rules of other groups that name it."""
    for endpoint in backend.vpc_end_points.values():
        if group_id in endpoint.security_group_ids and endpoint.state != "deleted":
            yield endpoint
    for eni in backend.enis.values():
        if group_id in [group.id for group in eni.group_set]:
            yield eni
    for groups in backend.groups.values():
        for group in groups.values():
            for rule in [*group.ingress_rules, *group.egress_rules]:
                source = rule.referenced_group_info or {}
                if group.id != group_id and source.get("GroupId") == group_id:
                    yield rule


@patches.method(NetworkInterfaceBackend)
def delete_network_interface(moto: Any, backend: Any, eni_id: str) -> None:
    advance(backend)
    if isinstance(backend.enis.get(eni_id), EndpointInterface):
        raise InvalidParameterValue(f"Network interface '{eni_id}' is currently in use.")
    moto(backend, eni_id)


@patches.method(VPCBackend)
def associate_vpc_cidr_block(
    moto: Any, backend: Any, vpc_id: str, cidr_block: str, amazon_provided_ipv6_cidr_block: bool
) -> Any:
    if not amazon_provided_ipv6_cidr_block:
        present = [
            ipaddress.ip_network(association["cidr_block"], strict=False)
            for association in backend.get_vpc(vpc_id).cidr_block_association_set
            if association["cidr_block_state"]["state"] == "associated"
        ]
        _check_block(ipaddress.ip_network(cidr_block, strict=False), present)
    return moto(backend, vpc_id, cidr_block, amazon_provided_ipv6_cidr_block)


def _check_block(block: Any, present: list[Any]) -> None:
    if not 16 <= block.prefixlen <= 28:
        raise EC2ClientError("InvalidVpc.Range", f"The CIDR '{block}' is invalid.")
    if any(block.overlaps(other) for other in present):
        # That AWS refuses it is documented (vpc-cidr-blocks); code and words are those of its other
        # refusals of a block: inferred.
        raise EC2ClientError(
            "InvalidVpc.Range", f"The CIDR '{block}' conflicts with another CIDR of the VPC"
        )
    if _private_range(block) not in (None, _private_range(present[0])):
        raise EC2ClientError(
            "InvalidVpc.Range",
            f"The CIDR '{block}' is restricted. Use a CIDR from the same private address range as"
            " the current VPC CIDR, or use a publicly-routable CIDR.",
        )


def _private_range(block: Any) -> Any:
    return next((wide for wide in _PRIVATE_RANGES if block.subnet_of(wide)), None)


@patches.method(VPCBackend)
def describe_vpcs(
    moto: Any, backend: Any, vpc_ids: list[str] | None = None, filters: Any = None
) -> Any:
    for vpc_id in vpc_ids or []:
        if vpc_id not in backend.vpcs:
            raise EC2ClientError("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    others = {name: some for name, some in (filters or {}).items() if name != "tag-key"}
    found = moto(backend, vpc_ids, others)
    keys = (filters or {}).get("tag-key")
    return found if keys is None else [vpc for vpc in found if _has_key(vpc, keys)]


def _has_key(vpc: Any, patterns: list[str]) -> bool:
    keys = [tag["key"] for tag in vpc.get_tags()]
    return any(fnmatch.fnmatchcase(key, pattern) for key in keys for pattern in patterns)


@patches.method(SubnetBackend)
def describe_subnets(
    moto: Any, backend: Any, subnet_ids: list[str] | None = None, filters: Any = None
) -> Any:
    for subnet_id in subnet_ids or []:
        backend.get_subnet(subnet_id)
    return moto(backend, subnet_ids, filters)


@patches.getter(Subnet)
def ipv6_cidr_block_association_set(moto: Any, subnet: Subnet) -> list[dict[str, Any]]:
    # moto wraps the state twice, and the answer then holds the text of a Python dictionary.
    return [
        {**association, "ipv6CidrBlockState": association["ipv6CidrBlockState"]["state"]}
        for association in moto(subnet)
    ]


@patches.getter(Subnet)
def available_ip_address_count(moto: Any, subnet: Subnet) -> int:
    # AWS counts IPv4 addresses only; moto counts a subnet that has IPv6 alone like any other.
    return moto(subnet) if subnet.cidr_block else 0


@patches.method(SecurityGroupBackend)
def describe_security_groups(
    moto: Any,
    backend: Any,
    group_ids: list[str] | None = None,
    groupnames: list[str] | None = None,
    filters: Any = None,
) -> Any:
    for group_id in group_ids or []:
        if backend.get_security_group_from_id(group_id) is None:
            raise InvalidSecurityGroupNotFoundError(group_id)
    return moto(backend, group_ids, groupnames, filters)


@patches.method(ElasticAddress, "__init__")
def make_address(
    moto: Any,
    address: ElasticAddress,
    backend: Any,
    domain: str,
    ip: str | None = None,
    **more: Any,
) -> None:
    # moto's are of the machine's own network, which nobody could come from.
    number = 2**8 + len(backend.addresses)
    chosen = str(ipaddress.ip_network("54.192.0.0/12")[number])
    moto(address, backend, domain, address=ip or chosen, **more)


@patches.method(NetworkInterface)
def get_filter_value(
    moto: Any, interface: NetworkInterface, filter_name: str, method_name: str | None = None
) -> Any:
    if filter_name == "association.public-ip":
        return interface.public_ip
    if filter_name == "ipv6-addresses.ipv6-address":
        return list(interface.ipv6_addresses)
    return moto(interface, filter_name, method_name)


@patches.method(NatGatewayBackend)
def create_nat_gateway(moto: Any, backend: Any, *args: Any, **kwargs: Any) -> Any:
    gateway = moto(backend, *args, **kwargs)
    eni = gateway._eni
    address = eni.subnet.get_available_subnet_ip(eni)
    eni.private_ip_address = address
    eni.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": address}]
    eni.interface_type = "nat_gateway"
    eni.description = f"Interface for NAT Gateway {gateway.id}"
    eni._group_set = []
    for listed in gateway.address_set:
        listed["privateIp"] = address
    return gateway


@patches.method(NatGatewayBackend)
def describe_nat_gateways(
    moto: Any, backend: Any, filters: Any, nat_gateway_ids: list[str] | None
) -> Any:
    for gateway_id in nat_gateway_ids or []:
        _check_nat_gateway(backend, gateway_id)
    return moto(backend, filters, nat_gateway_ids)


@patches.method(NatGatewayBackend)
def delete_nat_gateway(moto: Any, backend: Any, nat_gateway_id: str) -> Any:
    _check_nat_gateway(backend, nat_gateway_id)
    backend.enis.pop(backend.nat_gateways[nat_gateway_id]._eni.id, None)
    return moto(backend, nat_gateway_id)


def _check_nat_gateway(backend: Any, gateway_id: str) -> None:
    if gateway_id not in backend.nat_gateways:
        raise EC2ClientError("NatGatewayNotFound", f"NAT gateway {gateway_id} was not found")
