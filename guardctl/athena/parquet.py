"""Files of groups, as Athena writes them: Parquet, in one file or a folder of parts.

DuckDB reads and writes them; it comes with `pip install 'vpce-guard[athena]'`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from guardctl.athena.projection import COLUMNS
from guardctl.errors import Failed

_ROWS = 10_000  # read at a time


def read_groups(path: Path) -> Iterator[dict[str, Any]]:
    """Each group in a file, or in all files of a folder. Raises Failed."""
    parts = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    if not parts or not path.exists():
        raise Failed(f"{path}: no such file, or a folder without one")
    duckdb = require_duckdb()
    database = duckdb.connect()
    try:
        database.execute(f"SELECT {', '.join(COLUMNS)} FROM read_parquet($1)", [_names(parts)])  # noqa: S608
    except duckdb.Error as error:
        raise Failed(
            f"{path}: no file of groups: {str(error).splitlines()[0]}",
            "write it with `guardctl athena run` of this version",
        ) from error
    while rows := database.fetchmany(_ROWS):
        yield from (dict(zip(COLUMNS, row, strict=True)) for row in rows)


def join_parts(parts: Sequence[Path], target: Path) -> int:
    """Write the groups of all parts to one file; returns how many they are."""
    database = require_duckdb().connect()
    if parts:
        groups = database.read_parquet(_names(parts))
    else:
        kinds = (f"CAST(NULL AS {'BIGINT' if one == 'requests' else 'VARCHAR'})" for one in COLUMNS)
        empty = ", ".join(f"{k} AS {one}" for k, one in zip(kinds, COLUMNS, strict=True))
        groups = database.sql(f"SELECT {empty} LIMIT 0")
    groups.write_parquet(str(target))
    return database.execute("SELECT count(*) FROM read_parquet($1)", [str(target)]).fetchall()[0][0]


def _names(parts: Sequence[Path]) -> list[str]:
    return [str(one) for one in parts]


def require_duckdb() -> Any:
    """DuckDB. Raises Failed where it is not installed."""
    try:
        import duckdb  # large, and only files of groups need it
    except ImportError as error:
        raise Failed(
            "files of groups are read with DuckDB, which is not installed",
            "pip install 'vpce-guard[athena]'",
        ) from error
    return duckdb
