"""Watch the guard: publish who changed it, other than by a deployment.

Publishes: calls that changed, or tried to change, the guard's own rules, functions, roles,
parameter, queues, table, topics, alarms or logs, or what the owner made for it (Slack's parameters,
key, permissions boundary, code signing), by anyone but who deploys the stack; and the deletion of
the stack; and each deployment of the stack, as information. Changes nothing in AWS.

Triggered by write calls as CloudTrail records them, of whatever resource: which are the guard's is
asked of CloudFormation, and of the template's parameters. Without DeployingRoles, a call through
CloudFormation is part of a deployment if an operation of this stack went on then. IAM is a global
service, whose events come in us-east-1 alone: there this function sees changes of roles, elsewhere
it does not. What cannot be read or published fails the invocation, which Lambda repeats, and ends
in the rules' dead-letter queue.

IAM: cloudformation:DescribeStackEvents, cloudformation:ListStackResources, dynamodb:UpdateItem,
sns:Publish.
"""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from guard.aws.clients import client
from guard.cloudtrail.record import from_envelope
from guard.publishing.publish import Publisher
from guard.redact import log_line, redact_errors
from guard.settings import Settings, items
from guard.table.items import Items
from watch_guard.changes import (
    Deployers,
    changed_parts,
    changes_stack,
    may_be_ours,
    owner_parts,
)
from watch_guard.findings import guard_changed, guard_deployed
from watch_guard.stack import Stack

settings = Settings.from_env(os.environ)
deployers = Deployers(items(os.environ, "DEPLOYING_ROLES"))
owners = owner_parts(os.environ)

stack = Stack(client("cloudformation"), settings.stack_id)
table = Items(client("dynamodb"), settings.table_name, settings.place)
publisher = Publisher.of(settings, client("sns"), table)
logger = Logger(json_serializer=log_line)


@redact_errors
@logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: Any) -> dict[str, bool]:
    """Publish one call, if it is about the guard and no part of a deployment. Returns whether it
    was.

    Raises UnreadableRecord for what is no record, ClientError, PublishError or StateError.
    """
    record = from_envelope(event)
    parts = changed_parts(record, [*stack.parts(time.monotonic()), *owners], settings.stack_id)
    if not (parts or may_be_ours(record)):
        return {"published": False}
    names = [part.logical_id for part in parts]
    what = {"event_id": record.event_id, "event_name": record.event_name, "parts": names}
    if deployers.made(record, lambda: stack.operating(record.event_time)):
        logger.info("part of a deployment", extra=what)
        if not changes_stack(record):
            return {"published": False}
        publisher.publish([guard_deployed(record, parts, settings)], datetime.now(UTC))
        return {"published": True}
    logger.warning("the guard was changed", extra={**what, "principal": record.identity.name})
    publisher.publish([guard_changed(record, parts, settings)], datetime.now(UTC))
    return {"published": True}
