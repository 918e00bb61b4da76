"""Read logs, or the groups that Athena counted, into flows; and what is inside, from files."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from guard.cloudtrail.record import UnreadableRecord, parse
from guardctl.errors import Failed
from guardctl.screen import printable, say
from guardctl.trail.files import sources
from guardctl.trail.records import Complaints, Found, records
from guardctl.twin.flows import Flows


def read_logs(logs: Iterable[str], flows: Flows) -> int:
    """Add every record of log files; returns how many places could not be read."""
    complaints = Complaints()
    for one in records(sources(logs), complaints):
        if isinstance(one, Found):
            flows.add(one.record)
    flows.settle()
    return complaints.total


def read_groups(file: Path, flows: Flows) -> int:
    """Add every group of a file of `guardctl athena run`; returns how many could not be read."""
    from guardctl.athena import parquet  # for whoever has groups
    from guardctl.athena.projection import record_of

    complaints = 0
    for group in parquet.read_groups(file):
        try:
            last = parse(record_of(group, "last_seen")).event_time
            flows.add(parse(record_of(group)), group["requests"], last)
        except UnreadableRecord as error:
            complaints += 1
            say(printable(f"group of {group['example']}: {error}"), err=True)
    flows.settle()
    return complaints


def endpoints_in(file: Path) -> dict[str, tuple[str, str]]:
    """The Region and VPC of each endpoint for Secrets Manager in what
    `aws ec2 describe-vpc-endpoints` prints. Raises Failed.
    """
    try:
        listed: Any = json.loads(file.read_text(encoding="utf-8"))["VpcEndpoints"]
        found = cast("list[Mapping[str, str]]", listed)
        return {
            one["VpcEndpointId"]: (one["ServiceName"].split(".")[-2], one["VpcId"])
            for one in found
            if one["ServiceName"].endswith((".secretsmanager", ".secretsmanager-fips"))
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise Failed(
            f"{file}: not what AWS prints of endpoints: {error!r}",
            "aws ec2 describe-vpc-endpoints --region REGION > FILE",
        ) from error
