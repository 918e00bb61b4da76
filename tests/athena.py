"""Athena's table and engine for tests: its SQL runs in DuckDB, as sqlglot translates it.

`table` makes the table of a trail, with the columns and types of guardctl's own definition. What
the JSON reader of Athena's table does is stood in for by DuckDB's: a text stays one, an object is
the text of its JSON where the column is a text.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import sqlglot

from guardctl.athena.table import COLUMNS, Table

ACCOUNT, REGION = "111122223333", "eu-west-1"


def table(
    database: duckdb.DuckDBPyConnection,
    made: Table,
    delivered: Mapping[str, Iterable[Mapping[str, Any]]],
    folder: Path,
) -> None:
    """A trail's table with the records that were delivered on each day, such as `2026/11/01`."""
    selects = []
    for number, (day, records) in enumerate(delivered.items()):
        file = folder / f"{number}.jsonl"
        file.write_text("".join(json.dumps(one) + "\n" for one in records))
        selects.append(
            f"SELECT unnest(json_transform(json, '{json.dumps(_duck(COLUMNS))}')), "
            f"'{ACCOUNT}' AS account, '{REGION}' AS region, '{day}' AS delivered "
            f"FROM read_ndjson_objects('{file}', maximum_object_size = 100000000)"
        )
    database.execute(f"CREATE OR REPLACE TABLE {made.name} AS {' UNION ALL '.join(selects)}")


def asked(database: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """What a query of Athena's answers."""
    found = database.execute(in_duckdb(query))
    names = [one[0].lower() for one in found.description]  # as Athena spells them
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def in_duckdb(query: str) -> str:
    (translated,) = sqlglot.transpile(query, read="athena", write="duckdb")
    return translated


def _duck(kind: Any) -> Any:
    if isinstance(kind, str):
        return "VARCHAR"
    if isinstance(kind, Sequence):
        return [_duck(kind[0])]
    return {name: _duck(inner) for name, inner in kind.items()}
