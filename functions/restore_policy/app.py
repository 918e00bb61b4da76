"""Restore the policy: every Secrets Manager endpoint carries the approved endpoint policy.

Undoes: an endpoint policy that was changed, or an endpoint made by hand with another one. Which of
the approved policies an endpoint is to carry, its tag may choose, or its VPC's.

Triggered by the policy queue: CreateVpcEndpoint and ModifyVpcEndpoint, the sweep, and its own
requests. Policies are compared by what they mean, so the guard's own write coming back as an event
changes nothing. What is put back is kept in the history; where somebody keeps writing against the
guard, it pauses for a while.

IAM: ec2:DescribeVpcEndpoints, ec2:DescribeVpcs, ec2:ModifyVpcEndpoint, ssm:GetParameter,
sqs:SendMessage and sqs:ChangeMessageVisibility (its own queue), dynamodb:GetItem,
dynamodb:UpdateItem, sns:Publish.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from guard.approved.choice import ApprovedPolicies
from guard.approved.history import HISTORY_DAYS, History
from guard.approved.lists import ApprovedLists
from guard.approved.pauses import Pauses
from guard.approved.rollouts import Rollouts
from guard.aws.clients import TWO_TRIES, client, lazy_client
from guard.aws.parameters import Parameters
from guard.endpoint.observe import Observer
from guard.publishing.publish import Publisher
from guard.reconcile.kernel import Kernel
from guard.reconcile.mode import read_mode
from guard.reconcile.outbox import Outbox
from guard.reconcile.requeue import MOST_HOPS, Requeue
from guard.redact import log_line, sealed
from guard.settings import Settings, items, required, whole_number
from guard.table.budgets import Budgets
from guard.table.items import Items
from guard.table.slots import Slots
from restore_policy.act import Actor
from restore_policy.changes import OLD_NAMES
from restore_policy.complete import Completion
from restore_policy.fights import Fights
from restore_policy.reconcile import RestorePolicy
from restore_policy.tagged_vpcs import TaggedVpcs
from restore_policy.trials import Trials

env = os.environ
settings = Settings.from_env(env)
approved = ApprovedPolicies.from_env(env, settings, ApprovedLists.from_env(env).organization)
pause = timedelta(minutes=whole_number(env, "PAUSE_MINUTES", default=60))

# One quick retry only: what is throttled backs off, what is broken goes back with its message.
ec2 = client("ec2", config=TWO_TRIES)
sns = client("sns", config=TWO_TRIES)
parameters = Parameters(client("ssm", config=TWO_TRIES))
sqs = lazy_client("sqs", config=TWO_TRIES)
table = Items(client("dynamodb", config=TWO_TRIES), settings.table_name, settings.place)
observer = Observer(ec2, settings.service_name)
rollouts, pauses = Rollouts(table), Pauses(table)
history = History(table, timedelta(days=whole_number(env, "HISTORY_DAYS", HISTORY_DAYS)))
# A retry or two of a deployment is no fight; a third change within an hour is.
most_reverts = whole_number(env, "REVERTS_BEFORE_PAUSE", default=3)
fights = Fights(Budgets(table), history, most=most_reverts, pause=pause)
# Most clients read a secret once within it; network activity events take up to 15 minutes.
trial_minutes = whole_number(env, "CANARY_MINUTES", default=15)
trials = Trials(rollouts, history, settings, 60 * trial_minutes)
max_hops = whole_number(env, "MAXIMUM_HOPS", MOST_HOPS)
logger = Logger(json_serializer=log_line)
metrics = Metrics()
kernel = Kernel(
    reconciler=RestorePolicy(
        settings=settings,
        guard_roles=items(env, "GUARD_ROLES"),
        approved=approved,
        observer=observer,
        tagged_vpcs=TaggedVpcs(observer, frozenset({settings.opt_out_tag, approved.tag})),
        rollouts=rollouts,
        pauses=pauses,
        trials=trials,
        actor=Actor(ec2, observer, pauses, rollouts),
        completion=Completion(history, pauses, fights, trials),
    ),
    settings=settings,
    slots=Slots(table),
    outbox=Outbox(table, OLD_NAMES),
    requeue=Requeue(sqs, required(env, "POLICY_QUEUE_URL"), max_hops),
    publish=Publisher.of(settings, sns, table).publish,
    mode=lambda: read_mode(parameters, settings.mode_parameter),
    clock=lambda: datetime.now(UTC),
)


@sealed
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Put the approved policy on every endpoint the batch names; failed messages go back."""
    return kernel.run(event)
