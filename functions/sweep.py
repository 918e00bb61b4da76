"""Sweep: have every VPC and every endpoint looked at, whether or not an event spoke of it.

Undoes: what was missed. CloudTrail and EventBridge deliver on a best-effort basis, and what was
there before the guard was deployed had no event at all.

Triggered by a schedule and by the stack's own deployment. It only asks: one message per VPC and one
per endpoint, in batches of ten, to the queues that the events go to, so the same code does the rest
at the same pace.

IAM: ec2:DescribeVpcs, ec2:DescribeVpcEndpoints, sqs:SendMessage (VPC and policy queue).
"""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import batched
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config

from guard.observe import Observer
from guard.reconcile import envelope
from guard.settings import Settings, required

BATCH = 10  # the most messages SendMessageBatch takes

settings = Settings.from_env(os.environ)
VPC_QUEUE_URL = required(os.environ, "VPC_QUEUE_URL")
POLICY_QUEUE_URL = required(os.environ, "POLICY_QUEUE_URL")

config = Config(retries={"mode": "standard"}, connect_timeout=3, read_timeout=10)
sqs = boto3.client("sqs", config=config)
observer = Observer(boto3.client("ec2", config=config), settings.service_name)
logger = Logger()
metrics = Metrics()


class NotSent(RuntimeError):
    """SQS took only a part of a batch: the invocation fails, and Lambda repeats the sweep."""


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Ask for a look at every VPC and endpoint; returns how many of each.

    Raises NotSent or ClientError, upon which Lambda's own retries and then the dead-letter queue
    take over. Messages sent before that are harmless: a second look changes nothing.
    """
    now = datetime.now(UTC)
    vpc_ids, endpoint_ids = observer.vpc_ids(), observer.endpoint_ids()
    reason = f"sweep after {event.get('detail-type', 'a manual call')}"
    ask(VPC_QUEUE_URL, ({"vpcId": id_, "reason": reason} for id_ in vpc_ids), now)
    ask(POLICY_QUEUE_URL, ({"vpcEndpointId": id_, "reason": reason} for id_ in endpoint_ids), now)
    metrics.add_metric("VpcsSwept", MetricUnit.Count, len(vpc_ids))
    metrics.add_metric("EndpointsSwept", MetricUnit.Count, len(endpoint_ids))
    logger.info(reason, extra={"vpcs": len(vpc_ids), "endpoints": len(endpoint_ids)})
    return {"vpcs": len(vpc_ids), "endpoints": len(endpoint_ids)}


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
