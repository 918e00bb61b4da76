"""Who reads what, by which way, how often: the requests of logs in few rows. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from detect_bypass.judge import Inventory, Judgement, Origin, Verdict, judge, origin
from detect_bypass.judge.exceptions import Exemption
from guard.cloudtrail.evidence import principal
from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_id
from guard.policy.evaluate import Request
from guard.policy.operators import Unnamed, Value
from guardctl.preflight.request import Known, request_of
from guardctl.preflight.tally import REFUSED_CODES
from guardctl.twin.intent import Intent, Meant, meant, principal_arn
from guardctl.twin.scope import Kind, Scope

KEYS = frozenset(
    key.lower()
    for key in (
        *("aws:RequestedRegion", "aws:SourceVpc", "aws:SourceIp", "aws:PrincipalArn"),
        *("aws:PrincipalIsAWSService", "aws:ViaAWSService"),
        *("aws:PrincipalAccount", "aws:ResourceAccount"),
    )
)
"""What the families of policies ask of a request, as far as CloudTrail says it."""

_REQUESTS = ("", "AwsApiCall", "AwsConsoleAction")


@dataclass(frozen=True, slots=True)
class Flow:
    """Requests that are one to a policy. `context` has what it asks, by key in lower case."""

    principal: str
    way: str
    secret: str
    action: str
    region: str
    meant: Meant
    arn: str
    resource: str | None
    context: tuple[tuple[str, Value], ...]

    @property
    def request(self) -> Request:
        """As a policy sees it; what else it has is unknown."""
        action = f"secretsmanager:{self.action}"
        return Request(action=action, resource=self.resource, context=dict(self.context))


@dataclass(slots=True)
class Count:
    """How often, when, and the latest example."""

    requests: int = 0
    first: datetime | None = None
    last: datetime | None = None
    example: str = ""

    def add(self, requests: int, first: datetime, last: datetime, example: str) -> None:
        self.requests += requests
        self.first = min(self.first or first, first)
        if self.last is None or last >= self.last:
            self.last, self.example = last, example


@dataclass(slots=True)
class Flows:
    """All flows of logs that a policy of the scope's kind has a say in; the others are counted.

    `keys` are the condition keys that are kept of each request. `named` are exceptions' principals
    and networks, which a proposal names.
    """

    scope: Scope
    inventory: Inventory
    exceptions: Sequence[Exemption] = ()
    keys: frozenset[str] = KEYS
    rows: dict[Flow, Count] = field(default_factory=dict[Flow, Count])
    left_out: Counter[str] = field(default_factory=Counter[str])
    callers: Counter[str] = field(default_factory=Counter[str])
    principals: set[str] = field(default_factory=set[str])
    networks: set[str] = field(default_factory=set[str])
    ends: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def add(self, record: Record, requests: int = 1, last: datetime | None = None) -> None:
        """Count what is so many requests like the one in a record."""
        name = principal(record)
        if record.event_type not in _REQUESTS:
            self.left_out["no requests"] += requests
            return
        self.callers[name] += requests
        judgement = judge(record, self.inventory, self.exceptions)
        if why := self._outside(record, judgement):
            self.left_out[why] += requests
            return
        found = self._meant(record, judgement)
        asked = _asked(record, found, self.scope)
        flow = Flow(
            principal=name,
            way=way_of(record, judgement),
            secret=secret_id(record) or "",
            action=record.event_name,
            region=record.region,
            meant=found,
            arn=principal_arn(record),
            resource=asked.resource,
            context=tuple(sorted(_kept(asked.context, self.keys), key=lambda one: one[0])),
        )
        when = record.event_time
        self.rows.setdefault(flow, Count()).add(requests, when, last or when, record.event_id)

    def _outside(self, record: Record, judgement: Judgement) -> str:
        """Why a policy of this kind has no say in the request; empty if it has."""
        if not self.scope.reads(record.event_name):
            return "other calls"
        if record.error_code.startswith(REFUSED_CODES):
            return "refused by AWS already"
        if self.scope.kind is Kind.ENDPOINT:
            through = judgement.verdict is Verdict.APPROVED
            return "" if through else "not through an endpoint of yours"
        if self.scope.kind is Kind.SCP:
            return ""
        named = secret_id(record) or ""
        owner = named.split(":")[4] if named.count(":") >= 6 else record.account
        ours = self.scope.accounts or {record.account}
        return "" if owner in ours else "of others' secrets"

    def _meant(self, record: Record, judgement: Judgement) -> Meant:
        found = meant(record, judgement, self.scope, self.exceptions)
        if found.exception:
            self.principals |= found.exception.principals
            self.networks |= found.exception.networks
            self.ends[found.exception.name] = found.exception.ends
        return found

    def settle(self) -> None:
        """Once all is read: who came once, and is to be stopped, may be a rare job: undecided."""
        rows: dict[Flow, Count] = {}
        for flow, count in self.rows.items():
            once = self.callers[flow.principal] == 1 and flow.meant.why == "the public way"
            if once and not self.scope.is_stopped(flow.arn, flow.principal):
                why = "a caller that was seen once, over the public way"
                unsure = Meant(Intent.UNDECIDED, why, "--pass ARN or --stop ARN")
                rows[replace(flow, meant=unsure)] = count
            else:
                rows[flow] = count
        self.rows = rows

    def of(self, intent: Intent) -> Iterator[tuple[Flow, Count]]:
        return ((flow, count) for flow, count in self.rows.items() if flow.meant.intent is intent)

    @property
    def requests(self) -> int:
        return sum(count.requests for count in self.rows.values())

    @property
    def days(self) -> int:
        """How many days the requests lie within."""
        firsts = [one.first for one in self.rows.values() if one.first]
        lasts = [one.last for one in self.rows.values() if one.last]
        return (max(lasts).date() - min(firsts).date()).days + 1 if firsts else 0


def way_of(record: Record, judgement: Judgement) -> str:
    """How it came, in a word."""
    if record.vpc_endpoint_id.startswith("vpce-"):
        return record.vpc_endpoint_id
    if judgement.verdict is Verdict.CONSOLE:
        return "console"
    if origin(record) is Origin.AWS or record.vpc_endpoint_id:
        return record.identity.invoked_by or record.source_ip or record.vpc_endpoint_id
    return "internet"


def _asked(record: Record, found: Meant, scope: Scope) -> Request:
    """The request, with what follows for its keys from what is known of its way."""
    asked = request_of(record, Known({}, scope.vpc_of), assumed=False, through=False)
    context = dict(asked.context)
    if found.forwarded:
        context["aws:ViaAWSService"] = "true"
    if found.intent is not Intent.PASS and not scope.unseen_vpcs:
        # Through an endpoint that is none of ours, or within AWS's own network.
        context.setdefault("aws:SourceVpc", Unnamed("vpc-*"))
    if record.vpc_endpoint_id.startswith("vpce-"):
        context["aws:SourceIp"] = None
    return replace(asked, context=context)


def _kept(context: Mapping[str, Value], keys: frozenset[str]) -> Iterator[tuple[str, Value]]:
    return ((key.lower(), value) for key, value in context.items() if key.lower() in keys)


def rows_of(found: Iterable[tuple[Flow, Count]]) -> list[dict[str, Any]]:
    """For people and machines: equal flows in one row, the most frequent first."""
    rows: dict[tuple[str, ...], tuple[Meant, Count]] = {}
    for flow, count in found:
        key = (flow.principal, flow.way, flow.secret, flow.action, flow.meant.why)
        _, known = rows.setdefault(key, (flow.meant, Count()))
        if count.first and count.last:
            known.add(count.requests, count.first, count.last, count.example)
    order = sorted(rows.items(), key=lambda one: (-one[1][1].requests, one[0]))
    return [
        {
            "intent": meant.intent.value,
            "requests": count.requests,
            "principal": key[0],
            "way": key[1],
            "secret": key[2] or None,
            "action": key[3],
            "why": meant.why,
            "todo": meant.todo or None,
            "first_seen": count.first.isoformat() if count.first else None,
            "last_seen": count.last.isoformat() if count.last else None,
            "example": count.example,
        }
        for key, (meant, count) in order
    ]
