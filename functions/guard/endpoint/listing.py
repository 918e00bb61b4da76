"""EC2's Describe calls with filters, page by page."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


def listed(ec2: "EC2Client", operation: str, key: str, **filters: Sequence[str]) -> list[Any]:
    """Every page of a Describe call with filters; `vpc_id` stands for the filter vpc-id."""
    paginator = cast(Any, ec2).get_paginator(operation)
    asked = [{"Name": k.replace("_", "-"), "Values": list(v)} for k, v in filters.items()]
    pages: Iterable[dict[str, list[Any]]] = paginator.paginate(Filters=asked)
    return [item for page in pages for item in page[key]]


def by_vpc(items: Iterable[Any]) -> dict[str, list[Any]]:
    """What is listed, by the VPC that it is in."""
    grouped: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        grouped[item["VpcId"]].append(item)
    return grouped
