"""What a deleted stack leaves behind, and what that costs.

Needs ec2:DescribeVpcEndpoints and ec2:DescribeSecurityGroups.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ensure_endpoint.cost import monthly_price
from guard.endpoint.state import STACK_TAG


@dataclass(frozen=True, slots=True)
class Leftovers:
    """The endpoints and security groups that the stack's guard made; `zones` are charged for."""

    endpoints: Sequence[str]
    zones: int
    groups: Sequence[str]


def read_leftovers(ec2: Any, stack_id: str) -> Leftovers:
    """Those that carry the stack's tag. Raises ClientError."""
    filters = [{"Name": f"tag:{STACK_TAG}", "Values": [stack_id]}]
    endpoints = [
        one
        for page in ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=filters)
        for one in page["VpcEndpoints"]
        if one["State"].lower() not in ("deleting", "deleted")
    ]
    groups = [
        one["GroupId"]
        for page in ec2.get_paginator("describe_security_groups").paginate(Filters=filters)
        for one in page["SecurityGroups"]
    ]
    zones = sum(len(one.get("SubnetIds", ())) for one in endpoints)
    return Leftovers([one["VpcEndpointId"] for one in endpoints], zones, groups)


def in_words(left: Leftovers, price: Decimal, where: str) -> Iterator[str]:
    """What stays, for people; `where` are the options of `aws` for the Region and profile. Pure."""
    if left.endpoints:
        cost = monthly_price(left.zones, price)
        yield (
            f"{len(left.endpoints)} interface endpoints, since secrets are read through them:"
            f" ${cost} a month plus data ({left.zones} AZs at ${price} an hour). To delete them,"
            " which cuts off whoever reads secrets there without another way:"
        )
        ids = " ".join(left.endpoints)
        yield f"  aws ec2 delete-vpc-endpoints{where} --vpc-endpoint-ids {ids}"
    if left.groups:
        yield f"{len(left.groups)} security groups, at no cost. Once the endpoints are gone:"
        command = f"  aws ec2 delete-security-group{where} --group-id"
        yield from (f"{command} {one}" for one in left.groups)
    yield "policies of endpoints and secrets, as they are now"
    yield "SAM's bucket, in the stack aws-sam-cli-managed-default: other stacks may use it"
    yield "what you made: the parameter with Slack's webhook or token, a KMS key, the trail"
