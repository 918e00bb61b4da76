"""The words of a judgement, and what it looks at: a record, what is known, the exceptions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from guard.exceptions import Exemption
from guard.finding import Severity
from guard.record import Record

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


class Reach(StrEnum):
    """What a request is after, as far as its severity goes."""

    VALUE = "value"  # a secret's value travels, in either direction
    CHANGE = "change"
    LOOK = "look"


class Origin(StrEnum):
    """What `sourceIPAddress` says. Real records hold more than addresses there."""

    PUBLIC = "public"
    PRIVATE = "private"
    AWS = "aws"  # the name of a service, or "AWS Internal"
    UNCLEAR = "unclear"  # masked, or no address at all
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What is known of the guarded accounts.

    `accounts` are the owner's own; where it is empty, the account a record was delivered to counts
    as own. `nat_addresses` gives the VPC behind a public address. `guard_roles` are the ARNs of the
    roles with which the guard itself asks Secrets Manager.
    """

    accounts: frozenset[str] = frozenset()
    own_endpoints: frozenset[str] = frozenset()
    approved_endpoints: frozenset[str] = frozenset()
    approved_accounts: frozenset[str] = frozenset()
    nat_addresses: Mapping[str, str] = field(default_factory=dict[str, str])
    guard_roles: frozenset[str] = frozenset()

    def knows(self, endpoint_id: str) -> bool:
        """Whether the endpoint is one of ours, or on the approved list."""
        return endpoint_id in self.own_endpoints or endpoint_id in self.approved_endpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What became of one record, and why.

    `cause` is one sentence; `todo` what a person should do, empty where there is no alert;
    `predicates` every rule's name and answer. `exemption` names the exception that was used, and
    `expired` those that would have covered the record had they not expired.
    """

    verdict: Verdict
    alert: bool
    severity: Severity
    cause: str
    todo: tuple[str, ...] = ()
    predicates: tuple[tuple[str, bool], ...] = ()
    exemption: str = ""
    expired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """What the predicates look at."""

    record: Record
    inventory: Inventory
    exceptions: Sequence[Exemption] = ()

    @property
    def vpc(self) -> str:
        """The own VPC the request came out of, if its address is a NAT gateway of ours."""
        return self.inventory.nat_addresses.get(self.record.source_ip, "")

    @property
    def covering(self) -> list[Exemption]:
        return [
            exemption for exemption in self.exceptions if exemption.covers(self.record, self.vpc)
        ]
