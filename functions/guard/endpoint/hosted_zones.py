"""What serves the service's name in a VPC beside its endpoints: the mark of a hub design.

There one endpoint serves many VPCs. A hand-made private hosted zone of the service's name,
associated with all of them, points at it ("Centralized access to VPC private endpoints" in the AWS
whitepaper on multi-VPC networks); or a Route 53 Profile brings such a zone, or the endpoint's own
name, to the VPCs that it is associated with. ListHostedZonesByVPC does not show the latter. What
is associated with the VPC itself comes before what a Profile brings.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from guard.aws.denials import action_of
from guard.aws.errors import code_of
from guard.endpoint.state import HostedZone, plain

# Records that lead no client anywhere; any other of the name does, or may.
_NO_WAY = frozenset({"CAA", "DS", "MX", "NAPTR", "NS", "SOA", "SPF", "SRV", "SSHFP", "TLSA", "TXT"})
_RECORDS = "300"  # the most that Route 53 returns; the name's come first
_SERVES = ("COMPLETE", "UPDATING")  # states of an association with a Profile


class Denied(RuntimeError):
    """Route 53 may not be asked; the message says so in AWS's code."""


@dataclass(slots=True)
class HostedZones:
    """Asks Route 53. The clients are made at the first question: most VPCs raise none.

    Needs route53:ListHostedZonesByVPC, route53:ListResourceRecordSets,
    route53profiles:ListProfileAssociations and route53profiles:ListProfileResourceAssociations.
    Without `profiles`, which some partitions do not have, these are not asked for.
    """

    client: Callable[[], Any]
    region: str
    account_id: str
    profiles: Callable[[], Any] | None = None
    _read: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    _of_vpc: dict[str, list[str]] | None = None
    _brought: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def forget(self) -> None:
        """Read anew from here on: one reading serves the VPCs of one batch."""
        self._read.clear()
        self._brought.clear()
        self._of_vpc = None

    def serving(self, vpc_id: str, name: str) -> HostedZone | None:
        """What has that name in the VPC, with what it points at.

        AWS's own zone behind an endpoint's private DNS does not count. Raises Denied where the
        guard's role may not ask, ClientError for anything else.
        """
        try:
            return self._zone(vpc_id, name) or self._by_profile(vpc_id, name)
        except ClientError as error:
            if not code_of(error).startswith("AccessDenied"):
                raise
            raise Denied(f"AWS refuses {action_of(error)}: {code_of(error)}") from error

    def _zone(self, vpc_id: str, name: str) -> HostedZone | None:
        for summary in self._zones(vpc_id):
            if plain(summary["Name"]) != name or "OwningService" in summary["Owner"]:
                continue
            id_, owner = summary["HostedZoneId"], summary["Owner"].get("OwningAccount", "")
            # Only its owner may list a zone's records.
            targets = self._targets(id_, name) if owner == self.account_id else ()
            return HostedZone(id_, owner, targets)
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
        """Where each record of the name leads, of however many there are (weighted, by place)."""
        if zone_id not in self._read:
            self._read[zone_id] = tuple(sorted(set(self._records(zone_id, name))))
        return self._read[zone_id]

    def _records(self, zone_id: str, name: str) -> Iterator[str]:
        start: dict[str, str] = {"StartRecordName": name}
        while True:
            answer = self.client().list_resource_record_sets(
                HostedZoneId=zone_id, MaxItems=_RECORDS, **start
            )
            for record in answer["ResourceRecordSets"]:
                if plain(record["Name"]) == name and record["Type"] not in _NO_WAY:
                    yield from _pointed_at(record)
            if not answer.get("IsTruncated") or plain(answer["NextRecordName"]) != name:
                return
            places = ("Name", "Type", "Identifier")
            found = {f"StartRecord{one}": answer.get(f"NextRecord{one}") for one in places}
            again = {key: value for key, value in found.items() if value}
            if again == start:
                yield "records that cannot be listed"
                return
            start = again

    def _by_profile(self, vpc_id: str, name: str) -> HostedZone | None:
        """What a Profile brings. A zone that cannot be read is passed over: its name is not known
        either.
        """
        if not self.profiles:
            return None
        for profile_id in self._associated(self.profiles()).get(vpc_id, []):
            for arn in self._resources(self.profiles(), profile_id):
                *_, region, account, resource = arn.split(":", 5)
                kind, _, id_ = resource.partition("/")
                if kind == "vpc-endpoint" and region == self.region:
                    return HostedZone(
                        profile_id, account, profile_id=profile_id, shared_endpoint=id_
                    )
                if kind == "hostedzone" and (targets := self._own_targets(id_, name)):
                    return HostedZone(id_, self.account_id, targets, profile_id=profile_id)
        return None

    def _own_targets(self, zone_id: str, name: str) -> tuple[str, ...]:
        try:
            return self._targets(zone_id, name)
        except ClientError as error:
            if code_of(error) not in ("AccessDenied", "NoSuchHostedZone"):
                raise
            return ()

    def _associated(self, client: Any) -> dict[str, list[str]]:
        """The Profiles of each VPC: one question for all of them, where AWS has Profiles at all."""
        if self._of_vpc is None:
            found: dict[str, list[str]] = {}
            try:
                for one in _all(client, "list_profile_associations", "ProfileAssociations"):
                    if one["Status"] in _SERVES:
                        vpc_id = one["ResourceId"].rpartition("/")[2]  # an id, or the VPC's ARN
                        found.setdefault(vpc_id, []).append(one["ProfileId"])
            except EndpointConnectionError:
                pass  # a Region that AWS has not given them yet
            self._of_vpc = found
        return self._of_vpc

    def _resources(self, client: Any, profile_id: str) -> list[str]:
        """The ARNs of what a Profile brings."""
        if profile_id not in self._brought:
            listed = _all(
                client,
                "list_profile_resource_associations",
                "ProfileResourceAssociations",
                ProfileId=profile_id,
            )
            self._brought[profile_id] = [
                one["ResourceArn"] for one in listed if one["Status"] in _SERVES
            ]
        return self._brought[profile_id]


def _all(client: Any, operation: str, key: str, **asked: str) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**asked):
        yield from page[key]


def _pointed_at(record: Any) -> Iterator[str]:
    if alias := record.get("AliasTarget"):
        yield plain(alias["DNSName"])
    for value in record.get("ResourceRecords", []):
        yield value["Value"]
