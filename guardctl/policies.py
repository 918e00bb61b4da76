"""`guardctl policies`: the approved endpoint policies, checked before they reach an endpoint."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from guard.approved.policies import names as approved_names
from guard.policy import PolicyError, compare, overall_risk, parse
from guardctl.choices import choice_problems
from guardctl.formats import Format, FormatOption, print_rows
from guardctl.lists import list_problems
from guardctl.policy_lint import Level, Problem, lint_folder

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "layers" / "approved_policies" / "endpoint_policies"

app = typer.Typer(no_args_is_help=True, help="Check the approved endpoint policies.")


@app.callback()
def main() -> None:
    """Check the approved endpoint policies, and compare others with them."""


@app.command("lint")
def lint_command(
    directory: Annotated[
        Path, typer.Argument(help="The folder of the policies.", show_default="the shipped ones")
    ] = SHIPPED,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Check every policy in a folder; with the shipped ones, approved.json too.

    Exit code 1 if one has an error, 2 if there are none.
    """
    if not any(directory.glob("*.json")):
        typer.echo(f"There are no policies in {directory}.", err=True)
        raise typer.Exit(2)
    problems = lint_folder(directory)
    if directory == SHIPPED:
        problems += [Problem(*one) for one in choice_problems(ROOT, approved_names(directory))]
        problems += [Problem(*one) for one in list_problems(ROOT, directory)]
    print_rows(
        [asdict(problem) for problem in problems], format_, ("level", "policy", "place", "text")
    )
    if any(problem.level is Level.ERROR for problem in problems):
        raise typer.Exit(1)


@app.command("compare")
def compare_command(
    attached: Annotated[str, typer.Argument(help="A policy document's file, or - for stdin.")],
    approved: Annotated[Path, typer.Argument(help="The file it is compared with.")],
    format_: FormatOption = Format.TABLE,
) -> None:
    """Say how one policy document departs from another by meaning. Exit code 1 if it does."""
    try:
        wanted = parse(approved.read_text(encoding="utf-8"))
        text = sys.stdin.read() if attached == "-" else Path(attached).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, PolicyError) as error:
        typer.echo(f"Cannot compare: {error}", err=True)
        raise typer.Exit(2) from None
    found = compare(text, wanted)
    print_rows([one.to_json() for one in found], format_, ("risk", "statement", "difference"))
    risk = overall_risk(found)
    if risk is not None:
        typer.echo(f"Not the same: the first is {risk}.", err=True)
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
