"""`guardctl upgrade`: would an update of the stack lose a value that somebody has chosen?

Only reads: cloudformation:DescribeStacks and cloudformation:GetTemplateSummary. `guardctl deploy`
asks the same first, and stops.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

import typer

from guard.approved.lists import ApprovedLists, ApprovedListsError
from guardctl.deploy.values import (
    TEMPLATE,
    BadValues,
    declared,
    known_parameters,
    pairs,
    saved_pairs,
)
from guardctl.doctor.command import saved_for
from guardctl.formats import Format, FormatOption, print_rows
from guardctl.lists import SHIPPED
from guardctl.options import Environment, Profile, Region, StackName
from guardctl.screen import say
from guardctl.stack import deployed
from guardctl.upgrade.losses import LISTED, Deployed, Loss, approved_json, losses

FOUND = 1

Accept = Annotated[
    str,
    typer.Option(help='Parameters whose values may be lost: "ChangeBudget HistoryDays".'),
]


def upgrade(
    parameters: Annotated[
        str, typer.Option(help='Parameters of the deployment: "SlackWebhookParameter=/a".')
    ] = "",
    accept: Accept = "",
    stack_name: StackName = None,
    region: Region = None,
    profile: Profile = None,
    config_env: Environment = "default",
    format_: FormatOption = Format.TABLE,
) -> None:
    """Compare a deployed stack's parameters with this version's. Changes nothing.

    Lists each value that was set for a parameter that this version no longer has, and prints the
    new parameters and the approved.json that keep the value.

    Examples:
      guardctl upgrade --region eu-west-1
      guardctl upgrade --accept "ChangeBudget HistoryDays"

    Exits with 1 if anything would be lost, with 2 for bad usage or a stack that cannot be read.
    """
    saved = saved_for(config_env)
    given = {**saved_pairs(saved.get("parameter_overrides")), **pairs(parameters)}
    stack = deployed(
        stack_name or saved.get("stack_name"),
        profile or saved.get("profile"),
        region or saved.get("region"),
    )
    old = read(stack.client("cloudformation"), stack.id, stack.parameters)
    found = would_lose(old, known_parameters(given), accept.split())
    if format_ is Format.TABLE:
        show(found, old)
    else:
        print_rows([one.to_json() for one in found], format_, ())
    if found:
        raise typer.Exit(FOUND)


def read(cloudformation: Any, stack_id: str, values: Mapping[str, str]) -> Deployed:
    """The stack with these values as it is deployed. Raises ClientError, BotoCoreError."""
    summary = cloudformation.get_template_summary(StackName=stack_id)
    defaults = {
        one["ParameterKey"]: str(one.get("DefaultValue") or "") for one in summary["Parameters"]
    }
    name = stack_id.rpartition(":stack/")[2].partition("/")[0]
    return Deployed(name, stack_id.split(":")[3], values, defaults)


def would_lose(old: Deployed, given: Mapping[str, str], accepted: Collection[str]) -> list[Loss]:
    """What an update by this repository's template and approved.json would lose.

    Raises BadValues for an accepted name that the stack does not have, or a broken approved.json.
    """
    known = declared(TEMPLATE.read_text(encoding="utf-8"))
    if strange := sorted({*accepted} - {*old.values}):
        raise BadValues(f"the stack has no parameter {', '.join(strange)} to be accepted")
    try:
        lists = ApprovedLists.load(SHIPPED)
    except ApprovedListsError as error:
        raise BadValues(str(error), "guardctl policies lint") from error
    return losses(old, known, given, lists, accepted)


def show(found: Sequence[Loss], old: Deployed) -> None:
    """What would be lost, and what keeps it, to be copied."""
    if not found:
        say("No value that somebody chose would be lost.")
        return
    rows = [one.to_json() for one in found]
    print_rows(
        rows, Format.TABLE, ("parameter", "value", "todo"), "Parameter", "Value", "What to do"
    )
    overrides = dict(one.override for one in found if one.override)
    if overrides:
        listed = " ".join(f"{name}={value}" for name, value in overrides.items())
        say(f'\nDeploy with:\nmake deploy PARAMETERS="{listed}"')
    if any(one.parameter in LISTED for one in found):
        before: Any = json.loads(SHIPPED.read_text(encoding="utf-8"))
        say(f"\n{SHIPPED.name}, with a reason for each:\n{approved_json(found, old.name, before)}")
    rest = " ".join(one.parameter for one in found if one.parameter not in LISTED)
    say(f'\nWhat may be lost:\nmake deploy ACCEPT="{rest}"', err=True)
