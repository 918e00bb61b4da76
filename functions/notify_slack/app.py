"""Notify Slack: show each finding and alarm there, once, at the rate that Slack allows.

By an incoming webhook each is a message. By a bot token a follow-up brings the message of its alert
up to date, and a change that comes again goes into its thread.

Changes nothing in AWS but when a message comes back: what Slack limits or fails to answer returns
to the notify queue for as long as Slack asked, or for longer each time, and in the end to the
dead-letter queue. Waiting is the queue's work; the function waits only for its slot between posts,
which all its copies take from one rate limiter in the state table.

Triggered by two queues: the notify queue has the findings topic's messages, raw; the urgent queue
those of severity high, and alarms, so that these wait behind nothing of less weight. Each queue may
have a webhook or channel of its own.

A message is posted again only where nobody can know that it was posted: Slack's answer was lost, or
the function was stopped just after it. From its second attempt on, a message says so.

IAM: ssm:GetParameter (the SecureString of the webhook or the token; with a customer-managed key
kms:Decrypt too), sqs:ChangeMessageVisibility, dynamodb:UpdateItem, dynamodb:GetItem.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config

from guard.aws.clients import client, lazy_client
from guard.aws.parameters import Parameters, ParameterUnreadable
from guard.redact import log_line, redact_errors
from guard.settings import required
from guard.table.items import Items
from guard.table.slots import Slots
from notify_slack.address import Address
from notify_slack.deliver import Context, Delivery
from notify_slack.queue import NotifyQueue
from notify_slack.rate_limiter import RateLimiter
from notify_slack.sender import Sender
from notify_slack.webhook import BadWebhook, api_of

# The SecureString holds a bot's token, which needs a channel to post to, or a webhook's URL; a
# second channel or URL is for what is urgent.
channels = os.environ.get("SLACK_CHANNEL", "").split(",")
parameter = required(os.environ, "WEBHOOK_PARAMETER")
slack_api = required(os.environ, "SLACK_API", api_of(required(os.environ, "PARTITION")))

config = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=5
)
table_name = required(os.environ, "TABLE_NAME")
table = Items(lazy_client("dynamodb", config=config), table_name, place="")  # of no resource
sqs = lazy_client("sqs", config=config)
ssm = client("ssm", config=config)
limiter = RateLimiter(Slots(table))

parameters = Parameters(ssm)


def _delivery(url: str, channel: str, *, urgent: bool) -> Delivery:
    sender = Sender(limiter, table, channel, slack_api, urgent=urgent)
    address = Address(parameters, parameter, sender.checked)
    return Delivery(address, limiter, NotifyQueue(sqs, url), sender.send)


# By the name of the queue. The last channel is the urgent queue's, be it the first or a second one.
deliveries = {
    url.rpartition("/")[2]: _delivery(url, channels[place], urgent=place == -1)
    for place, url in (
        (0, required(os.environ, "NOTIFY_QUEUE_URL")),
        (-1, required(os.environ, "URGENT_QUEUE_URL")),
    )
}
logger = Logger(json_serializer=log_line)
metrics = Metrics()


@redact_errors
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Post the batch in order; what was not posted goes back to the queue.

    Raises ParameterUnreadable or BadWebhook before anything is posted: then all of it goes back.
    """
    records: Sequence[Mapping[str, Any]] = event["Records"]
    delivery = deliveries[records[0]["eventSourceARN"].rpartition(":")[2]]
    try:
        url = delivery.address.read()
    except (ParameterUnreadable, BadWebhook):
        metrics.add_metric("MessagesRetried", MetricUnit.Count, len(records))
        raise
    failed = delivery.deliver(records, url, context)
    metrics.add_metric("MessagesPosted", MetricUnit.Count, len(records) - len(failed))
    metrics.add_metric("MessagesRetried", MetricUnit.Count, len(failed))
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}
