"""Read the endpoint state of VPCs from AWS: the only part of the core that asks EC2 questions.

One call per kind of thing for any number of VPCs, not one per VPC, because a sweep looks at all of
them. Filters and not ids: an id that is gone makes `Describe*` fail for all the others.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from guard.vpc import (
    HTTPS,
    LIVE,
    MANAGED_TAG,
    AttachedPolicy,
    Endpoint,
    Network,
    SecurityGroup,
    Subnet,
    Vpc,
    network,
)

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

# EC2 accepts up to 200 values in a filter.
FILTER_VALUES = 200


@dataclass(slots=True)
class Observer:
    """Reads VPC states; remembers the service's AZs, which change about once a year."""

    ec2: "EC2Client"
    service_name: str
    _zones: frozenset[str] = field(default_factory=frozenset[str])

    def vpc_ids(self) -> list[str]:
        """Every VPC of the account and Region."""
        pages = self.ec2.get_paginator("describe_vpcs").paginate()
        return [vpc["VpcId"] for page in pages for vpc in page["Vpcs"] if "VpcId" in vpc]

    def endpoint_ids(self) -> list[str]:
        """Every endpoint of the guarded service that is not on its way out."""
        found = self._all(
            "describe_vpc_endpoints", "VpcEndpoints", service_name=[self.service_name]
        )
        return [one["VpcEndpointId"] for one in found if one["State"].lower() in LIVE]

    def attached_policies(self, ids: Collection[str]) -> dict[str, AttachedPolicy]:
        """What those endpoints of the guarded service that live carry, by endpoint id."""
        found = self._all(
            "describe_vpc_endpoints",
            "VpcEndpoints",
            vpc_endpoint_id=sorted(ids),
            service_name=[self.service_name],
        )
        return {
            one["VpcEndpointId"]: AttachedPolicy(
                endpoint_id=one["VpcEndpointId"],
                vpc_id=one["VpcId"],
                text=one.get("PolicyDocument", ""),
                tags=_tags(one),
            )
            for one in found
            if one["State"].lower() in LIVE
        }

    def vpc_tags(self, vpc_id: str) -> dict[str, str]:
        """The tags of one VPC; none if it is gone."""
        found = self._all("describe_vpcs", "Vpcs", vpc_id=[vpc_id])
        return _tags(found[0]) if found else {}

    def vpcs_of_endpoints(self, ids: Collection[str]) -> set[str]:
        """The VPCs of those endpoints that exist and are of the guarded service."""
        found = self._all(
            "describe_vpc_endpoints",
            "VpcEndpoints",
            vpc_endpoint_id=sorted(ids),
            service_name=[self.service_name],
        )
        return {endpoint["VpcId"] for endpoint in found}

    def vpcs(self, ids: Collection[str]) -> dict[str, Vpc]:
        """The states of those VPCs that exist, by id."""
        states: dict[str, Vpc] = {}
        ordered = sorted(ids)
        for start in range(0, len(ordered), FILTER_VALUES):
            states.update(self._some(ordered[start : start + FILTER_VALUES]))
        return states

    def _some(self, ids: Sequence[str]) -> dict[str, Vpc]:
        raw_vpcs = self._all("describe_vpcs", "Vpcs", vpc_id=ids)
        if not raw_vpcs:
            return {}
        subnets = _by_vpc(self._all("describe_subnets", "Subnets", vpc_id=ids))
        endpoints = _by_vpc(
            self._all(
                "describe_vpc_endpoints",
                "VpcEndpoints",
                vpc_id=ids,
                service_name=[self.service_name],
            )
        )
        groups = self._groups(ids, endpoints)
        zones = self.service_zones()
        return {
            raw["VpcId"]: Vpc(
                id=raw["VpcId"],
                owner_id=raw.get("OwnerId", ""),
                tags=_tags(raw),
                networks=frozenset(_networks(raw)),
                dns_support=self._attribute(raw["VpcId"], "enableDnsSupport"),
                dns_hostnames=self._attribute(raw["VpcId"], "enableDnsHostnames"),
                subnets=tuple(_subnet(one) for one in subnets[raw["VpcId"]]),
                endpoints=tuple(_endpoint(one) for one in endpoints[raw["VpcId"]]),
                groups={one["GroupId"]: _group(one) for one in groups[raw["VpcId"]]},
                service_zones=zones,
            )
            for raw in raw_vpcs
        }

    def _all(self, operation: str, key: str, **filters: Sequence[str]) -> list[Any]:
        """Every page of a Describe call with filters; `vpc_id` stands for the filter vpc-id."""
        paginator = cast(Any, self.ec2).get_paginator(operation)
        wanted = [{"Name": k.replace("_", "-"), "Values": list(v)} for k, v in filters.items()]
        pages: Iterable[dict[str, list[Any]]] = paginator.paginate(Filters=wanted)
        return [item for page in pages for item in page[key]]

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
        return _by_vpc(g for g in raw if g["GroupId"] in attached or MANAGED_TAG in _tags(g))

    def _attribute(self, vpc_id: str, name: Any) -> bool:
        answer: Any = self.ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=name)
        return answer[name[0].upper() + name[1:]]["Value"]

    def service_zones(self) -> frozenset[str]:
        """AZs the service supports: ids where this Region's API gives them, else names."""
        if not self._zones:
            answer = self.ec2.describe_vpc_endpoint_services(ServiceNames=[self.service_name])
            detail: Any = answer["ServiceDetails"][0]
            self._zones = frozenset(
                detail.get("AvailabilityZoneIds") or detail["AvailabilityZones"]
            )
        return self._zones


def _by_vpc(items: Iterable[Any]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        grouped[item["VpcId"]].append(item)
    return grouped


def _tags(raw: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])}


def _networks(raw: Any) -> Iterable[Network]:
    for one in raw.get("CidrBlockAssociationSet", []):
        if one["CidrBlockState"]["State"] in ("associated", "associating"):
            yield network(one["CidrBlock"])
    for one in raw.get("Ipv6CidrBlockAssociationSet", []):
        if one["Ipv6CidrBlockState"]["State"] in ("associated", "associating"):
            yield network(one["Ipv6CidrBlock"])


def _subnet(raw: Any) -> Subnet:
    return Subnet(
        id=raw["SubnetId"],
        zone=raw["AvailabilityZone"],
        zone_id=raw["AvailabilityZoneId"],
        free_addresses=raw["AvailableIpAddressCount"],
        tags=_tags(raw),
        on_outpost=bool(raw.get("OutpostArn")),
        ipv6_only=raw.get("Ipv6Native", False),
    )


def _endpoint(raw: Any) -> Endpoint:
    error = raw.get("LastError", {})
    return Endpoint(
        id=raw["VpcEndpointId"],
        type=raw["VpcEndpointType"].lower(),
        state=raw["State"].lower(),
        subnet_ids=frozenset(raw.get("SubnetIds", [])),
        group_ids=frozenset(group["GroupId"] for group in raw.get("Groups", [])),
        private_dns=raw.get("PrivateDnsEnabled", False),
        created=raw["CreationTimestamp"],
        tags=_tags(raw),
        problem=raw.get("FailureReason") or error.get("Message", ""),
    )


def _group(raw: Any) -> SecurityGroup:
    return SecurityGroup(
        id=raw["GroupId"],
        name=raw["GroupName"],
        tags=_tags(raw),
        admits_https_from=frozenset(_admitted(raw.get("IpPermissions", []))),
    )


def _admitted(permissions: Iterable[Any]) -> Iterable[Network]:
    for rule in permissions:
        # Protocol -1 is all traffic and carries no ports.
        everything = rule["IpProtocol"] == "-1"
        https = rule["IpProtocol"] in ("tcp", "6") and (rule["FromPort"] <= HTTPS <= rule["ToPort"])
        if everything or https:
            yield from (network(one["CidrIp"]) for one in rule.get("IpRanges", []))
            yield from (network(one["CidrIpv6"]) for one in rule.get("Ipv6Ranges", []))
