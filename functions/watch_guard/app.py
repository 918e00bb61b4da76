"""Watch the guard: publish who changed it, other than by a deployment.

Publishes: calls that changed, or tried to change, the guard's own rules, functions, roles,
parameter, queues, table, topics, alarms or logs, or what the owner made for it (Slack's parameters,
key, permissions boundary), by anyone but who deploys the stack; and the deletion of
the stack; and each deployment of the stack, as information. Changes nothing in AWS.

Triggered by write calls as CloudTrail records them, of whatever resource: which are the guard's is
asked of CloudFormation, and of the template's parameters. Without DeployingRoles, a call through
CloudFormation is part of a deployment if an operation of this stack went on then. IAM is a global
service, whose events come in us-east-1 alone: there this function sees changes of roles, elsewhere
it does not. What AWS refuses for good to show is published, and the call is judged without it.
Anything else that goes wrong fails the invocation, which Lambda repeats, and ends in the rules'
dead-letter queue.

An exception that somebody adds at run time is published whoever it was, with what it says.

IAM: cloudformation:DescribeStackEvents, cloudformation:ListStackResources, dynamodb:UpdateItem,
sns:Publish; ssm:GetParameter on the exceptions of run time.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from guard.aws.clients import client, lazy_client
from guard.aws.parameters import Parameters
from guard.cloudtrail.record import from_envelope
from guard.publishing.publish import Publisher
from guard.redact import log_line, redact_errors
from guard.settings import Settings, items
from guard.table.items import Items
from watch_guard.changes import Deployers, owner_parts
from watch_guard.stack import Stack
from watch_guard.watch import Watch

settings = Settings.from_env(os.environ)
watch = Watch(
    settings,
    Stack(client("cloudformation"), settings.stack_id),
    Deployers(items(os.environ, "DEPLOYING_ROLES")),
    owner_parts(os.environ),
    Parameters(lazy_client("ssm")),
)
table = Items(client("dynamodb"), settings.table_name, settings.place)
publisher = Publisher.of(settings, client("sns"), table)
logger = Logger(json_serializer=log_line)


@redact_errors
@logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: Any) -> dict[str, bool]:
    """Publish one call, if it is about the guard and no part of a deployment, or is a deployment.
    Returns whether it was.

    Raises UnreadableRecord for what is no record, ClientError, PublishError or StateError.
    """
    now = datetime.now(UTC)
    if found := watch.findings(from_envelope(event), now):
        publisher.publish(found, now)
    return {"published": bool(found)}
