"""EC2 of an account of any size, played by lists: for what is asked of all VPCs at once."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SERVICE = "com.amazonaws.eu-west-1.secretsmanager"
ACCOUNT = "111122223333"
PAGE = 1_000  # the most that these calls answer with at once
MOST_VALUES = 200


@dataclass
class Ec2:
    """`size` VPCs, each with a subnet, a group and an endpoint that works; the `broken` without.

    In `deaf` VPCs the DNS hostnames are off.
    """

    size: int
    broken: frozenset[int] = frozenset()
    deaf: frozenset[int] = frozenset()
    calls: Counter[str] = field(default_factory=Counter[str])

    def get_paginator(self, operation: str) -> Any:
        ec2 = self

        class Paginator:
            def paginate(self, Filters: Any = ()) -> Iterator[dict[str, Any]]:  # noqa: N803 - EC2's name
                asked = [one["Values"] for one in Filters if one["Name"] == "vpc-id"]
                if any(len(values) > MOST_VALUES for values in asked):
                    raise ValueError("EC2 takes at most 200 values in a filter")
                numbers = [int(id_[4:], 16) for id_ in asked[0]] if asked else range(ec2.size)
                key, item = LISTS[operation]
                items = [item(n) for n in numbers if not (key == KEY and n in ec2.broken)]
                for start in range(0, max(len(items), 1), PAGE):
                    ec2.calls[operation] += 1
                    yield {key: items[start : start + PAGE]}

        return Paginator()

    def describe_vpc_attribute(self, **asked: Any) -> Any:
        self.calls["describe_vpc_attribute"] += 1
        name = asked["Attribute"]
        off = name == "enableDnsHostnames" and int(asked["VpcId"][4:], 16) in self.deaf
        return {name[0].upper() + name[1:]: {"Value": not off}}

    def describe_vpc_endpoint_services(self, **_: Any) -> Any:
        self.calls["describe_vpc_endpoint_services"] += 1
        return {
            "ServiceDetails": [
                {
                    "AvailabilityZoneIds": ["euw1-az1"],
                    "AvailabilityZones": ["eu-west-1a"],
                    "SupportedIpAddressTypes": ["ipv4"],
                    "PrivateDnsName": "secretsmanager.eu-west-1.amazonaws.com",
                }
            ]
        }


def id_of(number: int) -> str:
    return f"vpc-{number:017x}"


def vpc(number: int) -> dict[str, Any]:
    block = {"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}}
    return {"VpcId": id_of(number), "OwnerId": ACCOUNT, "CidrBlockAssociationSet": [block]}


def subnet(number: int) -> dict[str, Any]:
    return {
        "SubnetId": f"subnet-{number:017x}",
        "VpcId": id_of(number),
        "AvailabilityZone": "eu-west-1a",
        "AvailabilityZoneId": "euw1-az1",
        "AvailableIpAddressCount": 200,
        "CidrBlock": "10.0.0.0/24",
    }


def group(number: int) -> dict[str, Any]:
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "IpRanges": [{"CidrIp": "10.0.0.0/16"}],
    }
    id_ = f"sg-{number:017x}"
    return {"GroupId": id_, "GroupName": "g", "VpcId": id_of(number), "IpPermissions": [rule]}


def endpoint(number: int) -> dict[str, Any]:
    return {
        "VpcEndpointId": f"vpce-{number:017x}",
        "VpcEndpointType": "Interface",
        "VpcId": id_of(number),
        "ServiceName": SERVICE,
        "State": "available",
        "SubnetIds": [f"subnet-{number:017x}"],
        "NetworkInterfaceIds": [f"eni-{number:017x}"],
        "Groups": [{"GroupId": f"sg-{number:017x}"}],
        "PrivateDnsEnabled": True,
        "CreationTimestamp": NOON,
        "PolicyDocument": "{}",
    }


def network_acl(number: int) -> dict[str, Any]:
    rule = {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
    return {
        "NetworkAclId": f"acl-{number:017x}",
        "VpcId": id_of(number),
        "Associations": [{"SubnetId": f"subnet-{number:017x}"}],
        "Entries": [{**rule, "Egress": False}, {**rule, "Egress": True}],
    }


KEY = "VpcEndpoints"
LISTS = {
    "describe_vpcs": ("Vpcs", vpc),
    "describe_subnets": ("Subnets", subnet),
    "describe_vpc_endpoints": (KEY, endpoint),
    "describe_security_groups": ("SecurityGroups", group),
    "describe_network_acls": ("NetworkAcls", network_acl),
}
