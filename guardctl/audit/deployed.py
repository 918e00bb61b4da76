"""The settings that the audit judges by: those of the deployed stack, or the template's defaults.

The variables of ensure_endpoint hold them, whether a parameter or somebody by hand has set them.
Needs cloudformation:DescribeStacks, cloudformation:ListStackResources and
lambda:GetFunctionConfiguration. What may not be read is said, and the defaults are taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ensure_endpoint.cost import price_per_az_hour
from guard.approved.choice import ApprovedPolicies
from guard.approved.lists import ApprovedLists
from guard.endpoint.scope import Scope
from guard.partitions import partition_of
from guard.settings import OPT_OUT_TAG, POLICY_TAG, SCOPE_TAG, Settings, dollars, items
from guardctl.lists import SHIPPED as LISTS
from guardctl.policies import SHIPPED as POLICIES
from guardctl.stack import StackError, deployed
from guardctl.words import in_words

DEFAULTS = {
    "SCOPE": "all",
    "APPROVED_POLICY": "own-account",
    "MAXIMUM_ZONES": "0",
    "COVERED_BY_HUB": "true",
}


@dataclass(frozen=True, slots=True)
class Judging:
    """What one Region is judged by. `source` says in words where that comes from."""

    source: str
    settings: Settings
    scope: Scope
    approved: ApprovedPolicies
    approved_endpoints: frozenset[str]
    approved_accounts: frozenset[str]
    maximum_zones: int
    price: Decimal
    hub: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the command line says instead of the deployed stack; None or empty where nothing."""

    stack_name: str | None = None
    opt_out_tag: str | None = None
    maximum_zones: int | None = None
    price: Decimal | None = None
    hub: bool | None = None
    approved_endpoints: frozenset[str] = field(default_factory=frozenset[str])
    approved_accounts: frozenset[str] = field(default_factory=frozenset[str])


def judging(account: str, region: str, profile: str | None, chosen: Chosen) -> Judging:
    """What the Region is judged by. Raises StackError for a stack that was named and is not there,
    and the functions' SettingsError for a variable that they would refuse.
    """
    variables, stack_id, source = _variables(chosen.stack_name, profile, region)
    tag = chosen.opt_out_tag or variables.get("OPT_OUT_TAG") or OPT_OUT_TAG
    settings = Settings(
        account_id=account,
        region=region,
        partition=partition_of(region),
        stack_id=stack_id,
        topic_arn="",
        table_name="",
        mode_parameter="",
        opt_out_tag=tag,
    )
    lists = ApprovedLists.load(LISTS)
    zones = chosen.maximum_zones
    price = dollars(variables, "PRICE_PER_AZ_HOUR", price_per_az_hour(region))
    return Judging(
        source=source,
        settings=settings,
        scope=Scope.of(variables["SCOPE"], variables.get("SCOPE_TAG") or SCOPE_TAG),
        approved=ApprovedPolicies(
            variables["APPROVED_POLICY"],
            variables.get("POLICY_TAG") or POLICY_TAG,
            str(POLICIES),
            settings,
            lists.organization,
        ),
        approved_endpoints=lists.endpoints | chosen.approved_endpoints,
        approved_accounts=items(variables, "APPROVED_ACCOUNTS") | chosen.approved_accounts,
        maximum_zones=int(variables["MAXIMUM_ZONES"]) if zones is None else zones,
        price=price if chosen.price is None else chosen.price,
        hub=variables["COVERED_BY_HUB"] == "true" if chosen.hub is None else chosen.hub,
    )


def _variables(
    name: str | None, profile: str | None, region: str
) -> tuple[Mapping[str, str], str, str]:
    """The variables, the stack's id, and where they come from."""
    try:
        stack = deployed(name, profile, region)
        config: Any = stack.client("lambda").get_function_configuration(
            FunctionName=stack.resource("EnsureEndpointFunction")
        )
    except (StackError, BotoCoreError, ClientError) as error:
        if name:
            raise
        why = str(error) if isinstance(error, StackError) else in_words(error)
        return _defaults(), "", f"the template's defaults, because {why.splitlines()[0]}"
    found = config.get("Environment", {}).get("Variables", {})
    return {**_defaults(), **found}, stack.id, f"the settings of the stack {stack.name}"


def _defaults() -> dict[str, str]:
    return {**DEFAULTS, "APPROVED_ACCOUNTS": ""}
