"""Names that depend on the partition, as botocore's endpoint data has them, and where moto lacks
them: its CloudFormation and some of EC2's ARNs know one partition alone, and not every Region has
AZs.
"""

from functools import cache
from typing import Any

import botocore.session
from botocore.loaders import Loader
from moto.cloudformation.parsing import ResourceMap
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone
from moto.ec2.models.security_groups import SecurityGroup
from moto.ec2.models.subnets import Subnet

LOADER = Loader(include_default_search_paths=True)
"""Shared by every session of the process: parsing EC2's model anew costs 0.2 s each time."""


@cache
def _session() -> botocore.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    return session


@cache
def partition_of(region: str) -> str:
    """Raises UnknownRegionError."""
    return _session().get_partition_for_region(region)


@cache
def dns_suffix(region: str) -> str:
    """What the names of a Region's endpoints end in: `amazonaws.com`, `amazonaws.eu`."""
    partitions = LOADER.load_data("partitions")["partitions"]
    outputs = {one["id"]: one["outputs"] for one in partitions}
    return outputs[partition_of(region)]["dnsSuffix"]


@cache
def install() -> None:
    """Let moto's CloudFormation know the partition, and EC2 the zones. Again, it does nothing."""
    original = ResourceMap.__init__

    def with_partition(self: Any, *args: Any, **settings: Any) -> None:
        original(self, *args, **settings)
        region = self._region_name
        self._parsed_resources |= {
            "AWS::Partition": partition_of(region),
            "AWS::URLSuffix": dns_suffix(region),
        }

    setattr(ResourceMap, "__init__", with_partition)  # noqa: B010 - pyright knows it for a method
    _place_subnets_and_groups()
    for partition in _session().get_available_partitions():
        for region in _session().get_available_regions("ec2", partition_name=partition):
            RegionsAndZonesBackend.zones.setdefault(region, _zones(region))
    beijing = RegionsAndZonesBackend.zones["cn-north-1"]
    beijing.append(Zone(region_name="cn-north-1", name="cn-north-1d", zone_id="cnn1-az4"))


def _place_subnets_and_groups() -> None:
    """Of subnets and security groups moto makes ARNs of one partition alone."""
    make_group, arn_of_subnet = SecurityGroup.__init__, vars(Subnet)["arn"].fget

    def group_of_partition(self: Any, ec2_backend: Any, *args: Any, **settings: Any) -> None:
        make_group(self, ec2_backend, *args, **settings)
        self.arn = _placed(self.arn, ec2_backend)

    setattr(SecurityGroup, "__init__", group_of_partition)  # noqa: B010
    setattr(Subnet, "arn", property(lambda self: _placed(arn_of_subnet(self), self.ec2_backend)))  # noqa: B010


def _placed(arn: str, backend: Any) -> str:
    return arn.replace("arn:aws:", f"arn:{partition_of(backend.region_name)}:", 1)


def _zones(region: str) -> list[Zone]:
    """Three, as AWS documents for each newer Region; the ids are made up."""
    first, *_, last = region.split("-")
    return [
        Zone(region_name=region, name=f"{region}{letter}", zone_id=f"{first}{last}-az{number}")
        for number, letter in enumerate("abc", start=1)
    ]
