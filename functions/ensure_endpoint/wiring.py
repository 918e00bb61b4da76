"""Puts the reconciler together from the settings and the clients that app.py made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ensure_endpoint.act import Actor
from ensure_endpoint.cost import price_per_az_hour
from ensure_endpoint.desired import DesiredEndpoints
from ensure_endpoint.limits import CHANGES_PER_HOUR, CREATIONS_PER_HOUR, Limits
from ensure_endpoint.locate import Locator
from ensure_endpoint.memory import VpcMemory
from ensure_endpoint.ownership import Ownership
from ensure_endpoint.reconcile import EnsureEndpoint
from ensure_endpoint.repair import Repairs
from ensure_endpoint.rotation.reconcile import RotationChecks
from ensure_endpoint.rotation.triggers import RotationTriggers
from ensure_endpoint.rotation.vpcs import RotatingVpcs
from ensure_endpoint.subnets import Carrier
from ensure_endpoint.tags import StackTags
from ensure_endpoint.triggers import Triggers
from ensure_endpoint.withdrawal.act import Remover
from ensure_endpoint.withdrawal.reconcile import Withdrawal
from guard.approved.choice import ApprovedPolicies
from guard.approved.desired import desired_from_env
from guard.approved.history import HISTORY_DAYS, History
from guard.approved.lists import ApprovedLists
from guard.approved.refusals import RefusalFinder
from guard.approved.rollouts import Rollouts
from guard.cloudtrail.event_history import EventHistory
from guard.endpoint.hosted_zones import HostedZones
from guard.endpoint.inhabitants import Inhabitants
from guard.endpoint.observe import Observer
from guard.endpoint.scope import Scope
from guard.partitions import WITHOUT_PROFILES
from guard.settings import SCOPE_TAG, Settings, dollars, items, required, switch, whole_number
from guard.table.absences import Absences
from guard.table.budgets import Budgets
from guard.table.items import Items

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Clients of the services that the reaction asks; of Route 53 they are made when called."""

    ec2: "EC2Client"
    ssm: "SSMClient"
    route53: Callable[[], Any]
    profiles: Callable[[], Any]
    secretsmanager: "SecretsManagerClient"
    functions: "LambdaClient"
    cloudtrail: Any
    ram: Any


def reconciler_of(
    env: Mapping[str, str], settings: Settings, clients: Clients, table: Items
) -> EnsureEndpoint:
    """The reconciler for the settings in `env`. Raises SettingsError for a bad one."""
    memory, absences = VpcMemory(table), Absences(table)
    observer = _observer(env, settings, clients)
    lists = ApprovedLists.from_env(env)
    approved = ApprovedPolicies.from_env(env, settings, lists.organization)
    scope_tag = required(env, "SCOPE_TAG", SCOPE_TAG)
    common = desired_from_env(env, settings, approved, lists)
    desired = DesiredEndpoints(common, approved, Rollouts(table))
    history = History(table, timedelta(days=whole_number(env, "HISTORY_DAYS", HISTORY_DAYS)))
    ownership = Ownership(table, history, settings.stack_id)
    price = dollars(env, "PRICE_PER_AZ_HOUR", price_per_az_hour(settings.region))
    return EnsureEndpoint(
        settings=settings,
        reads=Triggers(
            settings,
            Locator(observer),
            RotationTriggers(settings, clients.secretsmanager, clients.functions),
            items(env, "GUARD_ROLES"),
            frozenset({settings.opt_out_tag, approved.tag, scope_tag}),
        ),
        observer=observer,
        desired=desired,
        scope=Scope.of(required(env, "SCOPE"), scope_tag),
        rotating=RotatingVpcs(
            clients.secretsmanager, clients.functions, settings.function_arn_prefix
        ),
        rotation=RotationChecks(settings, observer, desired),
        withdrawal=Withdrawal(
            settings,
            memory,
            Remover(clients.ec2),
            observer.interfaces,
            common.maximum_zones,
            absences,
        ),
        repairs=Repairs(
            Carrier(
                Actor(clients.ec2, settings.stack_id, lambda: datetime.now(UTC)),
                observer.full_subnets,
            ),
            StackTags(
                clients.ssm,
                settings.mode_parameter,
                reserved={settings.opt_out_tag, approved.tag, scope_tag},
            ),
            Limits(
                Budgets(table),
                memory,
                change_budget=whole_number(env, "CHANGE_BUDGET", CHANGES_PER_HOUR),
                creations_per_hour=whole_number(
                    env, "MAXIMUM_CREATIONS_PER_HOUR", CREATIONS_PER_HOUR
                ),
                monthly_budget=dollars(env, "MONTHLY_BUDGET"),
                price_per_az_hour=price,
            ),
            history,
            ownership,
            memory,
            absences,
            price,
        ),
        memory=memory,
        ownership=ownership,
        refusals=RefusalFinder(
            EventHistory(clients.cloudtrail),
            Inhabitants(clients.ec2, clients.ram),
            lists.refusals,
            settings.partition,
        ),
        grace_seconds=60 * whole_number(env, "GRACE_MINUTES"),
    )


def _observer(env: Mapping[str, str], settings: Settings, clients: Clients) -> Observer:
    """Route 53 is asked only where a hub may serve a VPC."""
    profiles = clients.profiles if settings.partition not in WITHOUT_PROFILES else None
    zones = HostedZones(clients.route53, settings.region, settings.account_id, profiles)
    hub = switch(env, "COVERED_BY_HUB")
    name, tag = settings.service_name, settings.opt_out_tag
    return Observer(clients.ec2, name, zones if hub else None, opt_out_tag=tag)
