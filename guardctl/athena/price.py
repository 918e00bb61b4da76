"""What a query will read, and what AWS charges for it, before it runs.

Athena charges for each byte of the log files as it is stored; what of a record is asked for makes
no difference, as the files are JSON. S3 charges for each file that is opened. The sizes come from
listings of the bucket: of all days where they are few, else of some, which makes it an estimate.

IAM: s3:ListBucket of the trail's bucket.
"""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

# AWS's price lists, us-east-1, November 2026.
DOLLARS_A_TERABYTE = 5.0
LEAST_BYTES = 10_000_000  # of each query
DOLLARS_A_FILE = 0.4 / 1_000_000  # a GET

LISTED = 200  # folders, each of one account, Region and day
_ACCOUNT = re.compile(r"(\d{12})/")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is to be read. `listed` is how many of the `folders` were listed."""

    size: int
    files: int
    folders: int
    listed: int

    @property
    def dollars(self) -> float:
        read = max(self.size, LEAST_BYTES) / 1e12 * DOLLARS_A_TERABYTE
        return read + self.files * DOLLARS_A_FILE

    @property
    def words(self) -> str:
        """The estimate in a line for people."""
        about = "" if self.listed == self.folders else "about "
        how = f", by {self.listed} of {self.folders:,} folders" if about else ""
        return (
            f"{about}{self.size / 1e9:,.1f} GB in {self.files:,} files{how}: {about}"
            f"${self.dollars:,.2f} (${DOLLARS_A_TERABYTE:.0f} a TB, list price of us-east-1)"
        )


def accounts_in(s3: Any, logs: str) -> list[str]:
    """The accounts that have a folder of their own among the logs."""
    bucket, prefix = _split(logs)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, Delimiter="/"
    )
    folders = (
        one["Prefix"].removeprefix(prefix)
        for page in pages
        for one in page.get("CommonPrefixes", [])
    )
    return [found[1] for name in folders if (found := _ACCOUNT.fullmatch(name))]


def estimate(s3: Any, folders: Sequence[str]) -> Estimate:
    """How much lies in these folders."""
    some = folders
    if len(folders) > LISTED:
        some = random.Random(0).sample(folders, LISTED)  # noqa: S311 - the same each time
    sizes = [size for folder in some for size in _sizes(s3, folder)]
    share = len(folders) / max(1, len(some))
    return Estimate(round(sum(sizes) * share), round(len(sizes) * share), len(folders), len(some))


def _sizes(s3: Any, folder: str) -> Iterable[int]:
    bucket, prefix = _split(folder)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (one["Size"] for one in page.get("Contents", []))


def _split(url: str) -> tuple[str, str]:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return bucket, prefix
