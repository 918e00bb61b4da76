"""Read the endpoint state of VPCs from AWS: the only part of the core that asks EC2 questions.

One call per kind of thing for any number of VPCs, not one per VPC, because a sweep reads all of
them. Filters and not ids: an id that is gone makes `Describe*` fail for all the others. Route 53 is
asked only about VPCs where no endpoint has private DNS: where one has, AWS allows no other zone of
the name.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from guard.aws.errors import code_of
from guard.endpoint import paths
from guard.endpoint.answers import (
    NO_DHCP_OPTIONS,
    created_of,
    endpoint_of,
    group_of,
    networks_of,
    subnet_of,
    tags_of,
)
from guard.endpoint.hosted_zones import HostedZones
from guard.endpoint.hubs import Hubs
from guard.endpoint.listing import by_vpc, listed
from guard.endpoint.opt_out import in_force
from guard.endpoint.state import (
    LIVE,
    MANAGED_TAG,
    AttachedPolicy,
    Endpoint,
    SecurityGroup,
    Vpc,
    fips_name,
)
from guard.settings import OPT_OUT_TAG

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

# EC2 accepts up to 200 values in a filter.
FILTER_VALUES = 200


@dataclass(frozen=True, slots=True)
class Service:
    """What AWS says of the guarded endpoint service: where it is, and how it is reached."""

    zones: frozenset[str]
    ip_types: frozenset[str]
    private_dns_name: str


@dataclass(slots=True)
class Observer:
    """Reads VPC states; remembers what AWS says of the service, which changes about once a year.

    Policies and ids are read of the FIPS twin's endpoints as well: secrets are reached through
    them too. Without `hosted_zones`, Route 53 is not asked. Of VPCs and endpoints, an `opt_out_tag`
    whose last day is over is left out.
    """

    ec2: "EC2Client"
    service_name: str
    hosted_zones: HostedZones | None = None
    opt_out_tag: str = OPT_OUT_TAG
    _service: Service | None = None
    _resolvers: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def service_names(self) -> list[str]:
        """The service and its FIPS twin."""
        return [self.service_name, fips_name(self.service_name)]

    def vpc_ids(self) -> list[str]:
        """Every VPC of the account and Region."""
        return list(self.vpc_tags())

    def vpc_tags(self, keys: Collection[str] | None = None) -> dict[str, dict[str, str]]:
        """The tags of those VPCs that carry one of these keys, by id; of all without `keys`."""
        named = {} if keys is None else {"tag_key": sorted(keys)}
        return {
            one["VpcId"]: self._tags(one)
            for one in self._all("describe_vpcs", "Vpcs", **named)
            if "VpcId" in one
        }

    def attached_policies(self, ids: Collection[str] | None = None) -> dict[str, AttachedPolicy]:
        """What those endpoints of the guarded service that live carry, by id; all without `ids`."""
        named = {} if ids is None else {"vpc_endpoint_id": sorted(ids)}
        found = self._all(
            "describe_vpc_endpoints", "VpcEndpoints", service_name=self.service_names, **named
        )
        return {
            one["VpcEndpointId"]: AttachedPolicy(
                endpoint_id=one["VpcEndpointId"],
                vpc_id=one["VpcId"],
                text=one.get("PolicyDocument", ""),
                tags=self._tags(one),
                created=created_of(one),
                requester_managed=one.get("RequesterManaged", False),
            )
            for one in found
            if one["State"].lower() in LIVE
        }

    def vpcs_of_endpoints(self, ids: Collection[str]) -> set[str]:
        """The VPCs of those endpoints that exist and are of the guarded service."""
        found = self._all(
            "describe_vpc_endpoints",
            "VpcEndpoints",
            vpc_endpoint_id=sorted(ids),
            service_name=self.service_names,
        )
        return {endpoint["VpcId"] for endpoint in found}

    def endpoints(self) -> dict[str, tuple[Endpoint, ...]]:
        """Every endpoint of the guarded service that carries its plain name, by VPC."""
        found = self._all(
            "describe_vpc_endpoints", "VpcEndpoints", service_name=[self.service_name]
        )
        return {id_: tuple(map(endpoint_of, some)) for id_, some in by_vpc(found).items()}

    def vpcs_of_acls(self, ids: Collection[str]) -> dict[str, str]:
        """The VPC of each of those network ACLs that exist."""
        found = self._all("describe_network_acls", "NetworkAcls", network_acl_id=sorted(ids))
        return {one["NetworkAclId"]: one["VpcId"] for one in found}

    def vpcs_of_subnets(self, ids: Collection[str]) -> set[str]:
        """The VPCs of those subnets that exist."""
        found = self._all("describe_subnets", "Subnets", subnet_id=sorted(ids))
        return {subnet["VpcId"] for subnet in found}

    def security_groups(self, ids: Collection[str]) -> dict[str, SecurityGroup]:
        """Those security groups that exist, by id."""
        raw = self._all("describe_security_groups", "SecurityGroups", group_id=sorted(ids))
        return {one["GroupId"]: group_of(one) for one in raw}

    def interfaces(self, vpc_id: str) -> dict[str, frozenset[str]]:
        """The ids of a VPC's network interfaces, whoever has them, by subnet."""
        found: dict[str, set[str]] = defaultdict(set)
        for one in self._all("describe_network_interfaces", "NetworkInterfaces", vpc_id=[vpc_id]):
            if "SubnetId" in one:  # an interface of a regional NAT gateway is in none
                found[one["SubnetId"]].add(one["NetworkInterfaceId"])
        return {subnet_id: frozenset(ids) for subnet_id, ids in found.items()}

    def vpcs(self, ids: Collection[str], dns_assumed: Collection[str] = ()) -> dict[str, Vpc]:
        """The states of those VPCs that exist, by id.

        AWS returns the DNS attributes of one VPC and one attribute at a time. Of the VPCs in
        `dns_assumed` they are taken to be on where an available endpoint has private DNS: without
        both AWS would not have switched it on. Who has since switched one off has made an event.
        """
        states: dict[str, Vpc] = {}
        ordered = sorted(ids)
        for start in range(0, len(ordered), FILTER_VALUES):
            states.update(self._some(ordered[start : start + FILTER_VALUES], dns_assumed))
        return states

    def _some(self, ids: Sequence[str], dns_assumed: Collection[str]) -> dict[str, Vpc]:
        raw_vpcs = self._all("describe_vpcs", "Vpcs", vpc_id=ids)
        if not raw_vpcs:
            return {}
        subnets = by_vpc(self._all("describe_subnets", "Subnets", vpc_id=ids))
        endpoints = by_vpc(
            self._all(
                "describe_vpc_endpoints",
                "VpcEndpoints",
                vpc_id=ids,
                service_name=self.service_names,
            )
        )
        groups = self._groups(ids, endpoints)
        acls = paths.acls(self.ec2, vpc_id=ids)
        resolvers = self._resolvers_of(raw_vpcs)
        service = self.service()
        states: dict[str, Vpc] = {}
        for raw in raw_vpcs:
            id_ = raw["VpcId"]
            plain, fips = self._by_name(endpoints[id_])
            named = any(one.private_dns and one.state == "available" for one in plain)
            dns = (True, True) if named and id_ in dns_assumed else self._dns(id_)
            if dns is None:
                continue
            states[id_] = Vpc(
                id=id_,
                owner_id=raw.get("OwnerId", ""),
                tags=self._tags(raw),
                networks=frozenset(networks_of(raw)),
                dns_support=dns[0],
                dns_hostnames=dns[1],
                subnets=tuple(subnet_of(one) for one in subnets[id_]),
                endpoints=plain,
                groups={one["GroupId"]: group_of(one) for one in groups[id_]},
                service_zones=service.zones,
                service_ip_types=service.ip_types,
                fips_endpoints=fips,
                is_default=raw.get("IsDefault", False),
                acls=acls[id_],
                resolvers=resolvers.get(raw.get("DhcpOptionsId", ""), ()),
                dhcp_options_id=raw.get("DhcpOptionsId", ""),
            )
        name = service.private_dns_name
        if not self.hosted_zones or not name:
            return states
        return Hubs(self.ec2, self.service_name, self.hosted_zones).found(states, name)

    def _by_name(self, raw: Iterable[Any]) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...]]:
        """The endpoints of the plain name, and those of the FIPS one."""
        split: dict[str, list[Endpoint]] = {name: [] for name in self.service_names}
        for one in raw:
            found = replace(endpoint_of(one), tags=self._tags(one))
            split[one["ServiceName"]].append(found)
        plain, fips = split.values()
        return tuple(plain), tuple(fips)

    def _tags(self, raw: Any) -> dict[str, str]:
        """What a VPC or endpoint is tagged with and what of it holds today."""
        return in_force(tags_of(raw), self.opt_out_tag, datetime.now(UTC).date())

    def _all(self, operation: str, key: str, **filters: Sequence[str]) -> list[Any]:
        return listed(self.ec2, operation, key, **filters)

    def _groups(
        self, vpc_ids: Sequence[str], endpoints: Mapping[str, Sequence[Any]]
    ) -> dict[str, list[Any]]:
        """The groups that matter: those on the endpoints, and ours."""
        attached = {
            group["GroupId"]
            for some in endpoints.values()
            for endpoint in some
            for group in endpoint.get("Groups", [])
        }
        raw = self._all("describe_security_groups", "SecurityGroups", vpc_id=vpc_ids)
        return by_vpc(g for g in raw if g["GroupId"] in attached or MANAGED_TAG in tags_of(g))

    def _resolvers_of(self, raw_vpcs: Iterable[Any]) -> dict[str, tuple[str, ...]]:
        """By set of DHCP options. Nobody can change one, so each is asked for once."""
        ids = {one.get("DhcpOptionsId", NO_DHCP_OPTIONS) for one in raw_vpcs} - {NO_DHCP_OPTIONS}
        if unknown := ids - self._resolvers.keys():
            self._resolvers |= paths.resolvers(self.ec2, unknown)
        return self._resolvers

    def full_subnets(self, ids: Iterable[str]) -> set[str]:
        """Those of the subnets that count no free IPv4 address now."""
        raw = self._all("describe_subnets", "Subnets", subnet_id=sorted(ids))
        found = map(subnet_of, raw)
        return {one.id for one in found if one.free_addresses <= 0}

    def _dns(self, vpc_id: str) -> tuple[bool, bool] | None:
        """The two DNS attributes; None for a VPC that was deleted since it was listed."""
        try:
            support = self._attribute(vpc_id, "enableDnsSupport")
            return support, self._attribute(vpc_id, "enableDnsHostnames")
        except ClientError as error:
            if code_of(error) != "InvalidVpcID.NotFound":
                raise
            return None

    def _attribute(self, vpc_id: str, name: Any) -> bool:
        answer: Any = self.ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=name)
        return answer[name[0].upper() + name[1:]]["Value"]

    def service(self) -> Service:
        """The service's AZs (ids where this Region's API gives them, else names) and addresses."""
        if not self._service:
            answer = self.ec2.describe_vpc_endpoint_services(ServiceNames=[self.service_name])
            detail: Any = answer["ServiceDetails"][0]
            self._service = Service(
                zones=frozenset(detail.get("AvailabilityZoneIds") or detail["AvailabilityZones"]),
                ip_types=frozenset(detail.get("SupportedIpAddressTypes") or ["ipv4"]),
                private_dns_name=detail.get("PrivateDnsName", ""),
            )
        return self._service
