"""Sweep: check every VPC and every endpoint, whether or not an event named it.

Undoes: what was missed, and what was there before the guard was deployed and had no event at all.
Triggered by a schedule and by the stack's own deployment. It judges all VPCs and policies from a
few calls that list them, and requests a reconcile of the unhealthy ones. What is opted out is noted
for the daily report. The rollout of an approved policy begins here: one endpoint tries it. A read
that AWS refuses for good is published, and what can be judged without it is.

IAM: ec2:DescribeVpcs, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints, ec2:DescribeSecurityGroups,
ec2:DescribeNetworkAcls, ec2:DescribeDhcpOptions, ec2:DescribeVpcEndpointServices,
ec2:DescribeVpcAttribute (of a sample), cloudtrail:LookupEvents, ssm:GetParameter, sqs:SendMessage
(VPC and policy queue), dynamodb:GetItem, dynamodb:UpdateItem, sns:Publish.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from guard.approved.choice import ApprovedPolicies
from guard.approved.desired import desired_from_env
from guard.approved.lists import ApprovedLists
from guard.approved.pauses import Pauses
from guard.approved.rollouts import Rollouts
from guard.aws.clients import client, lazy_client
from guard.aws.parameters import Parameters
from guard.cloudtrail.event_history import EventHistory
from guard.cloudtrail.tagging import Taggers
from guard.endpoint.observe import Observer
from guard.endpoint.scope import Scope
from guard.publishing.publish import Publisher
from guard.reconcile.mode import read_mode
from guard.reconcile.requeue import Requeue
from guard.redact import log_line, redact_errors
from guard.settings import SCOPE_TAG, Settings, required
from guard.table.items import Items
from guard.table.opt_outs import OptOuts
from sweep.sweeping import Sweep

settings = Settings.from_env(os.environ)
scope = Scope.of(required(os.environ, "SCOPE"), required(os.environ, "SCOPE_TAG", SCOPE_TAG))
lists = ApprovedLists.from_env(os.environ)
approved = ApprovedPolicies.from_env(os.environ, settings, lists.organization)

sqs, parameters = client("sqs"), Parameters(client("ssm"))
table = Items(client("dynamodb"), settings.table_name, settings.place)
sweep = Sweep(
    settings=settings,
    scope=scope,
    approved=approved,
    desired=desired_from_env(os.environ, settings, approved, lists),
    observer=Observer(client("ec2"), settings.service_name, opt_out_tag=settings.opt_out_tag),
    vpc_queue=Requeue(sqs, required(os.environ, "VPC_QUEUE_URL")),
    policy_queue=Requeue(sqs, required(os.environ, "POLICY_QUEUE_URL")),
    rollouts=Rollouts(table),
    pauses=Pauses(table),
    opt_outs=OptOuts(table),
    taggers=Taggers(EventHistory(lazy_client("cloudtrail"))),
    mode=lambda: read_mode(parameters, settings.mode_parameter).mode,
)
publisher = Publisher.of(settings, lazy_client("sns"), table)
logger, metrics = Logger(json_serializer=log_line), Metrics()


@redact_errors
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Check every VPC and endpoint; returns how many there are, and how many are unhealthy.

    Raises NotSent, PublishError or ClientError: then Lambda tries again, and a second reconcile
    does no harm.
    """
    now = datetime.now(UTC)
    found = sweep.run(event.get("detail-type", "a manual call"), now)
    for name, key in (("VpcsSwept", "vpcs"), ("EndpointsSwept", "endpoints")):
        metrics.add_metric(name, MetricUnit.Count, found.counts.get(key, 0))
    publisher.publish(found.refused, now)
    return found.counts
