"""What each VPC should have: the deployment's settings, with the policy that its tag may choose."""

from dataclasses import dataclass, replace
from datetime import datetime

from guard.approved.choice import ApprovedPolicies, ChosenPolicy
from guard.approved.rollout import desired_policy
from guard.approved.rollouts import Rollouts
from guard.endpoint.plan import Desired
from guard.endpoint.state import Vpc


@dataclass(frozen=True, slots=True)
class DesiredEndpoints:
    """`common` is what VPCs have in common."""

    common: Desired
    approved: ApprovedPolicies
    rollouts: Rollouts

    def of(self, vpc: Vpc) -> Desired:
        """With the deployed version of the VPC's policy."""
        chosen = self.approved.choose(vpc=vpc.tags)
        ignored = ""
        if chosen.policy and chosen.ignored:
            ignored = f"{chosen.ignored}: {chosen.policy.name} counts instead"
        return replace(
            self.common,
            policy=chosen.text,
            policy_problem=chosen.problem,
            policy_ignored=ignored,
        )

    def during_rollout(self, vpc: Vpc, now: datetime) -> Desired:
        """The same, with the version before while a new one of the policy is still being tried.

        Raises ClientError.
        """
        chosen, desired = self.approved.choose(vpc=vpc.tags), self.of(vpc)
        if not chosen.policy:
            return desired
        target = desired_policy(self.rollouts.of(chosen.policy.name, now), chosen.policy, "")
        return replace(desired, policy=target.policy.text)

    def policy_at(self, vpc: Vpc) -> ChosenPolicy:
        """The policy of the endpoint that serves the VPC under the service's private name."""
        tags = next((one.tags for one in vpc.endpoints if one.private_dns), {})
        return self.approved.choose(tags, vpc.tags)
