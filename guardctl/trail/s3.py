"""Log files in S3, listed by CloudTrail's layout and read as they come.

CloudTrail writes `[prefix/]AWSLogs/[organisation/]account/CloudTrail/Region/year/month/day/file`,
by the day of delivery ("Finding your CloudTrail log files" in the CloudTrail user guide). A call is
delivered within minutes as a rule; a whole day is allowed for.

IAM of whoever runs it: s3:ListBucket, s3:GetObject, and kms:Decrypt where the trail encrypts.
"""

import functools
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from guardctl.errors import next_step

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCHEME = "s3://"
_DAY = timedelta(days=1)
_DATED = re.compile(r"/CloudTrail/[a-z0-9-]+/(\d{4})(?:/(\d\d))?(?:/(\d\d))?/$")


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object that may hold records. `open` raises OSError where it cannot be read."""

    bucket: str
    key: str
    size: int

    @property
    def name(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"

    def open(self) -> BinaryIO:
        with _as_os_error():
            body = client().get_object(Bucket=self.bucket, Key=self.key)["Body"]
        return cast(BinaryIO, _Body(body))


def objects(url: str, since: datetime | None, until: datetime | None) -> Iterator[S3Object]:
    """Every object below an `s3://bucket/prefix`, in the order of the keys.

    With a time, folders are walked down to the days, and days outside of it are not listed.
    Raises OSError where the bucket cannot be listed.
    """
    bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
    with _as_os_error():
        if since is None and until is None:
            yield from _listed(bucket, prefix)
        else:
            yield from _walked(bucket, prefix, since, until)


@functools.cache
def client() -> "S3Client":
    """One for each process; made when first needed, as most logs are files."""
    import boto3  # takes longer to import than all else here

    return boto3.client("s3")


def in_time(folder: str, since: datetime | None, until: datetime | None) -> bool:
    """Whether a folder of CloudTrail's layout may hold calls of the time; any other folder may."""
    if not (dated := _DATED.search(folder)):
        return True
    year, month, day = (int(part or 0) for part in dated.groups())
    try:
        first = date(year, month or 1, day or 1)
        last = first if day else _last_of(year, month)
    except ValueError:
        return True  # no date after all
    return (since is None or last >= since.date()) and (
        until is None or first <= until.date() + _DAY
    )


def _last_of(year: int, month: int) -> date:
    if month in (0, 12):
        return date(year, 12, 31)
    return date(year, month + 1, 1) - _DAY


def _listed(bucket: str, prefix: str) -> Iterator[S3Object]:
    pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for one in page.get("Contents", []):
            yield S3Object(bucket, one.get("Key", ""), one.get("Size", 0))


def _walked(
    bucket: str, prefix: str, since: datetime | None, until: datetime | None
) -> Iterator[S3Object]:
    pages = client().get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        for one in page.get("Contents", []):
            yield S3Object(bucket, one.get("Key", ""), one.get("Size", 0))
        for folder in page.get("CommonPrefixes", []):
            name = folder.get("Prefix", "")
            if in_time(name, since, until):
                yield from _walked(bucket, name, since, until)


@contextmanager
def _as_os_error() -> Iterator[None]:
    """AWS's own errors as OSError, which is what reading a file raises."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        todo = next_step(error)
        raise OSError(f"{error} (next: {todo})" if todo else str(error)) from error


class _Body(io.RawIOBase):
    """The bytes of an object, as a file has them."""

    def __init__(self, body: Any) -> None:
        self.body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _as_os_error():
            piece = self.body.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self.body.close()
        super().close()
