"""Find out from AWS where callers are, and why their VPC's endpoint did not serve them.

Asked only about requests that would be an alert, in few calls for a whole batch, and remembered for
a while. What AWS does not answer is said in the finding: an alert does not wait for it.

An address is searched in all that could have it, one after the other, until it is found: network
interfaces (DescribeNetworkInterfaces, filters `association.public-ip` and
`ipv6-addresses.ipv6-address`); NAT gateways, of which a regional one is in no subnet
(DescribeNatGateways); elastic addresses (DescribeAddresses); the IPv6 ranges of VPCs, in which an
interface's delegated prefix lies that no filter finds ("Prefix delegation" in the EC2 user guide).
Only an address that none of them has is said to be nobody's.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from detect_bypass.judge import CallerLocation, clues
from detect_bypass.judge.locations import INSTANCE, address_of
from guard.aws.errors import code_of
from guard.cloudtrail.record import Record
from guard.endpoint.decide import Desired, Plan, Verdict, decide
from guard.endpoint.observe import FILTER_VALUES, Observer

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_lambda import LambdaClient

REMEMBERED_SECONDS = 300
FUNCTIONS_AT_ONCE = 10  # a call each; more of them are published with their address alone
VPCS_AT_ONCE = 5  # some eight calls each

_SERVES = frozenset({Verdict.WORKS, Verdict.COVERED})
_BROKEN = frozenset({Verdict.BROKEN, Verdict.NOT_REPAIRABLE})

type Ask = Callable[[Sequence[str]], dict[str, CallerLocation]]

logger = Logger(child=True)


@dataclass(slots=True)
class CallerLocator:
    """Answers what is asked of callers and remembers it.

    Needs ec2:DescribeNetworkInterfaces, ec2:DescribeNatGateways, ec2:DescribeAddresses,
    ec2:DescribeVpcs, ec2:DescribeInstances, lambda:GetFunctionConfiguration, and what `Observer`
    needs. `prefix` is how the ARN of a function of this account and Region begins.
    """

    ec2: "EC2Client"
    functions: "LambdaClient"
    observer: Observer
    desired: Desired
    prefix: str
    blind: str = ""
    """Why AWS did not answer, the last time it was asked; empty if it did."""
    _known: dict[str, tuple[float, CallerLocation | None]] = field(
        default_factory=dict[str, tuple[float, CallerLocation | None]]
    )
    _vpcs: dict[str, tuple[float, CallerLocation]] = field(
        default_factory=dict[str, tuple[float, CallerLocation]]
    )
    _lists: dict[str, tuple[float, list[Any]]] = field(
        default_factory=dict[str, tuple[float, list[Any]]]
    )

    def locations(self, records: Iterable[Record]) -> dict[str, CallerLocation]:
        """Where the records' clues lead to, with the state of the VPC. Never raises for AWS."""
        now, self.blind = time.monotonic(), ""
        asked = {clue for record in records for clue in clues(record)}
        unknown = sorted(clue for clue in asked if not self._is_fresh(self._known.get(clue), now))
        for asks, some in self._questions(unknown):
            self._try(lambda asks=asks, some=some: self._find(asks, some, now))
        found = {c: self._known[c][1] for c in asked if c in self._known}
        locations = {clue: location for clue, location in found.items() if location}
        self._examine({location.vpc_id for location in locations.values()} - {""}, now)
        return {clue: self._with_trouble(location) for clue, location in locations.items()}

    def strangers(self, records: Iterable[Record]) -> frozenset[str]:
        """The records' addresses of which AWS said that nothing in the account has them."""
        addresses = {address_of(record) for record in records} - {""}
        return frozenset(a for a in addresses if a in self._known and self._known[a][1] is None)

    def _is_fresh(self, known: tuple[float, Any] | None, now: float) -> bool:
        return known is not None and now - known[0] < REMEMBERED_SECONDS

    def _questions(self, unknown: Sequence[str]) -> Iterable[tuple[Sequence[Ask], Sequence[str]]]:
        by_kind: dict[str, list[str]] = {}
        for clue in unknown:
            by_kind.setdefault(_kind(clue), []).append(clue)
        v4 = partial(self._interfaces, "association.public-ip")
        v6 = partial(self._interfaces, "ipv6-addresses.ipv6-address")
        asks: tuple[tuple[str, Sequence[Ask], int], ...] = (
            ("instance", (self._instances,), FILTER_VALUES),
            ("function", (self._functions,), FUNCTIONS_AT_ONCE),
            ("IPv4", (v4, self._nat_gateways, self._elastic_addresses), FILTER_VALUES),
            ("IPv6", (v6, self._ranges), FILTER_VALUES),
        )
        for kind, some_asks, most in asks:
            if len(some := by_kind.get(kind, [])) > most:
                self.blind = f"too many callers at once, {len(some):,}"
            if some:
                yield some_asks, some[:most]

    def _find(self, asks: Sequence[Ask], clues: Sequence[str], now: float) -> None:
        """Ask one after the other for what was not found yet. What nothing has is nobody's, and
        that is only known once all have answered.
        """
        left = list(clues)
        for ask in asks:
            found = ask(left)
            self._learn(list(found), found, now)
            left = [clue for clue in left if clue not in found]
            if not left:
                return
        self._learn(left, {}, now)

    def _try(self, question: Callable[[], None]) -> None:
        try:
            question()
        except (ClientError, BotoCoreError) as error:
            self.blind = code_of(error) if isinstance(error, ClientError) else repr(error)
            logger.warning("a caller's location is not known", extra={"error": repr(error)})

    def _learn(self, asked: Sequence[str], found: dict[str, CallerLocation], now: float) -> None:
        self._known.update({clue: (now, found.get(clue)) for clue in asked})

    def _instances(self, ids: Sequence[str]) -> dict[str, CallerLocation]:
        pages = self.ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-id", "Values": list(ids)}]
        )
        instances: list[Any] = [
            one
            for page in pages
            for group in page["Reservations"]
            for one in group.get("Instances", [])
        ]
        return {
            one["InstanceId"]: CallerLocation(
                via=f"instance {one['InstanceId']}", vpc_id=one["VpcId"]
            )
            for one in instances
            if one.get("VpcId")
        }

    def _functions(self, names: Sequence[str]) -> dict[str, CallerLocation]:
        return {name: location for name in names if (location := self._function(name))}

    def _function(self, name: str) -> CallerLocation | None:
        if name.startswith("arn:") and not name.startswith(self.prefix):
            return None  # another account's, or another Region's
        try:
            config: Any = self.functions.get_function_configuration(FunctionName=name)
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            return None
        vpc_id = config.get("VpcConfig", {}).get("VpcId", "")
        short = name.removeprefix(self.prefix)
        return CallerLocation(via=f"{'function' if vpc_id else 'Function'} {short}", vpc_id=vpc_id)

    def _interfaces(self, filter_name: str, addresses: Sequence[str]) -> dict[str, CallerLocation]:
        pages = self.ec2.get_paginator("describe_network_interfaces").paginate(
            Filters=[{"Name": filter_name, "Values": list(addresses)}]
        )
        found: dict[str, CallerLocation] = {}
        for page in pages:
            for interface in page["NetworkInterfaces"]:
                found.update(_locations_of(interface))
        return _only(addresses, found)

    def _nat_gateways(self, addresses: Sequence[str]) -> dict[str, CallerLocation]:
        found = {
            address["PublicIp"]: CallerLocation(
                via=f"NAT gateway {one.get('NatGatewayId', '')}, {address['PublicIp']}",
                vpc_id=one.get("VpcId", ""),
            )
            for one in self._list("describe_nat_gateways", "NatGateways")
            for address in one.get("NatGatewayAddresses", [])
            if address.get("PublicIp")
        }
        return _only(addresses, found)

    def _elastic_addresses(self, addresses: Sequence[str]) -> dict[str, CallerLocation]:
        found = {
            address: CallerLocation(via=f"The Elastic IP address {address} of this account")
            for one in self._list("describe_addresses", "Addresses")
            for name in ("PublicIp", "CarrierIp", "CustomerOwnedIp")
            if (address := one.get(name))
        }
        return _only(addresses, found)

    def _ranges(self, addresses: Sequence[str]) -> dict[str, CallerLocation]:
        ranges = [
            (IPv6Network(one["Ipv6CidrBlock"]), vpc["VpcId"])
            for vpc in self._list("describe_vpcs", "Vpcs")
            for one in vpc.get("Ipv6CidrBlockAssociationSet", [])
            if one.get("Ipv6CidrBlock")
            # One that was given back is listed for a while, and may be somebody else's.
            and one.get("Ipv6CidrBlockState", {}).get("State") not in ("disassociated", "failed")
        ]
        return {
            address: CallerLocation(via=f"the range {network}, {address}", vpc_id=vpc_id)
            for address in addresses
            for network, vpc_id in ranges
            if ip_address(address) in network
        }

    def _list(self, operation: str, name: str) -> list[Any]:
        """All of a kind that the account has: read once in a while, and not for each address."""
        now = time.monotonic()
        known = self._lists.get(operation)
        if known is None or not self._is_fresh((known[0], None), now):
            ec2: Any = self.ec2
            in_pages = ec2.can_paginate(operation)
            pages: list[Any] = (
                list(ec2.get_paginator(operation).paginate())
                if in_pages
                else [getattr(ec2, operation)()]
            )
            known = now, [one for page in pages for one in page[name]]
            self._lists[operation] = known
        return known[1]

    def _examine(self, vpc_ids: Collection[str], now: float) -> None:
        old = sorted(id_ for id_ in vpc_ids if not self._is_fresh(self._vpcs.get(id_), now))

        def examine() -> None:
            for id_, vpc in self.observer.vpcs(old[:VPCS_AT_ONCE]).items():
                self._vpcs[id_] = (now, _judged(id_, decide(vpc, self.desired)))

        if old:
            self._try(examine)

    def _with_trouble(self, location: CallerLocation) -> CallerLocation:
        known = self._vpcs.get(location.vpc_id)
        return (
            replace(location, trouble=known[1].trouble, broken=known[1].broken)
            if known
            else location
        )


def _only(
    addresses: Sequence[str], found: Mapping[str, CallerLocation]
) -> dict[str, CallerLocation]:
    """What was found, by the addresses that were asked for: AWS may spell an IPv6 otherwise."""
    return {
        one: location for spelled, location in found.items() if (one := _same(spelled)) in addresses
    }


def _same(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def _locations_of(interface: Any) -> dict[str, CallerLocation]:
    """The public addresses of one network interface, and what has it."""
    vpc_id, kind = interface.get("VpcId", ""), interface.get("InterfaceType", "interface")
    id_ = interface.get("NetworkInterfaceId", "")
    instance = interface.get("Attachment", {}).get("InstanceId", "")
    holder = f"instance {instance}" if instance else f"network interface {id_}"
    if kind == "nat_gateway":
        # Such an interface's description is "Interface for NAT Gateway nat-...".
        holder = f"NAT gateway {interface.get('Description', '').rpartition(' ')[2] or id_}"
    public = [one.get("Association", {}) for one in interface.get("PrivateIpAddresses", [])]
    addresses = [one.get("PublicIp") for one in (interface.get("Association", {}), *public)]
    addresses += [one.get("Ipv6Address") for one in interface.get("Ipv6Addresses", [])]
    return {one: CallerLocation(via=f"{holder}, {one}", vpc_id=vpc_id) for one in addresses if one}


def _judged(vpc_id: str, plan: Plan) -> CallerLocation:
    """What the state of the VPC means for a caller that bypassed its endpoint."""
    reasons = "; ".join(plan.reasons)
    if plan.verdict in _SERVES:
        trouble = "its endpoint works, so the caller does not resolve the service's name to it"
    elif plan.verdict is Verdict.DEGRADED:
        trouble = f"its endpoint does not serve everyone: {reasons}"
    else:
        trouble = f"its endpoint does not serve it: {reasons}" if reasons else plan.verdict.value
    return CallerLocation(via="", vpc_id=vpc_id, trouble=trouble, broken=plan.verdict in _BROKEN)


def _kind(clue: str) -> str:
    """What a clue is: an instance, a function, or an address of either version."""
    if INSTANCE.fullmatch(clue):
        return "instance"
    try:
        return f"IPv{ip_address(clue).version}"
    except ValueError:
        return "function"
