"""Which private hosted zone serves the service's name in a VPC: the mark of a hub design.

There one endpoint without private DNS serves many VPCs, and a hand-made private hosted zone of the
service's name, associated with all of them, points at it ("Centralized access to VPC private
endpoints" in the AWS whitepaper on multi-VPC networks). Associations by a Route 53 Profile are not
listed by ListHostedZonesByVPC, so they are not seen here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from guard.aws.denials import action_of
from guard.aws.errors import code_of
from guard.endpoint.state import HostedZone

_ENDPOINT = re.compile(r"(?:^|[.-])(vpce-[0-9a-f]{8,17})(?=[.-])")
_ADDRESSES = frozenset({"A", "AAAA"})
# What Route 53 returns at most when nothing is said; the zone's apex comes first.
_RECORDS = "100"


class Denied(RuntimeError):
    """Route 53 may not be asked; the message says so in AWS's code."""


@dataclass(slots=True)
class HostedZones:
    """Asks Route 53. `client` makes the client at the first question: most VPCs raise none."""

    client: Callable[[], Any]
    region: str
    account_id: str
    _read: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def forget(self) -> None:
        """Read zones anew from here on: one reading serves the VPCs of one batch."""
        self._read.clear()

    def serving(self, vpc_id: str, name: str) -> HostedZone | None:
        """The zone of that name that somebody associated with the VPC, with what it points at.

        AWS's own zone behind an endpoint's private DNS does not count. Raises Denied where the
        guard's role may not ask, ClientError for anything else.
        """
        try:
            for summary in self._zones(vpc_id):
                if summary["Name"].rstrip(".") != name or "OwningService" in summary["Owner"]:
                    continue
                id_, owner = summary["HostedZoneId"], summary["Owner"].get("OwningAccount", "")
                # Only its owner may list a zone's records.
                targets = self._targets(id_, name) if owner == self.account_id else ()
                found = [_ENDPOINT.search(target) for target in targets]
                ids = frozenset(one[1] for one in found if one)
                return HostedZone(id_, owner, ids, targets=targets)
        except ClientError as error:
            if not code_of(error).startswith("AccessDenied"):
                raise
            raise Denied(f"Route 53 refuses {action_of(error)}: {code_of(error)}") from error
        return None

    def _zones(self, vpc_id: str) -> Iterator[Any]:
        token: dict[str, str] = {}
        while True:
            answer = self.client().list_hosted_zones_by_vpc(
                VPCId=vpc_id, VPCRegion=self.region, **token
            )
            yield from answer["HostedZoneSummaries"]
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def _targets(self, zone_id: str, name: str) -> tuple[str, ...]:
        if zone_id not in self._read:
            answer = self.client().list_resource_record_sets(
                HostedZoneId=zone_id, StartRecordName=name, MaxItems=_RECORDS
            )
            self._read[zone_id] = tuple(
                sorted(
                    target
                    for record in answer["ResourceRecordSets"]
                    if record["Name"].rstrip(".") == name and record["Type"] in _ADDRESSES
                    for target in _pointed_at(record)
                )
            )
        return self._read[zone_id]


def _pointed_at(record: Any) -> Iterator[str]:
    if alias := record.get("AliasTarget"):
        yield alias["DNSName"].rstrip(".")
    for value in record.get("ResourceRecords", []):
        yield value["Value"]
