"""Which VPCs an event concerns, by the ids that it names.

A busy account changes security groups and interfaces all day, and next to none of them are an
endpoint's. So the account's endpoints for the service are listed once for many events: what was
listed after a change, and within a minute, still counts. Whoever attaches a group later makes
another event.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from guard.endpoint.fresh import fresh
from guard.endpoint.observe import Observer
from guard.endpoint.state import LIVE, Endpoint


@dataclass(slots=True)
class Locator:
    """Finds VPCs; methods raise boto3's errors.

    Needs ec2:DescribeVpcs, ec2:DescribeSubnets, ec2:DescribeVpcEndpoints, ec2:DescribeNetworkAcls.
    """

    observer: Observer
    _endpoints: Mapping[str, tuple[Endpoint, ...]] = field(
        default_factory=dict[str, tuple[Endpoint, ...]]
    )
    _read_at: float = float("-inf")
    _vpc_of_acl: dict[str, str] = field(default_factory=dict[str, str])

    def vpcs_of(self, ids: Collection[str], since: float, now: datetime) -> set[str]:
        """The VPCs of these resources; of a group or interface those that it is an endpoint's in.

        `since` is when the resource changed, in epoch seconds.
        """
        by_kind: dict[str, set[str]] = {}
        for id_ in ids:
            by_kind.setdefault(id_.partition("-")[0], set()).add(id_)
        vpc_ids = by_kind.get("vpc", set())
        if endpoints := by_kind.get("vpce"):
            vpc_ids = vpc_ids | self.observer.vpcs_of_endpoints(endpoints)
        if subnets := by_kind.get("subnet"):
            vpc_ids = vpc_ids | self.observer.vpcs_of_subnets(subnets)
        if acls := by_kind.get("acl"):
            vpc_ids = vpc_ids | set(self._vpcs_of_acls(acls))
        if parts := by_kind.get("sg", set()) | by_kind.get("eni", set()):
            vpc_ids = vpc_ids | self._users_of(parts, since, now)
        return vpc_ids

    def unserved(self, since: float, now: datetime) -> set[str]:
        """The VPCs in which no endpoint has the service's name: something else may serve them."""
        served = {id_ for id_, some in self._listed(since, now).items() if any(map(_named, some))}
        return set(self.observer.vpc_ids()) - served

    def _users_of(self, ids: set[str], since: float, now: datetime) -> set[str]:
        """The VPCs of endpoints with one of these groups or interfaces.

        An endpoint without private DNS may be a hub's: then whom it serves, too.
        """
        found: set[str] = set()
        hub = False
        for vpc_id, endpoints in self._listed(since, now).items():
            users = [one for one in endpoints if ids & (one.group_ids | one.interface_ids)]
            found |= {vpc_id} if users else set()
            hub = hub or any(one.state in LIVE and not one.private_dns for one in users)
        return found | self.unserved(since, now) if hub else found

    def _listed(self, since: float, now: datetime) -> Mapping[str, tuple[Endpoint, ...]]:
        in_this_batch = self._read_at == now.timestamp()  # whose messages were all here before
        if not in_this_batch and not fresh(self._read_at, now.timestamp(), since):
            self._endpoints = self.observer.endpoints()
            self._read_at = now.timestamp()
        return self._endpoints

    def _vpcs_of_acls(self, ids: Iterable[str]) -> Iterable[str]:
        """A network ACL never leaves its VPC, so one is asked for once."""
        if unknown := set(ids) - self._vpc_of_acl.keys():
            self._vpc_of_acl |= self.observer.vpcs_of_acls(unknown)
        return (self._vpc_of_acl[id_] for id_ in ids if id_ in self._vpc_of_acl)


def _named(endpoint: Endpoint) -> bool:
    return endpoint.private_dns and endpoint.state in LIVE
