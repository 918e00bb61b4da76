"""How a command prints what it found: the option `--format`, and what two commands print alike."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from guardctl.screen import say_json


class Format(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


class ReplayFormat(StrEnum):
    """How what would be published is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    OCSF = "ocsf"


class LintFormat(StrEnum):
    """How the result of a check of files is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    SARIF = "sarif"


FormatOption = Annotated[
    Format,
    typer.Option("--format", help="What to print: a table, one JSON document, or JSON lines."),
]

LintFormatOption = Annotated[
    LintFormat,
    typer.Option(
        "--format",
        help="What to print: a table, one JSON document, JSON lines, or SARIF for code scanning.",
    ),
]


def print_json(rows: Sequence[Mapping[str, Any]], form: Format) -> None:
    """Print rows as one JSON document, or as one a line."""
    if form is Format.JSON:
        say_json(rows, indent=2)
        return
    for row in rows:
        say_json(row)


def print_rows(
    rows: Sequence[Mapping[str, str]], form: Format, keys: Sequence[str], *headings: str
) -> None:
    """Print rows as JSON, or these keys of them as a table; no table where there are none."""
    if form is not Format.TABLE:
        print_json(rows, form)
    elif rows:
        # Takes as long to import as all else here, and mostly there is nothing to print.
        from rich.table import Table
        from rich.text import Text

        from guardctl.terminal import console

        table = Table(*(headings or keys))
        for row in rows:
            # Text and not markup: a file's own words may resemble markup.
            table.add_row(*(Text(row[key]) for key in keys))
        console().print(table, soft_wrap=False)
