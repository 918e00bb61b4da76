"""The records of Secrets Manager in a trail's objects in S3, of one account and Region.

CloudTrail's layout is that of its user guide, "Getting and viewing your CloudTrail log files":
`<folder>/<account>/CloudTrail/<Region>/<year>/<month>/<day>/<account>_CloudTrail_<Region>_<time>_
<random>.json.gz`, where the folder is `AWSLogs`, for an organization `AWSLogs/<organization>`, with
the trail's own prefix before it. The time in the name is that of delivery, rounded to five minutes.
Network activity events, such as a refusal by an endpoint's policy, are in a folder of their own,
`CloudTrail-NetworkActivity`.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

LATEST = timedelta(hours=1)
"""How long after an event its file is read; CloudTrail needs five minutes on average."""

FOLDERS = ("CloudTrail", "CloudTrail-NetworkActivity")
LARGEST, MOST_VALUES = 32 * 1024 * 1024, 3_000_000
"""Bytes of a log file as it is read, unpacked, and JSON values in it: more than CloudTrail writes,
and less than the function's memory. What is larger is published as unreadable: a small file may
unpack to more than a function can hold."""

_PIECE = 1024 * 1024
_SOURCE = b"secretsmanager.amazonaws.com"
_DELIVERED = re.compile(r"_(\d{8}T\d{4})Z_[^/]*\.json\.gz$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that is no log file of CloudTrail, and why."""

    key: str
    why: str


@dataclass(frozen=True, slots=True)
class TrailBucket:
    """Needs s3:ListBucket and s3:GetObject; methods raise ClientError."""

    s3: S3Client
    bucket: str
    folder: str
    account_id: str
    region: str

    def keys(self, start: datetime, end: datetime) -> list[str]:
        """The objects that may hold events of a time, by when they were delivered."""
        last = end + LATEST
        found: list[str] = []
        days = range((last.date() - start.date()).days + 1)
        for day, folder in product(days, FOLDERS):
            prefix = self._prefix(folder, start + timedelta(days=day))
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            keys = (one.get("Key", "") for page in pages for one in page.get("Contents", []))
            found += [key for key in keys if _delivered_within(key, start, last)]
        return found

    def records(self, key: str) -> Iterator[dict[str, Any]] | Unreadable:
        """The records of Secrets Manager in one object."""
        packed = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"]
        try:
            text = _unpacked(packed)
            if _SOURCE not in text:  # most: they need not be parsed
                return iter(())
            body: Any = json.loads(text)
            records = cast(list[object], body["Records"])
        except _NO_LOG_FILE as error:
            return Unreadable(key, repr(error)[:300])
        return (
            cast(dict[str, Any], one)
            for one in records
            if isinstance(one, dict)
            and cast(dict[str, Any], one).get("eventSource") == _SOURCE.decode()
        )

    def _prefix(self, folder: str, day: datetime) -> str:
        place = f"{self.folder.strip('/')}/{self.account_id}/{folder}"
        return f"{place}/{self.region}/{day:%Y/%m/%d}/"


# RecursionError: it is nested deeper than Python reads.
_NO_LOG_FILE = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, RecursionError)


def _unpacked(packed: StreamingBody) -> bytearray:
    """The text of a log file, read piece by piece within its bound. Raises ValueError beyond it."""
    text = bytearray()
    with gzip.open(cast(IO[bytes], packed)) as file:
        while piece := file.read(_PIECE):
            text += piece
            if len(text) > LARGEST:
                raise ValueError(f"it unpacks to more than {LARGEST:,} bytes")
    if sum(map(text.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ValueError(f"it holds more than {MOST_VALUES:,} values")
    return text


def _delivered_within(key: str, start: datetime, last: datetime) -> bool:
    """A key whose name has no time is read rather than passed over."""
    named = _DELIVERED.search(key)
    if not named:
        return key.endswith(".json.gz")
    when = datetime.strptime(named[1], "%Y%m%dT%H%M").replace(tzinfo=UTC)
    return start - timedelta(minutes=5) <= when <= last
