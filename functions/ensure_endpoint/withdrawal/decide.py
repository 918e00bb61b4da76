"""What is ours in a VPC, what is somebody else's, and when ours has to go. Pure.

Ours is what carries this stack's tags and nothing else. Another guard's (another stack's) endpoint
is neither ours nor a reason to yield: two guards that yield to each other would never end.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from ensure_endpoint.memory import VpcRecord
from guard.endpoint.groups import own_groups
from guard.endpoint.placement import place_more
from guard.endpoint.state import MANAGED_TAG, Endpoint, Vpc, managed_by

# In these states an endpoint serves, or soon will: worth yielding to.
SERVING = frozenset({"available", "pending", "partial"})
GOING = frozenset({"deleting", "deleted"})
TEAR_DOWN_SECONDS = 1_200  # so long Terraform tries again to delete a subnet

type Interfaces = Mapping[str, frozenset[str]]
"""The ids of a VPC's network interfaces, by subnet."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Our endpoint leaves subnets. Where it would be in none then, it goes to others at once."""

    endpoint_id: str
    subnet_ids: tuple[str, ...]
    instead: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        return (
            *(f"add {id_} to our endpoint {self.endpoint_id}" for id_ in self.instead),
            *(f"take {id_} out of our endpoint {self.endpoint_id}" for id_ in self.subnet_ids),
        )


@dataclass(frozen=True, slots=True)
class Removal:
    """What of ours has to go from a VPC.

    `leaves`, `endpoint_ids` and `group_ids` can be done now; `waits_for` names what must be gone
    before the rest can follow: a group is held by the network interfaces of a deleting endpoint.
    """

    vpc_id: str
    endpoint_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    leaves: tuple[Leave, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        return (
            *(step for one in self.leaves for step in one.steps),
            *(f"delete our endpoint {id_}" for id_ in self.endpoint_ids),
            *(f"delete our security group {id_}" for id_ in self.group_ids),
        )

    @property
    def left_subnets(self) -> frozenset[str]:
        """The subnets that an endpoint of ours leaves, and stays in others."""
        return frozenset(id_ for one in self.leaves for id_ in one.subnet_ids)

    @property
    def goes_on(self) -> bool:
        """Whether there is more to do, or to verify, after this."""
        return bool(self.waits_for or self.leaves)


@dataclass(frozen=True, slots=True, kw_only=True)
class TearDown:
    """What a request says of attempts to delete the VPC or subnets of it.

    `at` is the time of the last attempt in epoch seconds, 0 for none. `alone`: nothing else asks
    for the VPC. `withdrawing`: an earlier pass has started to withdraw from it.
    """

    at: int = 0
    subnet_ids: frozenset[str] = frozenset()
    whole_vpc: bool = False
    alone: bool = False
    withdrawing: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Delete what is ours, or leave subnets (`torn_down` is 0 then).

    `check_at`: when to see whether the tear-down is over, 0 for never.
    """

    removal: Removal
    torn_down: int
    check_at: int = 0


@dataclass(frozen=True, slots=True)
class LeaveAlone:
    """Do nothing in the VPC. `torn_down`, if not 0, is to be remembered."""

    torn_down: int = 0


@dataclass(frozen=True, slots=True)
class Proceed:
    """Nothing stands against an endpoint. What is not 0 is to be remembered."""

    torn_down: int = 0
    used_at: int = 0


def decide(
    vpc: Vpc,
    asked: TearDown,
    recall: Callable[[], VpcRecord],
    stack_id: str,
    interfaces: Callable[[], Interfaces],
    maximum_zones: int = 0,
) -> Withdraw | LeaveAlone | Proceed:
    """What a tear-down asks of the guard.

    Where something lives in another subnet, only the subnets that are named leave the endpoint.
    Else endpoints go first; a group when nothing holds it any more, which a later pass sees. Of the
    attempts that follow each other in one tear-down, the first waits for all. `recall` and
    `interfaces` are called only where they matter.
    """
    if not asked.at and not asked.withdrawing:
        return Proceed()
    stop = LeaveAlone if asked.alone else Proceed
    lived = lived_in(vpc, interfaces()) if _stands_in(vpc, stack_id) & asked.subnet_ids else set()
    alone = in_the_way(vpc, stack_id, asked.subnet_ids, lived)
    if alone and lived:
        leaving = _leaving(vpc, stack_id, alone, maximum_zones)
        # A minute later than it takes, so that nothing holds the subnet back any more.
        check_at = asked.at + TEAR_DOWN_SECONDS + 60
        return Withdraw(leaving, 0, check_at) if leaving.steps else stop()
    blocked = alone or (asked.whole_vpc and not vpc.subnets and bool(_of_ours(vpc, stack_id)))
    known = recall()
    if not blocked and not known.stood_down:
        return stop()
    torn_down = max(asked.at if blocked else 0, known.torn_down)
    if torn_down <= known.used_at:
        return Proceed()  # somebody uses the VPC since
    removal = all_of_ours(vpc, stack_id)
    if not known.stood_down:
        # What runs in the VPC then must not have to wait for an event.
        return Withdraw(removal, torn_down, check_at=torn_down + TEAR_DOWN_SECONDS)
    if removal.steps or asked.withdrawing:
        return Withdraw(removal, torn_down)
    return stop(torn_down)


def stands_down(
    vpc: Vpc, known: VpcRecord, now: int, interfaces: Callable[[], Interfaces]
) -> LeaveAlone | Proceed:
    """Whether the guard still leaves a VPC without a working endpoint to whoever tears it down.

    Nothing lived in it when the endpoint went, so what AWS shows in it now has come since.
    """
    if not known.stood_down:
        return Proceed()
    return Proceed(used_at=now) if lived_in(vpc, interfaces()) else LeaveAlone(known.torn_down)


def our_endpoints(vpc: Vpc, stack_id: str) -> list[Endpoint]:
    """Ours that are not deleted yet, those that are being deleted included."""
    return [e for e in vpc.endpoints if managed_by(e.tags, stack_id) and e.state != "deleted"]


def in_the_way(
    vpc: Vpc, stack_id: str, subnet_ids: Collection[str], lived: Collection[str]
) -> frozenset[str]:
    """Those of the subnets that ours, and nothing else, keeps from being deleted.

    EC2 deletes no subnet that has a network interface. So where others still have theirs, the
    deletion fails without ours as well.
    """
    return (_stands_in(vpc, stack_id) & set(subnet_ids)) - set(lived)


def _stands_in(vpc: Vpc, stack_id: str) -> frozenset[str]:
    ours = our_endpoints(vpc, stack_id)
    return frozenset(id_ for endpoint in ours for id_ in endpoint.subnet_ids)


def _leaving(vpc: Vpc, stack_id: str, subnet_ids: Collection[str], maximum_zones: int) -> Removal:
    """Our endpoints leave these subnets; one that would be in none moves to others."""
    zones = {one.zone_id for one in vpc.subnets if one.id in subnet_ids}
    left = replace(vpc, subnets=tuple(one for one in vpc.subnets if one.id not in subnet_ids))
    leaves: list[Leave] = []
    for one in our_endpoints(vpc, stack_id):
        going = tuple(sorted(one.subnet_ids & set(subnet_ids)))
        if not going or one.state in GOING:
            continue
        stays = replace(one, subnet_ids=one.subnet_ids - set(going))
        more = () if stays.subnet_ids else place_more(left, stays, maximum_zones).subnet_ids
        # AWS takes no second subnet of an AZ in the same call: the next reconcile adds that.
        other = {subnet.id for subnet in left.subnets if subnet.zone_id not in zones}
        leaves.append(Leave(one.id, going, tuple(id_ for id_ in more if id_ in other)))
    return Removal(vpc.id, leaves=tuple(leaves))


def lived_in(vpc: Vpc, interfaces: Interfaces) -> set[str]:
    """The subnets in which there is a network interface of anything but a guard's endpoint.

    Another guard's counts as little as ours: two that wait for each other would never go.
    """
    guards = {
        id_
        for endpoint in vpc.endpoints
        if endpoint.tags.get(MANAGED_TAG) == "true"
        for id_ in endpoint.interface_ids
    }
    return {subnet_id for subnet_id, ids in interfaces.items() if ids - guards}


def all_of_ours(vpc: Vpc, stack_id: str) -> Removal:
    """Everything of ours, in the order in which AWS lets it go: endpoints, then groups."""
    ours = our_endpoints(vpc, stack_id)
    live = tuple(sorted(e.id for e in ours if e.state not in GOING))
    groups = [group.id for group in own_groups(vpc, stack_id)]
    # Somebody else's endpoint that we added our group to holds the group as well.
    held = {id_ for e in vpc.endpoints if e.state != "deleted" for id_ in e.group_ids}
    holders = [e.id for e in vpc.endpoints if e.state != "deleted" and e.group_ids & set(groups)]
    return Removal(
        vpc.id,
        endpoint_ids=live,
        group_ids=tuple(id_ for id_ in groups if id_ not in held),
        waits_for=tuple(sorted({*holders, *(e.id for e in ours)})),
    )


def yielding(vpc: Vpc, stack_id: str, opt_out_tag: str) -> tuple[Endpoint, Removal] | None:
    """Somebody else's endpoint that ours has to make way for, and what of ours goes; or None.

    `waits_for` names ours while they are being deleted: until then theirs cannot have private DNS.
    Our group stays, since theirs may need it beside its own.
    """
    theirs = [
        endpoint
        for endpoint in vpc.endpoints
        if endpoint.type == "interface"
        and endpoint.state in SERVING
        and not endpoint.requester_managed
        and endpoint.tags.get(MANAGED_TAG) != "true"
        and opt_out_tag not in endpoint.tags
    ]
    ours = our_endpoints(vpc, stack_id)
    if not theirs or not ours:
        return None
    live = tuple(sorted(e.id for e in ours if e.state not in GOING))
    oldest = min(theirs, key=lambda e: (not e.private_dns, e.created, e.id))
    return oldest, Removal(
        vpc.id, endpoint_ids=live, waits_for=tuple(sorted(endpoint.id for endpoint in ours))
    )


def undone(vpc: Vpc, stack_id: str) -> set[str]:
    """Every step of a withdrawal that the VPC shows not to be carried out."""
    pending = set(all_of_ours(vpc, stack_id).steps)
    for one in our_endpoints(vpc, stack_id):
        others = (subnet.id for subnet in vpc.subnets if subnet.id not in one.subnet_ids)
        pending.update(Leave(one.id, tuple(one.subnet_ids), tuple(others)).steps)
    return pending


def _of_ours(vpc: Vpc, stack_id: str) -> list[str]:
    groups = own_groups(vpc, stack_id)
    return [*(one.id for one in our_endpoints(vpc, stack_id)), *(one.id for one in groups)]
