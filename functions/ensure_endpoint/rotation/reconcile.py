"""What would fail a rotation that was just turned on, although the endpoint of its VPC works."""

from collections.abc import Iterator
from dataclasses import dataclass

from ensure_endpoint.case import Case
from ensure_endpoint.desired import DesiredEndpoints
from ensure_endpoint.rotation import findings
from ensure_endpoint.rotation.function import FAILED, Rotation
from ensure_endpoint.rotation.obstruction import obstruction, refused_actions
from guard.endpoint.decide import decide
from guard.endpoint.observe import Observer
from guard.endpoint.plan import Plan, Verdict
from guard.findings.finding import Finding
from guard.settings import Settings


@dataclass(frozen=True, slots=True)
class RotationChecks:
    """Checks the network and the approved policy, and publishes what AWS says has failed.

    Needs ec2:DescribeSecurityGroups.
    """

    settings: Settings
    observer: Observer
    desired: DesiredEndpoints

    def hindered(self, case: Case) -> Iterator[Finding]:
        """A finding for each thing that hinders a rotation. Raises as EC2 does."""
        vpc, settings, now = case.vpc, self.settings, case.now
        for trigger in case.request.triggers:
            if "secret" not in trigger.facts:
                continue
            plan = decide(vpc, self.desired.of(vpc))
            found = Rotation.from_facts(trigger.facts, vpc.id)
            groups = self.observer.security_groups(found.group_ids)
            cause = obstruction(vpc, plan, found, groups)
            if words := trigger.facts.get(FAILED):
                why = cause and f"the rotation function cannot reach the endpoint: {cause}"
                verdict = why or _verdict_on(plan)
                yield findings.failed(settings, now, trigger, found, words, verdict)
            elif cause:
                yield findings.cannot_reach(settings, now, trigger, found, cause)
            policy = self.desired.policy_at(vpc).policy
            if policy and (actions := refused_actions(policy.policy, found, settings.partition)):
                yield findings.refused_by_policy(
                    settings, now, trigger, found, policy.name, actions
                )


def _verdict_on(plan: Plan) -> str:
    """The verdict of this reconcile, in words."""
    reasons = f" ({'; '.join(plan.reasons)})" if plan.reasons else ""
    match plan.verdict:
        case Verdict.WORKS:
            return f"the endpoint {plan.endpoint_id} of {plan.vpc_id} works"
        case Verdict.COVERED:
            return f"an endpoint elsewhere serves {plan.vpc_id}{reasons}"
        case verdict:
            return f"the verdict on the endpoint of {plan.vpc_id} is {verdict}{reasons}"
