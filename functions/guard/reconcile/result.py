"""What a reaction gives back to the kernel. Data, but for the two callbacks that it names.

A reaction decides; the kernel asks for the mode, keeps to limits and rates, records a change before
it is carried out, publishes and requeues.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from guard.findings.finding import Finding
    from guard.reconcile.outbox import Entry
    from guard.reconcile.request import Notes, Request


class NotVerified(RuntimeError):
    """What AWS shows is not what was written: the messages go back for another attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a change.

    `done` are the steps that were carried out. `refused` is AWS's refusal, which a repetition does
    not cure; `failed` is the error that ended the attempt, after which the messages come back or
    the request is requeued. `retry_after`: AWS refused for now, and the request is to be requeued
    as another attempt. `partial` announces what was done before one of these two; where a throttled
    attempt has done nothing, its record is taken back. `notes` are for a requeued request;
    `evidence` is the reaction's own.
    """

    done: tuple[str, ...] = ()
    refused: Any = None
    failed: Exception | None = None
    retry_after: timedelta | None = None
    partial: Finding | None = None
    notes: Notes = field(default_factory=dict[str, tuple[str, ...]])
    evidence: Any = None


class Limit(Protocol):
    """What a change is taken out of: how much may be changed or spent."""

    def refuse(self, now: datetime) -> Finding | None:
        """Take the change out; the finding to publish instead of changing anything if it is too
        much. Raises StateError, or boto3's ClientError.
        """
        ...

    def give_back(self, outcome: Outcome, now: datetime) -> None:
        """Put back what this outcome did not use. Raises boto3's ClientError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing to change, as data. A reaction adds what its `act` and `complete` need.

    `kind` names the entry in the outbox. `announcement` is recorded before anything is changed, and
    published late if the process dies; `steps` are recorded with it where it takes more than words
    to see what became of them. `drift` is published instead in observe mode.

    `requests` are sent first, so that they come even if the process dies in the change.
    `writes_endpoint`: it keeps to the rate of EC2's endpoint calls. `own`: it changes nothing but
    the guard's own records, so the mode does not matter. `not_before` (epoch seconds): it has a
    slot then, and nothing happens now. `earlier` are entries of attempts before this one that the
    announcement includes: closed with it, or published late if it is not carried out.
    `supersedes` are entries of which the present state shows nothing: closed with it.
    """

    kind: str
    announcement: Finding
    drift: tuple[Finding, ...] = ()
    steps: tuple[Mapping[str, Any], ...] = ()
    requests: tuple[Request, ...] = ()
    writes_endpoint: bool = False
    own: bool = False
    limit: Limit | None = None
    not_before: int = 0
    earlier: tuple[Entry, ...] = ()
    supersedes: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What is to follow.

    In this order: `findings` are published (at the end of the batch), entries in `late` are
    published late, `requests` are sent, `then` is called (to remember that they were), and
    `requeue_after` requeues this request as another attempt. Of `changes` the first is carried out;
    in observe mode each is reported. `notes` are for this request wherever it is requeued.
    `metrics` are added up.
    """

    findings: tuple[Finding, ...] = ()
    late: tuple[Entry, ...] = ()
    requests: tuple[Request, ...] = ()
    then: Callable[[], object] | None = None
    requeue_after: timedelta | None = None
    changes: tuple[Change, ...] = ()
    notes: Notes = field(default_factory=dict[str, tuple[str, ...]])
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])

    def joined(self, other: Result) -> Result:
        """Both, this one first."""
        calls = [one.then for one in (self, other) if one.then]

        def both() -> None:
            for call in calls:
                call()

        return Result(
            findings=(*self.findings, *other.findings),
            late=(*self.late, *other.late),
            requests=(*self.requests, *other.requests),
            then=both if calls else None,
            requeue_after=self.requeue_after or other.requeue_after,
            changes=(*self.changes, *other.changes),
            notes={**self.notes, **other.notes},
            metrics={**self.metrics, **other.metrics},
        )
