"""`guardctl deploy`, which is `make deploy`: check, show, ask once, deploy, say what is next."""

import os
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.errors import message_of
from guardctl.deploy import changes
from guardctl.deploy.changes import DeploymentFailed
from guardctl.deploy.next_steps import After, next_steps
from guardctl.deploy.sam import Target, make_change_set, require_repository
from guardctl.deploy.values import BadValues, known_parameters, pairs, saved_pairs
from guardctl.doctor.command import find_place, saved_for, show
from guardctl.doctor.examine import examine, parameters_of
from guardctl.doctor.lines import State
from guardctl.doctor.place import Place
from guardctl.doctor.running import TOPICS, is_heard
from guardctl.doctor.stacks import is_guard, is_new
from guardctl.options import Environment, Profile, Region, StackName
from guardctl.screen import say
from guardctl.upgrade.command import Accept, read, would_lose
from guardctl.upgrade.command import show as show_losses
from guardctl.words import in_words

Yes = Annotated[
    bool, typer.Option("--yes", help="Do not ask for confirmation. Use it in pipelines.")
]


def deploy(
    parameters: Annotated[
        str,
        typer.Option(help='Template parameters: "AlertEmail=ops@example.com".'),
    ] = "",
    tags: Annotated[
        str, typer.Option(help="Tags of the stack: \"team=platform 'cost center'=42\".")
    ] = "",
    region: Region = None,
    profile: Profile = None,
    config_env: Environment = "default",
    stack_name: StackName = None,
    accept: Accept = "",
    yes: Yes = False,
    sam_option: Annotated[
        list[str] | None, typer.Option(help="An additional option for `sam deploy`; repeatable.")
    ] = None,
) -> None:
    """Check the account, show what would change, ask once (Enter is yes), and deploy the build.

    Parameters and tags that you do not name keep their values. Parameters in samconfig.toml apply
    to every deployment, unless you name them here.

    Examples:
      guardctl deploy --region eu-west-1 --profile sandbox
      guardctl deploy --parameters "AlertEmail=ops@example.com" --yes

    Exits with 0 if it was deployed or nothing changed, with 1 if not, with 2 for bad usage.
    """
    require_repository()
    try:
        saved = saved_for(config_env)
        profile = profile or saved.get("profile")
        given = {**saved_pairs(saved.get("parameter_overrides")), **pairs(parameters)}
        given = known_parameters(given)
        new_tags = {**saved_pairs(saved.get("tags")), **pairs(tags)}
        place = find_place(profile, region or saved.get("region"))
        require_somebody(yes)
        name = stack_name or saved.get("stack_name", "vpce-guard")
        target = Target(name, place.region, profile or "", config_env)
        require_nothing_lost(place, name, given, accept.split())
        stack = _deploy(place, target, given, new_tags, yes, sam_option or [])
    except ClientError as error:
        raise DeploymentFailed(in_words(error, "cloudformation")) from error
    _print_what_is_next(place, stack, profile or "")


def require_nothing_lost(
    place: Place, name: str, given: Mapping[str, str], accepted: Collection[str]
) -> None:
    """Raises DeploymentFailed where an update would lose a value that somebody has chosen."""
    cloudformation = place.client("cloudformation")
    stack = _described(cloudformation, name)
    if stack is None or is_new(stack) or not is_guard(stack):
        return
    old = read(cloudformation, stack["StackId"], parameters_of(stack))
    if lost := would_lose(old, given, accepted):
        show_losses(lost, old)
        raise DeploymentFailed("values of the stack would be lost: keep or accept each of them")


def require_somebody(yes: bool) -> None:
    """Raises BadValues where there is nobody to answer, rather than to wait for ever.

    Pipelines set CI, and some of them give their commands a terminal that nobody reads.
    """
    if not yes and (os.environ.get("CI") or not sys.stdin.isatty()):
        raise BadValues("there is no terminal to ask at", "use --yes, or make YES=1")


def agreed(question: str, otherwise: bool) -> bool:
    """What somebody answers; `otherwise` is Enter. The end of input and Ctrl-C are a no."""
    choices = "[Y/n]" if otherwise else "[y/N]"
    while True:
        try:
            answer = input(f"{question} {choices} ").strip().lower()
        except (EOFError, KeyboardInterrupt):
            say()
            return False
        if answer in ("", "y", "yes", "n", "no"):
            return answer.startswith("y") if answer else otherwise


def _deploy(
    place: Place,
    target: Target,
    given: Mapping[str, str],
    tags: Mapping[str, str],
    yes: bool,
    sam_options: list[str],
) -> Mapping[str, Any]:
    """The stack as it is afterwards."""
    lines = examine(place, target.stack_name, given)
    show(lines)
    if any(line.state is State.STOP for line in lines):
        raise DeploymentFailed("what is marked stop would make the deployment fail: fix it first")
    cloudformation = place.client("cloudformation")
    given = {**_switched_on(place, target.stack_name), **given}
    tags = {**_tags_of(cloudformation, target.stack_name), **tags}
    progress("\nUploading the build, and asking CloudFormation what would change ...")
    arn = make_change_set(target, given, tags, sam_options)
    if not arn:
        say("\nNothing is to be changed: the stack is up to date.")
    else:
        say(f"\n{target.stack_name} in {target.region}:")
        _print_all(changes.in_words(changes.read(cloudformation, arn)))
        if not yes and not agreed("Deploy this?", otherwise=True):
            changes.drop(cloudformation, arn)
            raise DeploymentFailed("nothing was deployed; the change set is deleted again")
        stack = _execute(cloudformation, arn)
        say(f"\n{stack['StackName']} is {stack['StackStatus']}.")
    (stack,) = cloudformation.describe_stacks(StackName=target.stack_name)["Stacks"]
    return stack


def _execute(cloudformation: Any, arn: str) -> Mapping[str, Any]:
    try:
        return changes.execute(cloudformation, arn, progress)
    except KeyboardInterrupt:
        raise DeploymentFailed("no longer watched, but CloudFormation goes on with it") from None


def _tags_of(cloudformation: Any, name: str) -> dict[str, str]:
    """The tags that the stack has: `sam deploy` without tags would take them away."""
    stack = _described(cloudformation, name) or {}
    tags = {one["Key"]: one["Value"] for one in stack.get("Tags", [])}
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def _switched_on(place: Place, name: str) -> dict[str, str]:
    """The mode, where the command in the outputs let the guard write: the deployment then says so,
    too. One that was stopped so is not deployed as stopped: the heartbeat goes on publishing it.
    """
    stack = _described(place.client("cloudformation"), name)
    if stack is None or parameters_of(stack).get("Mode") != "observe":
        return {}
    try:
        mode = _mode(place, _outputs(stack))
    except (BotoCoreError, ClientError, KeyError) as error:
        progress(f"the mode in force cannot be read: {in_words(error)}")
        return {}
    return {"Mode": mode} if mode == "remediate" else {}


def _mode(place: Place, outputs: Mapping[str, str]) -> str:
    """The mode in force. Raises ClientError, and KeyError for a stack that has no such output."""
    ssm = place.client("ssm")
    return ssm.get_parameter(Name=outputs["ModeParameterName"])["Parameter"]["Value"]


def _outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}


def _described(cloudformation: Any, name: str) -> Mapping[str, Any] | None:
    """The stack, None where there is none. Raises ClientError."""
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in message_of(error):
            return None
        raise
    return stack


def _print_what_is_next(place: Place, stack: Mapping[str, Any], profile: str) -> None:
    outputs = _outputs(stack)
    try:
        mode = _mode(place, outputs)
        heard = {name: is_heard(place, outputs[name]) for name in TOPICS}
    except (BotoCoreError, ClientError) as error:
        progress(f"the mode and the subscribers cannot be read: {in_words(error)}")
        mode, heard = "observe", dict.fromkeys(TOPICS, False)
    after = After(outputs, parameters_of(stack), heard, mode, place.region, profile)
    say("\nThree things to do next:")
    for number, step in enumerate(next_steps(after), 1):
        say(f"{number}. {step}")


def _print_all(lines: Iterable[str]) -> None:
    for line in lines:
        say(f"  {line}")


def progress(text: str) -> None:
    """On standard error, where progress and reasons go."""
    say(text, err=True, flush=True)
