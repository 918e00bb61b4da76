"""EC2's answers as the state of a VPC: one function for each kind of thing. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from guard.endpoint.state import HTTPS, Access, Endpoint, Network, SecurityGroup, Subnet, network


def tags_of(raw: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])}


def networks_of(raw: Any) -> Iterable[Network]:
    for one in raw.get("CidrBlockAssociationSet", []):
        if one["CidrBlockState"]["State"] in ("associated", "associating"):
            yield network(one["CidrBlock"])
    for one in raw.get("Ipv6CidrBlockAssociationSet", []):
        if one["Ipv6CidrBlockState"]["State"] in ("associated", "associating"):
            yield network(one["Ipv6CidrBlock"])


def subnet_of(raw: Any) -> Subnet:
    return Subnet(
        id=raw["SubnetId"],
        zone=raw["AvailabilityZone"],
        zone_id=raw["AvailabilityZoneId"],
        free_addresses=raw["AvailableIpAddressCount"],
        tags=tags_of(raw),
        on_outpost=bool(raw.get("OutpostArn")),
        networks=tuple(_subnet_networks(raw)),
    )


def _subnet_networks(raw: Any) -> Iterable[Network]:
    if raw.get("CidrBlock"):  # a subnet that has IPv6 alone has none
        yield network(raw["CidrBlock"])
    for one in raw.get("Ipv6CidrBlockAssociationSet", []):
        if one["Ipv6CidrBlockState"]["State"] in ("associated", "associating"):
            yield network(one["Ipv6CidrBlock"])


def endpoint_of(raw: Any) -> Endpoint:
    error = raw.get("LastError", {})
    ip_type = raw.get("IpAddressType", "ipv4").lower()
    return Endpoint(
        id=raw["VpcEndpointId"],
        type=raw["VpcEndpointType"].lower(),
        state=raw["State"].lower(),
        subnet_ids=frozenset(raw.get("SubnetIds", [])),
        group_ids=frozenset(group["GroupId"] for group in raw.get("Groups", [])),
        private_dns=raw.get("PrivateDnsEnabled", False),
        created=created_of(raw),
        tags=tags_of(raw),
        problem=raw.get("FailureReason") or error.get("Message", ""),
        interface_ids=frozenset(raw.get("NetworkInterfaceIds", [])),
        ip_type=ip_type,
        dns_type=raw.get("DnsOptions", {}).get("DnsRecordIpType", ip_type).lower(),
    )


def created_of(raw: Any) -> datetime:
    """When the endpoint was created; long ago where the answer leaves it out, which EC2 may."""
    return raw.get("CreationTimestamp") or datetime.fromtimestamp(0, UTC)


def group_of(raw: Any) -> SecurityGroup:
    ingress = _access(raw.get("IpPermissions", []))
    return SecurityGroup(
        id=raw["GroupId"],
        name=raw["GroupName"],
        tags=tags_of(raw),
        admits_https_from=ingress.networks,
        ingress=ingress,
        egress=_access(raw.get("IpPermissionsEgress", [])),
    )


def _access(permissions: Iterable[Any]) -> Access:
    """What the rules of one direction let through to port 443 over TCP."""
    rules = [rule for rule in permissions if _is_https(rule)]
    return Access(
        networks=frozenset(
            network(one[key])
            for rule in rules
            for ranges, key in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"))
            for one in rule.get(ranges, [])
        ),
        groups=frozenset(
            one["GroupId"]
            for rule in rules
            for one in rule.get("UserIdGroupPairs", [])
            if "GroupId" in one
        ),
        prefix_lists=any(rule.get("PrefixListIds") for rule in rules),
    )


def _is_https(rule: Any) -> bool:
    # Protocol -1 is all traffic and carries no ports.
    if rule["IpProtocol"] == "-1":
        return True
    return rule["IpProtocol"] in ("tcp", "6") and rule["FromPort"] <= HTTPS <= rule["ToPort"]
