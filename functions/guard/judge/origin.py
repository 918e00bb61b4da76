"""What `sourceIPAddress` and its like say. Real records hold more than addresses there. Pure."""

import ipaddress
from enum import StrEnum
from functools import lru_cache

from guard.events.record import Record
from guard.partitions import names_sign_in, service_of


class Origin(StrEnum):
    """What `sourceIPAddress` says. Real records hold more than addresses there."""

    PUBLIC = "public"
    PRIVATE = "private"
    AWS = "aws"  # the name of a service, or "AWS Internal"
    UNCLEAR = "unclear"  # masked, or no address at all
    ABSENT = "absent"


_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)


def origin(record: Record) -> Origin:
    """What kind of thing `sourceIPAddress` holds.

    Private means not routable in the internet; Python's own `is_private` also has the networks
    reserved for documentation, which are masks and examples here.
    """
    return _kind(record.source_ip.strip())


@lru_cache(1024)  # several rules ask for each record, and a caller's address comes again and again
def _kind(source: str) -> Origin:
    if not source:
        return Origin.ABSENT
    if names_service(source) and not names_sign_in(source):
        return Origin.AWS
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return Origin.UNCLEAR
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return Origin.PRIVATE if any(address in network for network in _PRIVATE) else Origin.PUBLIC


def names_service(text: str) -> bool:
    """Whether a text names an AWS service, or AWS's own network; "AWS Internal;" is real."""
    internal = text.strip().rstrip(";").lower()
    if internal == "aws internal" or internal.startswith("aws internal/"):
        return True
    return bool(service_of(text))
