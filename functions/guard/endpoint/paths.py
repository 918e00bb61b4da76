"""Read what lets packets, and questions for names, through in VPCs.

Needs ec2:DescribeNetworkAcls, ec2:DescribeDhcpOptions and ec2:DescribeRouteTables.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from guard.endpoint.answers import acl_of, resolvers_of, route_of
from guard.endpoint.listing import by_vpc, listed
from guard.endpoint.state import NetworkAcl, Routes, Subnet

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


def acls(ec2: "EC2Client", **filters: Sequence[str]) -> dict[str, dict[str, NetworkAcl]]:
    """The network ACL of each subnet, by VPC."""
    found: dict[str, dict[str, NetworkAcl]] = defaultdict(dict)
    for raw in listed(ec2, "describe_network_acls", "NetworkAcls", **filters):
        acl = acl_of(raw)
        found[raw["VpcId"]] |= {one["SubnetId"]: acl for one in raw.get("Associations", [])}
    return found


def resolvers(ec2: "EC2Client", ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The DNS servers, without AWS's own, in each of these sets of DHCP options that exist."""
    raw = listed(ec2, "describe_dhcp_options", "DhcpOptions", dhcp_options_id=sorted(ids))
    return {one["DhcpOptionsId"]: resolvers_of(one) for one in raw}


def routes(ec2: "EC2Client", subnets: Mapping[str, Iterable[Subnet]]) -> dict[str, Routes]:
    """The routes of these subnets, by VPC: of a subnet that names no table the VPC's main one."""
    raw = listed(ec2, "describe_route_tables", "RouteTables", vpc_id=sorted(subnets))
    tables = by_vpc(raw)
    found: dict[str, Routes] = {}
    for vpc_id, some in subnets.items():
        by_subnet = {
            link.get("SubnetId", ""): tuple(map(route_of, table["Routes"]))
            for table in tables[vpc_id]
            for link in table.get("Associations", [])
            if link.get("SubnetId") or link.get("Main")
        }
        main = by_subnet.get("", ())
        found[vpc_id] = {one.id: by_subnet.get(one.id, main) for one in some}
    return found
