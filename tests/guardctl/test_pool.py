"""Files judged side by side come out in order, in little memory, whatever happens to a process."""

import gzip
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from detect_bypass.judge import Inventory
from guardctl.replay import pool
from guardctl.replay.judging import Complaint, Judged, PassedOver, Task
from guardctl.trail.files import LogFile, Missing, Source
from tests.records import READ, changed, read

TASK = Task(inventory=Inventory())
OTHER = read(eventSource="ec2.amazonaws.com", eventName="RunInstances")


@dataclass(frozen=True)
class Deadly:
    """A file that takes the process which opens it along."""

    name: str = "deadly"
    size: int = 1

    def open(self) -> BinaryIO:
        os._exit(9)


@pytest.fixture(autouse=True)
def worth_it(monkeypatch):
    monkeypatch.setattr(pool, "_WORTH_PROCESSES", 0)


@pytest.fixture
def log(tmp_path: Path):
    def write(name: str, *records: Any) -> LogFile:
        path = tmp_path / name
        path.write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
        return LogFile(path)

    return write


def reported(files: list[Source | Missing], processes: int, **options: Any) -> list[Any]:
    """Ids and complaints in order, and how many records were passed over."""
    outputs = list(pool.judge_all(files, TASK, processes, **options))
    found = [one.row["event_id"] for one in outputs if isinstance(one, Judged)]
    found += [one.text for one in outputs if isinstance(one, Complaint)]
    return [*found, sum(one.others for one in outputs if isinstance(one, PassedOver))]


def test_files_of_very_different_size_stay_in_order(log, monkeypatch):
    monkeypatch.setattr(pool, "_AHEAD", 2)
    monkeypatch.setattr(pool, "_BATCH", 3)
    files = [
        log(f"{number}.json.gz", OTHER, *(changed(READ, eventID=f"{number}-{n}") for n in range(n)))
        for number, n in enumerate((300, 1, 0, 40, 7, 120, 2))
    ]
    mixed = [*files[:3], Missing("nothing there"), *files[3:]]
    assert reported(mixed, 3) == reported(mixed, 1)
    assert reported(mixed, 3)[-1] == len(files)


def test_bytes_are_counted(log):
    files = [log(f"{number}.json.gz", *[READ] * 50) for number in range(4)]
    for processes in (1, 2):
        ticks: list[int] = []
        reported(files, processes, tick=ticks.append)
        assert sum(ticks) == sum(file.size for file in files)


def test_a_process_that_dies_takes_only_its_file_along(log):
    files = [log("a.json.gz", READ), cast(Source, Deadly()), log("b.json.gz", READ)]
    files += [log("c.json.gz", OTHER), cast(Source, Deadly())]
    found = reported(files, 2)
    assert found[:2] == [READ["eventID"]] * 2
    assert found[2:4] == ["deadly: the process that judged it ended with 9"] * 2
    assert found[4] == 1


def test_whoever_stops_listening_leaves_no_process_behind(log):
    files = [log(f"{number}.json.gz", *[READ] * 500) for number in range(4)]
    outputs = pool.judge_all(files, TASK, 2)
    next(outputs)
    outputs.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert not pool.multiprocessing.active_children()


def test_standard_input_has_its_turn(log, monkeypatch):
    from guardctl.trail.files import StandardInput

    content = io.TextIOWrapper(io.BytesIO(json.dumps(changed(READ, eventID="piped")).encode()))
    monkeypatch.setattr("sys.stdin", content)
    files = [log("a.json.gz", READ), StandardInput(), log("b.json.gz", READ)]
    assert reported(files, 2)[:3] == [READ["eventID"], "piped", READ["eventID"]]
