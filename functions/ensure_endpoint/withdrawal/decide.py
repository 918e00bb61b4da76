"""What is ours in a VPC, what is somebody else's, and when ours has to go. Pure.

Ours is what carries this stack's tags and nothing else. Another guard's (another stack's) endpoint
is neither ours nor a reason to yield: two guards that yield to each other would never end.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from ensure_endpoint.memory import VpcRecord
from guard.endpoint.state import MANAGED_TAG, Endpoint, Vpc, managed_by

# In these states an endpoint serves, or soon will: worth yielding to.
SERVING = frozenset({"available", "pending", "partial"})
GOING = frozenset({"deleting", "deleted"})
TEAR_DOWN_SECONDS = 1_200  # so long Terraform tries again to delete a subnet

type Interfaces = Mapping[str, frozenset[str]]
"""The ids of a VPC's network interfaces, by subnet."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What of ours has to go from a VPC.

    `endpoint_ids` and `group_ids` can be deleted now; `waits_for` names what must be gone before
    the rest can follow: a group is held by the network interfaces of a deleting endpoint.
    """

    vpc_id: str
    endpoint_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        return (
            *(f"delete our endpoint {id_}" for id_ in self.endpoint_ids),
            *(f"delete our security group {id_}" for id_ in self.group_ids),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TearDown:
    """What a request says of attempts to delete the VPC or subnets of it.

    `at` is the time of the last attempt in epoch seconds, 0 for none. `alone`: nothing else asks
    for the VPC. `withdrawing`: an earlier pass has begun to withdraw from it.
    """

    at: int = 0
    subnet_ids: frozenset[str] = frozenset()
    whole_vpc: bool = False
    alone: bool = False
    withdrawing: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Delete what is ours. `check_at`: when to see whether the tear-down is over, 0 for never."""

    removal: Removal
    torn_down: int
    check_at: int = 0


@dataclass(frozen=True, slots=True)
class LeaveAlone:
    """Do nothing in the VPC. `torn_down`, if not 0, is to be remembered; `check_at` as above."""

    torn_down: int = 0
    check_at: int = 0


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
) -> Withdraw | LeaveAlone | Proceed:
    """What a tear-down asks of the guard.

    Endpoints go first; a group when nothing holds it any more, which a later pass sees. Of the
    attempts that follow each other in one tear-down, the first waits for all. `recall` and
    `interfaces` are called only where they matter.
    """
    if not asked.at and not asked.withdrawing:
        return Proceed()
    stop = LeaveAlone if asked.alone else Proceed
    blocked = in_the_way(
        vpc, stack_id, asked.subnet_ids, whole_vpc=asked.whole_vpc, interfaces=interfaces
    )
    known = recall()
    if not blocked and not known.stood_down:
        return stop()
    torn_down = max(asked.at if blocked else 0, known.torn_down)
    if torn_down <= known.used_at:
        return Proceed()  # somebody has begun to use the VPC since
    removal = all_of_ours(vpc, stack_id)
    if not known.stood_down:
        # What still runs in the VPC then must not have to wait for an event.
        return Withdraw(removal, torn_down, check_at=torn_down + TEAR_DOWN_SECONDS)
    if removal.steps or asked.withdrawing:
        return Withdraw(removal, torn_down)
    return stop(torn_down)


def stands_down(
    vpc: Vpc, known: VpcRecord, now: int, interfaces: Callable[[], Interfaces]
) -> LeaveAlone | Proceed:
    """Whether the guard still leaves a VPC without a working endpoint to whoever tears it down.

    Once the tear-down is over, the VPC is used again where AWS shows that something is left in it.
    """
    if not known.stood_down:
        return Proceed()
    over = known.torn_down + TEAR_DOWN_SECONDS
    if not lived_in(vpc, interfaces()):
        return LeaveAlone(known.torn_down)
    return Proceed(used_at=now) if now >= over else LeaveAlone(known.torn_down, check_at=over)


def our_endpoints(vpc: Vpc, stack_id: str) -> list[Endpoint]:
    """Ours that are not deleted yet, those that are being deleted included."""
    return [e for e in vpc.endpoints if managed_by(e.tags, stack_id) and e.state != "deleted"]


def in_the_way(
    vpc: Vpc,
    stack_id: str,
    subnet_ids: Collection[str],
    *,
    whole_vpc: bool,
    interfaces: Callable[[], Interfaces],
) -> bool:
    """Whether ours, and nothing else, keeps one of these subnets, or the VPC, from being deleted.

    EC2 deletes no VPC that has a subnet left, and no subnet that has a network interface. So where
    others still have theirs, the deletion fails without ours as well. `interfaces` is asked only
    where our endpoint stands in one of the subnets.
    """
    ours = our_endpoints(vpc, stack_id)
    if whole_vpc and not vpc.subnets and (ours or _our_groups(vpc, stack_id)):
        return True
    stands_in = {id_ for endpoint in ours for id_ in endpoint.subnet_ids} & set(subnet_ids)
    return bool(stands_in) and bool(stands_in - lived_in(vpc, interfaces()))


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
    groups = _our_groups(vpc, stack_id)
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


def _our_groups(vpc: Vpc, stack_id: str) -> list[str]:
    return sorted(id_ for id_, group in vpc.groups.items() if managed_by(group.tags, stack_id))
