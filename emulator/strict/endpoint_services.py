"""The endpoint services of a Region, and the zones they reach.

moto imports every service it knows to list them (seconds), says that each reaches every zone, and
answers HTTP 500 when asked by filter. AWS lists the zones a service reaches, by name and by id, the
address types it supports, and filters by name.
"""

from typing import Any

from moto.core.base_backend import BaseBackend
from moto.dynamodb.models import DynamoDBBackend
from moto.ec2.exceptions import InvalidParameterValue, InvalidServiceName
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.vpcs import AWS_ENDPOINT_SERVICES, VPCBackend
from moto.s3.models import S3Backend

from emulator.partition import dns_suffix

from .options import options
from .patching import Patches

patches = Patches()

_GUARDED = ("secretsmanager", "secretsmanager-fips")
_WITH_GATEWAY = {"s3": S3Backend, "dynamodb": DynamoDBBackend}
_FILTERS = {
    "owner": lambda service: {service["Owner"]},
    "service-region": lambda service: {service["ServiceRegion"]},
    "supported-ip-address-types": lambda service: set(service["SupportedIpAddressTypes"]),
}
_NAMES = ("PrivateDnsName", "PrivateDnsNames", "BaseEndpointDnsNames")
_MOTO_FILTERS = {"service-name", "service-type", "tag-key"}

_catalogue: dict[str, list[dict[str, Any]]] = {}


def find(backend: Any, service_name: str, kind: str) -> dict[str, Any]:
    """The service of that name and endpoint type.

    Raises InvalidServiceName or, for another type, InvalidParameter, as CreateVpcEndpoint does.
    """
    named = [
        service
        for service in services_of(backend.region_name)
        if service["ServiceName"] == service_name
    ]
    if not named:
        raise InvalidServiceName(service_name)
    return next((s for s in named if kind in types_of([s])), named[0])


def types_of(services: list[dict[str, Any]]) -> list[str]:
    return [kind["ServiceType"] for service in services for kind in service["ServiceType"]]


def reaches(service: dict[str, Any], zone_id: str) -> bool:
    """Whether the service has interfaces in the zone."""
    return zone_id in service["AvailabilityZoneIds"]


def services_of(region: str) -> list[dict[str, Any]]:
    """All endpoint services of AWS in a Region, as DescribeVpcEndpointServices returns them."""
    if region not in _catalogue:
        _catalogue[region] = _list_services(region)
    return [_as_aws_returns(service, region) for service in _catalogue[region]]


@patches.static(VPCBackend)
def _collect_default_endpoint_services(
    moto: Any, account_id: str, region: str
) -> list[dict[str, Any]]:
    return services_of(region)


def _list_services(region: str) -> list[dict[str, Any]]:
    zones = [zone.name for zone in _zones(region)]
    services = [
        found
        for name in sorted({*AWS_ENDPOINT_SERVICES, *_GUARDED} - set(_WITH_GATEWAY))
        for found in BaseBackend.default_vpc_endpoint_service_factory(region, zones, name)
    ]
    for backend in _WITH_GATEWAY.values():
        services += backend.default_vpc_endpoint_service(region, zones)
    return services


def _as_aws_returns(service: dict[str, Any], region: str) -> dict[str, Any]:
    guarded = service["ServiceName"].rpartition(".")[2] in _GUARDED
    unreached = options.unsupported_zone_ids if guarded else set()
    zones = [zone for zone in _zones(region) if zone.zone_id not in unreached]
    named = {key: _in_domain(service[key], region) for key in _NAMES if key in service}
    return {
        **service,
        **named,
        "AvailabilityZones": [zone.name for zone in zones],
        "AvailabilityZoneIds": [zone.zone_id for zone in zones],
        "ServiceRegion": region,
        "SupportedIpAddressTypes": ["ipv4", "ipv6"],
    }


def _in_domain(value: Any, region: str) -> Any:
    """DNS names with the domain of the Region's partition, where moto has always the same."""
    if isinstance(value, str):
        return f"{value.removesuffix('amazonaws.com')}{dns_suffix(region)}"
    if isinstance(value, dict):
        return {key: _in_domain(inner, region) for key, inner in value.items()}
    return [_in_domain(inner, region) for inner in value]


def _zones(region: str) -> list[Any]:
    return RegionsAndZonesBackend.zones.get(region, [])


@patches.static(VPCBackend)
def _filter_endpoint_services(
    moto: Any,
    service_names_filters: list[str],
    filters: list[dict[str, Any]],
    services: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    left = []
    for expected in filters:
        name, values = expected["Name"], expected.get("Values", [])
        if name in _FILTERS:
            services = [s for s in services if _FILTERS[name](s) & set(values)]
        elif name in _MOTO_FILTERS or name.startswith("tag:"):
            # moto reads "Value", a name botocore no longer uses.
            left.append({"Name": name, "Value": values, "Values": values})
        else:
            raise InvalidParameterValue(f"The filter '{name}' is invalid")
    return moto(service_names_filters, left, services)
