"""A request names one resource to reconcile, and why; never the resource's state. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from guard.cloudtrail.record import Record
    from guard.reconcile.batch import Message

type Notes = "Mapping[str, tuple[str, ...]]"


@dataclass(frozen=True, slots=True)
class Key:
    """One resource in the whole organization. `kind` is vpc, endpoint or secret."""

    account: str
    region: str
    kind: str
    id: str

    def __str__(self) -> str:
        """How each item of the state table about the resource is named, behind a prefix."""
        return f"{self.place}/{self.kind}/{self.id}"

    @property
    def place(self) -> str:
        """The account and the Region: EC2 counts requests for each."""
        return f"{self.account}/{self.region}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Why a resource is reconciled: one event, or one request of the guard's own.

    `source` is the id of the message that brought it, which stays the same when SQS hands the
    message out again or a copy replaces it. `is_event`: `at` is when somebody called AWS, and not
    when the guard asked. `facts` are the few values of the event that the reaction needs.
    `receives` counts how often SQS handed the message out. `redelivered`: an earlier attempt at it
    may have changed AWS.
    """

    name: str
    source: str = ""
    at: float = 0  # epoch seconds
    is_event: bool = False
    who: str = ""
    event_id: str = ""
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    receives: int = 1
    redelivered: bool = False

    @classmethod
    def of_event(cls, message: Message, record: Record, **facts: str) -> Self:
        """The trigger that a CloudTrail record is."""
        return cls(
            name=record.event_name,
            source=message.key,
            at=record.event_time.timestamp(),
            is_event=True,
            who=record.identity.name,
            event_id=record.event_id,
            facts=facts,
            receives=message.receives,
            redelivered=message.redelivered,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One resource to reconcile.

    `attempt` counts the follow-ups of one unfinished change, and a fresh event resets it;
    `throttled` counts how often AWS throttled a call. `not_before` (epoch seconds) is when the
    request is due. `entries` are items of the outbox that an earlier attempt recorded. `notes` are
    the reaction's own. `hops` is the length of the chain of messages that led here.
    """

    key: Key
    triggers: tuple[Trigger, ...]
    reason: str = ""
    attempt: int = 0
    throttled: int = 0
    not_before: int = 0
    entries: tuple[str, ...] = ()
    notes: Notes = field(default_factory=dict[str, tuple[str, ...]])
    hops: int = 0

    def merged(self, other: Request) -> Request:
        """Both as one request for the same resource."""
        return replace(
            self,
            triggers=(*self.triggers, *(one for one in other.triggers if one not in self.triggers)),
            attempt=min(self.attempt, other.attempt),
            throttled=max(self.throttled, other.throttled),
            not_before=min(self.not_before, other.not_before),
            entries=united(self.entries, other.entries),
            notes=_joined(self.notes, other.notes),
            hops=max(self.hops, other.hops),
        )

    def noting(self, notes: Notes) -> Request:
        """The request with these notes besides."""
        return replace(self, notes=_joined(self.notes, notes)) if notes else self

    def noted(self, name: str) -> tuple[str, ...]:
        """The notes of that name; empty, and so false, if there are none."""
        return self.notes.get(name, ())

    @property
    def receives(self) -> int:
        """How often at least SQS handed out each message that led here."""
        return min(one.receives for one in self.triggers)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of the triggers, each once."""
        return tuple(dict.fromkeys(one.source for one in self.triggers))


def asking(key: Key, reason: str, **notes: tuple[str, ...]) -> Request:
    """A new request of the guard's own."""
    return Request(key=key, triggers=(Trigger(name=reason),), reason=reason, notes=notes)


def _joined(some: Notes, others: Notes) -> dict[str, tuple[str, ...]]:
    names = united(tuple(some), tuple(others))
    return {name: united(some.get(name, ()), others.get(name, ())) for name in names}


def united(some: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """Both, each text once."""
    return tuple(dict.fromkeys((*some, *others)))
