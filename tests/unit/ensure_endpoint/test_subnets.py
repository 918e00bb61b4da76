"""A subnet in which AWS finds no address costs its AZ alone, and only while it is so."""

from dataclasses import dataclass, replace
from typing import Any, cast

from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st

from ensure_endpoint.act import Actor
from ensure_endpoint.subnets import MOST_TRIES, Carrier, without_room
from guard.endpoint.decide import decide
from guard.endpoint.plan import Verdict
from guard.endpoint.state import Vpc
from tests.builders import DESIRED, NOON, OURS, STACK, ZONES, endpoint, group, subnet, vpc

BUCKET = 4  # of EC2, for CreateVpcEndpoint and for ModifyVpcEndpoint


@dataclass(slots=True)
class Ec2:
    """One VPC's endpoint, in subnets some of which have no address to give."""

    crowded: frozenset[str]
    names_it: bool
    code: str
    placed: frozenset[str] | None = None
    asked: int = 0

    def create_vpc_endpoint(self, *, SubnetIds: list[str], **_: Any) -> Any:  # noqa: N803
        self._place(SubnetIds)
        return {"VpcEndpoint": {"VpcEndpointId": "vpce-1"}}

    def modify_vpc_endpoint(self, *, AddSubnetIds: list[str], **_: Any) -> None:  # noqa: N803
        self._place(AddSubnetIds)

    def _place(self, ids: list[str]) -> None:
        self.asked += 1
        for id_ in ids:
            if id_ in self.crowded:
                named = f" {id_}" if self.names_it else ""
                words = f"The specified subnet{named} does not have enough free addresses."
                answer: Any = {"Error": {"Code": self.code, "Message": words}}
                raise ClientError(answer, "CreateVpcEndpoint")
        self.placed = (self.placed or frozenset()) | frozenset(ids)

    def shown(self, there: Vpc) -> Vpc:
        """The VPC with its endpoint, as AWS would show it."""
        if self.placed is None:
            return there
        return replace(there, endpoints=(endpoint(subnet_ids=self.placed, tags=OURS),))


def attempts(ec2: Ec2, there: Vpc, *, counted: bool) -> Vpc:
    """What is left after attempts that each know what was refused before: all there is to do."""
    full = set(ec2.crowded) if counted else set[str]()
    carrier = Carrier(Actor(cast(Any, ec2), STACK, lambda: NOON), lambda ids: full & set(ids))
    left_out: dict[str, str] = {}
    for _ in range(2 * len(there.subnets) + 1):
        now = without_room(ec2.shown(there), left_out)
        plan = decide(now, DESIRED)
        if not plan.steps:
            return now
        before = ec2.asked
        _, outcome, refused_in = carrier.carry_out(
            plan,
            "test",
            {},
            lambda found, now=now, known=dict(left_out): decide(
                without_room(now, known | found), DESIRED
            ),
        )
        assert ec2.asked - before <= MOST_TRIES + 1 <= BUCKET
        assert outcome.failed is None
        left_out |= refused_in
    raise AssertionError("it does not come to an end")


SUBNETS = st.lists(st.sampled_from(ZONES), min_size=1, max_size=7).map(
    lambda zones: [subnet(f"subnet-{number}", zone) for number, zone in enumerate(zones)]
)
CODES = st.sampled_from(
    ["InsufficientFreeAddressesInSubnet", "InsufficientCidrBlocks", "InvalidParameterValue"]
)


@given(SUBNETS, st.sets(st.integers(0, 6)), st.booleans(), CODES, st.booleans())
@example([subnet("subnet-1"), subnet("subnet-2", ZONES[1])], {1}, False, "InsufficientX", False)
def test_every_az_with_room_is_served_and_the_others_are_named(
    subnets: Any, full: set[int], names_it: bool, code: str, counted: bool
):
    crowded = frozenset(f"subnet-{number}" for number in full) & {one.id for one in subnets}
    ec2 = Ec2(crowded, names_it, code)
    there = vpc(subnets=subnets, endpoints=(), groups=(group(),))
    left = attempts(ec2, there, counted=counted)

    with_room = {one.zone_id for one in subnets if one.id not in crowded}
    served = {one.zone_id for one in subnets if one.id in (ec2.placed or ())}
    assert served == with_room
    plan = decide(left, DESIRED)
    if not with_room:
        assert plan.verdict is Verdict.NOT_REPAIRABLE
    elif served == {one.zone_id for one in subnets}:
        assert plan.verdict is Verdict.WORKS
    else:
        assert plan.verdict is Verdict.DEGRADED
    said = " ".join(plan.reasons)
    if with_room:  # else it names five subnets, and says how many more there are
        assert all(one.zone_id in said for one in subnets if one.zone_id not in served)
    assert (code in said) == (served != {one.zone_id for one in subnets})

    # As soon as there is room, a fresh attempt serves the rest.
    ec2.crowded = frozenset()
    attempts(ec2, there, counted=False)
    assert {one.zone_id for one in subnets if one.id in (ec2.placed or ())} == {
        one.zone_id for one in subnets
    }
