"""Athena's groups are judged as every one of their records is: 0 different.

The SQL runs in DuckDB, on records made with a fresh seed in each run; FUZZ_CASES says how many,
and `make nightly` makes 1,000,000.
"""

import copy
import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from guardctl.athena.projection import FIELDS, record_of
from guardctl.athena.query import Span, groups
from guardctl.athena.table import table_of
from tests.athena import ACCOUNT, asked, table
from tests.builders import NOON
from tests.fuzz.calls import AGENTS, calls, put, recorded, said
from tests.fuzz.mutate import ODD

CASES = int(os.environ.get("FUZZ_CASES", "5000"))
AT_ONCE = 20_000
TABLE = table_of("s3://a-bucket/AWSLogs/", ["eu-west-1"])
SPAN = Span(NOON.date() - timedelta(days=7), NOON.date() + timedelta(days=7))


def chances(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - not for secrets


@pytest.fixture
def seed() -> int:
    """Another one in each run; a failure prints it."""
    return random.SystemRandom().getrandbits(48)


def grouped(records: list[dict[str, Any]], folder: Any) -> list[dict[str, Any]]:
    database = duckdb.connect()
    table(database, TABLE, {f"{NOON:%Y/%m/%d}": records}, folder)
    (query,) = groups(TABLE, [ACCOUNT], SPAN)
    return asked(database, query)


def different(found: list[dict[str, Any]], records: list[dict[str, Any]]) -> Counter[str]:
    """What the groups say more or less often than their records."""
    one_by_one, by_groups = Counter(map(said, records)), Counter[str]()
    for group in found:
        # The first and the last of its requests, and those between them.
        by_groups[said(record_of(group))] += group["requests"] - 1
        by_groups[said(record_of(group, "last_seen"))] += 1
    return (by_groups - one_by_one) + (one_by_one - by_groups)


def test_a_group_is_judged_as_each_of_its_records(seed: int, tmp_path: Any):
    for number in range(max(1, CASES // AT_ONCE)):
        records = list(calls(chances(seed + number), min(CASES, AT_ONCE)))
        found = grouped(records, tmp_path)
        assert different(found, records) == Counter(), f"seed {seed}"
        assert len(found) < len(records) * 0.8, "hardly anything is grouped"


def test_each_kind_of_user_agent_is_kept(tmp_path: Any):
    records = [
        {
            **one,
            "userAgent": agent,
            "sessionCredentialFromConsole": flag,
            "eventTime": f"{NOON:%FT%TZ}",
        }
        for one in recorded()
        for agent in AGENTS
        for flag in ("true", None)
    ]
    assert different(grouped(records, tmp_path), records) == Counter()


def test_what_is_no_field_changes_no_judgement(seed: int):
    chance = chances(seed)
    for record in calls(chance, CASES // 10):
        other = copy.deepcopy(record)
        for path in chance.sample(outside := list(_outside(record)), min(3, len(outside))):
            put(other, path, chance.choice(ODD))
        put(other, ("somethingNew",), chance.choice(ODD))
        put(other, ("userIdentity", "somethingNew"), chance.choice(ODD))
        put(other, ("requestParameters", "somethingNew"), chance.choice(ODD))
        assert said(other) == said(record), f"seed {seed}"


def test_every_field_is_needed():
    records = list(calls(chances(1), 20_000))
    needless = {field.column for field in FIELDS}
    for record in records:
        if not needless:
            break
        before = said(record)
        for field in FIELDS:
            if field.column in needless and _without(record, field.path, before):
                needless.remove(field.column)
    assert needless == set()


def _without(record: dict[str, Any], path: tuple[str, ...], before: str) -> bool:
    place: Any = record
    for step in path[:-1]:
        place = place.get(step)
        if not isinstance(place, dict):
            return False
    if path[-1] not in place:
        return False
    other = copy.deepcopy(record)
    put(other, path, None)
    return said(other) != before


def _outside(record: dict[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The places of a record that no field stands at, above or in."""
    fields = [field.path for field in FIELDS] + [("eventTime",), ("eventSource",)]
    for name, value in record.items():
        path = (*at, name)
        if any(path[: len(one)] == one for one in fields):
            continue
        if not any(one[: len(path)] == path for one in fields):
            yield path
        if isinstance(value, dict):
            yield from _outside(value, path)


def test_days_that_were_not_asked_for_are_left_out(tmp_path: Any):
    (record,) = calls(chances(1), 1)
    days = [date(2026, 11, day) for day in (1, 2, 3, 4)]
    found = [{**record, "eventTime": f"{day}T00:00:00Z", "eventID": str(day)} for day in days]
    database = duckdb.connect()
    table(database, TABLE, {"2026/11/03": found, "2026/11/05": found}, tmp_path)
    (query,) = groups(TABLE, [ACCOUNT], Span(days[1], days[3]))
    rows = asked(database, query)
    assert sorted((row["day"], row["requests"]) for row in rows) == [
        ("2026-11-02", 1),
        ("2026-11-03", 1),
    ]


def test_the_example_is_the_latest_request(tmp_path: Any):
    (record,) = calls(chances(1), 1)
    times = {f"{NOON:%Y-%m-%d}T0{hour}:00:00Z": hour for hour in (3, 5, 4)}
    found = [{**record, "eventTime": when, "eventID": f"e{n}"} for when, n in times.items()]
    (group,) = grouped(found, tmp_path)
    assert (group["requests"], group["example"]) == (3, "e5")
    assert (group["first_seen"], group["last_seen"]) == (min(times), max(times))
