"""A sweep's cost in calls, on an account of any size: EC2 is played by lists, and counts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from guard.census import DNS_SAMPLE, sample, unwell_vpcs
from guard.decide import Wanted
from guard.observe import Observer
from guard.scope import Guarded, Scope

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SERVICE = "com.amazonaws.eu-west-1.secretsmanager"
ACCOUNT = "111122223333"
PAGE = 1_000  # the most that these calls answer with at once
WANTED = Wanted(ACCOUNT, "stack", SERVICE, "vpce-guard:ignore", "{}")
EVERYWHERE = Guarded(Scope.ALL, "")


@dataclass
class Ec2:
    """`size` VPCs, each with a subnet, a group and an endpoint that works; the `broken` without.

    In `deaf` VPCs the DNS hostnames are off.
    """

    size: int
    broken: frozenset[int] = frozenset()
    deaf: frozenset[int] = frozenset()
    calls: Counter[str] = field(default_factory=Counter)

    def get_paginator(self, operation: str) -> Any:
        ec2 = self

        class Paginator:
            def paginate(self, Filters: Any = ()) -> Iterator[dict[str, Any]]:  # noqa: N803
                asked = [one["Values"] for one in Filters if one["Name"] == "vpc-id"]
                assert all(len(values) <= 200 for values in asked)
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


KEY = "VpcEndpoints"
LISTS = {
    "describe_vpcs": ("Vpcs", vpc),
    "describe_subnets": ("Subnets", subnet),
    "describe_vpc_endpoints": (KEY, endpoint),
    "describe_security_groups": ("SecurityGroups", group),
}


def swept(ec2: Any, now: datetime = NOON) -> list[str]:
    observer = Observer(ec2, SERVICE)
    return unwell_vpcs(observer, observer.vpc_ids(), WANTED, EVERYWHERE, now)


def test_ten_thousand_healthy_vpcs_cost_calls_that_list_and_a_sample() -> None:
    ec2 = Ec2(10_000)

    assert swept(ec2) == []

    assert ec2.calls.pop("describe_vpc_attribute") == 2 * DNS_SAMPLE
    # 10 pages of VPCs, and 4 kinds of things for each 200 of them.
    assert sum(ec2.calls.values()) == 10 + 4 * 50 + 1
    assert all(ec2.calls[name] <= 60 for name in ec2.calls)


def test_the_sample_does_not_grow_with_the_account() -> None:
    small, large = Ec2(1_000), Ec2(4_000)
    swept(small)
    swept(large)
    name = "describe_vpc_attribute"
    assert small.calls[name] == large.calls[name]


def test_the_broken_ones_are_found_among_thousands() -> None:
    broken = frozenset({7, 1_234, 2_999})
    assert swept(Ec2(3_000, broken)) == [id_of(n) for n in sorted(broken)]


def test_in_a_small_account_every_vpc_is_asked_for_its_dns_attributes() -> None:
    assert swept(Ec2(DNS_SAMPLE, deaf=frozenset({41}))) == [id_of(41)]


def test_in_a_large_one_sweep_after_sweep_asks_others() -> None:
    ids = [id_of(n) for n in range(1_000)]
    asked: set[str] = set()
    for number in range(60):
        drawn = sample(ids, NOON + timedelta(hours=6 * number))
        assert len(drawn) == DNS_SAMPLE
        asked |= drawn
    assert len(asked) > 980
