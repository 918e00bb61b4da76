"""How a request in a CloudTrail record came, and the request that a policy decides about."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from detect_bypass.judge import Inventory, Verdict, judge
from guard.cloudtrail import policy_request
from guard.cloudtrail.record import Record
from guard.policy.evaluate import Request

_NOTHING_KNOWN = Inventory()
_OF_NETWORK = ("aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp")


@dataclass(frozen=True, slots=True)
class Way:
    """How a request came, as far as it matters here.

    `by_service`: AWS itself made it, so not through an endpoint of the owner's. `through_endpoint`:
    it came through a VPC endpoint that is not one of AWS's own.
    """

    by_service: bool
    through_endpoint: bool

    @classmethod
    def of(cls, record: Record) -> "Way":
        verdict = judge(record, _NOTHING_KNOWN).verdict
        others = (Verdict.SERVICE, Verdict.CONSOLE, Verdict.UNREADABLE)
        named = record.vpc_endpoint_id.startswith("vpce-")
        return cls(verdict is Verdict.SERVICE, named and verdict not in others)


@dataclass(frozen=True, slots=True)
class Known:
    """What the logs do not say: the organization of accounts, and the VPC of endpoints."""

    org_of: Mapping[str, str]
    vpc_of: Mapping[str, str]


def request_of(record: Record, known: Known, *, assumed: bool, through: bool = True) -> Request:
    """The request in a record.

    `assumed` is for one that did not come through an endpoint and is taken as if it had. Where
    `through` is False it is taken as it came, which is how a secret's own policy sees it.
    """
    request = policy_request.request_of(record, assumed=assumed, org_of=known.org_of)
    context = dict(request.context)
    if not through and not record.vpc_endpoint_id.startswith("vpce-"):
        for key in _OF_NETWORK:
            context.pop(key, None)
        context |= dict(_of_origin(record))
    elif not assumed and (vpc := known.vpc_of.get(record.vpc_endpoint_id)):
        context["aws:SourceVpc"] = vpc
    return replace(request, context=context)


def _of_origin(record: Record) -> Iterator[tuple[str, str | None]]:
    """Without an endpoint there is neither aws:SourceVpc nor aws:SourceVpce."""
    if record.vpc_endpoint_id:
        return  # an endpoint of AWS's own
    yield from ((key, None) for key in _OF_NETWORK if key != "aws:SourceIp")
    try:
        yield "aws:SourceIp", str(ipaddress.ip_address(record.source_ip))
    except ValueError:
        return
