"""Watch the guard: publish who changed it, other than by a deployment.

Publishes: calls that changed, or tried to change, the guard's own rules, functions, roles,
parameter, queues, table, topics, alarms or logs, or what the owner made for it (Slack's parameters,
key, permissions boundary), by anyone but who deploys the stack; and the deletion of
the stack; and each deployment of the stack, as information. Changes nothing in AWS.

Triggered by write calls as CloudTrail records them, of whatever resource: which are the guard's is
asked of CloudFormation, and of the template's parameters. Without DeployingRoles, a call through
CloudFormation is part of a deployment if an operation of this stack went on then. IAM is a global
service, whose events come in us-east-1 alone: there this function sees changes of roles, elsewhere
it does not. What cannot be read or published fails the invocation, which Lambda repeats, and ends
in the rules' dead-letter queue.

An exception that somebody adds at run time is published whoever it was, with what it says.

IAM: cloudformation:DescribeStackEvents, cloudformation:ListStackResources, dynamodb:UpdateItem,
sns:Publish; ssm:GetParameter on the exceptions of run time.
"""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from guard.aws.clients import client, lazy_client
from guard.aws.parameters import Parameters, ParameterUnreadable
from guard.cloudtrail.record import from_envelope
from guard.publishing.publish import Publisher
from guard.redact import log_line, redact_errors
from guard.settings import Settings, items
from guard.table.items import Items
from watch_guard.changes import (
    Deployers,
    Part,
    changed_exceptions,
    changed_parts,
    changes_stack,
    may_be_ours,
    owner_parts,
)
from watch_guard.findings import exception_changed, guard_changed, guard_deployed
from watch_guard.stack import Stack

settings = Settings.from_env(os.environ)
deployers = Deployers(items(os.environ, "DEPLOYING_ROLES"))
owners = owner_parts(os.environ)

stack = Stack(client("cloudformation"), settings.stack_id)
table = Items(client("dynamodb"), settings.table_name, settings.place)
parameters = Parameters(lazy_client("ssm"))
publisher = Publisher.of(settings, client("sns"), table)
logger = Logger(json_serializer=log_line)


@redact_errors
@logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: Any) -> dict[str, bool]:
    """Publish one call, if it is about the guard and no part of a deployment, or is a deployment.
    Returns whether it was.

    Raises UnreadableRecord for what is no record, ClientError, PublishError or StateError.
    """
    record = from_envelope(event)
    found = [
        exception_changed(record, one, _text_of(one), settings)
        for one in changed_exceptions(record, settings.stack_name)
    ]
    parts = changed_parts(record, [*stack.parts(time.monotonic()), *owners], settings.stack_id)
    if parts or (may_be_ours(record) and not found):
        names = [part.logical_id for part in parts]
        what = {"event_id": record.event_id, "event_name": record.event_name, "parts": names}
        if not deployers.made(record, lambda: stack.operating(record.event_time)):
            who = {"principal": record.identity.name}
            logger.warning("the guard was changed", extra=what | who)
            found.append(guard_changed(record, parts, settings))
        elif changes_stack(record):
            logger.info("a deployment", extra=what)
            found.append(guard_deployed(record, parts, settings))
        else:
            logger.info("part of a deployment", extra=what)
    if found:
        publisher.publish(found, datetime.now(UTC))
    return {"published": bool(found)}


def _text_of(exception: Part) -> str:
    """What the parameter holds now; why that is not known, where it is not."""
    try:
        return parameters.get(exception.physical_id, max_age=0)
    except ParameterUnreadable as error:
        return str(error)
