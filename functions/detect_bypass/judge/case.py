"""What a judgement rests on: the record, what is known of the account, and the exceptions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from detect_bypass.judge.exceptions import Exemption
from detect_bypass.judge.locations import LAMBDA_FUNCTION, CallerLocation, address_of, clues
from detect_bypass.judge.origin import Origin, origin
from guard.cloudtrail.record import Record

SECRETS_MANAGER = "secretsmanager.amazonaws.com"


class Verdict(StrEnum):
    """How a request reached Secrets Manager. The first three raise no alert."""

    APPROVED = "approved"
    SERVICE = "service"
    EXEMPT = "exempt"
    CONSOLE = "console"
    FOREIGN_ENDPOINT = "foreign_endpoint"
    ENDPOINT_DENIED = "endpoint_denied"  # it came as far as an endpoint, whose policy refused it
    BYPASS = "bypass"
    UNREADABLE = "unreadable"

    @property
    def alerts(self) -> bool:
        return self not in (Verdict.APPROVED, Verdict.SERVICE, Verdict.EXEMPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What is known of the guarded accounts.

    `accounts` are the owner's own; where it is empty, the account a record was delivered to counts
    as own. `locations` gives where a clue of `judge.locations` led to, and `blind` says why it was
    not asked; `strangers` are the public addresses that nothing in the account has. `read_before`
    are the ids of events in which a caller reads what it has read before, and `signed_in_from`
    gives the address at which the session of an event was first in the console, by event id.
    `guard_roles` are the ARNs of the roles with which the guard itself asks Secrets Manager.
    `absences` are the seconds since 1970 in which the guard had taken a VPC's endpoint away.
    """

    accounts: frozenset[str] = frozenset()
    own_endpoints: frozenset[str] = frozenset()
    approved_endpoints: frozenset[str] = frozenset()
    approved_accounts: frozenset[str] = frozenset()
    locations: Mapping[str, CallerLocation] = field(default_factory=dict[str, CallerLocation])
    blind: str = ""
    strangers: frozenset[str] = frozenset()
    read_before: frozenset[str] = frozenset()
    signed_in_from: Mapping[str, str] = field(default_factory=dict[str, str])
    guard_roles: frozenset[str] = frozenset()
    absences: Mapping[str, range] = field(default_factory=dict[str, range])

    def knows(self, endpoint_id: str) -> bool:
        """Whether the endpoint is one of ours, or on the approved list."""
        return endpoint_id in self.own_endpoints or endpoint_id in self.approved_endpoints


@dataclass(frozen=True)
class Case:
    """What the predicates read; what several of them ask for is found once."""

    record: Record
    inventory: Inventory
    exceptions: Sequence[Exemption] = ()

    @cached_property
    def location(self) -> CallerLocation | None:
        """Where the caller is; None if nothing leads there."""
        led = [
            self.inventory.locations[clue]
            for clue in self.clues
            if clue in self.inventory.locations
        ]
        return next((location for location in led if location.vpc_id), led[0] if led else None)

    @cached_property
    def clues(self) -> tuple[str, ...]:
        return clues(self.record)

    @property
    def vpc(self) -> str:
        """The own VPC the request came out of, if it is known."""
        return self.location.vpc_id if self.location else ""

    @property
    def proven_vpc(self) -> str:
        """The own VPC that the caller's address belongs to; a session's name proves nothing."""
        location = self.inventory.locations.get(address_of(self.record))
        return location.vpc_id if location else ""

    @property
    def guard_was_away(self) -> bool:
        """Whether the guard itself had taken the endpoint away from the VPC that it came out of."""
        away = self.inventory.absences.get(self.proven_vpc, range(0))
        return int(self.record.event_time.timestamp()) in away

    @property
    def roams(self) -> bool:
        """Whether it is, by AWS's own word, a function, and that is known to be in no VPC."""
        identity = self.record.identity
        found = self.inventory.locations.get(identity.in_scope_of)
        is_function = identity.in_scope_of_type == LAMBDA_FUNCTION
        return is_function and found is not None and not found.vpc_id

    @property
    def not_located(self) -> str:
        """Why it is not known where its address is; empty if it is, or if nobody asked."""
        address = address_of(self.record)
        known = address in self.inventory.locations or address in self.inventory.strangers
        found = known if address else self.location is not None
        return "" if found or not self.clues else self.inventory.blind

    @property
    def read_before(self) -> bool:
        """Whether this caller is known to have read this secret before."""
        return self.record.event_id in self.inventory.read_before

    @property
    def console_address(self) -> str:
        """Where its session was first in the console, if that is another address than its own."""
        address = self.inventory.signed_in_from.get(self.record.event_id, "")
        return "" if address == self.record.source_ip else address

    @cached_property
    def covering(self) -> list[Exemption]:
        """The exceptions that cover it.

        A network that a stranger's VPC can have too says nothing of who came through a stranger's
        endpoint: an exception for that names the endpoint.
        """
        anybodys = self._is_in_a_strangers_network
        return [
            one
            for one in self.exceptions
            if one.covers(self.record, self.proven_vpc)
            and not (anybodys and one.cidr and not one.endpoint)
        ]

    @property
    def _is_in_a_strangers_network(self) -> bool:
        record, known = self.record, self.inventory
        ours = (known.accounts or {record.account}) | known.approved_accounts
        endpoint = record.vpc_endpoint_id
        foreign = endpoint.startswith("vpce-") and not known.knows(endpoint)
        theirs = foreign and record.vpc_endpoint_account_id not in ours - {""}
        return theirs and origin(record) is Origin.PRIVATE
