"""Sweep: check every VPC and every endpoint, whether or not an event named it.

Undoes: what was missed. CloudTrail and EventBridge deliver on a best-effort basis, and what was
there before the guard was deployed had no event at all.

Triggered by a schedule and by the stack's own deployment. It judges all VPCs and policies from a
few calls that list them, by the same rules as the reactions do. Only for those that are unhealthy
it asks for a reconcile: one message each, in batches of ten, to the queues that the events go to,
so the same code does the rest at the same rate.

A deployment that changed an approved policy begins here, too: with one endpoint that tries it.

IAM: ec2:DescribeVpcs, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints, ec2:DescribeSecurityGroups,
ec2:DescribeVpcEndpointServices, ec2:DescribeVpcAttribute (of a sample), sqs:SendMessage (VPC and
policy queue), dynamodb:GetItem, dynamodb:UpdateItem.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from guard.approved.choice import ApprovedPolicies
from guard.approved.desired import desired_from_env
from guard.approved.endpoints import choose_all, differing
from guard.approved.lists import ApprovedLists
from guard.approved.pauses import Pauses
from guard.approved.rollout import Phase
from guard.approved.rollouts import TRYING, Rollouts
from guard.aws.clients import client
from guard.endpoint.observe import Observer
from guard.endpoint.scope import Scope
from guard.reconcile.request import Key, Request, asking
from guard.reconcile.requeue import Requeue
from guard.redact import log_line, sealed
from guard.settings import SCOPE_TAG, Settings, required
from guard.table.items import Items
from sweep.rollouts import roll_out
from sweep.unhealthy import unhealthy_vpcs

DEPLOYED = "CloudFormation Stack Status Change"

settings = Settings.from_env(os.environ)
guarded = Scope.of(required(os.environ, "SCOPE"), required(os.environ, "SCOPE_TAG", SCOPE_TAG))
lists = ApprovedLists.from_env(os.environ)
approved = ApprovedPolicies.from_env(os.environ, settings, lists.organization)
wanted = desired_from_env(os.environ, settings, approved, lists)

sqs = client("sqs")
vpc_queue = Requeue(sqs, required(os.environ, "VPC_QUEUE_URL"))
policy_queue = Requeue(sqs, required(os.environ, "POLICY_QUEUE_URL"))
table = Items(client("dynamodb"), settings.table_name, settings.place)
rollouts, pauses = Rollouts(table), Pauses(table)
observer = Observer(client("ec2"), settings.service_name)
logger = Logger(json_serializer=log_line)
metrics = Metrics()


@sealed
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Check every VPC and endpoint; returns how many of each, and how many are unhealthy.

    Raises NotSent or ClientError, upon which Lambda's own retries and then the dead-letter queue
    take over. Messages sent before that are harmless: a second reconcile changes nothing.
    """
    now = datetime.now(UTC)
    trigger = event.get("detail-type", "a manual call")
    reason = f"sweep after {trigger}"
    vpc_tags, policies = observer.vpc_tags(), observer.attached_policies()
    unhealthy = unhealthy_vpcs(observer, list(vpc_tags), wanted, guarded, now)
    chosen = choose_all(policies.values(), vpc_tags, approved, settings.opt_out_tag)
    known = roll_out(chosen, rollouts, pauses, now, redeployed=trigger == DEPLOYED)
    differ = differing(chosen, known)
    trying = [one.endpoint_id for one in known.values() if one and one.phase is Phase.TRYING]
    vpc_queue.fan_out((request("vpc", id_, reason) for id_ in unhealthy), now)
    trials = [request("endpoint", id_, TRYING, trial=("true",)) for id_ in trying]
    others = [request("endpoint", id_, reason) for id_ in differ if id_ not in trying]
    policy_queue.fan_out(trials + others, now)
    metrics.add_metric("VpcsSwept", MetricUnit.Count, len(vpc_tags))
    metrics.add_metric("EndpointsSwept", MetricUnit.Count, len(policies))
    counts = {
        "vpcs": len(vpc_tags),
        "endpoints": len(policies),
        "vpcs_unhealthy": len(unhealthy),
        "policies_differing": len(differ),
    }
    logger.info(reason, extra=counts)
    return counts


def request(kind: str, id_: str, reason: str, **notes: tuple[str, ...]) -> Request:
    """A request to reconcile one VPC or endpoint of this account and Region."""
    return asking(Key(settings.account_id, settings.region, kind, id_), reason, **notes)
