"""Names that depend on the partition: `aws`, `aws-cn`, `aws-us-gov`."""

from functools import cache

import botocore.session
from botocore.loaders import Loader

LOADER = Loader(include_default_search_paths=True)
"""Shared by every session of the process: parsing EC2's model anew costs 0.2 s each time."""


@cache
def _session() -> botocore.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    return session


@cache
def partition_of(region: str) -> str:
    return _session().get_partition_for_region(region)


@cache
def dns_suffix(region: str) -> str:
    return "amazonaws.com.cn" if partition_of(region) == "aws-cn" else "amazonaws.com"
