"""The events of a VPC's life in any order, each twice: the end state is the same.

Each life is played in two ways. In the first it is over before any of its events comes: then they
come in some order, each followed at once by its duplicate. In the second the two copies of an event
come anywhere after what they report, so that old events come after new changes, and several may
come together; what happens when is drawn by lot, from a seed.

`ORDERS=all` plays every permutation and many draws (`make nightly`); else one of each.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import permutations
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import Cloud
from emulator.cloudtrail import envelope
from tests.reactions.account import ALLOW_ALL, Account
from tests.reactions.stories import (
    ENSURE,
    RESTORE,
    awake,
    bring_endpoint,
    nothing_of_ours_is_left,
    served,
)

ALL = os.environ.get("ORDERS") == "all"
DRAWS = range(200 if ALL else 1)
PUBLISHED = frozenset(
    {
        "CreateVpc",
        "CreateSubnet",
        "ModifyVpcAttribute",
        "CreateVpcEndpoint",
        "ModifyVpcEndpoint",
        "DeleteVpcEndpoints",
        "DeleteSubnet",
        "DeleteVpc",
    }
)

type Act = Callable[[Account, str], object]


# --- what people do -------------------------------------------------------------------------------


def make_subnet(account: Account, vpc_id: str) -> None:
    number = len(subnets(account, vpc_id)) + 10
    account.subnet(vpc_id, f"10.20.{number}.0/24", f"us-east-1{'abc'[number % 3]}")


def subnets(account: Account, vpc_id: str) -> list[str]:
    found = account.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    return sorted(one["SubnetId"] for one in found["Subnets"])


def break_dns(account: Account, vpc_id: str) -> None:
    account.ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsSupport={"Value": False})


def open_policies(account: Account, vpc_id: str) -> None:
    for one in account.endpoints(vpc_id):
        if not one.get("Tags"):
            account.ec2.modify_vpc_endpoint(
                VpcEndpointId=one["VpcEndpointId"], PolicyDocument=json.dumps(ALLOW_ALL)
            )


def delete_endpoints(account: Account, vpc_id: str) -> None:
    ids = [one["VpcEndpointId"] for one in account.endpoints(vpc_id)]
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=ids)


def delete_subnet(account: Account, vpc_id: str) -> None:
    """Fails while the guard's endpoint stands in it."""
    with suppress(ClientError):
        account.ec2.delete_subnet(SubnetId=subnets(account, vpc_id)[0])


def delete_vpc(account: Account, vpc_id: str) -> None:
    with suppress(ClientError):
        account.ec2.delete_vpc(VpcId=vpc_id)


def let_guard_work(account: Account, _: str) -> None:
    account.cloud.settle()


# --- lives ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Life:
    """A VPC's life. What is in `before` the guard saw as it happened: its events come twice more.
    Its `acts` are reported in some order. `events` is how many there are when all acts are done
    before any is published, `served` whether the VPC has its endpoint in the end.
    """

    before: Sequence[Act]
    acts: Sequence[Act]
    events: int
    served: bool = True

    @property
    def end(self) -> dict[str, Any]:
        """What `Published.end` must see."""
        return {
            "served": self.served,
            "private_dns": [True] * self.served,
            "approved": [True] * self.served,
            "nothing_of_ours": not self.served,
            "left": [],
        }


SERVED = (make_subnet, make_subnet, let_guard_work)
LIVES = {
    "stays, with an endpoint of theirs": Life(
        before=(),
        acts=(make_subnet, make_subnet, break_dns, bring_endpoint, open_policies),
        events=6,
    ),
    "loses its endpoint to a hand": Life(SERVED, (delete_endpoints, break_dns), events=5),
    "is to be torn down": Life(
        SERVED, (delete_subnet, delete_subnet, delete_vpc), events=6, served=False
    ),
    "is torn down": Life(
        before=(
            make_subnet,
            let_guard_work,
            *(delete_subnet, let_guard_work) * 2,
            delete_vpc,
            let_guard_work,
        ),
        acts=(),
        events=5,
        served=False,
    ),
    "is to lose a subnet, and gets another": Life(SERVED, (delete_subnet, make_subnet), events=5),
}


@dataclass(slots=True)
class Published:
    """Somebody who lives a life, and the events of it, which come only when they are let."""

    cloud: Cloud
    life: Life
    account: Account = field(init=False)
    vpc_id: str = field(init=False)
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def __post_init__(self) -> None:
        self.cloud.reset()
        awake(self.cloud, ENSURE, RESTORE)
        self.account = Account(self.cloud)
        self.vpc_id = self.account.vpc()
        if not self.life.before:
            self.cloud.lose_events()
        for act in self.life.before:
            act(self.account, self.vpc_id)
            self.cloud.clock.skip(2)
        self._note()

    def do(self, act: Act) -> None:
        """Do it; what reports it waits."""
        act(self.account, self.vpc_id)
        self.cloud.lose_events()
        self.cloud.clock.skip(2)
        self._note()

    def _note(self) -> None:
        mine = [
            one for one in self.cloud.records if one["eventName"] in PUBLISHED and _is_hers(one)
        ]
        self.events += [envelope(one) for one in mine[len(self.events) :]]

    def come(self, *numbers: int) -> None:
        self.cloud.inject(*(self.events[number] for number in numbers))
        self.rest()

    def rest(self) -> None:
        """What is due now is done; nobody waits."""
        self.cloud.settle(self.cloud.clock.now().replace(microsecond=0))

    def end(self) -> dict[str, Any]:
        """What there is in the end, without ids."""
        self.cloud.settle()
        account, endpoints = self.account, self.account.endpoints(self.vpc_id)
        there = self.vpc_id in {one["VpcId"] for one in account.ec2.describe_vpcs()["Vpcs"]}
        return {
            "served": there and served(account, self.vpc_id),
            "private_dns": [one["PrivateDnsEnabled"] for one in endpoints],
            "approved": [is_approved(account.policy(one["VpcEndpointId"])) for one in endpoints],
            "nothing_of_ours": nothing_of_ours_is_left(account, self.vpc_id),
            "left": self.cloud.dead_letters("VpcQueue") + self.cloud.dead_letters("PolicyQueue"),
        }


def is_approved(policy: dict[str, Any]) -> bool:
    return "aws:PrincipalAccount" in json.dumps(policy)


def _is_hers(record: dict[str, Any]) -> bool:
    return record["userIdentity"].get("userName") == "alice"


# --- how it is reported ---------------------------------------------------------------------------


def published_afterwards(cloud: Cloud, life: Life, order: Sequence[int]) -> dict[str, Any]:
    """The end when the life is over before its events come in this order, each twice."""
    published = Published(cloud, life)
    for act in life.acts:
        published.do(act)
    assert len(published.events) == life.events
    for number in order:
        published.come(number, number)
    return published.end()


def published_meanwhile(cloud: Cloud, life: Life, seed: int) -> dict[str, Any]:
    """The end when each event comes twice, anywhere after what it reports."""
    published, acts = Published(cloud, life), list(life.acts)
    lot = Random(seed)  # noqa: S311 - a lot that can be drawn again
    waiting: list[int] = []
    noted = 0
    while True:
        waiting += [number for number in range(noted, len(published.events)) for _ in "12"]
        noted = len(published.events)
        if not waiting and not acts:
            return published.end()
        if acts and lot.randrange(len(waiting) + len(acts)) < len(acts):
            published.do(acts.pop(0))
        else:
            together = lot.sample(range(len(waiting)), min(len(waiting), lot.randint(1, 4)))
            published.come(*(waiting[place] for place in together))
            waiting = [one for place, one in enumerate(waiting) if place not in together]


def orders(number: int) -> list[tuple[int, ...]]:
    """All permutations of so many events, or one drawn by lot."""
    if ALL:
        return list(permutations(range(number)))
    lot = Random(number)  # noqa: S311 - the same
    return [tuple(lot.sample(range(number), number))]


# One play takes a second: of the first way, the daily run plays but the lives with most events.
ORDERED = [name for name, life in LIVES.items() if ALL or life.events == 6]


@pytest.mark.parametrize("name", ORDERED)
def test_any_order_each_twice_leads_to_the_same_end(deployment: Cloud, subtests, name):
    life = LIVES[name]
    for order in orders(life.events):
        with subtests.test(str(order)):
            assert published_afterwards(deployment, life, order) == life.end


@pytest.mark.parametrize("name", LIVES)
def test_old_events_after_new_changes_lead_to_the_same_end(deployment: Cloud, subtests, name):
    for seed in DRAWS:
        with subtests.test(f"seed {seed}"):
            assert published_meanwhile(deployment, LIVES[name], seed) == LIVES[name].end
