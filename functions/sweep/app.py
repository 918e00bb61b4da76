"""Sweep: look at every VPC and every endpoint, whether or not an event spoke of it.

Undoes: what was missed. CloudTrail and EventBridge deliver on a best-effort basis, and what was
there before the guard was deployed had no event at all.

Triggered by a schedule and by the stack's own deployment. It judges all VPCs and policies from a
few calls that list them, by the same rules as the reactions do, and asks for a closer look at those
alone that are not well: one message each, in batches of ten, to the queues that the events go to,
so the same code does the rest at the same pace.

A deployment that changed an approved policy begins here, too: with one endpoint that tries it.

IAM: ec2:DescribeVpcs, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints, ec2:DescribeSecurityGroups,
ec2:DescribeVpcEndpointServices, ec2:DescribeVpcAttribute (of a sample), sqs:SendMessage (VPC and
policy queue), dynamodb:GetItem, dynamodb:UpdateItem.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config

from guard.approved.choice import ApprovedPolicies
from guard.approved.desired import wanted_from_env
from guard.approved.endpoints import Chosen, ask, canaries, choose_all, differing
from guard.approved.lists import ApprovedLists
from guard.approved.pauses import Pauses
from guard.approved.rollout import Phase, Remember, Rollout, Try, step
from guard.approved.rollouts import Rollouts
from guard.approved.trials import REASON
from guard.aws.clients import client
from guard.endpoint.observe import Observer
from guard.endpoint.scope import Guarded
from guard.reconcile.policy_requests import detail
from guard.redact import log_line, sealed
from guard.settings import SCOPE_TAG, Settings
from guard.table.items import Items
from guard.variables import required
from sweep.unhealthy import unwell_vpcs

DEPLOYED = "CloudFormation Stack Status Change"

settings = Settings.from_env(os.environ)
VPC_QUEUE_URL = required(os.environ, "VPC_QUEUE_URL")
POLICY_QUEUE_URL = required(os.environ, "POLICY_QUEUE_URL")
guarded = Guarded.of(required(os.environ, "SCOPE"), required(os.environ, "SCOPE_TAG", SCOPE_TAG))
lists = ApprovedLists.from_env(os.environ)
approved = ApprovedPolicies.from_env(os.environ, settings, lists.organization)
wanted = wanted_from_env(os.environ, settings, approved, lists)

config = Config(retries={"mode": "standard"}, connect_timeout=3, read_timeout=10)
sqs = client("sqs", config=config)
table = Items(client("dynamodb", config=config), settings.table_name)
rollouts, pauses = Rollouts(table), Pauses(table)
observer = Observer(client("ec2", config=config), settings.service_name)
logger = Logger(json_serializer=log_line)
metrics = Metrics()


@sealed
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Look at every VPC and endpoint; returns how many of each, and how many are not well.

    Raises NotSent or ClientError, upon which Lambda's own retries and then the dead-letter queue
    take over. Messages sent before that are harmless: a second look changes nothing.
    """
    now = datetime.now(UTC)
    reason = f"sweep after {event.get('detail-type', 'a manual call')}"
    vpc_tags, policies = observer.vpc_tags(), observer.attached_policies()
    vpc_ids = list(vpc_tags)
    unwell = unwell_vpcs(observer, vpc_ids, wanted, guarded, now)
    chosen = choose_all(policies.values(), vpc_tags, approved, settings.opt_out_tag)
    known = roll_out(chosen, now, redeployed=event.get("detail-type") == DEPLOYED)
    differ = differing(chosen, known)
    trying = [one.endpoint_id for one in known.values() if one and one.phase is Phase.TRYING]
    looks = [detail(id_, REASON, trial=True) for id_ in trying]
    looks += [detail(id_, reason) for id_ in differ if id_ not in trying]
    ask(sqs, VPC_QUEUE_URL, settings, ({"vpcId": i, "reason": reason} for i in unwell), now)
    ask(sqs, POLICY_QUEUE_URL, settings, looks, now)
    metrics.add_metric("VpcsSwept", MetricUnit.Count, len(vpc_ids))
    metrics.add_metric("EndpointsSwept", MetricUnit.Count, len(policies))
    counts = {
        "vpcs": len(vpc_ids),
        "endpoints": len(policies),
        "vpcs_unwell": len(unwell),
        "policies_differing": len(differ),
    }
    logger.info(reason, extra=counts)
    return counts


def roll_out(
    chosen: Sequence[Chosen], now: datetime, *, redeployed: bool
) -> dict[str, Rollout | None]:
    """Begin what a deployment asks for; how it stands with each policy in use, by name."""
    known: dict[str, Rollout | None] = {}
    for policy in {one.policy.name: one.policy for one in chosen if one.policy}.values():
        rollout = rollouts.of(policy.name, now)
        found = step(
            rollout,
            policy,
            endpoint_ids=canaries(chosen, policy, rollout),
            now=int(now.timestamp()),
            watch_seconds=0,
            redeployed=redeployed,
        )
        match found:
            case Remember():
                rollouts.remember(rollout, policy)
            case Try(endpoint_ids) if rollout:
                free = (id_ for id_ in endpoint_ids if not pauses.of(id_, now))
                if first := next(free, None):
                    rollouts.begin(rollout, policy, first)
                    rollout = rollouts.of(policy.name, now)
            case _:
                pass  # the looks at the canary do the rest
        known[policy.name] = rollout
    return known
