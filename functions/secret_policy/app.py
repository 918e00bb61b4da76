"""Watch secrets' resource policies: what is bound to the perimeter can be read from inside alone.

Undoes: a resource policy that no longer denies reading the secret's value from outside, where the
parameter SecretPerimeter says so. Otherwise it reports that, with the corrected policy.

Triggered by the secret policy queue: PutResourcePolicy and DeleteResourcePolicy, what makes or
unmakes a bound secret, and its own requests. A schedule and the stack's own deployment lead to one
request for each bound secret. It reads the secret anew each time, so its own write coming back as
an event changes nothing.

IAM: secretsmanager:ListSecrets, secretsmanager:DescribeSecret, secretsmanager:GetResourcePolicy,
secretsmanager:PutResourcePolicy, lambda:GetFunctionConfiguration and cloudtrail:LookupEvents (if
SecretPerimeter says restore), ec2:DescribeVpcEndpoints, ec2:DescribeVpcs, ssm:GetParameter,
dynamodb:GetItem, dynamodb:UpdateItem, sns:Publish, sqs:SendMessage (its own queue; it never waits
longer than SQS delays a message).
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from guard.approved.lists import ApprovedLists
from guard.aws.clients import TWO_TRIES, client, lazy_client
from guard.aws.parameters import Parameters
from guard.cloudtrail.event_history import EventHistory
from guard.endpoint.observe import Observer
from guard.publishing.publish import Publisher
from guard.reconcile.kernel import Kernel
from guard.reconcile.mode import read_mode
from guard.reconcile.outbox import Outbox
from guard.reconcile.requeue import MOST_HOPS, Requeue
from guard.redact import log_line, redact_errors
from guard.settings import PERIMETER_TAG, Settings, required, whole_number
from guard.table.budgets import Budgets
from guard.table.items import Items
from guard.table.slots import Slots
from secret_policy.act import Writer
from secret_policy.dependents import Dependents
from secret_policy.observe import Reader
from secret_policy.perimeter import Bound
from secret_policy.reconcile import SecretPolicy
from secret_policy.triggers import Triggers

settings = Settings.from_env(os.environ)
secret_perimeter = required(os.environ, "SECRET_PERIMETER")  # watch-tagged ... restore-all
bound = Bound(
    tag=required(os.environ, "PERIMETER_TAG", PERIMETER_TAG),
    everything=secret_perimeter.endswith("-all"),
    opt_out_tag=settings.opt_out_tag,
)
approved = ApprovedLists.from_env(os.environ)

# One quick retry only: what is throttled backs off, what is broken goes back with its message.
secretsmanager = client("secretsmanager", config=TWO_TRIES)
ec2 = client("ec2", config=TWO_TRIES)
functions = lazy_client("lambda", config=TWO_TRIES)
cloudtrail = lazy_client("cloudtrail", config=TWO_TRIES)
sns = client("sns", config=TWO_TRIES)
parameters = Parameters(client("ssm", config=TWO_TRIES))
table = Items(client("dynamodb", config=TWO_TRIES), settings.table_name, settings.place)
requeue = Requeue(
    lazy_client("sqs", config=TWO_TRIES),
    required(os.environ, "SECRET_POLICY_QUEUE_URL"),
    whole_number(os.environ, "MAXIMUM_HOPS", MOST_HOPS),
)
reader = Reader(secretsmanager, Observer(ec2, settings.service_name), approved, settings)
logger = Logger(json_serializer=log_line)
metrics = Metrics()
kernel = Kernel(
    reconciler=SecretPolicy(
        settings=settings,
        bound=bound,
        budgets=Budgets(table),
        reader=reader,
        writer=Writer(secretsmanager, reader),
        dependents=Dependents(functions, EventHistory(cloudtrail), table),
        sources=Triggers(settings, bound, reader, requeue),
        restores=secret_perimeter.startswith("restore-"),
        # One deployment rarely sets a policy five times within an hour; a loop does.
        change_budget=whole_number(os.environ, "CHANGE_BUDGET", default=5),
    ),
    settings=settings,
    slots=Slots(table),
    outbox=Outbox(table),
    requeue=requeue,
    publish=Publisher.of(settings, sns, table).publish,
    mode=lambda: read_mode(parameters, settings.mode_parameter),
    clock=lambda: datetime.now(UTC),
)


@redact_errors
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Reconcile the policy of every secret that the batch names; failed messages go back."""
    return kernel.run(event)
