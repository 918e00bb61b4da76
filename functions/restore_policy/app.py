"""Restore the policy: every Secrets Manager endpoint carries the approved endpoint policy.

Undoes: an endpoint policy that was changed, or an endpoint made by hand with another one. Policies
are compared by meaning; what is put back is kept in the history; in a fight, the guard pauses.
Triggered by the policy queue: events of endpoints and tags, the sweep, and its own requests.

IAM: ec2:DescribeVpcEndpoints, ec2:DescribeVpcs, ec2:ModifyVpcEndpoint, cloudtrail:LookupEvents,
ec2:DescribeSubnets, ram:GetResourceShareAssociations, ssm:GetParameter, sqs:SendMessage,
sqs:ChangeMessageVisibility, dynamodb:GetItem, dynamodb:UpdateItem, sns:Publish.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from os import environ as env
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from guard.approved.choice import ApprovedPolicies
from guard.approved.history import HISTORY_DAYS, History
from guard.approved.lists import ApprovedLists
from guard.approved.pauses import Pauses
from guard.approved.refusals import RefusalFinder
from guard.approved.rollouts import Rollouts
from guard.aws.clients import TWO_TRIES, client, lazy_client
from guard.aws.parameters import Parameters
from guard.cloudtrail.event_history import EventHistory
from guard.cloudtrail.tagging import Taggers
from guard.endpoint.inhabitants import Inhabitants
from guard.endpoint.observe import Observer
from guard.publishing.publish import Publisher
from guard.reconcile.kernel import Kernel
from guard.reconcile.mode import read_mode
from guard.reconcile.outbox import Outbox
from guard.reconcile.requeue import MOST_HOPS, Requeue
from guard.redact import log_line, redact_errors
from guard.settings import Settings, items, required, whole_number
from guard.table.budgets import Budgets
from guard.table.items import Items
from guard.table.neighbours import Neighbours
from guard.table.slots import Slots
from restore_policy.act import Actor
from restore_policy.changes import OLD_NAMES
from restore_policy.complete import Completion
from restore_policy.fights import Fights
from restore_policy.narrowing import Narrowing
from restore_policy.reconcile import RestorePolicy
from restore_policy.trials import Trials
from restore_policy.vpc_tag_cache import VpcTagCache

settings, lists = Settings.from_env(env), ApprovedLists.from_env(env)
approved = ApprovedPolicies.from_env(env, settings, lists.organization)
pause = timedelta(minutes=whole_number(env, "PAUSE_MINUTES", default=60))
# One quick retry only: what is throttled backs off; the rest goes back with its message.
ec2, sns = client("ec2", config=TWO_TRIES), client("sns", config=TWO_TRIES)
parameters = Parameters(client("ssm", config=TWO_TRIES))
sqs, ram = lazy_client("sqs", config=TWO_TRIES), lazy_client("ram", config=TWO_TRIES)
cloudtrail = EventHistory(lazy_client("cloudtrail", config=TWO_TRIES))
refusals = RefusalFinder(cloudtrail, Inhabitants(ec2, ram), lists.refusals, settings.partition)
table = Items(client("dynamodb", config=TWO_TRIES), settings.table_name, settings.place)
rollouts, pauses, neighbours = Rollouts(table), Pauses(table), Neighbours(table)
observer = Observer(ec2, settings.service_name, None, settings.opt_out_tag)
history = History(table, timedelta(days=whole_number(env, "HISTORY_DAYS", HISTORY_DAYS)))
fights = Fights(Budgets(table), history, whole_number(env, "REVERTS_BEFORE_PAUSE", 3), pause)
# Most clients read a secret within it; network activity events take up to 15 minutes.
trials = Trials(rollouts, history, settings, 60 * whole_number(env, "CANARY_MINUTES", 15))
hops = whole_number(env, "MAXIMUM_HOPS", MOST_HOPS)
logger, metrics = Logger(json_serializer=log_line), Metrics()
kernel = Kernel(
    reconciler=RestorePolicy(
        settings=settings,
        guard_roles=items(env, "GUARD_ROLES"),
        approved=approved,
        observer=observer,
        vpc_tag_cache=VpcTagCache(observer, frozenset({settings.opt_out_tag, approved.tag})),
        taggers=Taggers(cloudtrail),
        narrowing=Narrowing(refusals, observer, approved, trials, history),
        rollouts=rollouts,
        pauses=pauses,
        neighbours=neighbours,
        trials=trials,
        actor=Actor(ec2, observer, pauses, rollouts),
        completion=Completion(history, pauses, fights, trials),
    ),
    settings=settings,
    slots=Slots(table),
    outbox=Outbox(table, OLD_NAMES),
    requeue=Requeue(sqs, required(env, "POLICY_QUEUE_URL"), hops),
    publish=Publisher.of(settings, sns, table).publish,
    mode=lambda: read_mode(parameters, settings.mode_parameter),
    clock=lambda: datetime.now(UTC),
)


@redact_errors
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Put the approved policy on every endpoint the batch names; failed messages go back."""
    return kernel.run(event)
