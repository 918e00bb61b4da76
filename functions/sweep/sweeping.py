"""One sweep over all VPCs and endpoints: requests for those that differ."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from guard.approved.endpoints import Chosen, choose_all, differing
from guard.approved.rollout import Phase
from guard.approved.rollouts import TRYING
from guard.aws.denials import may_not_look, reading_refused
from guard.reconcile.mode import Mode
from guard.reconcile.request import Key, Request, asking
from sweep.opted_out import opted_out
from sweep.rollouts import roll_out
from sweep.unhealthy import unhealthy_vpcs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from guard.approved.choice import ApprovedPolicies
    from guard.approved.pauses import Pauses
    from guard.approved.rollouts import Rollouts
    from guard.cloudtrail.tagging import Taggers
    from guard.endpoint.observe import Observer
    from guard.endpoint.plan import Desired
    from guard.endpoint.scope import Scope
    from guard.endpoint.state import Tags
    from guard.findings.finding import Finding
    from guard.reconcile.requeue import Requeue
    from guard.settings import Settings
    from guard.table.opt_outs import OptOuts

DEPLOYED = "CloudFormation Stack Status Change"

logger = Logger(child=True)


@dataclass(slots=True)
class Swept:
    """How many there are, and how many differ; what AWS refused for good to show."""

    now: datetime
    counts: dict[str, int] = field(default_factory=dict[str, int])
    refused: list[Finding] = field(default_factory=list["Finding"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Methods raise NotSent, ClientError or BotoCoreError."""

    settings: Settings
    scope: Scope
    approved: ApprovedPolicies
    desired: Desired
    observer: Observer
    vpc_queue: Requeue
    policy_queue: Requeue
    rollouts: Rollouts
    pauses: Pauses
    opt_outs: OptOuts
    taggers: Taggers
    mode: Callable[[], Mode]

    def run(self, trigger: str, now: datetime) -> Swept:
        """Judge all. What AWS refuses for good to show leaves out what needs it, and nothing else:
        it is refused the next time, too, so it is no failure that is tried again.
        """
        reason, found = f"sweep after {trigger}", Swept(now)
        with self._may_be_refused(found):
            vpc_tags = self.observer.vpc_tags()
            found.counts["vpcs"] = len(vpc_tags)
            left: dict[str, str] = {}
            with self._may_be_refused(found):
                left = self._sweep_vpcs(vpc_tags, reason, found)
            policies = self.observer.attached_policies().values()
            tag = self.desired.opt_out_tag
            chosen = choose_all(policies, vpc_tags, self.approved, tag)
            self._sweep_policies(chosen, reason, trigger == DEPLOYED, found)
            if not found.refused:  # or the list would lack what could not be read
                opted = opted_out(left, vpc_tags, chosen, tag, self.taggers, now)
                self.opt_outs.write([*opted])
        logger.info(reason, extra=found.counts)
        return found

    def _sweep_vpcs(
        self, vpc_tags: Mapping[str, Tags], reason: str, found: Swept
    ) -> dict[str, str]:
        """Request the unhealthy VPCs; those that are opted out, with what is not well there."""
        ids, now = list(vpc_tags), found.now
        unhealthy, left = unhealthy_vpcs(self.observer, ids, self.desired, self.scope, now)
        self.vpc_queue.fan_out((self._request("vpc", id_, reason) for id_ in unhealthy), now)
        found.counts["vpcs_unhealthy"] = len(unhealthy)
        return left

    def _sweep_policies(
        self, chosen: Sequence[Chosen], reason: str, redeployed: bool, found: Swept
    ) -> None:
        """Request the endpoints whose policies differ. Begins rollouts."""
        now, observes = found.now, self.mode() is Mode.OBSERVE
        known = roll_out(chosen, self.rollouts, self.pauses, now, redeployed, observes=observes)
        differ = differing(chosen, known)
        trying = [one.endpoint_id for one in known.values() if one and one.phase is Phase.TRYING]
        trials = [self._request("endpoint", id_, TRYING, trial=("true",)) for id_ in trying]
        others = [self._request("endpoint", id_, reason) for id_ in differ if id_ not in trying]
        self.policy_queue.fan_out(trials + others, now)
        found.counts |= {"endpoints": len(chosen), "policies_differing": len(differ)}

    def _request(self, kind: str, id_: str, reason: str, **notes: tuple[str, ...]) -> Request:
        """A request to reconcile one VPC or endpoint of this account and Region."""
        key = Key(self.settings.account_id, self.settings.region, kind, id_)
        return asking(key, reason, **notes)

    @contextmanager
    def _may_be_refused(self, found: Swept) -> Iterator[None]:
        """End with the first read that AWS refuses for good, and note the finding."""
        try:
            yield
        except ClientError as error:
            if not may_not_look(error):
                raise
            found.refused += reading_refused(self.settings, found.now, error)
