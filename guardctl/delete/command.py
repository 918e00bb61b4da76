"""`guardctl delete`, which is `make delete`: say what goes and what stays, export, ask, delete."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from ensure_endpoint.cost import price_per_az_hour
from guard.aws.errors import message_of
from guardctl.delete.export import read_history, write_history
from guardctl.delete.leftovers import in_words as left_in_words
from guardctl.delete.leftovers import read_leftovers
from guardctl.deploy.command import Yes, agreed, require_somebody
from guardctl.deploy.sam import Target, require_repository
from guardctl.deploy.sam import delete as sam_delete
from guardctl.doctor.command import find_place, saved_for
from guardctl.doctor.place import Place
from guardctl.doctor.stacks import is_guard, is_new
from guardctl.errors import Failed
from guardctl.options import Environment, Profile, Region, StackName
from guardctl.screen import say
from guardctl.words import in_words

_FROM_STACK = Path()  # a file named after the stack and the time


class NotDeleted(Failed):
    """The stack is still there; the message says why, for people."""

    code = 1


def delete(
    export: Annotated[
        Path | None,
        typer.Option(help="File for the history of all policies. Must not exist yet."),
    ] = None,
    region: Region = None,
    profile: Profile = None,
    config_env: Environment = "default",
    stack_name: StackName = None,
    yes: Yes = False,
    discard_history: Annotated[
        bool, typer.Option("--discard-history", help="Do not export the history: it is lost.")
    ] = False,
) -> None:
    """Delete the deployed stack: show what it deletes, export the history, ask once.

    If you press Enter at the questions, the history is exported and the stack is not deleted. With
    --yes, asks nothing and exports the history to a file in this folder, or to --export.

    Examples:
      guardctl delete --region eu-west-1 --profile sandbox
      guardctl delete --export history.json --yes

    Exits with 0 if the stack is deleted or does not exist, with 1 if not, with 2 for bad usage.
    """
    require_repository()
    if export and discard_history:
        raise Failed("--export and --discard-history contradict each other")
    try:
        saved = saved_for(config_env)
        profile = profile or saved.get("profile")
        place = find_place(profile, region or saved.get("region"))
        require_somebody(yes)
        name = stack_name or saved.get("stack_name", "vpce-guard")
        target = Target(name, place.region, profile or "", config_env)
        _delete(place, target, None if discard_history else export or _FROM_STACK, yes)
    except ClientError as error:
        raise NotDeleted(in_words(error, "cloudformation")) from error
    except OSError as error:
        raise NotDeleted(f"the history cannot be written: {error}", "--export FILE") from error


def _delete(place: Place, target: Target, export: Path | None, yes: bool) -> None:
    cloudformation = place.client("cloudformation")
    stack = _find(cloudformation, target.stack_name)
    if stack is None:
        say(f"There is no stack {target.stack_name} in {target.region}: nothing is to be deleted.")
        return
    if is_new(stack):
        cloudformation.delete_stack(StackName=stack["StackId"])
        say(f"{target.stack_name} was never deployed: what a change set made of it is deleted.")
        return
    _require_deletable(stack)
    stays = _show(place, target, cloudformation, stack)
    _export(place, stack, export, yes)
    question = f"Delete the stack {target.stack_name} in {target.region}?"
    if not yes and not agreed(question, otherwise=False):
        raise NotDeleted("nothing was deleted")
    sam_delete(target)
    say(f"\n{target.stack_name} is deleted. What stays:")
    for line in stays:
        say(f"  {line}")


def _find(cloudformation: Any, name: str) -> Mapping[str, Any] | None:
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in message_of(error):
            return None
        raise


def _require_deletable(stack: Mapping[str, Any]) -> None:
    name = stack["StackName"]
    if not is_guard(stack):
        raise NotDeleted(f"{name} is the name of another stack, which is no guard")
    if stack.get("EnableTerminationProtection"):
        raise NotDeleted(
            f"{name} has termination protection: aws cloudformation update-termination-protection"
            f" --no-enable-termination-protection --stack-name {name}"
        )


def _show(place: Place, target: Target, cloudformation: Any, stack: Mapping[str, Any]) -> list[str]:
    """Prints what goes and what stays; the lines of what stays, which are said again at the end."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(
        StackName=stack["StackId"]
    )
    kinds = Counter(one["ResourceType"] for page in pages for one in page["StackResourceSummaries"])
    say(f"{target.stack_name} in {target.region}: what goes")
    for kind, number in sorted(kinds.items()):
        say(f"  {number:3} {kind}")
    say("  with the logs, the messages in queues, and the table's history of policies")
    price = Decimal(price_per_az_hour(target.region))
    where = f" --region {target.region}" + (f" --profile {target.profile}" * bool(target.profile))
    left = read_leftovers(place.client("ec2"), stack["StackId"])
    stays = list(left_in_words(left, price, where))
    say("What stays")
    for line in stays:
        say(f"  {line}")
    return stays


def _export(place: Place, stack: Mapping[str, Any], path: Path | None, yes: bool) -> None:
    """To the file that was named, or to one that is named here: then it is asked first."""
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    table = outputs.get("StateTableName")
    if table is None or path is None:
        return
    if path is _FROM_STACK:
        path = Path(f"{stack['StackName']}-history-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json")
        question = f"Write the history of policies to {path} first?"
        if not yes and not agreed(question, otherwise=True):
            return
    changes = read_history(place.client("dynamodb"), table)
    write_history(path, changes)
    say(f"{len(changes)} changes of policies are in {path}.")
