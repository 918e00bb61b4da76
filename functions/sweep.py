"""Sweep: look at every VPC and every endpoint, whether or not an event spoke of it.

Undoes: what was missed. CloudTrail and EventBridge deliver on a best-effort basis, and what was
there before the guard was deployed had no event at all.

Triggered by a schedule and by the stack's own deployment. It judges all VPCs and policies from a
few calls that list them, by the same rules as the reactions do, and asks for a closer look at those
alone that are not well: one message each, in batches of ten, to the queues that the events go to,
so the same code does the rest at the same pace.

IAM: ec2:DescribeVpcs, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints, ec2:DescribeSecurityGroups,
ec2:DescribeVpcEndpointServices, ec2:DescribeVpcAttribute (of a sample), sqs:SendMessage (VPC and
policy queue).
"""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import batched
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config

from guard.approved import ApprovedPolicy
from guard.aws import client
from guard.census import unwell_vpcs
from guard.chosen_policy import ApprovedPolicies
from guard.observe import Observer
from guard.policy import compare
from guard.reconcile import envelope
from guard.redact import log_line, sealed
from guard.scope import Guarded
from guard.settings import Settings, required
from guard.vpc import AttachedPolicy, Tags
from guard.wish import wanted_from_env

BATCH = 10  # the most messages SendMessageBatch takes

settings = Settings.from_env(os.environ)
VPC_QUEUE_URL = required(os.environ, "VPC_QUEUE_URL")
POLICY_QUEUE_URL = required(os.environ, "POLICY_QUEUE_URL")
guarded = Guarded.of(required(os.environ, "SCOPE"), required(os.environ, "SCOPE_TAG"))
approved = ApprovedPolicies.from_env(os.environ, settings)
wanted = wanted_from_env(os.environ, settings, approved)

config = Config(retries={"mode": "standard"}, connect_timeout=3, read_timeout=10)
sqs = client("sqs", config=config)
observer = Observer(client("ec2", config=config), settings.service_name)
logger = Logger(json_serializer=log_line)
metrics = Metrics()


class NotSent(RuntimeError):
    """SQS took only a part of a batch: the invocation fails, and Lambda repeats the sweep."""


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
    differing = differing_policies(policies.values(), vpc_tags)
    ask(VPC_QUEUE_URL, ({"vpcId": id_, "reason": reason} for id_ in unwell), now)
    ask(POLICY_QUEUE_URL, ({"vpcEndpointId": id_, "reason": reason} for id_ in differing), now)
    metrics.add_metric("VpcsSwept", MetricUnit.Count, len(vpc_ids))
    metrics.add_metric("EndpointsSwept", MetricUnit.Count, len(policies))
    counts = {
        "vpcs": len(vpc_ids),
        "endpoints": len(policies),
        "vpcs_unwell": len(unwell),
        "policies_differing": len(differing),
    }
    logger.info(reason, extra=counts)
    return counts


def differing_policies(
    policies: Iterable[AttachedPolicy], vpc_tags: Mapping[str, Tags]
) -> list[str]:
    """The endpoints that do not carry the policy chosen for them; those for which there is none."""

    # Most carry the same text: each is compared once.
    @cache
    def agrees(text: str, chosen: ApprovedPolicy | None) -> bool:
        return chosen is not None and not compare(text, chosen.policy)

    return [
        one.endpoint_id
        for one in policies
        if not agrees(one.text, approved.choose(one.tags, vpc_tags.get(one.vpc_id, {})).policy)
    ]


def ask(queue_url: str, details: Iterable[Mapping[str, str]], now: datetime) -> None:
    """Put one reconcile message per detail on the queue."""
    for some in batched(details, BATCH, strict=False):
        entries: Any = [
            {"Id": str(number), "MessageBody": envelope(settings, now, detail)}
            for number, detail in enumerate(some)
        ]
        failed = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])
        if failed:
            raise NotSent(f"{len(failed)} of {len(entries)} messages: {failed[0].get('Message')}")
