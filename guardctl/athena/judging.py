"""Judge one record of each group, by the deployed functions' own code."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardctl.athena.parquet import read_groups
from guardctl.athena.projection import record_of
from guardctl.replay.judging import Complaint, Judged, Output, Task, judge_element


@dataclass(frozen=True, slots=True)
class Group:
    """The judgement of all requests that are equal in what it reads."""

    judged: Judged
    requests: int
    last_seen: str

    @property
    def row(self) -> dict[str, Any]:
        """The line for it: that of a record, with its example, its times and how many they are."""
        row = {**self.judged.row, "requests": self.requests}
        return row | {"first_seen": row.pop("event_time"), "last_seen": self.last_seen}


def judge_file(path: Path, task: Task) -> Iterator[Group | Complaint]:
    """Each group of a file, in its order. Raises Failed for what is no such file."""
    return judge_groups(read_groups(path), task)


def judge_groups(groups: Iterable[Mapping[str, Any]], task: Task) -> Iterator[Group | Complaint]:
    """Each group that is of the time asked for, and what cannot be said of one."""
    for group in groups:
        first = last = _judged(group, "first_seen", task)
        if group["last_seen"] != group["first_seen"]:
            last = _judged(group, "last_seen", task)
        if isinstance(first, Judged):
            yield Group(first, group["requests"], group["last_seen"] or "")
        if _verdict(first) != _verdict(last):
            yield Complaint(
                f"group of {group['example']}: an exception expires, or the time asked for ends, "
                f"between {group['first_seen']} and {group['last_seen']}: replay the log files of "
                "that day"
            )


def _judged(group: Mapping[str, Any], when: str, task: Task) -> Output:
    return judge_element(record_of(group, when), lambda: group["example"] or "", task)


def _verdict(output: Output) -> object:
    return output.row | {"event_time": None} if isinstance(output, Judged) else type(output)
