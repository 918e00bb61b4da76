"""The account and Region that are checked."""

from dataclasses import dataclass
from typing import Any, cast

import boto3

from guardctl.stack import CONFIG

NAME_ONE = "name one: --region eu-west-1, or REGION=eu-west-1 behind make"

# Where a partition answers whichever Regions an account has enabled ("Manage AWS Regions" in the
# Account Management reference guide: these cannot be disabled).
ALWAYS_THERE = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A Region, and the credentials of an account; `account` is "" until it is known."""

    session: boto3.Session
    region: str
    account: str = ""

    @property
    def partition(self) -> str:
        """Raises botocore's UnknownRegionError for a Region that no partition has."""
        return self.session.get_partition_for_region(self.region)

    def client(self, service: str, region: str = "") -> Any:
        """A boto3 client, in this Region unless another is named."""
        session = cast(Any, self.session)
        return session.client(service, region_name=region or self.region, config=CONFIG)
