"""Whom a policy that is about to count would refuse: the evidence for a change that narrows."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError

from guard.aws.denials import is_denial
from guard.aws.errors import throttled
from guard.cloudtrail.event_history import EventHistory, Seen
from guard.cloudtrail.policy_request import request_of
from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_id
from guard.endpoint.inhabitants import Inhabitants
from guard.findings.finding import Finding
from guard.policy import Policy
from guard.policy.evaluate import Outcome, Request, evaluate
from guard.policy.matching import Matcher, arn_covers
from guard.reconcile.result import Outcome as Done

SEEN = timedelta(days=7)
CALLS = ("GetSecretValue", "PutSecretValue")
MOST = 10  # that are named
REMEMBERED = timedelta(minutes=1)
SOME_ACCOUNT = "000000000000"  # of an organization that a subnet is shared with: none of ours
CONSENT = "if they are to be refused, name them under refusals in approved.json, and deploy it"


@dataclass(frozen=True, slots=True)
class Refusals:
    """`who` would be refused, `agreed` are so by review, both in words; `lacking` is not known."""

    who: tuple[str, ...] = ()
    agreed: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def named(self) -> tuple[str, ...]:
        """All that would be refused."""
        return (*self.who, *self.agreed)

    def joined(self, other: Self) -> "Refusals":
        """Both."""
        lacking = tuple(dict.fromkeys((*self.lacking, *other.lacking)))
        return Refusals((*self.who, *other.who), (*self.agreed, *other.agreed), lacking)


NOBODY = Refusals()


@dataclass(frozen=True, slots=True)
class Asks:
    """A limit of a change that nothing passes: somebody has to agree first, says the finding."""

    finding: Finding

    def refuse(self, now: datetime) -> Finding:  # noqa: ARG002 - as any limit
        """The question."""
        return self.finding

    def give_back(self, outcome: Done, now: datetime) -> None:
        """Nothing was taken."""


@dataclass(slots=True)
class RefusalFinder:
    """`accepted` are callers who may be cut off, by review. Needs cloudtrail:LookupEvents and what
    `Inhabitants` needs. Raises ClientError where AWS throttles; what else fails is `lacking`.
    """

    history: EventHistory
    inhabitants: Inhabitants
    accepted: frozenset[str] = frozenset()
    partition: str = "aws"
    _seen: tuple[Seen, ...] = ()
    _read_at: datetime | None = field(default=None)

    def at_endpoints(
        self, policy: Policy, endpoint_ids: Collection[str], vpc_ids: Collection[str], now: datetime
    ) -> Refusals:
        """Whom the policy surely refuses at these endpoints, which carry another."""
        found = self._of(policy, now, lambda some: _through(some, endpoint_ids))
        for vpc_id in vpc_ids:
            found = found.joined(self._shared(policy, vpc_id))
        return found

    def through(self, policy: Policy, endpoint_id: str, now: datetime) -> Refusals:
        """Who came through an endpoint within a week: `who` with what the policy surely refuses,
        and `agreed` with what it lets pass or may.
        """
        calls = self._calls(now)
        came = _through((record for one in calls for record in one.records), {endpoint_id})
        refused = [one for one in came if _refuses(policy, one)]
        other = [one for one in came if one not in refused]
        lacking = dict.fromkeys(one.lacking for one in calls if one.lacking)
        return Refusals(in_words(refused), in_words(other), tuple(lacking))

    def in_vpc(self, policy: Policy, vpc_id: str, now: datetime) -> Refusals:
        """Whom it surely refuses once an endpoint serves the VPC, and none did before."""

        def in_it(records: Iterable[Record]) -> list[Record]:
            past = [one for one in _through(records, ("",)) if _by_itself(one)]
            refused = [one for one in past if _refuses(policy, one)]
            return self.inhabitants.among(refused, vpc_id) if refused else []

        return self._of(policy, now, in_it).joined(self._shared(policy, vpc_id))

    def _of(
        self, policy: Policy, now: datetime, which: Callable[[Iterable[Record]], Iterable[Record]]
    ) -> Refusals:
        calls = self._calls(now)
        records = which(record for one in calls for record in one.records)
        refused = [one for one in records if _refuses(policy, one)]
        asked = [one for one in refused if not self._accepts(*_names(one))]
        agreed = [one for one in refused if self._accepts(*_names(one))]
        lacking = dict.fromkeys(one.lacking for one in calls if one.lacking)
        return Refusals(in_words(asked), in_words(agreed), tuple(lacking))

    def _calls(self, now: datetime) -> tuple[Seen, ...]:
        """What was read and written lately, remembered for a minute: a batch asks for many."""
        if not self._read_at or not timedelta() <= now - self._read_at < REMEMBERED:
            self._seen = tuple(self.history.calls(name, now - SEEN) for name in CALLS)
            self._read_at = now
        return self._seen

    def _shared(self, policy: Policy, vpc_id: str) -> Refusals:
        """Accounts with a share of the VPC's subnets whose own callers the policy refuses."""
        try:
            shared = self.inhabitants.shared_with(vpc_id)
        except (ClientError, BotoCoreError) as error:
            if throttled(error):
                raise
            return Refusals(lacking=(f"whether subnets are shared is not known: {error}",))
        refused = [one for one in shared if refuses_account(policy, one)]
        words = {one: f"any caller of {one}, with which a subnet is shared" for one in refused}
        agreed = {one for one in refused if self._accepts(self._arn(one))}
        return Refusals(
            who=tuple(words[one] for one in refused if one not in agreed),
            agreed=tuple(words[one] for one in refused if one in agreed),
        )

    def _arn(self, shared_with: str) -> str:
        """How an account is named in approved.json; an organization or a unit has an ARN."""
        account = shared_with.isdecimal()
        return f"arn:{self.partition}:iam::{shared_with}:root" if account else shared_with

    def _accepts(self, *names: str) -> bool:
        return any(arn_covers(one, name) for one in self.accepted for name in names if name)


def refuses_account(policy: Policy, shared_with: str) -> bool:
    """Whether the policy surely refuses that an account reads a secret of its own. Pure."""
    account = shared_with if shared_with.isdecimal() else SOME_ACCOUNT
    request = Request(
        action="secretsmanager:GetSecretValue",
        resource=None,
        principals=None,
        context={"aws:PrincipalAccount": account, "aws:ResourceAccount": account},
    )
    return evaluate(policy, request, Matcher()).outcome is Outcome.DENY


def in_words(records: Iterable[Record]) -> tuple[str, ...]:
    """What these callers did, the commonest not repeated. Pure."""
    found: dict[str, int] = {}
    for one in records:
        words = f"{one.identity.name}: {one.event_name} of {secret_id(one) or 'a secret'}"
        found[words] = found.get(words, 0) + 1
    named = [f"{words} ({n} times)" if n > 1 else words for words, n in found.items()]
    more = len(named) - MOST
    return (*named[:MOST], *([f"{more} others"] if more > 0 else []))


def _refuses(policy: Policy, record: Record) -> bool:
    assumed = not record.vpc_endpoint_id
    request = request_of(record, assumed=assumed, org_of={})
    return evaluate(policy, request, Matcher()).outcome is Outcome.DENY


def _through(records: Iterable[Record], endpoint_ids: Collection[str]) -> list[Record]:
    """Those that came so, but for what AWS refused for want of rights: nobody can miss that."""
    some = (one for one in records if one.vpc_endpoint_id in endpoint_ids)
    return [one for one in some if not is_denial(one.error_code)]


def _by_itself(record: Record) -> bool:
    """Whether no service of AWS's called for somebody: such a call comes out of no VPC."""
    return not record.identity.invoked_by and record.identity.type != "AWSService"


def _names(record: Record) -> tuple[str, str]:
    return record.identity.arn, record.identity.issuer_arn
