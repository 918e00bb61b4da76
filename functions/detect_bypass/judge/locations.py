"""Where a caller may be found: what a record says of it, and what AWS answered. Pure.

A role's session bears the id of the instance or the name of the function that uses it ("CloudTrail
userIdentity element" in the CloudTrail user guide; "IAM roles for Amazon EC2" in the EC2 user
guide). Whoever may assume the role can choose such a name, so what follows from it goes into cause
and cure, and never lets a request pass.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from detect_bypass.judge.origin import Origin, origin
from guard.cloudtrail.record import Record

LAMBDA_FUNCTION = "AWS::Lambda::Function"  # `inScopeOf.issuerType`
INSTANCE = re.compile(r"i-[0-9a-f]{8,17}", re.ASCII)

_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_IN_LAMBDA = "exec-env/AWS_Lambda_"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerLocation:
    """Where a caller is. `via` is what showed it, in words, such as "NAT gateway nat-0a".

    An empty `vpc_id` is a caller known to be in no VPC. `trouble` says why the VPC's endpoint did
    not serve it, empty if nobody asked; `broken` that there is something to repair.
    """

    via: str
    vpc_id: str = ""
    trouble: str = ""
    broken: bool = False


def clues(record: Record) -> tuple[str, ...]:
    """What may lead to the caller's VPC, the surest first: instance id, function, public address.

    The thing itself comes before the address: where traffic leaves by a VPC for egress, the address
    is that VPC's and the trouble is in another.
    """
    return tuple(_clues(record))


def instance_of(record: Record) -> str:
    """The instance that runs with the role; empty if the session is not named so."""
    name = record.identity.session_name
    return name if INSTANCE.fullmatch(name) else ""


def function_of(record: Record) -> str:
    """The function that runs with the role: its ARN by AWS's word, its name by its session's."""
    identity = record.identity
    if identity.in_scope_of_type == LAMBDA_FUNCTION:
        return identity.in_scope_of
    in_lambda = identity.type == "AssumedRole" and _IN_LAMBDA in record.user_agent
    named = _FUNCTION_NAME.fullmatch(identity.session_name)
    return identity.session_name if in_lambda and named else ""


def address_of(record: Record) -> str:
    """The public address of the caller in its one canonical spelling; empty if there is none."""
    return _canonical(record.source_ip.strip()) if origin(record) is Origin.PUBLIC else ""


@lru_cache(1024)  # as in `judge.origin`
def _canonical(source: str) -> str:
    address = ip_address(source)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address)


def network_of(record: Record) -> str:
    """Roughly where an address is: its /8, or its /32 of IPv6; else what kind of thing it is.

    A function outside any VPC has addresses out of a few networks of AWS's.
    """
    address = address_of(record)
    if not address:
        return origin(record).value
    bits = 8 if ip_address(address).version == 4 else 32
    return str(ip_network(f"{address}/{bits}", strict=False))


def _clues(record: Record) -> Iterator[str]:
    if record.identity.account_id == record.account:
        yield from filter(None, (instance_of(record), function_of(record)))
    if address := address_of(record):
        yield address
