"""`make least-rights`."""

import json
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from guardctl.formats import Format

if TYPE_CHECKING:
    from tools.rights.least import Right

FOUND = 1
BAD_USAGE = 2


def least_rights(
    function: Annotated[
        str | None, typer.Option(help="Only this function: its logical id in template.yaml.")
    ] = None,
    output: Annotated[
        Format,
        typer.Option("--format", help="A table, IAM policy documents, or one right a line."),
    ] = Format.TABLE,
) -> None:
    """Print the least rights that each function needs, from its calls in an embedded cloud.

    A day with every kind of work is played against this repository's own template. Exit code 1:
    a function made a call that its role does not grant, or has a grant that nothing used.
    """
    # The emulator takes seconds to import, which the other commands must not pay for.
    from emulator import Cloud
    from tools.rights.day import PARAMETERS, play
    from tools.rights.least import rights

    with warnings.catch_warnings(), Cloud.start(parameters=PARAMETERS) as cloud:
        warnings.simplefilter("ignore")  # Powertools warns of runs that had nothing to count
        play(cloud)
        found = rights(cloud)
        known = sorted(cloud.deployment.functions)
    if function and function not in known:
        print(f"no function {function}: one of {', '.join(known)}", file=sys.stderr)
        raise typer.Exit(BAD_USAGE)
    found = [right for right in found if function in (None, right.function)]
    show(found, output)
    if any(right.problem for right in found):
        raise typer.Exit(FOUND)


def show(found: "Sequence[Right]", output: Format) -> None:
    """Print the rights."""
    match output:
        case Format.JSON:
            from tools.rights.least import policies

            print(json.dumps(policies(found), indent=2))
        case Format.JSONL:
            for right in found:
                print(json.dumps(right.shown()))
        case Format.TABLE:
            table = Table(box=None)
            for name in ("function", "action", "resource", "why", "granted by"):
                table.add_column(name, overflow="fold")
            for right in found:
                granted = right.problem or right.grant
                table.add_row(right.function, right.action, right.resource, right.why, granted)
            # Piped, nothing is folded.
            width = None if sys.stdout.isatty() else 240
            Console(width=width, markup=False, emoji=False).print(table)
