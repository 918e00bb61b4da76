"""The table in which Athena sees a trail's log files. Pure.

The columns and the formats are those of "Create a table for CloudTrail logs in Athena using
partition projection" in the Athena user guide, with `userIdentity.inScopeOf` added, which that one
lacks. An account's id is injected by each query ("Use dynamic ID partitioning"), so a table serves
whatever accounts an organization has. `delivered` is the day on which CloudTrail wrote the file.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from guardctl.errors import Failed

STRING = "STRING"

# By the names that CloudTrail writes; a table has them in lower case. What is an object of any
# members, such as the request's parameters, is in a table the text of its JSON.
COLUMNS: Mapping[str, Any] = {
    "userIdentity": {
        "type": STRING,
        "principalId": STRING,
        "arn": STRING,
        "accountId": STRING,
        "invokedBy": STRING,
        "accessKeyId": STRING,
        "userName": STRING,
        "sessionContext": {"sessionIssuer": {"arn": STRING, "userName": STRING}},
        "inScopeOf": {
            "issuerType": STRING,
            "sourceArn": STRING,
            "credentialsIssuedTo": STRING,
        },
    },
    **dict.fromkeys(
        (
            *("eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent"),
            *("errorCode", "requestParameters", "responseElements", "additionalEventData"),
            *("eventID", "eventType", "eventCategory", "recipientAccountId"),
            *("vpcEndpointId", "vpcEndpointAccountId", "sessionCredentialFromConsole"),
        ),
        STRING,
    ),
    "resources": [{"ARN": STRING, "type": STRING}],
    "tlsDetails": {"clientProvidedHostHeader": STRING},
}
PARTITIONS = ("account", "region", "delivered")

_FOLDER = re.compile(r"s3://[a-z0-9.-]{3,63}/(?:[A-Za-z0-9!_.*()/=+@&:, -]+/)?")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,127}")
_REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]+)+-\d{1,2}")


@dataclass(frozen=True, slots=True)
class Table:
    """A trail's table. `logs` is the folder in S3 that has one for each account."""

    logs: str
    regions: Sequence[str]
    given_name: str = ""

    @property
    def name(self) -> str:
        """A name of its own for each place and list of Regions, so none stands for another."""
        parts = [self.logs, *self.regions]
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
        return self.given_name or f"vpce_guard_trail_{digest}"

    def statement(self) -> str:
        """The statement that creates it, where there is none of its name."""
        columns = ",\n".join(f"  {name.lower()} {_hive(kind)}" for name, kind in COLUMNS.items())
        keys = ", ".join(f"{name} STRING" for name in PARTITIONS)
        return f"""\
CREATE EXTERNAL TABLE IF NOT EXISTS {self.name} (
{columns}
)
PARTITIONED BY ({keys})
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION '{self.logs}'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.account.type' = 'injected',
  'projection.region.type' = 'enum',
  'projection.region.values' = '{",".join(self.regions)}',
  'projection.delivered.type' = 'date',
  'projection.delivered.format' = 'yyyy/MM/dd',
  'projection.delivered.interval' = '1',
  'projection.delivered.interval.unit' = 'DAYS',
  'projection.delivered.range' = '2013/11/01,NOW',
  'storage.location.template' = '{self.logs}${{account}}/CloudTrail/${{region}}/${{delivered}}'
)"""


def table_of(logs: str, regions: Sequence[str], name: str = "") -> Table:
    """The table of the logs below an S3 folder, such as `s3://bucket/AWSLogs/o-a1b2c3d4e5/`.

    Raises Failed for what is no such folder, Region or name: they become part of statements.
    """
    logs = checked_folder(logs)
    if wrong := [one for one in regions if not _REGION.fullmatch(one)]:
        raise Failed(f"{wrong[0]!r} is no Region")
    return Table(logs, tuple(regions), checked_name(name) if name else "")


def checked_folder(url: str) -> str:
    """A folder in S3, with the slash behind it. Raises Failed for what is none."""
    folder = f"{url.rstrip('/')}/"
    if not _FOLDER.fullmatch(folder):
        raise Failed(f"{url!r} is no folder in S3", "name one as s3://BUCKET/FOLDER/")
    return folder


def all_regions() -> list[str]:
    """The Regions of AWS's largest partition that have Secrets Manager, as botocore knows them."""
    from botocore.session import get_session  # long to import, and whoever names them spares it

    return get_session().get_available_regions("secretsmanager")


def folders_of_logs(table: Table, accounts: Sequence[str], days: Iterable[date]) -> list[str]:
    """The folders in which the log files lie that were delivered on these days."""
    return [
        f"{table.logs}{account}/CloudTrail/{region}/{day:%Y/%m/%d}/"
        for day in days
        for account in accounts
        for region in table.regions
    ]


def folders_of_groups(place: str, days: Iterable[date]) -> list[str]:
    """Those of a table of groups, in which each day of delivery has one."""
    return [f"{place}delivered={day}/" for day in days]


def checked_name(name: str) -> str:
    """The name of a table. Raises Failed for what needs quotes."""
    if not _NAME.fullmatch(name):
        raise Failed(f"{name!r} is no name of a table: use small letters, digits and _")
    return name


def _hive(kind: Any) -> str:
    if isinstance(kind, list):
        return f"ARRAY<{_hive(kind[0])}>"
    if isinstance(kind, Mapping):
        members = ", ".join(f"{name.lower()}: {_hive(inner)}" for name, inner in kind.items())
        return f"STRUCT<{members}>"
    return kind
