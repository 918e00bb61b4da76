"""Interface endpoints as AWS keeps them: states that take time, interfaces of their own.

moto has an endpoint `available` at once and lists a deleted one for ever; its interfaces carry the
VPC's default group and an address from outside the subnet, and stay as they are when the endpoint
changes; its DNS names are malformed. On AWS an endpoint is `pending`, then `available`, `pending`
again after a change, `deleting`, `deleted`, gone; its interfaces follow its subnets and groups, are
managed by the service, and go when it is deleted.

Nothing runs in the background: `advance` brings the endpoints of a backend up to the present time
and is called before each request.
"""

import time
from typing import Any

from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.vpcs import VPCEndPoint
from moto.ec2.utils import random_resource_id

from .options import options

_DEAD = {"deleting", "deleted", "failed", "rejected", "expired"}


class EndpointInterface(NetworkInterface):
    """A network interface that belongs to an endpoint: nobody else may detach or delete it."""

    def __init__(self, endpoint: "InterfaceEndpoint", subnet: Any) -> None:
        super().__init__(
            endpoint.ec2_backend,
            subnet,
            subnet.get_available_subnet_ip(self) if subnet.cidr_block else "",
            group_ids=endpoint.security_group_ids,
            description=f"VPC Endpoint Interface {endpoint.id}",
            ipv6_address_count=0 if endpoint.ip_address_type == "ipv4" else 1,
        )
        if not subnet.cidr_block:  # moto makes up an IPv4 address
            self.private_ip_address, self.private_ip_addresses = None, []
        self.interface_type = "vpc_endpoint"
        self.requester_managed = True
        self.status = "in-use"

    @property
    def attachment(self) -> Any:
        return {
            "AttachmentId": f"ela-attach-{self.id.removeprefix('eni-')}",
            "DeleteOnTermination": False,
            "DeviceIndex": 1,
            "InstanceOwnerId": "amazon-aws",
            "Status": "attached",
        }


class InterfaceEndpoint(VPCEndPoint):
    """An interface endpoint. `service` is its entry in the catalogue of endpoint services."""

    requester_managed = False
    subnet_ids: list[str]
    #: What the request that made it asked for, to know the same request again.
    asked: str

    def __init__(
        self,
        service: dict[str, Any],
        ip_address_type: str,
        dns_options: dict[str, Any],
        **properties: Any,
    ) -> None:
        super().__init__(**properties)
        self.service = service
        self.ip_address_type = ip_address_type
        self.dns_options = dns_options
        self._dns_label = random_resource_id(8)
        self._regional_zone = "Z" + random_resource_id(13).upper()
        self.private_zone_id = "Z" + random_resource_id(20).upper()
        self.refresh()

    def refresh(self) -> None:
        """After any change: the interfaces follow subnets and groups, and it is pending again."""
        self.state = "pending"
        self._due = time.time() + options.pending_seconds
        self._follow_subnets()
        self.dns_entries = list(self._dns_names())

    def start_deleting(self) -> None:
        if self.state not in ("deleting", "deleted"):
            self.state = "deleting"
            self._due = time.time() + options.deleting_seconds

    def advance(self, now: float) -> bool:
        """Up to the present time; False once it is gone."""
        if self.state == "pending" and now >= self._due:
            self.state = "available"
        if self.state == "deleting" and now >= self._due:
            self._release_all()
            self.state = "deleted"
            self._due += options.deleted_seconds
        return not (self.state == "deleted" and now >= self._due)

    def end_in(self, state: str, reason: str = "") -> None:
        """Puts it in a state in which it stays: failed, rejected, expired, partial and the like.

        AWS comes there by itself, for reasons of its own that are not played here.
        """
        self.state = state
        self.failure_reason = reason or None
        if not self.lives:
            self._release_all()

    @property
    def lives(self) -> bool:
        return self.state not in _DEAD

    @property
    def private_dns_names(self) -> list[str]:
        """The names it answers to inside the VPC; a deleting endpoint keeps them for a while."""
        if not self.private_dns_enabled or self.state in _DEAD - {"deleting"}:
            return []
        return [name["PrivateDnsName"] for name in self.service.get("PrivateDnsNames", [])]

    def interfaces(self) -> list[EndpointInterface]:
        return [self.ec2_backend.enis[eni_id] for eni_id in self.network_interface_ids]

    def _follow_subnets(self) -> None:
        by_subnet = {interface.subnet_id: interface for interface in self.interfaces()}
        for subnet_id in set(by_subnet) - set(self.subnet_ids):
            self._release(by_subnet.pop(subnet_id))
        for subnet_id in self.subnet_ids:
            if subnet_id not in by_subnet:
                subnet = self.ec2_backend.get_subnet(subnet_id)
                interface: Any = EndpointInterface(self, subnet)
                by_subnet[subnet_id] = self.ec2_backend.enis[interface.id] = interface
        groups = [self.ec2_backend.get_security_group_from_id(g) for g in self.security_group_ids]
        for interface in by_subnet.values():
            interface._group_set = list(groups)
        self.network_interface_ids = [by_subnet[subnet_id].id for subnet_id in self.subnet_ids]

    def _release_all(self) -> None:
        for interface in self.interfaces():
            self._release(interface)
        self.network_interface_ids = []

    def _release(self, interface: EndpointInterface) -> None:
        del self.ec2_backend.enis[interface.id]
        if interface.private_ip_address:
            interface.subnet.del_subnet_ip(interface.private_ip_address)

    def _dns_names(self) -> Any:
        domain = self.service["BaseEndpointDnsNames"][0]
        labels = [f"{self.id}-{self._dns_label}"]
        labels += [f"{labels[0]}-{interface.availability_zone}" for interface in self.interfaces()]
        for label in labels:
            yield {"DnsName": f"{label}.{domain}", "HostedZoneId": self._regional_zone}
        for name in self.private_dns_names:
            yield {"DnsName": name, "HostedZoneId": self.private_zone_id}


def interface_endpoints(backend: Any) -> list[InterfaceEndpoint]:
    return [e for e in backend.vpc_end_points.values() if isinstance(e, InterfaceEndpoint)]


def advance(backend: Any) -> None:
    """Brings every endpoint of the backend up to the present time and drops those that are gone."""
    now = time.time()
    for endpoint in interface_endpoints(backend):
        if not endpoint.advance(now):
            del backend.vpc_end_points[endpoint.id]
