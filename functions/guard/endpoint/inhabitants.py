"""Who may be in a VPC: the callers that its network interfaces show, and whom its subnets are
shared with.

A caller that does not come through an endpoint leaves the VPC by a public address: of a NAT gateway
in it, of its own, or of another VPC's gateway, to which a transit gateway leads.

DescribeNetworkInterfaces in the EC2 API reference, GetResourceShareAssociations in that of RAM.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guard.cloudtrail.record import Record
from guard.endpoint.listing import listed

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

FILTER_VALUES = 200  # that EC2 takes
_LAMBDA = "AWS::Lambda::Function"
_OF_FUNCTION = "AWS Lambda VPC ENI-"  # begins the description of a function's interface


@dataclass(frozen=True, slots=True)
class Inhabitants:
    """Methods raise boto3's errors. Needs ec2:DescribeNetworkInterfaces, ec2:DescribeSubnets and
    ram:GetResourceShareAssociations.
    """

    ec2: "EC2Client"
    ram: Any

    def among(self, records: Iterable[Record], vpc_id: str) -> list[Record]:
        """Those whose callers are in the VPC, or may be: nothing says that they are elsewhere.

        A person may be anywhere, so one counts by the address alone.
        """
        here = _Interfaces(self._interfaces(vpc_id=[vpc_id]))
        asked = list(records)
        foreign = sorted({one.source_ip for one in asked} - here.addresses)[:FILTER_VALUES]
        there = _Interfaces(
            self._interfaces(**{"association.public_ip": foreign}) if foreign else []
        )
        return [one for one in asked if _may_be(one, here, there)]

    def shared_with(self, vpc_id: str) -> tuple[str, ...]:
        """Accounts, and ARNs of organizations and their units, that a subnet is shared with."""
        shared = [one for one in self._associations("RESOURCE") if _subnet(one)]
        if not shared:
            return ()
        raw = listed(self.ec2, "describe_subnets", "Subnets", vpc_id=[vpc_id])
        here = {one["SubnetId"] for one in raw}
        shares = sorted({one["resourceShareArn"] for one in shared if _subnet(one) in here})
        if not shares:
            return ()
        with_whom = self._associations("PRINCIPAL", resourceShareArns=shares)
        return tuple(sorted({one["associatedEntity"] for one in with_whom}))

    def _interfaces(self, **filters: Sequence[str]) -> list[Any]:
        return listed(self.ec2, "describe_network_interfaces", "NetworkInterfaces", **filters)

    def _associations(self, kind: str, **more: Any) -> list[Any]:
        """Of the shares that are this account's own."""
        pages = self.ram.get_paginator("get_resource_share_associations").paginate(
            associationType=kind, associationStatus="ASSOCIATED", **more
        )
        return [one for page in pages for one in page["resourceShareAssociations"]]


class _Interfaces:
    """Some network interfaces, as far as they show who calls from there."""

    def __init__(self, raw: Iterable[Any]) -> None:
        some = list(raw)
        self.addresses = {one for each in some for one in _addresses(each)}
        self.instances = {one.get("Attachment", {}).get("InstanceId", "") for one in some} - {""}
        self.functions = [one.get("Description", "") for one in some]
        gateways = [one for one in some if one.get("InterfaceType") == "nat_gateway"]
        self.of_gateways = {one for each in gateways for one in _addresses(each)}

    def has_function(self, name: str) -> bool:
        return any(one.startswith(f"{_OF_FUNCTION}{name}-") for one in self.functions)


def _may_be(record: Record, here: _Interfaces, there: _Interfaces) -> bool:
    identity, address = record.identity, record.source_ip
    if address in here.addresses:
        return True
    if identity.from_console or "AWSReservedSSO_" in identity.issuer_arn:
        return False
    if identity.in_scope_of_type == _LAMBDA:
        return here.has_function(identity.in_scope_of.rpartition(":")[2])
    if identity.session_name.startswith("i-"):
        return identity.session_name in here.instances
    if here.of_gateways:
        return False  # all that leaves the VPC has the address of one of them
    return address not in there.addresses or address in there.of_gateways


def _subnet(association: Any) -> str:
    """The shared subnet's id; empty where something else is shared."""
    kind, _, id_ = association["associatedEntity"].rpartition(":")[2].partition("/")
    return id_ if kind == "subnet" else ""


def _addresses(interface: Any) -> Iterable[str]:
    public = [one.get("Association", {}) for one in interface.get("PrivateIpAddresses", [])]
    v4 = (one.get("PublicIp", "") for one in (interface.get("Association", {}), *public))
    v6 = (one.get("Ipv6Address", "") for one in interface.get("Ipv6Addresses", []))
    return filter(None, (*v4, *v6))
