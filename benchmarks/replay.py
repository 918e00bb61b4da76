"""How fast `guardctl replay` is, and how much memory it takes, beside other ways to read the logs.

    python -m benchmarks.replay [--records 1000000] [--folder FOLDER] [--huge 2] [--processes N]

Makes a corpus of CloudTrail logs (fixed seed, gzipped, in CloudTrail's folders, 2 % of the records
Secrets Manager's) and runs over it, each once and in processes of its own: gunzip alone, which is
the least that anybody can take; `guardctl replay`, and its reading alone; one Python process that
only unzips and parses the same files; jq and DuckDB picking the same records (each is left out,
with a line that says so, where it is not installed: jq comes with the system's packages, DuckDB
with `make setup`). Then replay alone reads one array of `--huge` GB.

Memory is that of all processes of a run at its peak, shared pages counted once (PSS), processor
time is theirs too, both from Linux's /proc. The corpus is made in a temporary folder, or kept in
`--folder` and used again.
"""

import argparse
import gzip
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus import huge_array, make_corpus

SERVICE = "secretsmanager.amazonaws.com"
GOALS = {1: 2.0, 2: 1.2}  # times gunzip alone, by the number of processes
GOAL_MEMORY = 300  # MB


@dataclass(frozen=True, slots=True)
class Run:
    """What one way of reading the logs took."""

    name: str
    seconds: float
    processor: float
    peak: int
    found: str

    @property
    def goal(self) -> float | None:
        """How many times gunzip's time it may take; None for what is not ours."""
        return next(
            (most for number, most in GOALS.items() if f"replay, {number} " in self.name), None
        )


def main() -> None:
    options = _options()
    if options.only_parse:
        print(_parse_all(Path(options.only_parse)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        corpus = _corpus(folder / f"{options.records}", options.records)
        _print_runs(list(_runs(corpus, options.processes)), options.records)
        if options.huge:
            _print_huge(huge_array(Path(temporary) / "huge.json.gz", options.huge), options.huge)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", help="keep the corpus here, and use it again")
    parser.add_argument(
        "--huge", type=float, default=2.0, help="GB of the one large array; 0: none"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--only-parse", help=argparse.SUPPRESS)
    return parser.parse_args()


def _corpus(folder: Path, records: int) -> Path:
    if not folder.exists():
        make_corpus(folder, records)
    files = list(folder.rglob("*.json.gz"))
    packed = sum(file.stat().st_size for file in files)  # read below, so that it is in the cache
    plain = sum(len(gzip.decompress(file.read_bytes())) for file in files)
    print(
        f"{records:,} records in {len(files):,} files: {packed / 1e6:,.0f} MB gzipped, "
        f"{plain / 1e6:,.0f} MB unzipped; {os.cpu_count()} cores"
    )
    return folder


def _runs(corpus: Path, processes: int) -> Iterator[Run]:
    python = sys.executable
    replay = [python, "-m", "guardctl", "replay", str(corpus), "--format", "jsonl"]
    # Nothing is of that time: each record is read, and none judged or published.
    reading = [*replay, "--processes", "1", "--until", "2000-01-01"]
    parse = [python, "-m", "benchmarks.replay", "--only-parse", str(corpus)]
    last_line = _last_line
    unzip = f"find {corpus} -name '*.json.gz' -print0 | xargs -0 gunzip -c"
    yield _timed("gunzip alone", ["bash", "-c", f"{unzip} > /dev/null"], lambda _: "")
    for number in dict.fromkeys((1, processes)):
        name = f"guardctl replay, {number} process{'es' if number > 1 else ''}"
        command = [*replay, "--processes", str(number)]
        yield _timed(name, command, _number_of_lines)
        yield _timed(f"{name}, verdicts only", [*command, "--verdicts-only"], _number_of_lines)
    yield _timed("of it reading, 1 process", reading, lambda _: "")
    yield _timed("unzip and parse, 1 process", parse, last_line)
    if shutil.which("jq"):
        query = f'.Records[] | select(.eventSource == "{SERVICE}") | .eventID'
        yield _timed(
            "gunzip and jq", ["bash", "-c", f"{unzip} | jq -c '{query}'"], _number_of_lines
        )
    else:
        print("jq: left out, it is not installed")
    if importlib.util.find_spec("duckdb"):
        yield _timed("DuckDB", [python, "-c", _DUCKDB, str(corpus), SERVICE], last_line)
    else:
        print("DuckDB: left out, it is not installed")


_DUCKDB = """
import sys, duckdb
rows = duckdb.connect().execute(
    "SELECT count(*) FROM (SELECT unnest(Records) AS r FROM read_json($files, "
    "columns = {Records: 'JSON[]'}, maximum_object_size = 1000000000)) "
    "WHERE r->>'$.eventSource' = $service",
    {"files": sys.argv[1] + "/**/*.json.gz", "service": sys.argv[2]},
).fetchall()
print(rows[0][0])
"""


def _parse_all(corpus: Path) -> int:
    """What any program has to do that parses every record, and nothing else."""
    found = 0
    for file in sorted(corpus.rglob("*.json.gz")):
        with gzip.open(file) as stream:
            records = json.load(stream)["Records"]
        found += sum(record["eventSource"] == SERVICE for record in records)
    return found


def _number_of_lines(output: Path) -> str:
    with output.open("rb") as lines:
        return f"{sum(1 for _ in lines):,}"


def _last_line(output: Path) -> str:
    return f"{int(output.read_text().split()[-1]):,}"


# Time and memory


def _timed(name: str, command: list[str], found: Callable[[Path], str]) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        with output.open("wb") as out, errors.open("wb") as err:
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=out, stderr=err)  # noqa: S603 - our own
            watch = _Watch(process.pid)
            _, status, used = os.wait4(process.pid, 0)
            code = process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - started
            watch.stop()
        if code and not (code == 1 and "guardctl" in command):  # 1: it found something
            sys.exit(f"{name} failed with {code}: {errors.read_text()[-2000:]}")
        # What ended between two looks is in `used`; what was never waited for is in `watch` alone.
        spent = max(watch.processor, used.ru_utime + used.ru_stime)
        return Run(name, seconds, spent, watch.peak, found(output))


class _Watch:
    """Watches a process and those below it until `stop`: their memory, and their processor time."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak = 0
        self.times: dict[int, float] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    @property
    def processor(self) -> float:
        return sum(self.times.values())

    def stop(self) -> None:
        self.over.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.over.wait(0.05):
            family = list(_family(self.pid))
            self.peak = max(self.peak, sum(map(_pss, family)))
            self.times |= {pid: spent for pid in family if (spent := _processor_time(pid))}


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return  # it has ended, or there is no /proc
    for child in children:
        yield from _family(int(child))


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def _processor_time(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# What is printed


def _print_runs(runs: list[Run], records: int) -> None:
    base = runs[0]
    print(
        f"{'':46} {'seconds':>8} {'records/s':>10} {'ratio':>6} {'CPU s':>7} {'ratio':>6} "
        f"{'peak MB':>8} {'found':>8}"
    )
    for run in runs:
        print(
            f"{run.name:46} {run.seconds:8.1f} {records / run.seconds:10,.0f} "
            f"{run.seconds / base.seconds:6.2f} {run.processor:7.1f} "
            f"{run.processor / base.processor:6.2f} {run.peak / 1e6:8.0f} {run.found:>8}"
        )
    for run in runs:
        if goal := run.goal:
            met = run.seconds <= goal * base.seconds and run.peak <= GOAL_MEMORY * 1e6
            print(
                f"Goal of {run.name}: {goal} times gunzip alone, at most {GOAL_MEMORY} MB: "
                f"{'met' if met else 'missed'}"
            )
    if len({run.found for run in runs if run.found}) > 1:
        sys.exit("They did not find the same number of records")


def _print_huge(file: Path, gigabytes: float) -> None:
    command = [sys.executable, "-m", "guardctl", "replay", str(file), "--format", "jsonl"]
    run = _timed("huge", command, _number_of_lines)
    print(
        f"One array of {gigabytes} GB: {run.seconds:.1f} s, peak {run.peak / 1e6:.0f} MB, "
        f"{run.found} records of Secrets Manager"
    )


if __name__ == "__main__":
    main()
