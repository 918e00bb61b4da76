"""Run statements in Athena, and bring what they wrote to a file here.

See StartQueryExecution, GetQueryExecution and UNLOAD in the Athena documentation. A query that
somebody interrupts is stopped, as it costs as long as it runs.

By the rights of whoever runs it, Athena itself needs glue:GetTable, CreateTable, GetDatabase and
GetPartitions; s3:GetObject and ListBucket of the trail's bucket (and kms:Decrypt where its files
are under a key); s3:PutObject, GetObject, ListBucket and GetBucketLocation of the results' bucket.

IAM: athena:StartQueryExecution, athena:GetQueryExecution, athena:StopQueryExecution, s3:GetObject,
s3:ListBucket.
"""

import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardctl.athena.parquet import join_parts
from guardctl.athena.query import unload
from guardctl.errors import Failed

_LONGEST_WAIT = 5.0  # seconds between two calls

type Tick = Callable[[int], None]
"""Called with the bytes that were read since it was called last."""


@contextmanager
def progress(total: int) -> Iterator[Tick]:
    """A bar on standard error while Athena reads about `total` bytes, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    from guardctl.terminal import console

    columns = (TextColumn("Athena reads"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        reading = bar.add_task("", total=total or None)
        yield lambda read: bar.advance(reading, read)


class QueryFailed(Failed):
    """Athena could not run a statement, or somebody stopped it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Athena, as a work group runs it. `results` is a folder in S3, such as `s3://bucket/athena/`."""

    athena: Any
    s3: Any
    results: str
    database: str = "default"
    work_group: str = "primary"
    sleep: Callable[[float], None] = time.sleep

    def run(self, statement: str, tick: Tick = lambda _: None) -> int:
        """Run a statement to its end; returns the bytes it read. Raises QueryFailed."""
        started = self.athena.start_query_execution(
            QueryString=statement,
            QueryExecutionContext={"Database": self.database},
            WorkGroup=self.work_group,
            ResultConfiguration={"OutputLocation": self.results},
        )
        query = started["QueryExecutionId"]
        try:
            return self._wait(query, tick)
        except KeyboardInterrupt:
            self.athena.stop_query_execution(QueryExecutionId=query)
            raise

    def _wait(self, query: str, tick: Tick) -> int:
        read, wait = 0, 0.5
        while True:
            found = self.athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            scanned = found.get("Statistics", {}).get("DataScannedInBytes", 0)
            tick(scanned - read)
            read = scanned
            status = found["Status"]
            match status["State"]:
                case "SUCCEEDED":
                    return read
                case "FAILED" | "CANCELLED":
                    reason = status.get("StateChangeReason", status["State"])
                    raise QueryFailed(f"Athena's query {query} did not end well: {reason}")
            self.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def fetch(self, queries: Sequence[str], target: Path, tick: Tick) -> int:
        """Write what the queries find to one file; returns how many groups there are."""
        place = f"{self.results}{uuid.uuid4()}/"
        for number, query in enumerate(queries):
            self.run(unload(query, f"{place}{number}/"), tick)
        with tempfile.TemporaryDirectory() as folder:
            return join_parts(self._downloaded(place, Path(folder)), target)

    def _downloaded(self, place: str, folder: Path) -> list[Path]:
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        parts: list[Path] = []
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for one in page.get("Contents", []):
                parts.append(folder / str(len(parts)))
                self.s3.download_file(bucket, one["Key"], str(parts[-1]))
        return parts
