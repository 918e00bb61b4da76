"""The commands, each imported when it is asked for: a start pays for nothing else."""

import os
import re
import select
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from guardctl.errors import Failed, next_step, report
from guardctl.screen import say

# The module, what it calls the command there, and the first sentence of the command's help.
COMMANDS = {
    "doctor": (
        "guardctl.doctor.command:doctor",
        "Check what a deployment needs. Each line is ok, or says what to do.",
    ),
    "upgrade": (
        "guardctl.upgrade.command:upgrade",
        "Compare a deployed stack's parameters with this version's.",
    ),
    "deploy": (
        "guardctl.deploy.command:deploy",
        "Check the account, show what would change, ask once (Enter is yes), and deploy the build.",
    ),
    "delete": (
        "guardctl.delete.command:delete",
        "Delete the deployed stack: show what it deletes, export the history, ask once.",
    ),
    "drill": (
        "guardctl.drill.command:drill",
        "Run the guard in an emulated AWS account for a simulated day, and check each step.",
    ),
    "acceptance": (
        "guardctl.acceptance.command:acceptance",
        "Test a deployed stack in a real sandbox account, and remove everything afterwards.",
    ),
    "audit": (
        "guardctl.audit.command:audit",
        "Show how VPCE Guard judges every VPC and what it would do.",
    ),
    "replay": (
        "guardctl.replay.command:replay",
        "Judge CloudTrail logs offline: show what would have been published, and why.",
    ),
    "ocsf": (
        "guardctl.to_ocsf:ocsf",
        "Convert findings to OCSF 1.6.0, one event a line.",
    ),
    "athena": (
        "guardctl.athena.command:app",
        "Count requests in CloudTrail logs with Athena, for `guardctl replay --groups`.",
    ),
    "preflight": (
        "guardctl.preflight.command:preflight",
        "List the requests in CloudTrail logs that a policy would have denied.",
    ),
    "twin": (
        "guardctl.twin.command:app",
        "Propose policies that deny what the guard detects, and prove them.",
    ),
    "suggest-secret-policy": (
        "guardctl.suggest_secret_policy:suggest_secret_policy",
        "Print a resource policy that lets a secret be read only from your approved VPCs.",
    ),
    "history": (
        "guardctl.history:history",
        "Show what the guard did to an endpoint's policy, and whose change it undid.",
    ),
    "rollback": (
        "guardctl.rollback:rollback",
        "Write an earlier version of an endpoint's policy, and pause enforcement on that endpoint.",
    ),
    "resume": (
        "guardctl.rollback:resume",
        "End the pause of an endpoint: the guard restores the approved policy.",
    ),
    "redrive": (
        "guardctl.redrive.command:redrive",
        "Show the messages in the dead-letter queues and why they failed, and send them again.",
    ),
    "policies": (
        "guardctl.policies:app",
        "Check the approved endpoint policies, and compare others with them.",
    ),
    "exceptions": (
        "guardctl.exceptions:app",
        "Check the reviewed exceptions, and add others at run time, each with an end.",
    ),
}
_EXAMPLES = re.compile(r"\n\n(?=Examples?:\n)")
_COMMAND = "guardctl command"


class Commands(TyperGroup):
    """Knows all commands by name and first sentence, and loads the one that is run."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name, (_, text) in COMMANDS.items():
            self.add_command(TyperCommand(name=name, help=text, short_help=text), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """The command that is meant, loaded; raises a UsageError where there is none."""
        name, found, rest = super().resolve_command(ctx, args)
        if found is None or name is None:
            return name, found, rest
        command = load(name)
        inner = getattr(command, "commands", {})
        words = [name, *[word for word in rest[:1] if word in inner]]
        ctx.meta[_COMMAND] = " ".join(["guardctl", *words])
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; an error that it raises is reported, and ends with its exit code."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            if not _nobody_reads():
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except Failed as error:
            report(_command(ctx), str(error), next_step(error))
            raise typer.Exit(error.code) from error
        except Exception as error:  # noqa: BLE001 - what is not AWS's is raised on
            _report_aws(error, _command(ctx))

    def main(
        self,
        args: Sequence[str] | None = None,
        *given: Any,
        standalone_mode: bool = True,
        **more: Any,
    ) -> Any:
        """As typer's, but a usage error has the form of all others."""
        try:
            code = super().main(args, *given, standalone_mode=False, **more)
        except typer.TyperException as error:
            ctx = getattr(error, "ctx", None)
            if type(error).__name__ == "NoArgsIsHelpError":
                say(ctx.get_help() if ctx else "")
            else:
                where = ctx.command_path if ctx else "guardctl"
                report(where, error.format_message(), f"{where} --help")
            code = error.exit_code
        except typer.Abort:
            report("guardctl", "stopped: nothing more is done")
            code = 1
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


def load(name: str) -> Any:
    """The command or group of this name, with its examples left as they are written."""
    place, _ = COMMANDS[name]
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name)(found)
        found = single
    command: Any = typer.main.get_command(found)
    command.name = name
    for one in (command, *getattr(command, "commands", {}).values()):
        # A paragraph that begins with \b keeps its lines.
        one.help = _EXAMPLES.sub("\n\n\b\n", one.help or "")
    return command


def _command(ctx: Any) -> str:
    return ctx.meta.get(_COMMAND, "guardctl")


def _report_aws(error: Exception, command: str) -> NoReturn:
    """An error of AWS or boto3 in words; any other is a fault of ours, and raised on."""
    if "botocore" in sys.modules:
        from botocore.exceptions import BotoCoreError, ClientError

        from guardctl.words import in_words

        if isinstance(error, BotoCoreError | ClientError):
            report(command, in_words(error), next_step(error))
            raise typer.Exit(Failed.code) from error
    raise error


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose reader is gone, as with `| head`."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), select.POLLOUT)
        return any(what & (select.POLLERR | select.POLLHUP) for _, what in poll.poll(0))
    except (OSError, ValueError):
        return False


def _print_version(asked: bool) -> None:
    if asked:
        try:
            say(f"guardctl {version('vpce-guard')}")
        except PackageNotFoundError:
            say("guardctl of a repository that is not installed")
        raise typer.Exit


def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Commands for operators of VPCE Guard, to use before a deployment and after an alert.

    Exit codes: 0 ok, 1 found something, 2 bad usage, input or credentials.
    """
