"""Read who serves the service's name in VPCs from elsewhere, and the way there.

Of endpoints in this account state, groups, subnets, network ACLs and routes are read, in one call
for each kind of thing for all VPCs; another account's cannot be.

Needs what `HostedZones` needs, ec2:DescribeVpcEndpoints, ec2:DescribeSubnets,
ec2:DescribeSecurityGroups, ec2:DescribeNetworkAcls and ec2:DescribeRouteTables.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from guard.endpoint import paths
from guard.endpoint.answers import endpoint_of, group_of, subnet_of
from guard.endpoint.hosted_zones import Denied, HostedZones
from guard.endpoint.listing import by_vpc, listed
from guard.endpoint.state import LIVE, Hub, Network, Vpc, plain

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


@dataclass(frozen=True, slots=True)
class Hubs:
    """Asks Route 53 about VPCs in which no endpoint has the name: where one has, AWS allows no
    other zone of it.
    """

    ec2: "EC2Client"
    service_name: str
    hosted_zones: HostedZones

    def found(self, states: Mapping[str, Vpc], name: str) -> dict[str, Vpc]:
        """The states with what serves the name, where that could matter. Raises ClientError."""
        self.hosted_zones.forget()
        vpcs = {id_: self._asked(vpc, name) for id_, vpc in states.items()}
        spokes = {id_: vpc.zone for id_, vpc in vpcs.items() if vpc.zone}
        named = {one for zone in spokes.values() for one in zone.endpoint_ids}
        raw = self._endpoints(named)
        if not raw:
            return vpcs
        hubs, entries = self._hubs(raw), {one["VpcEndpointId"]: _entries(one) for one in raw}
        routes = paths.routes(self.ec2, {id_: vpcs[id_].subnets for id_ in spokes})
        for id_, zone in spokes.items():
            zone = replace(
                zone,
                entries={one: entries[one] for one in zone.endpoint_ids if one in entries},
                hubs=tuple(hubs[one] for one in sorted(zone.endpoint_ids) if one in hubs),
            )
            vpcs[id_] = replace(vpcs[id_], zone=zone, routes=routes[id_])
        return vpcs

    def _asked(self, vpc: Vpc, name: str) -> Vpc:
        if vpc.owner_id != self.hosted_zones.account_id or not vpc.subnets:
            return vpc
        if any(one.private_dns and one.state in LIVE for one in vpc.endpoints):
            return vpc
        try:
            return replace(vpc, zone=self.hosted_zones.serving(vpc.id, name))
        except Denied as error:
            return replace(vpc, zone_unread=str(error))

    def _endpoints(self, ids: Collection[str]) -> list[Any]:
        """Those that are this account's and live."""
        if not ids:
            return []
        found = listed(
            self.ec2,
            "describe_vpc_endpoints",
            "VpcEndpoints",
            vpc_endpoint_id=sorted(ids),
            service_name=[self.service_name],
        )
        return [one for one in found if one["State"].lower() in LIVE]

    def _hubs(self, raw: Iterable[Any]) -> dict[str, Hub]:
        endpoints = {one["VpcEndpointId"]: (one["VpcId"], endpoint_of(one)) for one in raw}
        vpc_ids = sorted({vpc_id for vpc_id, _ in endpoints.values()})
        group_ids = sorted({id_ for _, one in endpoints.values() for id_ in one.group_ids})
        groups = {
            one["GroupId"]: group_of(one).admits_https_from
            for one in listed(
                self.ec2, "describe_security_groups", "SecurityGroups", group_id=group_ids
            )
        }
        subnets = {
            vpc_id: tuple(map(subnet_of, some))
            for vpc_id, some in by_vpc(
                listed(self.ec2, "describe_subnets", "Subnets", vpc_id=vpc_ids)
            ).items()
        }
        acls, routes = paths.acls(self.ec2, vpc_id=vpc_ids), paths.routes(self.ec2, subnets)
        return {
            id_: Hub(
                endpoint,
                vpc_id,
                tuple(one for one in subnets[vpc_id] if one.id in endpoint.subnet_ids),
                frozenset[Network]().union(*(groups.get(one, ()) for one in endpoint.group_ids)),
                acls[vpc_id],
                routes[vpc_id],
            )
            for id_, (vpc_id, endpoint) in endpoints.items()
        }


def _entries(raw: Any) -> frozenset[str]:
    return frozenset(plain(one["DnsName"]) for one in raw.get("DnsEntries", []))
