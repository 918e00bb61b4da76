"""What is published: one immutable value, the same for e-mail, Slack and machines.

A finding is made by a reaction, counted and published by `guard.publishing`, and rendered at
the end of the chain. Its JSON form (`to_json`) is what subscribers of the topic receive; `SCHEMA`
names its version, so that a subscriber can refuse what it does not know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from guard.redact import redacted_json

if TYPE_CHECKING:
    from guard.settings import Settings

SCHEMA = "vpce-guard/finding/1"

HOUR, DAY = 3_600, 86_400  # seconds: windows of findings
ONCE = 365 * DAY  # of what is published once in it, however often it is seen


class Severity(StrEnum):
    """How much it matters, lowest first. `INFO` is a thing done well that ops should know of."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {one: rank for rank, one in enumerate(Severity)}


class Kind(StrEnum):
    """What a finding is about. One runbook page per kind: `docs/runbooks/<kind>.md`."""

    # ensure_endpoint
    ENDPOINT_CREATED = "endpoint-created"
    ENDPOINT_REPAIRED = "endpoint-repaired"
    ENDPOINT_DRIFT = "endpoint-drift"  # observe mode: what would have been done
    ENDPOINT_NOT_REPAIRABLE = "endpoint-not-repairable"
    ENDPOINT_DEGRADED = "endpoint-degraded"  # works, but not in every AZ or for every client
    CHANGE_BUDGET_SPENT = "change-budget-spent"
    COST_LIMIT_REACHED = "cost-limit-reached"
    ENDPOINT_YIELDED = "endpoint-yielded"
    STOOD_DOWN = "stood-down"
    ROTATION_WITHOUT_VPC = "rotation-without-vpc"
    ROTATION_FUNCTION_MISSING = "rotation-function-missing"
    ROTATION_ELSEWHERE = "rotation-elsewhere"  # function or secret of another account or Region
    ROTATION_CANNOT_REACH_ENDPOINT = "rotation-cannot-reach-endpoint"
    ROTATION_REFUSED_BY_POLICY = "rotation-refused-by-policy"
    ROTATION_FAILED = "rotation-failed"
    # restore_policy
    POLICY_RESTORED = "policy-restored"
    POLICY_DRIFT = "policy-drift"  # observe mode: what would have been restored
    POLICY_NOT_RESTORABLE = "policy-not-restorable"
    ENFORCEMENT_PAUSED = "enforcement-paused"
    POLICY_ROLLOUT = "policy-rollout"
    POLICY_ROLLOUT_FAILED = "policy-rollout-failed"
    # detect_bypass
    BYPASS = "bypass"
    CONSOLE_ACCESS = "console-access"
    FOREIGN_ENDPOINT = "foreign-endpoint"
    ENDPOINT_DENIED = "endpoint-denied"
    SECRET_POLICY_CHANGED = "secret-policy-changed"
    SECRET_REPLICATED = "secret-replicated"
    UNREADABLE_RECORD = "unreadable-record"
    EXCEPTION_EXPIRED = "exception-expired"
    EXCEPTION_USED = "exception-used"  # one that was added at run time
    # find_missed
    EVENTS_MISSED = "events-missed"
    # secret_policy
    SECRET_PERIMETER_LOST = "secret-perimeter-lost"
    SECRET_PERIMETER_RESTORED = "secret-perimeter-restored"
    # every reaction
    MODE_UNREADABLE = "mode-unreadable"
    # restore_policy and digest
    OPTED_OUT = "opted-out"
    # digest
    DIGEST = "digest"
    DAILY_REPORT = "daily-report"
    ITEM_UNREADABLE = "item-unreadable"
    # heartbeat
    RULE_BLIND = "rule-blind"
    TRAIL_BLIND = "trail-blind"
    MODE_CHANGED = "mode-changed"
    DEAD_LETTERS = "dead-letters"
    GUARD_DRIFT = "guard-drift"
    OTHER_GUARD = "other-guard"
    # watch_guard
    GUARD_CHANGED = "guard-changed"


PAUSES = frozenset(
    {
        Kind.CHANGE_BUDGET_SPENT,
        Kind.COST_LIMIT_REACHED,
        Kind.STOOD_DOWN,
        Kind.ENFORCEMENT_PAUSED,
    }
)
"""Findings that say that the guard changes nothing somewhere: the daily report lists them."""

WORDS = 100
"""Most words of `graver`, and of `novel`, that are kept of one finding."""
SEVERITY = "severity "
"""How a word of `graver` begins that names a severity."""
FIRST_READ, FIRST_CHANGE = "secret ", "change "
FIRST_USES = (FIRST_READ, FIRST_CHANGE)
"""How a word of `novel` begins that says which secret a caller reads or changes the first time."""

WAITS = PAUSES | {
    Kind.ENDPOINT_DRIFT,
    Kind.ENDPOINT_NOT_REPAIRABLE,
    Kind.ENDPOINT_DEGRADED,
    Kind.ROTATION_CANNOT_REACH_ENDPOINT,
    Kind.ROTATION_REFUSED_BY_POLICY,
    Kind.POLICY_DRIFT,
    Kind.POLICY_NOT_RESTORABLE,
    Kind.POLICY_ROLLOUT_FAILED,
    Kind.SECRET_PERIMETER_LOST,
    Kind.EXCEPTION_EXPIRED,
    Kind.OPTED_OUT,
    Kind.RULE_BLIND,
    Kind.TRAIL_BLIND,
    Kind.DEAD_LETTERS,
    Kind.GUARD_DRIFT,
    Kind.OTHER_GUARD,
}
"""Those, and what stays until a person does something: published again each day until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing ops should know.

    `cause` is one sentence saying why; `done` what the guard did; `todo` what a person should do;
    `evidence` small JSON values (who, what, from where, event ids, the difference).
    `identity` holds the parts that make two findings the same occurrence: kind, account, Region,
    resource and these give the fingerprint. `window` is the number of seconds in which equal
    findings are one alert; 0: each is published (a change made to AWS is never swallowed).
    `graver` and `novel` hold short words for what must not be hidden by an equal finding: one that
    was not published in this window (`graver`), or never (`novel`), is published at once. They are
    no part of the JSON form.
    `id` names one publication of it; without one, it follows from the fingerprint and from when it
    was first seen, so that a repeat bears the id of what it repeats.
    """

    kind: Kind
    severity: Severity
    account: str
    region: str
    resource: str
    id: str = ""
    title: str
    cause: str
    done: Sequence[str] = ()
    todo: Sequence[str] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict[str, Any])
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    identity: Sequence[str] = ()
    window: int = 0
    graver: Sequence[str] = ()
    novel: Sequence[str] = ()
    count: int = 1
    first_seen: datetime
    last_seen: datetime

    @property
    def fingerprint(self) -> str:
        """Equal for two findings that are one occurrence: 24 hexadecimal digits."""
        return fingerprint_of(
            self.kind, self.account, self.region, self.resource, tuple(map(str, self.identity))
        )

    def identified(self, *occasion: str | int) -> Self:
        """This finding with the id of its publication on this `occasion`: 24 hexadecimal digits."""
        return replace(self, id=digits([self.fingerprint, *map(str, occasion)]))

    def merged(self, other: Self) -> Self:
        """This finding and an equal one as one: counts added, times spanned, this evidence kept."""
        return replace(
            self,
            count=self.count + other.count,
            graver=_united(self.graver, other.graver),
            novel=_united(self.novel, other.novel),
            first_seen=min(self.first_seen, other.first_seen),
            last_seen=max(self.last_seen, other.last_seen),
        )

    def to_json(self) -> dict[str, Any]:
        """The published form: JSON values, times in ISO 8601 UTC, schema and fingerprint added.

        Nothing in it resembles a secret's value or a token.
        """
        body = {name: getattr(self, name) for name in _PUBLISHED}
        body["id"] = self.id or self.identified(iso(self.first_seen)).id
        for when in ("first_seen", "last_seen"):
            body[when] = iso(body[when])
        return {"schema": SCHEMA, "fingerprint": self.fingerprint, **redacted_json(body)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises ValueError for another schema or version, KeyError or TypeError for a missing field.
        """
        if body.get("schema") != SCHEMA:
            raise ValueError(f"not a finding of schema {SCHEMA}: {body.get('schema')!r}")
        if not all(isinstance(body.get(name, kind()), kind) for name, kind in _TYPES.items()):
            raise TypeError("a finding has a field of another type")
        known: dict[str, Any] = {**body}
        del known["schema"], known["fingerprint"]
        known["kind"] = Kind(known["kind"])
        known["severity"] = Severity(known["severity"])
        for when in ("first_seen", "last_seen"):
            known[when] = datetime.fromisoformat(known[when])
        return cls(**known)


_PUBLISHED = [one.name for one in fields(Finding) if one.name not in ("graver", "novel")]
_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("account", "region", "resource", "id", "title", "cause"), str),
    **dict.fromkeys(("done", "todo", "identity"), list),
    **dict.fromkeys(("evidence", "links"), dict),
    **dict.fromkeys(("window", "count"), int),
}


def _united(some: Sequence[str], others: Sequence[str]) -> Sequence[str]:
    return some if set(others) <= set(some) else bounded((*some, *others))


def bounded(words: Iterable[str]) -> tuple[str, ...]:
    """Each word once, and no more than are worth remembering: first uses never crowd out others.

    First uses come last, because one BatchGetSecretValue can bring as many of them as there is
    room for.
    """
    return tuple(sorted(dict.fromkeys(words), key=is_first_use))[:WORDS]


def is_first_use(word: str) -> bool:
    """Whether a word says that a caller reads or changes a secret for the first time."""
    return word.startswith(FIRST_USES)


@lru_cache(256)  # a finding is asked for it on each step of its way
def fingerprint_of(
    kind: Kind, account: str, region: str, resource: str, identity: tuple[str, ...]
) -> str:
    """The fingerprint of findings with these fields: 24 hexadecimal digits."""
    return digits([kind, account, region, resource, *identity])


def digits(parts: Sequence[str]) -> str:
    """24 hexadecimal digits that name these texts in their order."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def iso(when: datetime) -> str:
    """The time as findings have it: ISO 8601, UTC, ending in Z."""
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def here(settings: Settings, now: datetime) -> dict[str, Any]:
    """The fields of a finding that say where it was made and when: here, and now."""
    return {
        "account": settings.account_id,
        "region": settings.region,
        "first_seen": now,
        "last_seen": now,
    }


def merge_equal(findings: Sequence[Finding]) -> list[Finding]:
    """Collapse findings of one fingerprint into one with a count, in order of first appearance."""
    merged: dict[str, Finding] = {}
    for finding in findings:
        known = merged.get(finding.fingerprint)
        merged[finding.fingerprint] = known.merged(finding) if known else finding
    return list(merged.values())
