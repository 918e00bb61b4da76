"""Athena's table and engine for tests: its SQL runs in DuckDB, as sqlglot translates it.

`table` makes the table of a trail, with the columns and types of guardctl's own definition. What
the JSON reader of Athena's table does is stood in for by DuckDB's: a text stays one, an object is
the text of its JSON where the column is a text.
"""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
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
        columns = f"json_transform(json, '{json.dumps(_duck(COLUMNS))}')"
        place = f"'{ACCOUNT}' AS account, '{REGION}' AS region, '{day}' AS delivered"
        selects.append(f"SELECT unnest({columns}), {place} FROM read_ndjson_objects('{file}')")  # noqa: S608
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


class Bucket:
    """As much of S3 as `guardctl athena` calls: objects by their whole address."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get_paginator(self, _: str) -> Any:
        return SimpleNamespace(paginate=self._pages)

    def download_file(self, bucket: str, key: str, file: str) -> None:
        Path(file).write_bytes(self.objects[f"s3://{bucket}/{key}"])

    def _pages(self, *, Bucket: str, Prefix: str, Delimiter: str = "") -> Iterator[Any]:  # noqa: N803
        begin = f"s3://{Bucket}/"
        keys = [one.removeprefix(begin) for one in self.objects if one.startswith(begin + Prefix)]
        rest = {key: key.removeprefix(Prefix).partition(Delimiter or "\0") for key in sorted(keys)}
        folders = dict.fromkeys(f"{Prefix}{name}/" for name, slash, _ in rest.values() if slash)
        files = [key for key, (_, slash, _) in rest.items() if not slash]
        for key in files or [""]:  # a page for each
            size = len(self.objects.get(begin + key, b""))
            contents = [{"Key": key, "Size": size}] if key else []
            yield {"Contents": contents, "CommonPrefixes": [{"Prefix": one} for one in folders]}


class Athena:
    """Athena over a DuckDB that has the tables, and writes to a bucket what is unloaded.

    `ends` is how each query ends; it is seen at the second look.
    """

    def __init__(self, database: duckdb.DuckDBPyConnection, bucket: Bucket) -> None:
        self.database, self.bucket = database, bucket
        self.ends = {"State": "SUCCEEDED"}
        self.ran: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.looks = 0

    def start_query_execution(self, **asked: Any) -> dict[str, str]:
        self.ran.append(asked)
        if unloaded := re.fullmatch(_UNLOAD, asked["QueryString"], re.DOTALL):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "part"
                self.database.sql(in_duckdb(unloaded[1])).write_parquet(str(file))
                self.bucket.objects[f"{unloaded[2]}20261101_part"] = file.read_bytes()
        return {"QueryExecutionId": str(len(self.ran))}

    def get_query_execution(self, **_: Any) -> dict[str, Any]:
        self.looks += 1
        status = self.ends if self.looks % 2 == 0 else {"State": "RUNNING"}
        read = {"DataScannedInBytes": 1000 * (2 - self.looks % 2)}
        return {"QueryExecution": {"Status": status, "Statistics": read}}

    def stop_query_execution(self, *, QueryExecutionId: str) -> None:  # noqa: N803
        self.stopped.append(QueryExecutionId)


_UNLOAD = r"UNLOAD \(\n(.*)\n\) TO '(.*)' WITH \(format = 'PARQUET'\)"
