"""Names that depend on the partition, as botocore's endpoint data has them, and where moto lacks
them: its CloudFormation knows one partition alone, and its EC2 not every Region's AZs.
"""

from functools import cache
from typing import Any

import botocore.session
from botocore.loaders import Loader
from moto.cloudformation.parsing import ResourceMap
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend, Zone

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
    resolver = _session().get_component("endpoint_resolver")
    return resolver.get_partition_dns_suffix(partition_of(region))


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
    for partition in _session().get_available_partitions():
        for region in _session().get_available_regions("ec2", partition_name=partition):
            RegionsAndZonesBackend.zones.setdefault(region, _zones(region))
    beijing = RegionsAndZonesBackend.zones["cn-north-1"]
    beijing.append(Zone(region_name="cn-north-1", name="cn-north-1d", zone_id="cnn1-az4"))


def _zones(region: str) -> list[Zone]:
    """Three, as AWS documents for each newer Region; the ids are made up."""
    first, *_, last = region.split("-")
    return [
        Zone(region_name=region, name=f"{region}{letter}", zone_id=f"{first}{last}-az{number}")
        for number, letter in enumerate("abc", start=1)
    ]
