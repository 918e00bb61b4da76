"""`guardctl exceptions`. `lint` checks the reviewed ones; those of run time are in added.py.

An error is what the function would refuse to start with. A warning is an exception that is over and
should be renewed or removed, or that soon will be: time alone must not make a build fail.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from detect_bypass.judge.exceptions import FILE_NAME, ExceptionsError, Exemption, load
from guardctl import ROOT, added
from guardctl.errors import Failed
from guardctl.formats import Format, LintFormat, LintFormatOption, print_rows
from guardctl.sarif import Result, Rule, line_of, print_sarif

SHIPPED = ROOT / "layers" / "approved_policies" / FILE_NAME
SOON = timedelta(days=14)
FOUND = 1
_RULE = Rule(
    "reviewed-exception",
    "A reviewed exception is wrong, has expired or is about to.",
    "Correct, renew or remove it (docs/exceptions.md), and run `guardctl exceptions lint`.",
)


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about an exception that somebody should see to."""

    level: Level
    exception: str
    text: str


app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def main() -> None:
    """Check the reviewed exceptions, and add others at run time, each with an end."""


for _name, _command in added.COMMANDS:
    app.command(_name)(_command)


@app.command("lint")
def lint_command(
    file: Annotated[
        Path, typer.Argument(help="The file of exceptions.", show_default="the shipped one")
    ] = SHIPPED,
    format_: LintFormatOption = LintFormat.TABLE,
) -> None:
    """Check a file of exceptions. Exits with 1 for an error, with 2 if the file cannot be read.

    Examples:
      guardctl exceptions lint
      guardctl exceptions lint my-exceptions.json --format json
    """
    try:
        problems = list(problems_of(file, datetime.now(UTC)))
    except OSError as error:
        raise Failed(f"cannot read {file}: {error.strerror or error}") from None
    if format_ is LintFormat.SARIF:
        print_sarif([_RULE], [_result(one, file) for one in problems])
    else:
        rows = [asdict(one) for one in problems]
        keys = ("level", "exception", "text")
        print_rows(rows, Format(format_), keys, "Level", "Exception", "What")
    if any(problem.level is Level.ERROR for problem in problems):
        raise typer.Exit(FOUND)


def _result(one: Problem, file: Path) -> Result:
    """A problem beside its exception: an error names the number, a warning the name."""
    place = one.exception
    if one.level is Level.WARNING:
        names = [each.name for each in load(file)]
        place = f"exceptions[{names.index(one.exception)}]"
    elif place == "not JSON":
        place = one.text  # which says the line
    text = f"{one.exception}: {one.text}"
    return Result(_RULE, one.level.value, file, text, line_of(file, place))


def problems_of(file: Path, now: datetime) -> Iterator[Problem]:
    """All that is wrong with a file, and which exceptions are over or about to be."""
    try:
        exemptions = load(file)
    except ExceptionsError as error:
        for line in str(error).splitlines():
            place, _, text = line.partition(": ")
            yield Problem(Level.ERROR, place if text else file.name, text or line)
        return
    yield from expiries(exemptions, now)


def expiries(exemptions: Sequence[Exemption], now: datetime) -> Iterator[Problem]:
    """A warning for each exception that has expired, or will within `SOON`."""
    for one in exemptions:
        if not one.valid_at(now):
            text = f"expired on {one.expires:%Y-%m-%d %H:%M} UTC: renew it by review or remove it"
        elif not one.valid_at(now + SOON):
            text = (
                f"expires on {one.expires:%Y-%m-%d %H:%M} UTC: ask {one.owner} whether it is needed"
            )
        else:
            continue
        yield Problem(Level.WARNING, one.name, text)
