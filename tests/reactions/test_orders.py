"""The events of a VPC's life in any order, each twice: the end state is the same.

`ORDERS=all` plays every permutation of the six (`make nightly`); else a few, spread over them.
"""

import json
import os
from itertools import permutations
from typing import Any

import pytest

from emulator import Cloud
from tests.reactions.account import ALLOW_ALL, Account
from tests.reactions.stories import ENSURE, RESTORE, awake, bring_endpoint, served

EVENTS = (
    "CreateVpc",
    "CreateSubnet",
    "CreateSubnet",
    "ModifyVpcAttribute",
    "CreateVpcEndpoint",
    "ModifyVpcEndpoint",
)
ORDERS = list(permutations(range(len(EVENTS))))
PLAYED = ORDERS if os.environ.get("ORDERS") == "all" else ORDERS[:: len(ORDERS) // 6]


def live(account: Account) -> str:
    """A VPC is made, its DNS broken, an endpoint brought, its policy opened to everyone."""
    vpc_id, _ = account.vpc_with_subnets()
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsSupport={"Value": False})
    bring_endpoint(account, vpc_id)
    (endpoint,) = account.endpoints(vpc_id)
    account.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument=json.dumps(ALLOW_ALL)
    )
    return vpc_id


def envelope(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": record["eventID"],
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": record["recipientAccountId"],
        "time": record["eventTime"],
        "region": record["awsRegion"],
        "resources": [],
        "detail": record,
    }


def end_state(account: Account, vpc_id: str) -> dict[str, Any]:
    """What there is of the VPC's endpoint, without ids."""
    endpoints = account.endpoints(vpc_id)
    return {
        "served": served(account, vpc_id),
        "endpoints": len(endpoints),
        "private_dns": [one["PrivateDnsEnabled"] for one in endpoints],
        "policies": [account.policy(one["VpcEndpointId"])["Statement"] for one in endpoints],
        "dns": account.dns_attributes(vpc_id),
        "left": account.cloud.dead_letters("VpcQueue") + account.cloud.dead_letters("PolicyQueue"),
    }


def played(cloud: Cloud, order: tuple[int, ...]) -> dict[str, Any]:
    """The end state after the life's events came in this order, and then once more."""
    cloud.reset()
    awake(cloud, ENSURE, RESTORE)
    account = Account(cloud)
    vpc_id = live(account)
    cloud.lose_events()
    events = [envelope(one) for one in cloud.records if one["eventName"] in EVENTS]
    assert len(events) == len(EVENTS)
    for number in order * 2:
        cloud.inject(events[number])
        cloud.settle(cloud.clock.now().replace(microsecond=0))
    cloud.settle()
    return end_state(account, vpc_id)


@pytest.fixture(scope="module")
def expected(deployment: Cloud) -> dict[str, Any]:
    """In the order in which it happened."""
    state = played(deployment, ORDERS[0])
    assert (state["served"], state["endpoints"], state["left"]) == (True, 1, [])
    assert state["policies"] != [ALLOW_ALL["Statement"]]
    return state


def test_any_order_twice_leads_to_the_same_end(deployment: Cloud, expected, subtests):
    assert len(PLAYED) >= 6
    for order in PLAYED:
        with subtests.test(" ".join(EVENTS[number] for number in order)):
            assert played(deployment, order) == expected
