"""Whom the approved policy would cut off at endpoints on which none was enforced before."""

from dataclasses import dataclass

from guard.approved.choice import ApprovedPolicies
from guard.approved.history import History
from guard.approved.policies import ApprovedPolicy
from guard.approved.refusals import NOBODY, RefusalFinder, Refusals
from guard.endpoint.observe import Observer
from guard.endpoint.state import managed_by
from restore_policy.findings import About
from restore_policy.trials import Trials
from restore_policy.triggers import FIRST

MADE = "CreateVpcEndpoint"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Raises boto3's errors."""

    finder: RefusalFinder
    observer: Observer
    approved: ApprovedPolicies
    trials: Trials
    history: History

    def of(self, about: About, desired: ApprovedPolicy, *, canary: bool) -> Refusals:
        """Those callers; nobody where a policy is only put right.

        At the first of many that try a policy, the callers of all count. Whoever makes an endpoint
        just now has nobody yet who relies on it.
        """
        if not canary and self._was_enforced(about):
            return NOBODY
        endpoints = [about.attached]
        if canary:
            endpoints += self.trials.others(self.observer, self.approved, desired)
        ids = {one.endpoint_id for one in endpoints}
        vpc_ids = sorted({one.vpc_id for one in endpoints})
        return self.finder.at_endpoints(desired.policy, ids, vpc_ids, about.now)

    def through(self, about: About, desired: ApprovedPolicy) -> Refusals:
        """Who came through an endpoint that keeps another policy."""
        return self.finder.through(desired.policy, about.attached.endpoint_id, about.now)

    def _was_enforced(self, about: About) -> bool:
        attached, request = about.attached, about.request
        if any(one.name == MADE for one in request.triggers) or request.noted(FIRST):
            return True
        if managed_by(attached.tags, about.settings.stack_id):
            return True
        return any(self.history.latest(attached.endpoint_id, about.now))
