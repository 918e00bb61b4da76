"""What single fields of a record say. Pure."""

import ipaddress
import re

from guard.judge.terms import Origin, Reach
from guard.record import Record

_DECISIVE = (
    "userIdentity",
    "userIdentity.type",
    "userIdentity.arn",
    "userIdentity.invokedBy",
    "userIdentity.sessionContext",
    "userIdentity.sessionContext.sessionIssuer",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "sourceIPAddress",
    "vpcEndpointId",
    "vpcEndpointAccountId",
    "eventType",
    "eventCategory",
    "errorCode",
    "sessionCredentialFromConsole",
)
_SIGN_IN = ("signin.amazonaws.com", "signin.aws.amazon.com", "console.amazonaws.com")
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
    source = record.source_ip.strip()
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
    text = text.strip().rstrip(";").lower()
    if text == "aws internal" or text.startswith("aws internal/"):
        return True
    return bool(re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?", text))


def names_sign_in(text: str) -> bool:
    return text.strip().rstrip(";").lower() in _SIGN_IN


_WITH_VALUE = frozenset(
    {"GetSecretValue", "BatchGetSecretValue", "PutSecretValue", "CreateSecret", "UpdateSecret"}
)
_READS = ("Describe", "List", "Get", "Validate")


def reach(record: Record) -> Reach:
    """What a request is after. An operation not known here counts as a change unless it reads."""
    if record.event_name in _WITH_VALUE:
        return Reach.VALUE
    return Reach.LOOK if record.event_name.startswith(_READS) else Reach.CHANGE


def unreadable_fields(record: Record) -> list[str]:
    return [name for name in record.strange if name in _DECISIVE]
