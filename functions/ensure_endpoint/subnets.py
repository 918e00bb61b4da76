"""Where AWS refuses a plan because of one subnet, the other AZs are served all the same.

DescribeSubnets may count free addresses where EC2 has none to give: they are reserved, in pieces,
or were taken meanwhile. AWS refuses the whole call then, and does not always say for which subnet.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from botocore.exceptions import BotoCoreError, ClientError

from ensure_endpoint.act import Actor, Applied
from ensure_endpoint.refusals import Refused
from guard.endpoint.plan import CreateEndpoint, ModifyEndpoint, Plan
from guard.endpoint.state import Tags, Vpc

MOST_TRIES = 3  # after the first: EC2's bucket of such requests holds four ("Request throttling")

type Replan = Callable[[dict[str, str]], Plan]


def without_room(vpc: Vpc, refused: Mapping[str, str]) -> Vpc:
    """The VPC, with AWS's words at the subnets in which it refused a network interface. Pure."""
    subnets = (replace(one, refused=refused.get(one.id, one.refused)) for one in vpc.subnets)
    return replace(vpc, subnets=tuple(subnets))


def without(vpc: Vpc, leaving: Collection[str]) -> Vpc:
    """The VPC as if those of these subnets did not exist that no endpoint is in. Pure."""
    held = {id_ for one in vpc.endpoints for id_ in one.subnet_ids}
    gone = set(leaving) - held
    return replace(vpc, subnets=tuple(one for one in vpc.subnets if one.id not in gone))


def adds_subnets(plan: Plan) -> bool:
    """Whether the plan puts network interfaces into subnets. Pure."""
    return any(
        isinstance(step, CreateEndpoint)
        or (isinstance(step, ModifyEndpoint) and bool(step.add_subnet_ids))
        for step in plan.steps
    )


@dataclass(frozen=True, slots=True)
class Carrier:
    """Carries plans out. `full` asks AWS which of some subnets have no free address."""

    actor: Actor
    full: Callable[[Iterable[str]], set[str]]

    def carry_out(
        self, plan: Plan, reason: str, tags: Tags, replan: Replan
    ) -> tuple[Plan, Applied, dict[str, str]]:
        """Apply the plan; where a subnet is in the way, what `replan` makes of it without that one.

        Returns the plan that was applied last, what became of all of it, and the subnets left out
        with AWS's words. A refusal that names no subnet, of several that all count free addresses,
        has them tried one at a time: the next attempt adds those that were not.
        """
        outcome = self.actor.apply(plan, reason, tags)
        left_out, one_by_one = dict[str, str](), False
        for _ in range(MOST_TRIES):
            refusal = outcome.refused
            tried = subnets_of(refusal) if refusal else ()
            if not refusal or not of_a_subnet(refusal):
                break
            culprits = self._culprits(refusal, tried)
            one_by_one = one_by_one or not culprits
            left_out |= dict.fromkeys(culprits, refusal.words.rstrip("."))
            plan = replan(left_out)
            step = _next(plan, outcome.group_id, one_by_one=one_by_one)
            if step is None:
                break
            outcome = _joined(outcome, self.actor.apply(replace(plan, steps=(step,)), reason, tags))
        return plan, outcome, left_out

    def _culprits(self, refusal: Refused, tried: tuple[str, ...]) -> set[str]:
        if named := refusal.named(tried):
            return set(named)
        if len(tried) == 1:
            return set(tried)
        try:
            return self.full(tried) & set(tried)
        except (ClientError, BotoCoreError):
            return set()  # only a help: they are tried one by one then


def of_a_subnet(refusal: Refused) -> bool:
    """Whether AWS refused the step because of one subnet, and may take it without that one."""
    tried = subnets_of(refusal)
    return bool(tried) and (refusal.no_room or bool(refusal.named(tried)))


def subnets_of(refusal: Refused) -> tuple[str, ...]:
    """The subnets in which the refused step would have put a network interface."""
    match refusal.step:
        case CreateEndpoint(subnet_ids=ids) | ModifyEndpoint(add_subnet_ids=ids):
            return ids
        case _:
            return ()


def _next(plan: Plan, group_id: str, *, one_by_one: bool) -> CreateEndpoint | ModifyEndpoint | None:
    """The step that is left of the plan: those before it are done."""
    for step in plan.steps:
        if isinstance(step, CreateEndpoint):
            ids = step.subnet_ids[:1] if one_by_one else step.subnet_ids
            return replace(step, subnet_ids=ids, group_id=step.group_id or group_id)
        if isinstance(step, ModifyEndpoint):
            ids = step.add_subnet_ids[:1] if one_by_one else step.add_subnet_ids
            return replace(step, add_subnet_ids=ids, group_id=step.group_id or group_id)
    return None


def _joined(before: Applied, after: Applied) -> Applied:
    """What became of a plan and of what was tried in place of its last step."""
    return replace(after, done=(*before.done, *after.done), group_id=before.group_id)
