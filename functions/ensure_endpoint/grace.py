"""How long the guard waits for whoever builds a VPC, or an endpoint in it. Pure.

A VPC that had an endpoint is not being built, and neither is an endpoint that worked before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from ensure_endpoint.memory import VpcRecord
from guard.endpoint.plan import Plan
from guard.endpoint.state import Vpc, managed_by

MOST_GRACES = 3
"""Who keeps building extends the grace, to so many times its length."""


@dataclass(frozen=True, slots=True)
class Grace:
    """When the grace began that is over at `until`, in epoch seconds; 0 for none.

    `capped`: it is as long as it may be, and without the cap it would be longer.
    """

    began: int = 0
    until: int = 0
    capped: bool = False

    @property
    def words(self) -> str:
        """That it was cut short, for ops."""
        over = f"{datetime.fromtimestamp(self.until, UTC):%Y-%m-%d %H:%M} UTC"
        return f"somebody keeps building in the VPC, and the most grace was over at {over}"


def grace_of(
    vpc: Vpc, plan: Plan, known: VpcRecord, built: int, seconds: int, stack_id: str
) -> Grace:
    """The grace before the plan is carried out. `built` is when somebody built last, or 0."""
    if not seconds or known.endpoint_id or had_endpoint(vpc, stack_id):
        return Grace()
    if not plan.creates:
        theirs = next((one for one in vpc.endpoints if one.id == plan.endpoint_id), None)
        if theirs is None or managed_by(theirs.tags, stack_id):
            return Grace()
        created = int(theirs.created.timestamp())
        return Grace(created, created + seconds)
    until = max(known.grace_until, built + seconds if built else 0)
    began = known.grace_began or (known.grace_until or until) - seconds
    most = began + MOST_GRACES * seconds
    return Grace(began, min(until, most), capped=until >= most) if until else Grace()


def had_endpoint(vpc: Vpc, stack_id: str) -> bool:
    """Whether AWS still shows an endpoint of somebody else's that was deleted.

    What the guard itself made, and withdrew, is remembered.
    """
    return any(
        one.state == "deleted" and not managed_by(one.tags, stack_id) for one in vpc.endpoints
    )
