"""Private hosted zones as the VPCs they are associated with see them.

moto lists an account's own zones of a VPC, and lets a zone take a name that an endpoint's private
DNS has there. AWS lists the zones of other accounts too, and those its services made (reference of
ListHostedZonesByVPC); only its owner may read a zone's records; and a VPC has a name once
(ConflictingDomainExists in the reference of AssociateVPCWithHostedZone). moto gives the same page
for ever of a name that has more records than one page holds.
"""

from collections.abc import Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend, route53_backends
from moto.route53.responses import Route53

from .endpoint_states import interface_endpoints
from .patching import Patches

patches = Patches()


def private_zones(partition: str, vpc_id: str) -> Iterator[tuple[str, Any]]:
    """Every private hosted zone associated with a VPC, with the account that owns it."""
    for account, backends in list(route53_backends.items()):
        for zone in backends[partition].zones.values():
            if zone.private_zone and any(vpc.get("vpc_id") == vpc_id for vpc in zone.vpcs):
                yield account, zone


@patches.method(Route53Backend)
def list_hosted_zones_by_vpc(moto: Any, backend: Any, vpc_id: str) -> list[dict[str, Any]]:
    found = [
        {"HostedZoneId": zone.resource_id, "Name": zone.name, "Owner": {"OwningAccount": account}}
        for account, zone in private_zones(backend.partition, vpc_id)
    ]
    return found + [
        {
            "HostedZoneId": endpoint.private_zone_id,
            "Name": f"{name}.",
            "Owner": {"OwningService": "vpce.amazonaws.com"},
        }
        for endpoint in _endpoints_of(vpc_id)
        for name in endpoint.private_dns_names
    ]


@patches.method(Route53)
def list_resource_record_sets(moto: Any, request: Any) -> Any:
    zone_id = request._get_param("HostedZoneId").removeprefix("/hostedzone/")
    others = (
        backends[request.partition]
        for account, backends in list(route53_backends.items())
        if account != request.current_account
    )
    if any(zone_id in other.zones for other in others):
        raise Route53ClientError(
            "AccessDenied",
            "User is not authorized to access this resource",
        )
    if not request._get_param("StartRecordIdentifier") and not request._get_param("MaxItems"):
        return moto(request)
    return ActionResult(_page(request.backend.get_hosted_zone(zone_id), request))


def _page(zone: Any, request: Any) -> dict[str, Any]:
    """One page, which begins at a record by its name, type and set identifier."""
    start = tuple(request._get_param(f"StartRecord{one}") or "" for one in ("Type", "Name"))
    identifier = request._get_param("StartRecordIdentifier") or ""
    found = sorted(
        zone.get_record_sets(*(one or None for one in start)),
        key=lambda one: (one.name.split(".")[::-1], one.type, one.set_identifier or ""),
    )
    if identifier:
        first = (found[0].name, found[0].type) if found else ("", "")
        found = [
            one
            for one in found
            if (one.name, one.type) != first or (one.set_identifier or "") >= identifier
        ]
    most = request._get_int_param("MaxItems", 300)
    answer: dict[str, Any] = {
        "ResourceRecordSets": found[:most],
        "IsTruncated": len(found) > most,
        "MaxItems": most,
    }
    if len(found) > most:
        following = found[most]
        answer |= {
            "NextRecordName": following.name,
            "NextRecordType": following.type,
            "NextRecordIdentifier": following.set_identifier,
        }
    return answer


@patches.method(Route53Backend)
def create_hosted_zone(moto: Any, backend: Any, name: str, *args: Any, **settings: Any) -> Any:
    if settings.get("vpcid"):
        _check_name(settings["vpcid"], name)
    return moto(backend, name, *args, **settings)


@patches.method(Route53Backend)
def associate_vpc_with_hosted_zone(
    moto: Any, backend: Any, zone_id: str, vpcid: str, vpcregion: str
) -> Any:
    _check_name(vpcid, backend.get_hosted_zone(zone_id).name)
    return moto(backend, zone_id, vpcid, vpcregion)


def _check_name(vpc_id: str, name: str) -> None:
    if any(name.rstrip(".") in endpoint.private_dns_names for endpoint in _endpoints_of(vpc_id)):
        raise Route53ClientError(
            "ConflictingDomainExists",
            f"The VPC {vpc_id} in this Region has already been associated with a hosted zone of"
            f" the same domain name {name}",  # inferred
        )


def _endpoints_of(vpc_id: str) -> Iterator[Any]:
    for backends in list(ec2_backends.values()):
        for backend in list(backends.values()):
            yield from (e for e in interface_endpoints(backend) if e.vpc_id == vpc_id)
