"""The SQL that groups the requests in a trail's table, for Athena's engine version 3. Pure.

Nothing in it judges: it filters by the event source and the time, and counts what is equal.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import batched

from detect_bypass.judge import SECRETS_MANAGER
from guardctl.athena.projection import COUNTS, DAY, FIELDS
from guardctl.athena.table import Table, checked_name
from guardctl.errors import Failed

MOST_ACCOUNTS = 1_000  # values of an injected column in one query, as Athena allows
_ACCOUNT = re.compile(r"\d{12}")
_DAY = timedelta(days=1)
_KEYS = {DAY: "substr(eventtime, 1, 10)", **{field.column: field.sql for field in FIELDS}}
_ADDED = {
    "requests": "sum(requests)",
    "first_seen": "min(first_seen)",
    "last_seen": "max(last_seen)",
    "example": "max_by(example, last_seen)",
}


@dataclass(frozen=True, slots=True)
class Span:
    """Days: from `since` up to, and without, `until`."""

    since: date
    until: date

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise Failed("no day lies between --since and --until", "name an earlier --since")

    @property
    def delivered(self) -> list[date]:
        """The days on which what happened in it was delivered: within minutes as a rule, so a day
        more is enough.
        """
        return [self.since + number * _DAY for number in range((self.until - self.since).days + 1)]


def groups(table: Table, accounts: Sequence[str], span: Span) -> Iterator[str]:
    """The query, or several where there are more accounts than one may name."""
    when = f"""{_delivered(span.delivered[0], span.delivered[-1])}
    AND eventtime >= '{span.since}' AND eventtime < '{span.until}'"""
    for source in _sources(table, accounts, when):
        yield _select(COUNTS, source)


def additions(table: Table, accounts: Sequence[str], day: date, into: str) -> Iterator[str]:
    """The statements that add what was delivered on one day to a table of groups."""
    counts = {**COUNTS, "delivered": f"'{day}'"}
    for source in _sources(table, accounts, _delivered(day, day)):
        yield f"INSERT INTO {checked_name(into)}\n{_select(counts, source)}"


def groups_of(table: str, span: Span) -> str:
    """The query that reads a table of groups instead of the logs."""
    where = f"""delivered BETWEEN '{span.delivered[0]}' AND '{span.delivered[-1]}'
  AND {DAY} >= '{span.since}' AND {DAY} < '{span.until}'"""
    return _select(_ADDED, f"{checked_name(table)}\nWHERE {where}")


def table_of_groups(name: str, place: str) -> str:
    """The statement that creates a table of groups, whose files Athena writes to a folder in S3."""
    texts = [f"  {one} STRING" for one in _KEYS]
    counts = [f"  {one} {'BIGINT' if one == 'requests' else 'STRING'}" for one in COUNTS]
    return f"""\
CREATE EXTERNAL TABLE IF NOT EXISTS {checked_name(name)} (
{",\n".join([*texts, *counts])}
)
PARTITIONED BY (delivered STRING)
STORED AS PARQUET
LOCATION '{place}'"""


def unload(query: str, place: str) -> str:
    """The statement that writes a query's result as Parquet files to a folder in S3."""
    return f"UNLOAD (\n{query}\n) TO '{place}' WITH (format = 'PARQUET')"


def _sources(table: Table, accounts: Sequence[str], when: str) -> Iterator[str]:
    """The fields of each request of these accounts, in one query or several."""
    if wrong := [one for one in accounts if not _ACCOUNT.fullmatch(one)]:
        raise Failed(f"{wrong[0]!r} is no account: twelve digits are one")
    fields = _columns({**_KEYS, "eventtime": "eventtime", "eventid": "eventid"})
    for some in batched(accounts, MOST_ACCOUNTS, strict=False):
        listed = ", ".join(f"'{one}'" for one in some)
        yield f"""(
  SELECT
  {fields}
  FROM {table.name}
  WHERE account IN ({listed})
    AND {when}
    AND eventsource = '{SECRETS_MANAGER}'
)"""  # noqa: S608 - all of it is ours, or was checked


def _delivered(first: date, last: date) -> str:
    return f"delivered BETWEEN '{first:%Y/%m/%d}' AND '{last:%Y/%m/%d}'"


def _select(counts: Mapping[str, str], source: str) -> str:
    """Count the requests of a source that are equal in all fields."""
    columns = _columns({**{name: name for name in _KEYS}, **counts})
    numbers = ", ".join(str(number) for number in range(1, len(_KEYS) + 1))
    return f"SELECT\n  {columns}\nFROM {source}\nGROUP BY {numbers}"


def _columns(named: Mapping[str, str]) -> str:
    return ",\n  ".join(sql if sql == name else f"{sql} AS {name}" for name, sql in named.items())
