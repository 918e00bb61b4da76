"""Detect bypasses: publish requests to Secrets Manager that bypassed the endpoint.

Detects: requests over the public way, in the console, or through an endpoint that is not approved;
requests that an endpoint's policy refused; changes of who may read a secret. Changes nothing.
Triggered by the detection queue. Puts a VPC whose endpoint is broken, and an endpoint whose new
policy refuses a request, on the queues of their reactions.

IAM: ec2:DescribeVpcEndpoints, dynamodb:GetItem, dynamodb:UpdateItem, sns:Publish, sqs:SendMessage,
ssm:GetParametersByPath. To find callers and what is wrong with their VPC: ec2:DescribeAddresses,
ec2:DescribeDhcpOptions, ec2:DescribeInstances, ec2:DescribeNatGateways, ec2:DescribeNetworkAcls,
ec2:DescribeNetworkInterfaces, ec2:DescribeSecurityGroups, ec2:DescribeSubnets, ec2:DescribeVpcs,
ec2:DescribeVpcAttribute, ec2:DescribeVpcEndpointServices, lambda:GetFunctionConfiguration.
"""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from detect_bypass.added import AddedExceptions
from detect_bypass.detector import Detector
from detect_bypass.inventory import Known
from detect_bypass.judge import Inventory
from detect_bypass.judge.exceptions import load_from
from detect_bypass.metrics import Measures
from detect_bypass.own_endpoints import OwnEndpoints
from detect_bypass.pipeline import Rules
from detect_bypass.publish import Alerts
from detect_bypass.repair import Repairs
from detect_bypass.sessions import Sessions
from guard.approved.lists import ApprovedLists
from guard.aws.clients import TWO_TRIES, lazy_client
from guard.cloudtrail.heartbeat_mark import Mark
from guard.publishing.publish import Publisher
from guard.redact import log_line, redact_errors
from guard.settings import LAYER_FOLDER, Settings, items, required, switch, whole_number
from guard.table.arrivals import Arrivals
from guard.table.budgets import Budgets
from guard.table.figures import Figures
from guard.table.items import Items

settings, lists = Settings.from_env(os.environ), ApprovedLists.from_env(os.environ)
account = Inventory(
    accounts=frozenset({settings.account_id}),
    approved_endpoints=lists.endpoints,
    approved_accounts=items(os.environ, "APPROVED_ACCOUNTS"),
    guard_roles=items(os.environ, "GUARD_ROLES"),
)
policies = Path(os.environ.get("APPROVED_POLICIES_DIR", LAYER_FOLDER))
client = partial(lazy_client, config=TWO_TRIES)  # most batches need none
ec2, table = client("ec2"), Items(client("dynamodb"), settings.table_name, settings.place)
budgets, figures = Budgets(table), Figures(table)
own_accounts = account.accounts | account.approved_accounts
metrics, logger = Metrics(), Logger(json_serializer=log_line)
detector = Detector(
    settings=settings,
    heartbeat=Mark(settings.stack_id, required(os.environ, "HEARTBEAT_ROLE")),
    known=Known(
        settings=settings,
        deployed=account,
        maximum_zones=whole_number(os.environ, "MAXIMUM_ZONES"),
        ec2=ec2,
        functions=client("lambda"),
        figures=figures,
        table=table,
        endpoints=OwnEndpoints(ec2, (settings.service_name, f"{settings.service_name}-fips")),
        sessions=Sessions(table),
    ),
    rules=Rules(
        window=whole_number(os.environ, "ALERT_WINDOW_SECONDS", 3600),  # as the digest sums up
        exceptions=load_from(policies.parent),
        own_accounts=own_accounts,
        organization=lists.organization,
    ),
    added=AddedExceptions(client("ssm"), settings.stack_name),
    alerts=Alerts(Publisher.of(settings, client("sns"), table), budgets),
    repairs=Repairs(
        settings=settings,
        sqs=client("sqs"),
        items=table,
        budgets=budgets,
        own_accounts=own_accounts,
        vpc_queue_url=required(os.environ, "VPC_QUEUE_URL"),
        policy_queue_url=required(os.environ, "POLICY_QUEUE_URL"),
    ),
    measures=Measures(metrics, figures),
    arrivals=Arrivals(table) if switch(os.environ, "KEEP_ARRIVALS") else None,
    policies=policies,
)


@redact_errors
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Judge the records of a batch; messages that could not be dealt with go back."""
    return detector.run(event)
