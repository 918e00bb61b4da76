"""Sweep: check every VPC and every endpoint, whether or not an event named it.

Undoes: what was missed, and what was there before the guard was deployed and had no event at all.
Triggered by a schedule and by the stack's own deployment. It judges all VPCs and policies from a
few calls that list them, and requests a reconcile of the unhealthy ones. What is opted out is noted
for the daily report. The rollout of an approved policy begins here: one endpoint tries it.

IAM: ec2:DescribeVpcs, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints, ec2:DescribeSecurityGroups,
ec2:DescribeNetworkAcls, ec2:DescribeDhcpOptions, ec2:DescribeVpcEndpointServices,
ec2:DescribeVpcAttribute (of a sample), cloudtrail:LookupEvents, ssm:GetParameter, sqs:SendMessage
(VPC and policy queue), dynamodb:GetItem, dynamodb:UpdateItem.
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
from guard.aws.clients import client, lazy_client
from guard.aws.parameters import Parameters
from guard.cloudtrail.event_history import EventHistory
from guard.cloudtrail.tagging import Taggers
from guard.endpoint.observe import Observer
from guard.endpoint.scope import Scope
from guard.reconcile.mode import Mode, read_mode
from guard.reconcile.request import Key, Request, asking
from guard.reconcile.requeue import Requeue
from guard.redact import log_line, redact_errors
from guard.settings import SCOPE_TAG, Settings, required
from guard.table.items import Items
from guard.table.opt_outs import OptOuts
from sweep.opted_out import opted_out
from sweep.rollouts import roll_out
from sweep.unhealthy import unhealthy_vpcs

DEPLOYED = "CloudFormation Stack Status Change"

settings = Settings.from_env(os.environ)
scope = Scope.of(required(os.environ, "SCOPE"), required(os.environ, "SCOPE_TAG", SCOPE_TAG))
lists = ApprovedLists.from_env(os.environ)
approved = ApprovedPolicies.from_env(os.environ, settings, lists.organization)
desired = desired_from_env(os.environ, settings, approved, lists)

sqs, parameters = client("sqs"), Parameters(client("ssm"))
vpc_queue = Requeue(sqs, required(os.environ, "VPC_QUEUE_URL"))
policy_queue = Requeue(sqs, required(os.environ, "POLICY_QUEUE_URL"))
table = Items(client("dynamodb"), settings.table_name, settings.place)
rollouts, pauses, opt_outs = Rollouts(table), Pauses(table), OptOuts(table)
taggers = Taggers(EventHistory(lazy_client("cloudtrail")))
observer = Observer(client("ec2"), settings.service_name, opt_out_tag=settings.opt_out_tag)
logger, metrics = Logger(json_serializer=log_line), Metrics()


@redact_errors
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Check every VPC and endpoint; returns how many there are, and how many are unhealthy.
    Raises NotSent or ClientError: then Lambda tries again, and a second reconcile does no harm.
    """
    now = datetime.now(UTC)
    trigger = event.get("detail-type", "a manual call")
    reason = f"sweep after {trigger}"
    vpc_tags, policies = observer.vpc_tags(), observer.attached_policies()
    unhealthy, left = unhealthy_vpcs(observer, list(vpc_tags), desired, scope, now)
    chosen = choose_all(policies.values(), vpc_tags, approved, desired.opt_out_tag)
    observes = read_mode(parameters, settings.mode_parameter).mode is Mode.OBSERVE
    known = roll_out(chosen, rollouts, pauses, now, trigger == DEPLOYED, observes=observes)
    differ = differing(chosen, known)
    trying = [one.endpoint_id for one in known.values() if one and one.phase is Phase.TRYING]
    vpc_queue.fan_out((request("vpc", id_, reason) for id_ in unhealthy), now)
    trials = [request("endpoint", id_, TRYING, trial=("true",)) for id_ in trying]
    others = [request("endpoint", id_, reason) for id_ in differ if id_ not in trying]
    policy_queue.fan_out(trials + others, now)
    metrics.add_metric("VpcsSwept", MetricUnit.Count, len(vpc_tags))
    metrics.add_metric("EndpointsSwept", MetricUnit.Count, len(policies))
    opt_outs.write([*opted_out(left, vpc_tags, chosen, desired.opt_out_tag, taggers, now)])
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
