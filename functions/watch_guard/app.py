"""Watch the guard: tell ops who changed it, other than by a deployment.

Tells: calls that changed, or tried to change, the guard's own rules, functions, roles, parameter,
queues, table, topics, alarms or logs, or what the owner made for it (Slack's parameters, key,
permissions boundary, code signing), by anyone but who deploys the stack; and the deletion of the
stack. Changes nothing in AWS.

Triggered by write calls as CloudTrail records them, of whatever resource: which are the guard's is
asked of CloudFormation, and of the template's parameters. IAM is a global service, whose events
come in us-east-1 alone: there this function sees changes of roles, elsewhere it does not. What
cannot be read or told fails the invocation, which Lambda repeats, and ends in the rules'
dead-letter queue.

IAM: cloudformation:ListStackResources, dynamodb:UpdateItem, sns:Publish.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from botocore.config import Config

from guard.aws.clients import client
from guard.cloudtrail.record import from_envelope
from guard.publishing.publish import report
from guard.redact import log_line, sealed
from guard.settings import Settings
from guard.table.state import State
from guard.variables import items
from watch_guard.changes import Deployers, Part, given, told, touched

CACHE_SECONDS = 300

settings = Settings.from_env(os.environ)
deployers = Deployers(items(os.environ, "DEPLOYING_ROLES"))
owners = given(os.environ)

config = Config(retries={"mode": "standard"}, connect_timeout=3, read_timeout=10)
cloudformation = client("cloudformation", config=config)
sns = client("sns", config=config)
state = State(client("dynamodb", config=config), settings.table_name)
logger = Logger(json_serializer=log_line)


@dataclass(slots=True)
class Stack:
    """The resources of the stack, asked for again when they are old: a deployment may add some."""

    parts: Sequence[Part] = ()
    read_at: float = float("-inf")

    def known(self, now: float) -> Sequence[Part]:
        if now - self.read_at >= CACHE_SECONDS:
            pages = cloudformation.get_paginator("list_stack_resources").paginate(
                StackName=settings.stack_id
            )
            self.parts = [
                Part(one["LogicalResourceId"], one["ResourceType"], physical)
                for page in pages
                for one in page["StackResourceSummaries"]
                if (physical := one.get("PhysicalResourceId"))
            ]
            self.read_at = now
        return self.parts


stack = Stack()


@sealed
@logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: Any) -> dict[str, bool]:
    """Tell of one call, if it is about the guard and no deployment. Returns whether it was told.

    Raises UnreadableRecord for what is no record, ClientError, PublishError or StateError.
    """
    record = from_envelope(event)
    known = [*stack.known(time.monotonic()), *owners]
    parts = touched(record, known, settings.stack_id)
    if not parts:
        return {"told": False}
    names = [part.logical_id for part in parts]
    what = {"event_id": record.event_id, "event_name": record.event_name, "parts": names}
    if deployers.made(record):
        logger.info("part of a deployment", extra=what)
        return {"told": False}
    logger.warning("the guard was changed", extra={**what, "principal": record.identity.name})
    report(
        [told(record, parts, settings)],
        sns=sns,
        state=state,
        topic_arn=settings.topic_arn,
        now=datetime.now(UTC),
        way=settings.way,
    )
    return {"told": True}
