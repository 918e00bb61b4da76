"""Who was seen doing what a policy would refuse: the evidence for a change that narrows."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from guard.cloudtrail.event_history import EventHistory
from guard.cloudtrail.policy_request import request_of
from guard.cloudtrail.record import Record
from guard.cloudtrail.resource_ids import secret_id
from guard.policy import Policy
from guard.policy.evaluate import Outcome, evaluate
from guard.policy.matching import Matcher, arn_covers

SEEN = timedelta(days=7)
CALLS = ("GetSecretValue", "PutSecretValue")
MOST = 10  # that are named


@dataclass(frozen=True, slots=True)
class Refusals:
    """`who` would be refused, in words; `lacking` says what of the calls was not read."""

    who: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusalFinder:
    """`accepted` are callers who may be cut off, by review. Needs cloudtrail:LookupEvents; raises
    nothing.
    """

    history: EventHistory
    accepted: frozenset[str] = frozenset()

    def of(self, policy: Policy, endpoint_ids: Collection[str], now: datetime) -> Refusals:
        """Who came through these endpoints of late with what the policy surely refuses."""
        seen = [self.history.calls(name, now - SEEN) for name in CALLS]
        records = [record for one in seen for record in one.records if not self._accepts(record)]
        lacking = dict.fromkeys(one.lacking for one in seen if one.lacking)
        return Refusals(refused(policy, records, endpoint_ids), tuple(lacking))

    def _accepts(self, record: Record) -> bool:
        who = {record.identity.arn, record.identity.issuer_arn}
        return any(arn_covers(one, name) for one in self.accepted for name in who if name)


def refused(
    policy: Policy, records: Iterable[Record], endpoint_ids: Collection[str]
) -> tuple[str, ...]:
    """What these callers did through the endpoints, and the policy would not let pass. Pure."""
    matcher = Matcher()
    found: dict[str, int] = {}
    for one in records:
        if one.failed or one.vpc_endpoint_id not in endpoint_ids:
            continue
        request = request_of(one, assumed=False, org_of={})
        if evaluate(policy, request, matcher).outcome is Outcome.DENY:
            words = f"{one.identity.name}: {one.event_name} of {secret_id(one) or 'a secret'}"
            found[words] = found.get(words, 0) + 1
    named = [f"{words} ({n} times)" if n > 1 else words for words, n in found.items()]
    more = len(named) - MOST
    return (*named[:MOST], *([f"{more} others"] if more > 0 else []))
