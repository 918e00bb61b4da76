"""What an update would lose of the values that a stack was deployed with. Pure.

SAM CLI sends the parameters of the new template only. A value of a parameter that is dropped or
renamed is lost without a word, and what it switched on is off: so it is said before.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ensure_endpoint.cost import price_per_az_hour
from guard.approved.lists import ApprovedLists
from guard.partitions import partition_of
from notify_slack.webhook import api_of

type Values = Mapping[str, str]

# To the reviewed approved.json: the parameter and the key there.
LISTED = {
    "ApprovedEndpoints": "endpoints",
    "ApprovedVpcs": "vpcs",
    "OrganizationId": "organization",
}
# To another parameter. The old ones that a new one takes the place of are read together.
RENAMED = {
    "SlackBotTokenParameter": "SlackWebhookParameter",
    "ChatWorkspaceId": "ChatChannel",
    "ChatChannelId": "ChatChannel",
    "PerimeterBound": "SecretPerimeter",
    "RestoreSecretPolicies": "SecretPerimeter",
}
# To a constant in the code, which this variable of the functions overrules.
VARIABLES = {
    "AlertWindow": "ALERT_WINDOW_SECONDS",
    "CanaryMinutes": "CANARY_MINUTES",
    "ChangeBudget": "CHANGE_BUDGET",
    "CollectLow": "COLLECT_LOW",
    "DailyReportHour": "DAILY_REPORT_HOUR",
    "HistoryDays": "HISTORY_DAYS",
    "MaximumCreationsPerHour": "MAXIMUM_CREATIONS_PER_HOUR",
    "OptOutTag": "OPT_OUT_TAG",
    "PerimeterTag": "PERIMETER_TAG",
    "PolicyTag": "POLICY_TAG",
    "PricePerAzHour": "PRICE_PER_AZ_HOUR",
    "RevertsBeforePause": "REVERTS_BEFORE_PAUSE",
    "ScopeTag": "SCOPE_TAG",
    "SlackApi": "SLACK_API",
}


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack's values, and the defaults of the template that it was deployed with."""

    name: str
    region: str
    values: Values
    defaults: Values

    def chosen(self, known: Collection[str]) -> dict[str, str]:
        """The values of parameters that are not among the `known`, and are not the default."""
        return {
            name: value
            for name, value in self.values.items()
            if name not in known and value != self.defaults.get(name, "")
        }


@dataclass(frozen=True, slots=True)
class Loss:
    """One value that would be lost. `override` is the new parameter's pair, if there is one."""

    parameter: str
    value: str
    todo: str
    override: tuple[str, str] | None = None

    def to_json(self) -> dict[str, str]:
        return {"parameter": self.parameter, "value": self.value, "todo": self.todo}


def losses(
    deployed: Deployed,
    known: Collection[str],
    given: Values,
    lists: ApprovedLists,
    accepted: Collection[str] = (),
) -> list[Loss]:
    """What would be lost by an update with these values.

    `known` are the new template's parameters, `given` the values that are named for the update,
    `lists` the approved.json that is deployed with it. Nobody is asked about what is `accepted`.
    """
    return [
        loss
        for name, value in sorted(deployed.chosen(known).items())
        if name not in accepted and not _derived(name, value, deployed)
        for loss in _loss(name, value, deployed, given, lists)
    ]


def approved_json(found: Collection[Loss], stack: str, before: Mapping[str, Any]) -> str:
    """The content of approved.json with what would be lost, and the reason to be reviewed."""
    content: dict[str, Any] = {key: before.get(key, []) for key in ("endpoints", "vpcs")}
    content = {**before, "organization": before.get("organization", ""), **content}
    for loss in found:
        key = LISTED.get(loss.parameter)
        if key == "organization":
            content[key] = loss.value
        elif key:
            reason = f"was in the parameter {loss.parameter} of the stack {stack}"
            ids = loss.value.split(",")
            content[key] = [*content[key], *({"id": one, "reason": reason} for one in ids)]
    return json.dumps(content, indent=2)


def _loss(
    name: str, value: str, deployed: Deployed, given: Values, lists: ApprovedLists
) -> Iterator[Loss]:
    if name in LISTED:
        there = {*lists.endpoints, *lists.vpcs, lists.organization}
        if missing := [one for one in value.split(",") if one and one not in there]:
            todo = "add it to layers/approved_policies/approved.json, by review"
            yield Loss(name, ",".join(missing), todo)
    elif name in RENAMED:
        new = RENAMED[name]
        if new not in given and (successor := _successor(new, deployed.values)):
            yield Loss(name, value, f"deploy with {new}={successor}", (new, successor))
    elif name in VARIABLES:
        line = f"{VARIABLES[name]}: {json.dumps(value)}"
        todo = f"add {line} to the variables under Globals in template.yaml, or accept the default"
        yield Loss(name, value, todo)
    else:
        yield Loss(name, value, "change template.yaml, or accept what stands there")


def _successor(new: str, old: Values) -> str:
    """The value by which a new parameter does what those before did; empty for nothing."""
    match new:
        case "SlackWebhookParameter":
            return old.get("SlackBotTokenParameter", "")
        case "ChatChannel":
            parts = [old.get(name, "") for name in ("ChatWorkspaceId", "ChatChannelId")]
            return "/".join(parts) if all(parts) else ""
        case _:
            does = "restore" if old.get("RestoreSecretPolicies") == "true" else "watch"
            return f"{does}-{old.get('PerimeterBound', 'tagged')}"


def _derived(name: str, value: str, deployed: Deployed) -> bool:
    """Whether the guard finds out by itself what the parameter said."""
    match name:
        case "TrailKeyArn":
            return True
        case "CoveredByHub":
            return bool(deployed.values.get("FunctionSubnets")) and value == "false"
        case "PricePerAzHour":
            return Decimal(value) == Decimal(price_per_az_hour(deployed.region))
        case "SlackApi":
            return value == api_of(partition_of(deployed.region))
        case _:
            return False
