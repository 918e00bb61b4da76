"""Ensure the endpoint: every VPC reaches Secrets Manager through an interface endpoint that works.

Undoes: a VPC without the endpoint, an endpoint in too few AZs, security groups that keep the VPC
out, private DNS or the VPC's DNS attributes switched off.

Triggered by the VPC queue: events of VPCs, subnets, endpoints, what admits packets to them, the
guard's tags, and hosted zones; rotation of a secret, attempts to tear a VPC down, the sweep, and
its own requests. Each only names VPCs; what is done depends on their present state, and on what the
guard remembers of them where that asks for a change.

IAM: ec2:DescribeVpcs, ec2:DescribeVpcAttribute, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints,
ec2:DescribeVpcEndpointServices, ec2:DescribeSecurityGroups, ec2:DescribeNetworkAcls,
ec2:DescribeDhcpOptions, ec2:DescribeRouteTables (of hubs and whom they serve),
ec2:DescribeNetworkInterfaces (in tear-downs, and where a first endpoint would refuse callers),
ec2:ModifyVpcAttribute, ec2:CreateSecurityGroup, ec2:AuthorizeSecurityGroupIngress,
ec2:CreateVpcEndpoint, ec2:ModifyVpcEndpoint, ec2:CreateTags (on create only),
route53:ListHostedZonesByVPC, route53:ListResourceRecordSets,
route53profiles:ListProfileAssociations and route53profiles:ListProfileResourceAssociations (where
no endpoint has private DNS), ec2:RevokeSecurityGroupIngress, ec2:DeleteVpcEndpoints and
ec2:DeleteSecurityGroup (its own only), cloudtrail:LookupEvents and ram:GetResourceShareAssociations
(before a VPC's first endpoint), secretsmanager:DescribeSecret, secretsmanager:ListSecrets (scope
rotation only), lambda:GetFunctionConfiguration, sqs:SendMessage and sqs:ChangeMessageVisibility
(its own queue), ssm:GetParameter, ssm:ListTagsForResource (of the mode's parameter, which carries
the stack's tags), dynamodb:GetItem, dynamodb:UpdateItem, sns:Publish.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from ensure_endpoint.wiring import Clients, reconciler_of
from guard.aws.clients import TWO_TRIES, client, lazy_client
from guard.aws.parameters import Parameters
from guard.publishing.publish import Publisher
from guard.reconcile.kernel import Kernel
from guard.reconcile.mode import read_mode
from guard.reconcile.outbox import Outbox
from guard.reconcile.requeue import MOST_HOPS, Requeue
from guard.redact import log_line, redact_errors
from guard.settings import Settings, required, whole_number
from guard.table.items import Items
from guard.table.slots import Slots

settings = Settings.from_env(os.environ)
# One quick retry only: what is throttled is requeued, what is broken goes back with its message.
sns = client("sns", config=TWO_TRIES)
sqs = client("sqs", config=TWO_TRIES)
clients = Clients(
    ec2=client("ec2", config=TWO_TRIES),
    ssm=client("ssm", config=TWO_TRIES),
    route53=cache(lambda: client("route53", config=TWO_TRIES)),
    profiles=cache(lambda: client("route53profiles", config=TWO_TRIES)),
    secretsmanager=lazy_client("secretsmanager", config=TWO_TRIES),
    functions=lazy_client("lambda", config=TWO_TRIES),
    cloudtrail=lazy_client("cloudtrail", config=TWO_TRIES),
    ram=lazy_client("ram", config=TWO_TRIES),
)
parameters = Parameters(clients.ssm)
table = Items(client("dynamodb", config=TWO_TRIES), settings.table_name, settings.place)
most_hops = whole_number(os.environ, "MAXIMUM_HOPS", MOST_HOPS)
reconciler = reconciler_of(os.environ, settings, clients, table)
kernel = Kernel(
    reconciler=reconciler,
    settings=settings,
    slots=Slots(table),
    outbox=Outbox(table),
    requeue=Requeue(sqs, required(os.environ, "VPC_QUEUE_URL"), most_hops),
    publish=Publisher.of(settings, sns, table).publish,
    mode=lambda: read_mode(parameters, settings.mode_parameter),
    clock=lambda: datetime.now(UTC),
    slot_taken=reconciler.slot_taken,
)
logger = Logger(json_serializer=log_line)
metrics = Metrics()


@redact_errors
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Reconcile every VPC that the batch concerns; messages whose work failed go back."""
    return kernel.run(event)
