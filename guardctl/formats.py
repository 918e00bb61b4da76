"""How a command prints what it found: the option `--format`, and what two commands print alike."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


class Format(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


FormatOption = Annotated[
    Format,
    typer.Option("--format", help="What to print: a table, one JSON document, or JSON lines."),
]


def print_json(rows: Sequence[Mapping[str, Any]], form: Format) -> None:
    """Print rows as one JSON document, or as one a line."""
    if form is Format.JSON:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(json.dumps(row))


def print_rows(
    rows: Sequence[Mapping[str, str]], form: Format, keys: Sequence[str], *headings: str
) -> None:
    """Print rows as JSON, or these keys of them as a table; no table where there are none."""
    if form is not Format.TABLE:
        print_json(rows, form)
    elif rows:
        table = Table(*(headings or keys))
        for row in rows:
            # Text and not markup: a file's own words may look like some.
            table.add_row(*(Text(row[key]) for key in keys))
        Console().print(table)
