"""`guardctl doctor`: can the guard be deployed here, and would it see anything?

Only reads. The actions that it calls are listed in docs/deploying.md; what may not be read is a
line "not known", and no error.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import boto3
import typer
from rich.text import Text

from guardctl.deploy.values import BadValues, known_parameters, pairs, saved_pairs
from guardctl.doctor.examine import examine
from guardctl.doctor.lines import Line, State
from guardctl.doctor.place import NAME_ONE, Place
from guardctl.formats import Format, FormatOption, print_json
from guardctl.options import Environment, Profile, Region, StackName
from guardctl.stack import saved_parameters
from guardctl.terminal import console

FOUND = 1
COLOURS = {State.OK: "green", State.WARN: "yellow", State.STOP: "bold red"}


def doctor(
    stack_name: StackName = None,
    region: Region = None,
    profile: Profile = None,
    config_env: Environment = "default",
    parameters: Annotated[
        str, typer.Option(help="Parameters of the deployment: \"Key=value Other='a b'\".")
    ] = "",
    format_: FormatOption = Format.TABLE,
) -> None:
    """Check what a deployment needs. Each line is ok, or says what to do. Changes nothing.

    Examples:
      guardctl doctor --region eu-west-1 --profile sandbox
      guardctl doctor --parameters "SlackWebhookParameter=/vpce-guard/slack-webhook"

    Exits with 1 if there is anything to do, with 2 for bad usage. What you have no permission to
    read is reported as not known.
    """
    saved = saved_for(config_env)
    chosen = {**saved_pairs(saved.get("parameter_overrides")), **pairs(parameters)}
    given = known_parameters(chosen)
    place = find_place(profile or saved.get("profile"), region or saved.get("region"))
    lines = examine(place, stack_name or saved.get("stack_name", "vpce-guard"), given)
    if format_ is Format.TABLE:
        show(lines)
    else:
        print_json([line.to_json() for line in lines], format_)
    if any(line.state in (State.WARN, State.STOP) for line in lines):
        raise typer.Exit(FOUND)


def saved_for(environment: str) -> dict[str, Any]:
    """What samconfig.toml says for an environment. Raises BadValues where it does not know it."""
    saved = saved_parameters(environment=environment)
    if not saved and environment != "default":
        raise BadValues(f"samconfig.toml has no environment {environment}")
    return saved


def find_place(profile: str | None, region: str | None) -> Place:
    """Raises BadValues where no Region is named, botocore's ProfileNotFound for the profile."""
    session = boto3.Session(profile_name=profile)
    region = region or session.region_name
    if not region:
        raise BadValues("no Region is configured", NAME_ONE)
    return Place(session, region)


def show(lines: Sequence[Line]) -> None:
    """Each on a row, with what to do below it; never wrapped, so that commands can be copied."""
    out = console()
    for line in lines:
        # Text and not markup: names and AWS's words may resemble markup.
        state = Text(f"{line.state:10}", COLOURS.get(line.state, "dim"))
        out.print(state, Text(f"{line.check}: {line.text}"), sep="")
        if line.do:
            out.print(Text(f"{'':10}-> {line.do}"))
