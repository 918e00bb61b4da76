"""What the table knows of approved policies, and of denials at an endpoint that tries a new one.

Items of the state table, whose names have the account and the Region: `canary#.../<policy>` is a
`Rollout` of `guard.approved.rollout`, kept for good; `canary-watch#.../<endpoint>` exists while an
endpoint tries a version, and holds the first request that it refused. Each transition is made on
the condition that nobody else made one meanwhile. Items of the version before, whose names have no
place, are moved when a rollout is first read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from guard.approved.rollout import Phase, Rollout, digest
from guard.cloudtrail.policy_request import request_of
from guard.policy import PolicyError, means, parse
from guard.policy.evaluate import Outcome, evaluate
from guard.policy.matching import Matcher
from guard.table.items import Items

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from guard.approved.policies import ApprovedPolicy
    from guard.cloudtrail.record import Record
    from guard.table.items import Item, Values

DENIED = "VpceAccessDenied"
TRYING = "it tries a new version of its policy"  # why an endpoint is to be reconciled
_UNCHANGED = "phase = :was_phase AND candidate = :was_candidate AND endpoint_id = :was_endpoint"
_NEW = "attribute_not_exists(phase)"  # also where an item was set aside
_WATCH_KEPT = timedelta(days=1)  # after the watch: nobody reads it then


@dataclass(frozen=True, slots=True)
class Watch:
    """Of a canary: the request that it refused, in words, and when it is checked next (epoch
    seconds); empty and 0 for none.
    """

    denied: str = ""
    next_check: int = 0


@dataclass(frozen=True, slots=True)
class Rollouts:
    """The rollouts in the table; methods raise ClientError."""

    items: Items
    _accepted: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def of(self, policy: str, now: datetime) -> Rollout | None:
        """What is known of the policy of that name; None if no sweep has seen it yet."""
        item = self.items.get(self._key(policy), now) or {**self._moved(policy, now)}
        return self.items.parsed(self._key(policy), item, _rollout)

    def if_in_progress(self, desired: ApprovedPolicy, now: datetime) -> Rollout | None:
        """What is known of the policy, as long as endpoints may have to carry another version.

        The table is asked until it says that the deployed version was accepted, and then never
        again: nothing but a deployment changes that, and it starts new processes.
        """
        version = (desired.name, desired.text)
        if version in self._accepted:
            return None
        rollout = self.of(desired.name, now)
        if rollout and means(rollout.stable, desired.policy):
            self._accepted.add(version)
        return rollout

    def remember(self, was: Rollout | None, desired: ApprovedPolicy) -> bool:
        """Endpoints carry the deployed version."""
        if was and was.phase is Phase.STEADY and was.stable == desired.text:
            return True
        previous = was.previous if was else ""
        return self._write(desired.name, was, Rollout(stable=desired.text, previous=previous))

    def forget(self, was: Rollout | None, desired: ApprovedPolicy) -> Rollout:
        """Nothing is enforced: the next time that writing is allowed begins with one endpoint."""
        if not (was and was.unenforced):
            self._write(desired.name, was, Rollout(stable=""))
        return Rollout(stable="")

    def begin(self, was: Rollout, desired: ApprovedPolicy, endpoint_id: str) -> bool:
        """The endpoint is to try the deployed version."""
        trying = replace(
            Rollout(stable=was.stable, previous=was.previous),
            phase=Phase.TRYING,
            candidate=digest(desired),
            endpoint_id=endpoint_id,
        )
        return self._write(desired.name, was, trying)

    def applied(
        self, was: Rollout, policy: str, change: int, before: str, now: datetime, watch: int
    ) -> bool:
        """The canary carries the version, and carried `before`: from now on its denials count."""
        second = int(now.timestamp())
        self.items.put(
            _watch(self.items, was.endpoint_id),
            {
                "applied_at": second,
                "before": before,
                "denied": "",
                "denied_in": "",
                "next_look": 0,
            },
            expires=now + timedelta(seconds=watch) + _WATCH_KEPT,
        )
        return self._write(policy, was, replace(was, applied_at=second, change=change))

    def watch(self, endpoint_id: str, now: datetime) -> Watch:
        """What is known of the canary since then."""
        item = self.items.get(_watch(self.items, endpoint_id), now)
        return Watch(str(item.get("denied", "")), int(item.get("next_look", 0)))

    def note_check(self, endpoint_id: str, when: datetime) -> None:
        """When the canary is checked next."""
        check: Values = {"next_look": int(when.timestamp())}
        self.items.put(_watch(self.items, endpoint_id), check, when="attribute_exists(pk)")

    def accept(self, was: Rollout, desired: ApprovedPolicy) -> bool:
        """False where somebody else has decided meanwhile."""
        return self._write(
            desired.name, was, Rollout(stable=desired.text, previous=was.stable, why="")
        )

    def reject(self, was: Rollout, policy: str, why: str) -> bool:
        """False where somebody else has decided meanwhile."""
        return self._write(policy, was, replace(was, phase=Phase.REJECTED, why=why[:1_000]))

    def _write(self, policy: str, was: Rollout | None, now: Rollout) -> bool:
        values: Values = {k: str(v) if isinstance(v, Phase) else v for k, v in asdict(now).items()}
        if was is None:
            return self.items.put(self._key(policy), values, when=_NEW)[1]
        given: Values = {
            ":was_phase": str(was.phase),
            ":was_candidate": was.candidate,
            ":was_endpoint": was.endpoint_id,
        }
        return self.items.put(self._key(policy), values, when=_UNCHANGED, given=given)[1]

    def _key(self, policy: str) -> str:
        return self.items.name("canary", policy)

    def _moved(self, policy: str, now: datetime) -> Values:
        """The rollout of the version before, moved to its present name with its watch."""
        old = self.items.get(f"canary#{policy}", now)
        endpoint_id = str(old.get("endpoint_id", ""))
        if endpoint_id and (watch := self.items.get(f"canary-watch#{endpoint_id}", now)):
            new = _watch(self.items, endpoint_id)
            self.items.put(new, watch, when="attribute_not_exists(pk)")
        if old:
            self.items.put(self._key(policy), old, when=_NEW)
        return old


def note_denials(records: Iterable[Record], items: Items, accounts: Collection[str]) -> list[str]:
    """Remember requests that an endpoint's policy refused, where the endpoint tries a new one.

    Returns the endpoints that have to be reconciled for that: those of which no request was known,
    or this very one, whose message came back. A request from before the version was applied was
    refused by the one before. One that `speaks` not against the version is published as any denial,
    and the trial goes on. For detect_bypass; needs dynamodb:UpdateItem alone, one call for each
    endpoint named and one for a request that is noted, and raises ClientError.
    """
    denials: dict[str, list[Record]] = {}
    for one in records:
        if one.error_code == DENIED:
            denials.setdefault(one.vpc_endpoint_id, []).append(one)
    asked: list[str] = []
    for endpoint_id, some in denials.items():
        watch = items.shown(_watch(items, endpoint_id))
        if watch.get("denied"):
            due = any(one.event_id and one.event_id == watch.get("denied_in") for one in some)
        else:
            before = str(watch.get("before", ""))
            counting = (one for one in some if watch and speaks(one, before, accounts))
            due = any(_note(one, items) for one in counting)
        if due:
            asked.append(endpoint_id)
    return asked


def speaks(record: Record, before: str, accounts: Collection[str]) -> bool:
    """Whether a refused request speaks against the version that refused it.

    It does if a principal of these accounts made it, and the policy before did not refuse it, too.
    So a stranger does not undo a version that was made against strangers, and who asks for what
    nobody ever could does not undo any. Pure.
    """
    if record.identity.account_id not in accounts:
        return False
    try:
        policy = parse(before) if before else None
    except PolicyError:
        policy = None
    if policy is None:
        return True
    request = request_of(record, assumed=False, org_of={})
    return evaluate(policy, request, Matcher()).outcome is not Outcome.DENY


def _note(record: Record, items: Items) -> bool:
    """Whether the endpoint has to be reconciled for this request."""
    words = f"{record.event_name} by {record.identity.name} from {record.source_ip}"
    item, first = items.put(
        _watch(items, record.vpc_endpoint_id),
        {"denied": words, "denied_in": record.event_id},
        when="denied = :none AND applied_at <= :at",
        given={":none": "", ":at": int(record.event_time.timestamp())},
    )
    return first or bool(record.event_id and item.get("denied_in") == record.event_id)


def _rollout(item: Item) -> Rollout:
    known: dict[str, Any] = {one.name: item[one.name] for one in fields(Rollout)}
    if type(known["change"]) is not int:  # in the history it is a text
        raise TypeError("the number of a change is no number")
    known["phase"] = Phase(known["phase"])
    return Rollout(**known)


def _watch(items: Items, endpoint_id: str) -> str:
    return items.name("canary-watch", endpoint_id)
