"""What the audit judges besides VPCs: endpoint policies, rotation, and the trail. Only reads.

Needs secretsmanager:ListSecrets, secretsmanager:DescribeSecret, lambda:GetFunctionConfiguration,
ec2:DescribeSecurityGroups, cloudtrail:DescribeTrails, cloudtrail:GetTrailStatus and
cloudtrail:GetEventSelectors. What may not be read is said, and is no fault of the account.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ensure_endpoint.rotation.function import Rotation, locate
from ensure_endpoint.rotation.obstruction import obstruction, refused_actions
from guard.endpoint.observe import Observer
from guard.endpoint.plan import Plan
from guard.endpoint.state import AttachedPolicy, Vpc
from guard.policy import compare
from guardctl.audit.deployed import Judging
from guardctl.doctor.lines import State
from guardctl.doctor.place import Place
from guardctl.doctor.trail import management_events
from guardctl.words import in_words

POLICY, ROTATION, TRAIL = "policy", "rotation", "trail"


@dataclass(frozen=True, slots=True)
class Check:
    """One judgement. `planned` is what the guard would do, `todo` what a person has to."""

    account: str
    region: str
    check: str
    resource: str
    healthy: bool
    text: str
    reasons: list[str] = field(default_factory=list[str])
    planned: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of one Region, with the plans of its VPCs."""

    judging: Judging
    place: Place
    observer: Observer
    vpcs: Mapping[str, Vpc]
    plans: Mapping[str, Plan]

    def policies(self, vpc_ids: Collection[str] | None = None) -> Iterator[Check]:
        """Each endpoint's policy, compared with the approved one: all, or those of some VPCs."""
        for one in sorted(
            self.observer.attached_policies().values(), key=lambda one: one.endpoint_id
        ):
            if vpc_ids is None or one.vpc_id in vpc_ids:
                yield self._policy(one)

    def _policy(self, one: AttachedPolicy) -> Check:
        tags = self.vpcs[one.vpc_id].tags if one.vpc_id in self.vpcs else {}
        chosen = self.judging.approved.choose(one.tags, tags)
        opt_out = self.judging.settings.opt_out_tag
        if opt_out in {**tags, **one.tags}:
            return self._check(POLICY, one.endpoint_id, True, f"left alone: the tag {opt_out}")
        if chosen.policy is None:
            return self._check(POLICY, one.endpoint_id, False, chosen.problem)
        found = compare(one.text, chosen.policy.policy)
        if not found:
            return self._check(POLICY, one.endpoint_id, True, f"means {chosen.policy.name}")
        return self._check(
            POLICY,
            one.endpoint_id,
            False,
            f"departs from {chosen.policy.name}",
            [f"{difference.risk}: {difference.text}" for difference in found],
            planned=f"write {chosen.policy.name} to {one.endpoint_id}",
        )

    def rotation(self) -> Iterator[Check]:
        """Each secret that a function rotates: does the function reach its endpoint?"""
        yield from self._asked(ROTATION, self._rotations, "secretsmanager")

    def _rotations(self) -> Iterator[Check]:
        secretsmanager = self.place.client("secretsmanager")
        functions = self.place.client("lambda")
        settings = self.judging.settings
        for page in secretsmanager.get_paginator("list_secrets").paginate():
            for secret in page["SecretList"]:
                if not secret.get("RotationEnabled") or not secret.get("RotationLambdaARN"):
                    continue
                found = locate(
                    secret["ARN"],
                    secret["RotationLambdaARN"],
                    account_id=settings.account_id,
                    region=settings.region,
                    secretsmanager=secretsmanager,
                    functions=functions,
                )
                yield self._rotation(secret["Name"], found)

    def _rotation(self, name: str, found: Rotation) -> Check:
        if found.problem:
            return self._check(ROTATION, name, False, found.cause)
        vpc, plan = self.vpcs.get(found.vpc_id), self.plans.get(found.vpc_id)
        if vpc is None or plan is None:
            return self._check(ROTATION, name, True, "its function's VPC was not judged here")
        reasons: list[str] = []
        groups = self.observer.security_groups(found.group_ids)
        if why := obstruction(vpc, plan, found, groups):
            reasons.append(why)
        tags = next((one.tags for one in vpc.endpoints if one.private_dns), {})
        chosen = self.judging.approved.choose(tags, vpc.tags).policy
        partition = self.judging.settings.partition
        if chosen and (refused := refused_actions(chosen.policy, found, partition)):
            reasons.append(f"{chosen.name} refuses its role {', '.join(refused)}")
        text = "its function cannot do its work" if reasons else f"works from {vpc.id}"
        todo = "see docs/runbooks/rotation-cannot-reach-endpoint.md" if reasons else ""
        return self._check(ROTATION, name, not reasons, text, reasons, todo=todo)

    def trail(self) -> Iterator[Check]:
        """Whether a trail gives EventBridge what the guard must see."""

        def ask() -> Iterator[Check]:
            for line in management_events(self.place):
                healthy = line.state not in (State.WARN, State.STOP)
                yield self._check(TRAIL, self.place.region, healthy, line.text, todo=line.do)

        yield from self._asked(TRAIL, ask, "cloudtrail")

    def _asked(
        self, check: str, ask: Callable[[], Iterator[Check]], service: str
    ) -> Iterator[Check]:
        try:
            yield from list(ask())
        except (BotoCoreError, ClientError) as error:
            why = "; ".join(in_words(error, service).splitlines())
            yield self._check(check, self.place.region, True, f"not known: {why}")

    def _check(
        self, check: str, resource: str, healthy: bool, text: str, reasons: Any = (), **words: str
    ) -> Check:
        settings = self.judging.settings
        place = (settings.account_id, settings.region)
        return Check(*place, check, resource, healthy, text, list(reasons), **words)
